//! Whatever a log, a statistics page or a ledger holds, reading it ends without a panic.

use std::net::SocketAddr;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 9, 9, n], 20_000));
    Site {
        directory: PathBuf::from("/run/cell"),
        listener: address(1),
        admin: "/run/admin.sock".into(),
        backends: [("web-1".to_owned(), address(3)), ("web-2".to_owned(), address(4))].into(),
        names: None,
        certificates: None,
        modules: vec![],
        version: None,
        connections: 100,
        workers: 1,
        saves_state: false,
        succession: Default::default(),
        as_root: false,
    }
}

/// A whole line of each balancer's, and of each layer.
const LINES: [(BalancerKind, &str); 8] = [
    (
        BalancerKind::Nginx,
        r#"{"id":"42","ts":"1700000000.250","status":200,"upstream":"127.9.9.3:20000, 127.9.9.4:20000","upstream_status":"502, 200","upstream_seconds":"0.001, 0.050","seconds":0.051,"method":"GET","uri":"/","pool":"web","client":"127.0.0.1:9","nth":3,"completion":"OK"}"#,
    ),
    (
        BalancerKind::Haproxy,
        r#"{"id":"7","ts":"1700000000.999","status":502,"queue":0,"connect":0,"response":-1,"active":12,"pool":"web","server":"web-2","flags":"SH--","retries":"+2","method":"GET","client":"127.0.0.1:5"}"#,
    ),
    (
        BalancerKind::Envoy,
        r#"{"id":"9","ts":"1700000000.500","ms":30,"status":503,"upstream":"127.9.9.4:20000","flags":"UC","attempts":2,"pool":"web"}"#,
    ),
    (
        BalancerKind::Caddy,
        r#"{"level":"error","ts":1795727054.5549314,"status":502,"id":"11","retries":1,"upstream":"127.9.9.4:20000","pool":"web","error":"EOF"}"#,
    ),
    (
        BalancerKind::Traefik,
        r#"{"DownstreamStatus":502,"Duration":2228882,"RetryAttempts":1,"ServiceAddr":"127.9.9.4:20000","ServiceName":"web@file","StartUTC":"2026-11-26T21:11:18.515596556Z","request_X-Rig-Seq":"11"}"#,
    ),
    (
        BalancerKind::Nginx,
        r#"{"layer":"4","ts":"1700000000.250","ms":30,"upstream":"127.9.9.3:20000","flags":"200"}"#,
    ),
    (BalancerKind::Haproxy, r#"{"layer":"4","ts":"1700000000.250","ms":30,"upstream":"web-1","flags":"--"}"#),
    (
        BalancerKind::Envoy,
        r#"{"layer":"4","ts":"1700000000.250","ms":30,"upstream":"127.9.9.3:20000","flags":"-"}"#,
    ),
];

/// What each balancer that has a view says of its backends.
const VIEWS: [(BalancerKind, &str); 3] = [
    (
        BalancerKind::Haproxy,
        "# pxname,svname,qcur,scur,status\nweb,web-1,0,3,DRAIN\nweb,web-2,0,0,UP 1/2\n\n",
    ),
    (
        BalancerKind::Envoy,
        r#"{"cluster_statuses":[{"name":"web","host_statuses":[{"address":{"socket_address":{"address":"127.9.9.3","port_value":20000}},"stats":[{"name":"rq_active","type":"GAUGE","value":"2"}],"health_status":{"eds_health_status":"DRAINING","failed_active_health_check":true}}]}]}"#,
    ),
    (BalancerKind::Caddy, r#"[{"address":"127.9.9.3:20000","num_requests":2,"fails":0}]"#),
];

fn log(kind: BalancerKind) -> &'static dyn LogsRequests {
    adapter(kind).request_log().unwrap()
}

/// Texts that have broken parsers before.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        r#"[ \n\t:,{}\[\]."\\+<>-]{1,3}"#,
        "[0-9]{1,20}",
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("1e308".to_owned()),
        Just("null".to_owned()),
        Just("1.é×\u{1F600}é×\u{1F600}".to_owned()),
        Just("<NOSRV>".to_owned()),
        Just(r"\u0000\ud800".to_owned()),
    ]
}

/// Cuts `text` anywhere, and puts something in place of what is cut. Every other time a whole value goes.
fn mutate(text: &str, mutations: &[(usize, usize, String)]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for (at, cut, piece) in mutations {
        let at = at % (chars.len() + 1);
        let delimiter = |c: &char| matches!(c, '"' | ',' | ':' | '}' | '\n');
        let (begin, end) = match cut % 2 {
            0 => (at, (at + cut / 2).min(chars.len())),
            _ => (
                chars[..at].iter().rposition(delimiter).map_or(0, |n| n + 1),
                chars[at..].iter().position(delimiter).map_or(chars.len(), |n| at + n),
            ),
        };
        chars.splice(begin..end, piece.chars());
    }
    chars.into_iter().collect()
}

fn mutations() -> impl Strategy<Value = Vec<(usize, usize, String)>> {
    prop::collection::vec((any::<usize>(), 0..24_usize, piece()), 1..4)
}

proptest! {
    #[test]
    fn no_log_line_makes_an_adapter_panic(line in 0..LINES.len(), mutations in mutations()) {
        let (kind, text) = LINES[line];
        let text = mutate(text, &mutations);
        if let Ok(Some(read)) = log(kind).read(&text, &site()) {
            // What was read is what stands there.
            prop_assert!(read.id.is_none_or(|id| text.contains(&id.0.to_string())), "{:?}", read);
        }
    }

    #[test]
    fn no_answer_makes_a_view_panic(view in 0..VIEWS.len(), mutations in mutations()) {
        let (kind, text) = VIEWS[view];
        let query = adapter(kind).view().unwrap();
        let _ = (query.read)(&mutate(text, &mutations), &site());
    }
}

#[test]
fn what_is_mutated_is_sound() {
    for (kind, text) in LINES {
        assert!(matches!(log(kind).read(text, &site()), Ok(Some(_))), "{text}");
    }
    for (kind, text) in VIEWS {
        assert!((adapter(kind).view().unwrap().read)(text, &site()).is_ok(), "{text}");
    }
}

#[test]
fn a_time_that_no_clock_shows_is_an_error() {
    let line = |ts: &str, ms: i64| {
        format!(r#"{{"id":"9","ts":"{ts}","ms":{ms},"status":200,"upstream":"-","flags":"-","pool":"-"}}"#)
    };
    for (ts, ms) in [
        ("1.\u{1F600}\u{1F600}\u{1F600}", 0),
        ("1.-5", 0),
        ("9223372036.9", 0),
        ("-9999999999999", 0),
        ("1700000000.5", i64::MAX),
        ("1700000000.5", i64::MIN),
    ] {
        let read = log(BalancerKind::Envoy).read(&line(ts, ms), &site());
        assert!(read.is_err(), "{ts} {ms}: {read:?}");
    }
}
