//! Comparing, writing up, and the runbook, whose commands are typed at running balancers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use engine::balancer::adapter;
use model::catalog::BalancerKind;
use model::operations::{Operations, Whereabouts};
use serde::Deserialize;
use testing::{Nginx, Signal, eventually, files};

use crate::RIG;

/// What `command` prints; it must end well.
fn typed(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().expect("there is a shell");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What follows `before` in `text`, up to a character that no address has.
fn after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let rest = text.split(before).nth(1)?;
    rest.split(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).next()
}

/// Where a running balancer is, as its own configuration says.
fn whereabouts(out: &Path) -> Whereabouts {
    let of = |name: &str| {
        let found = files(out).into_iter().find(|file| file.ends_with(format!("run/balancer/{name}")));
        found.map(|file| (std::fs::read_to_string(&file).unwrap(), file))
    };
    let mut at = Whereabouts { pool: "web".into(), backend: "web-1".into(), ..Whereabouts::placeholders() };
    if let Some((config, _)) = of("haproxy.cfg") {
        at.admin = config.split("stats socket ").nth(1).unwrap().split(' ').next().unwrap().into();
    } else if let Some((config, file)) = of("envoy.yaml") {
        let address = |text: &str| {
            let rest = text.split("socket_address: {address: ").nth(1).unwrap();
            let host = rest.split(',').next().unwrap().to_owned();
            (host, after(rest, "port_value: ").unwrap().to_owned())
        };
        at.admin = config.split("pipe: {path: \"").nth(1).unwrap().split('"').next().unwrap().into();
        at.directory = file.parent().unwrap().display().to_string();
        let (endpoints, _) = of("endpoints/web/endpoints.yaml").unwrap();
        (at.host, at.port) = address(&endpoints);
    } else if let Some((config, file)) = of("Caddyfile") {
        at.admin = config.split("admin \"unix/").nth(1).unwrap().split('|').next().unwrap().into();
        at.directory = file.parent().unwrap().display().to_string();
    } else if let Some((config, file)) = of("dynamic/dynamic.yaml") {
        let address = after(&config, "- url: \"http://").unwrap();
        at.directory = file.parent().unwrap().parent().unwrap().display().to_string();
        (at.host, at.port) = address.split_once(':').map(|(host, port)| (host.into(), port.into())).unwrap();
    } else {
        let (_, file) = of("nginx.conf").expect("some balancer stands");
        at.directory = file.parent().unwrap().display().to_string();
    }
    at
}

#[test]
fn the_commands_of_every_runbook_work_on_a_balancer_that_serves() {
    let machine = RIG.beside_others();
    let drained = ["web-1", "DRAIN", "eds_status_draining", "web-1", "# - url"];
    for (kind, drained) in BalancerKind::ALL.into_iter().zip(drained) {
        let rig = machine.fresh();
        let balancer = kind.name();
        let mut running = rig.run("standing").on([kind]).variants(["plain"]).set("load.for", "60s").begin();
        running.until("scheduled");
        let at = whereabouts(rig.path());
        let operations: Operations = adapter(kind).operated().unwrap().operations(&at);
        let look = |signal: &model::operations::LookedAt| typed(&signal.command);
        eventually(&format!("{balancer} to have given every backend something"), || {
            let shares = look(&operations.distribution);
            let numbers = shares.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
            (numbers.filter(|n| *n > 0).count() >= 3).then_some(())
        });
        look(&operations.health);
        assert!(!look(&operations.errors).trim().is_empty(), "{balancer} tells of no status");
        assert!(!look(&operations.drain).contains(drained), "{balancer} drains nothing yet");
        // No other user of this machine can take a backend out. These two have files instead of a socket.
        if !matches!(kind, BalancerKind::Nginx | BalancerKind::Traefik) {
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let socket = Path::new(&at.admin);
            assert_eq!((mode(socket), mode(socket.parent().unwrap())), (0o600, 0o700), "{balancer}");
        }
        typed(&operations.take_out);
        eventually(&format!("{balancer} to say that it drains"), || {
            look(&operations.drain).contains(drained).then_some(())
        });
        typed(&operations.put_back);
        eventually(&format!("{balancer} to say that it does not"), || {
            (!look(&operations.drain).contains(drained)).then_some(())
        });
        running.signal(Signal::INT);
        running.exits(130);
        assert!(!Path::new(&at.admin).exists(), "{balancer}");
    }
}

