//! The live view as people see it.

use engine::balancer::BackendView;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::job::{BackendStatus, Progress};
use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use model::units::Nanos;

fn variant() -> Variant {
    let text = "name: small\nquestion: Is it seen?\ntopology:\n  pools: { web: { backends: 3 } }\n  \
                routes: { all: { path: /, to: web } }\nload: { rate: 100/s, for: 10s, warmup: 2s }\n";
    let scenario = Scenario::parse("small.yaml", text, &[]).unwrap();
    let plan = Plan::build(&scenario, &engine::balancer::catalog(), &Choice::default()).unwrap();
    plan.variants[0].clone()
}

fn seconds(seconds: f64) -> Nanos {
    Nanos((seconds * 1e9) as i64)
}

fn status(backend: &str, generation: u32, received: u64, in_flight: u64) -> BackendStatus {
    let handshakes = Default::default();
    BackendStatus {
        incarnation: Incarnation::new(backend, generation),
        in_flight,
        received,
        queued: 0,
        handshakes,
    }
}

/// A cell in the middle of a deploy, with one backend that drains and one that is gone.
fn dashboard() -> Dashboard {
    let mut dashboard =
        Dashboard::new("[2/6] haproxy with-drain".to_owned(), Some(&variant()), Duration::from_secs(73));
    let mut tell = |at: f64, what: Happening| {
        let event = Event { at: seconds(at), what };
        dashboard.observe(Observation::Event(&event), seconds(at));
    };
    tell(
        8.0,
        Happening::Balancer {
            kind: "haproxy".parse().unwrap(),
            version: "1".into(),
            binary: "b".into(),
            listener: "l".into(),
            published: None,
            settings: vec![],
            in_flight_view: true,
            tells_health: true,
        },
    );
    tell(8.0, Happening::Scheduled { requests: 1200, origin: seconds(10.0) });
    tell(12.0, Happening::Deregistered { incarnation: Incarnation::new("web-1", 1), proof: "p".into() });
    let view = [("web-1", false, "DRAIN"), ("web-2", true, "UP"), ("web-3", false, "DOWN")];
    let view = view.map(|(backend, up, words)| BackendView {
        backend: backend.to_owned(),
        up,
        in_flight: 0,
        words: words.to_owned(),
    });
    dashboard.observe(Observation::View(&view), seconds(12.1));
    let before = [status("web-1", 1, 100, 9), status("web-2", 1, 100, 8), status("web-3", 1, 100, 8)];
    dashboard.observe(Observation::Backends(&before), seconds(12.2));
    let progress = Progress { due: 400, ended: 380, ok: 380, dropped: 0, http_5xx: 0, cpu_seconds: 0.0 };
    dashboard.observe(Observation::Progress(progress), seconds(12.2));
    dashboard.observe(
        Observation::Backends(&[status("web-1", 1, 100, 3), status("web-2", 1, 160, 17)]),
        seconds(13.0),
    );
    let progress = Progress { due: 480, ended: 460, ok: 452, dropped: 8, http_5xx: 6, cpu_seconds: 0.0 };
    dashboard.observe(Observation::Progress(progress), seconds(13.0));
    dashboard
}

fn seen(dashboard: &Dashboard, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| picture::draw(frame, dashboard)).unwrap();
    terminal.backend().to_string()
}

#[test]
fn the_four_signals_are_seen() {
    let dashboard = dashboard();
    insta::assert_snapshot!(seen(&dashboard, 100, picture::height(&dashboard)));
}

#[test]
fn a_narrow_or_low_terminal_gets_what_fits() {
    let dashboard = dashboard();
    for (width, height) in [(40, 9), (100, 2), (1, 1), (3, 40)] {
        let seen = seen(&dashboard, width, height);
        assert_eq!(seen.lines().count(), usize::from(height));
    }
}

#[test]
fn what_is_not_known_yet_is_not_shown_as_zero() {
    let dashboard = Dashboard::new("[1/1] nginx base".to_owned(), Some(&variant()), Duration::ZERO);
    insta::assert_snapshot!(seen(&dashboard, 100, picture::height(&dashboard)));
}

#[test]
fn a_new_generation_does_not_take_its_predecessors_count_along() {
    let mut dashboard = dashboard();
    let after = [status("web-1", 2, 5, 1), status("web-2", 1, 165, 1)];
    dashboard.observe(Observation::Backends(&after), seconds(13.1));
    let after = [status("web-1", 2, 15, 1), status("web-2", 1, 175, 1)];
    dashboard.observe(Observation::Backends(&after), seconds(13.2));
    assert_eq!(dashboard.backends["web-1"].incarnation, Some(Incarnation::new("web-1", 2)));
    // 10 of 10 + 75 within the second.
    assert_eq!(dashboard.backends["web-1"].share.map(|share| (share * 85.0).round()), Some(10.0));
}