#[derive(Deserialize)]
struct RunComparison {
    sides: Vec<Side>,
    rows: Vec<Row>,
    absent: Vec<Absent>,
}

#[derive(Deserialize)]
struct FollowedRuns {
    trends: Vec<FollowedTrend>,
}

#[derive(Deserialize)]
struct FollowedTrend {
    points: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Side {
    name: String,
}

#[derive(Deserialize)]
struct Row {
    figure: String,
    sides: Vec<Measured>,
    best: Option<usize>,
}

#[derive(Deserialize)]
struct Measured {
    text: String,
}

#[derive(Deserialize)]
struct Absent {
    variant: String,
}

#[test]
fn balancers_are_compared_by_running_them_and_runs_by_reading_them() {
    let rig = RIG.beside_others();
    let standing = RIG.scenario("standing");
    let compared = rig.command(["compare", "haproxy", "nginx", &standing, "--repeat", "1"]);
    let ended = compared.args(["--format", "json", "--runtime", "process", "--quiet"]).exits(0);
    assert_eq!(ended.err, "");
    let comparisons: Vec<RunComparison> = ended.read();
    let comparison = &comparisons[0];
    let names: Vec<&str> = comparison.sides.iter().map(|side| side.name.as_str()).collect();
    assert_eq!(names, ["haproxy", "nginx"]);
    let dropped = &comparison.rows[0];
    assert_eq!((dropped.figure.as_str(), dropped.sides[1].text.as_str()), ("dropped", "0 of 100"));
    assert_eq!(dropped.best, None);
    assert_eq!(comparison.absent[0].variant, "only-here");
    let latest = "results/standing/latest";
    let first = std::fs::canonicalize(rig.path().join(latest)).unwrap();
    rig.run("standing").on([Nginx]).variants(["plain"]).set("load.rate", "120/s").exits(0);
    let compare = || rig.command(["compare", first.to_str().unwrap(), latest]);
    compare().exits(2).complains("load.rate: 100/s against 120/s");
    compare().args(["--force"]).exits(0).says("0 of 120");
    // Runs stand below each other, and what is no run is named and left out.
    rig.command(["history"]).exits(0).says("results/standing/");
    let followed = rig.command(["history", "standing", "--figure", "plain.scheduled"]).exits(0);
    followed.says("load.rate: 100/s → 120/s");
    let last = rig.command(["history", "--figure", "scheduled", "--last", "1", "--format", "json"]).exits(0);
    let trends: FollowedRuns = last.read();
    assert_eq!(trends.trends.iter().map(|trend| trend.points.len()).collect::<Vec<_>>(), [1]);
    let recorded = rig.command(["history", "--format", "openmetrics"]).exits(0);
    assert_eq!(recorded.out.matches("# TYPE rig_dropped gauge").count(), 1, "{recorded}");
    rig.command(["history", "standin"]).exits(2).complains("standing");
    rig.command(["history", "--figure", "droped"]).exits(2).complains("dropped");
    rig.write("results/standing/20260101T000000Z/plan.json", "{}");
    rig.command(["history"])
        .exits(0)
        .says("results/standing/")
        .complains("20260101T000000Z can't be read as a run");
    // What this scenario lacks, a bundled one has: it is found outside the repository too.
    rig.command(["writeup"]).exits(0).says("rig run scenarios/drain.yaml would show it");
    let page = rig.command(["runbook"]).exits(0);
    assert!(page.out.starts_with("# Runbook: nginx"), "{page}");
}

#[test]
fn what_is_no_comparison_is_refused_before_anything_runs() {
    let rig = RIG.idle();
    for (words, why) in [
        (&["nginx"][..], "nginx alone can't be compared"),
        (&["ngnix", "envoy"], "`ngnix` is no balancer"),
        (&["drain"], "no balancer is named"),
        (&["nginx", "envoy", "--force"], "--force is for saved runs"),
    ] {
        rig.command(["compare"]).args(words).exits(2).complains(why);
    }
    assert!(!rig.path().join("results").exists());
}

#[test]
fn a_dossier_overwrites_nothing_unless_it_is_told_to() {
    let rig = RIG.idle();
    rig.write("study/README.md", "mine");
    rig.command(["dossier", "study"]).exits(2).complains("study/README.md").complains("--force");
    assert_eq!(std::fs::read_to_string(rig.path().join("study/README.md")).unwrap(), "mine");
    assert!(!rig.path().join("results").exists());
}
