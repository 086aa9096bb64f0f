use std::net::SocketAddr;
use std::path::PathBuf;

use model::detection::{DetectionBound, Symptom};
use model::timeline::ReloadProcess;
use model::units::Span;

use super::*;

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 9, 9, n], 20_000));
    Site {
        directory: PathBuf::from("/run/cell"),
        listener: address(1),
        admin: PathBuf::from("/run/admin.sock"),
        backends: [("web-1".to_owned(), address(3)), ("web-2".to_owned(), address(4))].into(),
        names: None,
        certificates: None,
        modules: vec![],
        version: None,
        connections: 100,
        workers: 1,
        saves_state: false,
        succession: ReloadProcess::Kept,
        as_root: false,
    }
}

fn log(kind: BalancerKind) -> &'static dyn LogsRequests {
    adapter(kind).request_log().unwrap()
}

/// The logs of those balancers that have one.
fn logs() -> impl Iterator<Item = (BalancerKind, &'static dyn LogsRequests)> {
    BalancerKind::ALL.into_iter().filter_map(|kind| Some((kind, adapter(kind).request_log()?)))
}

fn line(kind: BalancerKind, text: &str) -> LogLine {
    log(kind).read(text, &site()).unwrap().unwrap()
}

fn attempt(backend: &str, status: Option<u16>) -> Attempt {
    Attempt { backend: Some(backend.into()), status }
}

/// An attempt that a balancer counts without a name.
const UNNAMED: Attempt = Attempt { backend: None, status: None };

#[test]
fn haproxy_says_how_many_lines_it_could_not_write() {
    let query = log(BalancerKind::Haproxy).unwritten().unwrap();
    assert_eq!((query.read)("CurrConns: 1\nDroppedLogs: 3\nCumRecvLogs: 0\n"), Some(3));
    assert_eq!((query.read)("Unknown command"), None);
}

#[test]
fn nginx_logs_name_every_attempt_with_its_status() {
    let read = line(
        BalancerKind::Nginx,
        r#"{"id":"42","ts":"1700000000.250","status":200,"upstream":"127.9.9.3:20000, 127.9.9.4:20000","upstream_status":"502, 200","upstream_seconds":"0.001, 0.050","seconds":0.051,"method":"GET","uri":"/","pool":"web","client":"127.0.0.1:9","nth":3,"completion":"OK"}"#,
    );
    assert_eq!(read.id, Some(RequestId(42)));
    assert_eq!(read.wall, 1_700_000_000_250_000_000);
    assert_eq!(read.attempts, [attempt("web-1", Some(502)), attempt("web-2", Some(200))]);
}

#[test]
fn nginx_without_a_live_backend_has_no_attempt() {
    let read = line(
        BalancerKind::Nginx,
        r#"{"id":"1","ts":"1700000000.250","status":502,"upstream":"web_without_web-1","upstream_status":"502","completion":"","pool":"web_without_web-1"}"#,
    );
    assert_eq!(read.attempts, []);
    assert_eq!((read.signs, read.reason), (vec!["no live upstreams".into()], Some(Reason::NoLiveBackend)));
}

/// What nginx says of a request with these variables of its last attempt.
fn nginx_says(status: &str, upstream_status: &str, header: &str, sent: &str) -> Option<Reason> {
    let text = format!(
        r#"{{"id":"1","ts":"1700000000.250","status":{status},"upstream":"127.9.9.3:20000","upstream_status":"{upstream_status}","upstream_header":"{header}","upstream_sent":"{sent}","pool":"web"}}"#
    );
    let read = line(BalancerKind::Nginx, &text);
    assert_eq!(read.reason.is_some(), read.signs.len() == 1);
    read.reason
}

#[test]
fn nginx_tells_502_and_504_apart_by_what_its_last_attempt_came_to() {
    assert_eq!(nginx_says("200", "200", "0.010", "100"), None);
    assert_eq!(nginx_says("502", "502", "-", "0"), Some(Reason::ConnectRefused));
    assert_eq!(nginx_says("504", "504", "-", "0"), Some(Reason::ConnectTimeout));
    assert_eq!(nginx_says("502", "502", "-", "100"), Some(Reason::BackendClosed));
    assert_eq!(nginx_says("504", "504", "-", "100"), Some(Reason::GatewayTimeout));
    assert_eq!(nginx_says("499", "-", "-", "100"), Some(Reason::ClientAbort));
    // The backend's own answers, and those of a log that does not have the fields.
    for status in ["502", "503", "504"] {
        assert_eq!(nginx_says(status, status, "0.010", "100"), None);
        assert_eq!(nginx_says(status, status, "", ""), None);
    }
    // Of several attempts the last one counts.
    assert_eq!(nginx_says("504", "502, 504", "-, -", "0, 100"), Some(Reason::GatewayTimeout));
}

#[test]
fn haproxy_says_who_ended_a_request_and_where() {
    let says = |flags: &str, server: &str, pool: &str| {
        let text = format!(
            r#"{{"id":"7","ts":"1700000000.999","status":503,"active":12,"pool":"{pool}","server":"{server}","flags":"{flags}","retries":"0"}}"#
        );
        let read = line(BalancerKind::Haproxy, &text);
        (read.signs, read.reason)
    };
    let one = |word: &str| vec![word.to_owned()];
    assert_eq!(says("----", "web-1", "web"), (vec![], None));
    assert_eq!(says("sQ--", "<NOSRV>", "web"), (one("sQ"), Some(Reason::QueueTimeout)));
    assert_eq!(says("sH--", "web-1", "web"), (one("sH"), Some(Reason::GatewayTimeout)));
    assert_eq!(says("SC--", "web-1", "web"), (one("SC"), Some(Reason::ConnectRefused)));
    assert_eq!(
        says("SC--", "<NOSRV>", "web"),
        (vec!["SC".into(), "<NOSRV>".into()], Some(Reason::NoLiveBackend))
    );
    assert_eq!(says("SC--", "<NOSRV>", "the_listener"), (one("SC"), Some(Reason::NoRoute)));
    assert_eq!(says("CDVN", "web-1", "web"), (one("CD"), Some(Reason::ClientAbort)));
}

#[test]
fn envoys_flags_come_one_by_one_and_the_first_reason_counts() {
    let says = |flags: &str, details: &str| {
        let text = format!(
            r#"{{"id":"3","ts":"1700000000.100","ms":5,"status":503,"upstream":"127.9.9.3:20000","flags":"{flags}","details":"{details}","attempts":1,"pool":"web"}}"#
        );
        let read = line(BalancerKind::Envoy, &text);
        (read.signs.join(" "), read.reason)
    };
    assert_eq!(says("-", "via_upstream"), (String::new(), None));
    assert_eq!(says("UO", "overflow"), ("UO".into(), Some(Reason::LimitReached)));
    assert_eq!(says("UH", "no_healthy_upstream"), ("UH".into(), Some(Reason::NoLiveBackend)));
    assert_eq!(says("UF,URX", "remote_connection_failure"), ("UF URX".into(), Some(Reason::ConnectRefused)));
    assert_eq!(says("URX,UF", "connection_timeout"), ("URX UF".into(), Some(Reason::ConnectTimeout)));
    assert_eq!(says("UT,DC", ""), ("UT DC".into(), Some(Reason::ClientAbort)));
    assert_eq!(says("XX", ""), ("XX".into(), None));
}

#[test]
fn a_log_of_a_users_own_may_lack_ids_and_all_else_but_time_and_status() {
    use BalancerKind::{Caddy, Envoy, Haproxy, Nginx, Traefik};
    let plain = r#"{"ts":"1700000000.100","status":200}"#;
    for (kind, text) in [
        (Nginx, plain),
        (Haproxy, plain),
        (Envoy, plain),
        (Caddy, r#"{"ts":1700000000.1,"status":200}"#),
        (Traefik, r#"{"StartUTC":"2023-11-14T22:13:20.1Z","DownstreamStatus":200}"#),
    ] {
        let read = line(kind, text);
        assert_eq!((read.id, read.status, read.attempts.len(), read.reason), (None, 200, 0, None), "{kind}");
    }
}

#[test]
fn every_word_of_a_log_has_one_meaning() {
    for (kind, log) in logs() {
        let mut words: Vec<_> = log.signs().iter().map(|sign| sign.word).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all, "{kind}");
    }
}

#[test]
fn notices_name_the_backend_and_what_happened_to_it() {
    let say = |kind, line: &str| log(kind).read_notice(line, &site());
    let disabled = r#"2026/11/25 12:00:00 [warn] 7#7: *5 upstream server temporarily disabled while connecting to upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://127.9.9.3:20000/", host: "x""#;
    let ejected = say(BalancerKind::Nginx, disabled);
    assert_eq!(ejected.as_deref(), Some("web-1: upstream server temporarily disabled"));
    let no_live = r#"2026/11/25 12:00:00 [error] 7#7: *5 no live upstreams while connecting to upstream, client: 127.0.0.1, server: , request: "GET / HTTP/1.1", upstream: "http://web/", host: "x""#;
    assert_eq!(say(BalancerKind::Nginx, no_live).as_deref(), Some("no live upstreams"));
    assert_eq!(say(BalancerKind::Nginx, "2026/11/25 12:00:00 [notice] 7#7: start worker processes"), None);
    let down = "Server web/web-1 is DOWN, reason: Layer4 connection problem, check duration: 0ms.";
    assert_eq!(say(BalancerKind::Haproxy, down).as_deref(), Some("web-1: DOWN"));
    assert_eq!(
        say(BalancerKind::Haproxy, "backend web has no server available!").as_deref(),
        Some("web: no server available")
    );
}

#[test]
fn haproxy_logs_its_termination_state_and_skips_its_notices() {
    let read = line(
        BalancerKind::Haproxy,
        r#"{"id":"7","ts":"1700000000.999","status":502,"queue":0,"connect":0,"response":-1,"active":12,"pool":"web","server":"web-2","flags":"SH--","retries":"0","method":"GET","client":"127.0.0.1:5"}"#,
    );
    assert_eq!((read.status, read.flags.as_str(), read.wall), (502, "SH--", 1_700_000_001_011_000_000));
    assert_eq!(read.attempts, [attempt("web-2", None)]);
    let notice = log(BalancerKind::Haproxy).read("Server web/web-1 is DOWN", &site());
    assert_eq!(notice, Ok(None));
}

#[test]
fn haproxy_that_found_no_server_and_sent_nothing_says_so() {
    let read = line(
        BalancerKind::Haproxy,
        r#"{"id":"","ts":"1700000000.001","status":-1,"active":0,"pool":"the_listener","server":"<NOSRV>","flags":"CR--","retries":"0"}"#,
    );
    assert_eq!((read.id, read.status, read.attempts), (None, 0, vec![]));
}

#[test]
fn haproxy_says_how_long_a_request_waited_and_that_its_rule_refused_one() {
    let read = |queue: i32, flags: &str, refused: &str| {
        let text = format!(
            r#"{{"id":"3","ts":"1700000000.001","status":503,"queue":{queue},"connect":-1,"active":9,"pool":"web","server":"<NOSRV>","flags":"{flags}","retries":"0","refused":"{refused}"}}"#
        );
        line(BalancerKind::Haproxy, &text)
    };
    let full = read(-1, "PR--", "queue full");
    assert_eq!((full.queued, full.reason), (None, Some(Reason::LimitReached)));
    assert_eq!(full.signs, ["PR", "queue full"]);
    let late = read(300, "sQ--", "-");
    assert_eq!((late.queued, late.reason), (Some(Span::millis(300)), Some(Reason::QueueTimeout)));
    assert_eq!(read(-1, "PR--", "-").reason, Some(Reason::BalancerEnded), "a rule of somebody else's");
}

#[test]
fn haproxy_counts_the_attempts_before_the_server_that_it_names() {
    let read = |retries: &str| {
        let text = format!(
            r#"{{"id":"3","ts":"1700000000.001","status":200,"active":9,"pool":"web","server":"web-1","flags":"----","retries":"{retries}"}}"#
        );
        log(BalancerKind::Haproxy).read(&text, &site()).map(|line| line.unwrap().attempts)
    };
    assert_eq!(read("0"), Ok(vec![attempt("web-1", None)]));
    assert_eq!(read("1"), Ok(vec![UNNAMED, attempt("web-1", None)]));
    assert_eq!(read("+2"), Ok(vec![UNNAMED, UNNAMED, attempt("web-1", None)]));
    assert!(read("many").is_err());
}

#[test]
fn envoy_logs_the_last_host_and_counts_the_attempts_before_it() {
    let read = line(
        BalancerKind::Envoy,
        r#"{"id":"9","ts":"1700000000.500","ms":30,"status":503,"upstream":"127.9.9.4:20000","flags":"UC","attempts":2,"pool":"web"}"#,
    );
    assert_eq!(read.attempts, [UNNAMED, attempt("web-2", None)]);
    assert_eq!(read.wall, 1_700_000_000_530_000_000);
}

#[test]
fn a_host_of_envoys_at_its_limit_was_not_tried_and_the_wait_for_a_connection_is_known() {
    let read = |flags: &str, attempts: u8, ready: &str| {
        let text = format!(
            r#"{{"id":"9","ts":"1700000000.500","ms":30,"status":503,"upstream":"127.9.9.4:20000","flags":"{flags}","attempts":{attempts},"pool":"web","ready":{ready}}}"#
        );
        line(BalancerKind::Envoy, &text)
    };
    let refused = read("UO", 1, "0");
    assert_eq!((refused.attempts, refused.queued), (vec![], None));
    assert_eq!(read("UO", 2, "0").attempts, [UNNAMED]);
    let waited = read("UT", 1, "null");
    assert_eq!((waited.attempts, waited.reason), (vec![], Some(Reason::QueueTimeout)));
    assert_eq!(waited.queued, Some(Span::millis(30)), "it waited for as long as it lasted");
    assert_eq!(read("UT", 1, "7").reason, Some(Reason::GatewayTimeout));
    let served = read("-", 1, "12");
    assert_eq!((served.attempts, served.queued), (vec![attempt("web-2", None)], Some(Span::millis(12))));
}

#[test]
fn a_line_in_another_format_is_an_error_and_not_a_request() {
    for (kind, log) in logs() {
        assert!(log.read("{\"nonsense\": true}", &site()).is_err(), "{kind}");
    }
}

#[test]
fn haproxy_statistics_tell_state_and_requests_in_flight() {
    let query = adapter(BalancerKind::Haproxy).view().unwrap();
    let answer = "# pxname,svname,qcur,scur,status\nweb,web-1,0,3,DRAIN\nweb,web-2,0,0,UP 1/2\n\n";
    let view = (query.read)(answer, &site()).unwrap();
    assert_eq!((view[0].up, view[0].in_flight), (false, 3));
    assert_eq!((view[1].up, view[1].in_flight), (true, 0));
    assert!((query.read)("# pxname,svname\nweb,web-1\n", &site()).is_err());
}

#[test]
fn envoy_clusters_tell_discovery_state_failed_checks_and_requests_in_flight() {
    let query = adapter(BalancerKind::Envoy).view().unwrap();
    let host = |ip: &str, health: &str, active: u32| {
        format!(
            r#"{{"address":{{"socket_address":{{"address":"{ip}","port_value":20000}}}},"stats":[{{"name":"rq_active","type":"GAUGE","value":"{active}"}}],"health_status":{health}}}"#
        )
    };
    let answer = format!(
        r#"{{"cluster_statuses":[{{"name":"web","host_statuses":[{},{}]}}]}}"#,
        host("127.9.9.3", r#"{"eds_health_status":"DRAINING"}"#, 2),
        host("127.9.9.4", r#"{"eds_health_status":"HEALTHY","failed_active_health_check":true}"#, 0),
    );
    let view = (query.read)(&answer, &site()).unwrap();
    assert_eq!((view[0].backend.as_str(), view[0].up, view[0].in_flight), ("web-1", false, 2));
    assert_eq!((view[1].up, view[1].words.as_str()), (false, "HEALTHY failed_active_health_check"));
}

#[test]
fn every_missing_capability_has_a_reason() {
    for (kind, Lack { capability, reason, .. }) in catalog().missing {
        assert!(!reason.is_empty(), "{kind} {capability:?}");
    }
}

#[test]
fn the_bound_of_detection_follows_the_probes_and_the_symptom() {
    use model::topology::HealthCheck;
    let check = HealthCheck {
        path: "/health".into(),
        every: Span::millis(500),
        timeout: Span::millis(250),
        fall: 3,
        rise: 1,
    };
    let millis = |kind, symptom| match adapter(kind).probes()?.detection(&check, symptom) {
        DetectionBound::Within { least, most, .. } => Some((least.whole_millis(), most.whole_millis())),
        DetectionBound::None { .. } => None,
    };
    for kind in [BalancerKind::Haproxy, BalancerKind::Envoy] {
        assert_eq!(millis(kind, Symptom::Refuses), Some((1000, 1500)));
        assert_eq!(millis(kind, Symptom::Hangs), Some((1750, 2250)));
    }
    // A 503 counts as one failure of many, or settles it.
    assert_eq!(millis(BalancerKind::Haproxy, Symptom::SaysNo), Some((1000, 1500)));
    assert_eq!(millis(BalancerKind::Envoy, Symptom::SaysNo), Some((0, 500)));
    // `timeout check` does not count before the connection stands.
    assert_eq!(millis(BalancerKind::Haproxy, Symptom::Vanishes), Some((2500, 3000)));
    assert_eq!(millis(BalancerKind::Envoy, Symptom::Vanishes), Some((1750, 2250)));
    assert_eq!(millis(BalancerKind::Nginx, Symptom::Refuses), None);
}

#[test]
fn a_log_names_the_pool_that_was_chosen() {
    let nginx = r#"{"id":"1","ts":"1.0","status":200,"upstream":"127.9.9.3:20000","upstream_status":"200","completion":"OK","pool":"web_without_web-2"}"#;
    let haproxy = |pool: &str| {
        format!(
            r#"{{"id":"1","ts":"1.0","status":200,"active":1,"pool":"{pool}","server":"web-1","flags":"----","retries":"0"}}"#
        )
    };
    let envoy = r#"{"id":"1","ts":"1.0","ms":1,"status":200,"upstream":"127.9.9.3:20000","pool":"web","flags":"-","attempts":1}"#;
    for (kind, text) in
        [(BalancerKind::Nginx, nginx), (BalancerKind::Haproxy, &haproxy("web")), (BalancerKind::Envoy, envoy)]
    {
        assert_eq!(line(kind, text).pool.as_deref(), Some("web"), "{kind}");
    }
    assert_eq!(line(BalancerKind::Haproxy, &haproxy("the_listener")).pool, None);
}

#[test]
fn a_line_about_a_connection_has_a_backend_and_no_id() {
    let text = |upstream: &str| {
        format!(r#"{{"layer":"4","ts":"1700000000.250","ms":30,"upstream":"{upstream}","flags":"200"}}"#)
    };
    for (kind, upstream) in [
        (BalancerKind::Nginx, "127.9.9.3:20000"),
        (BalancerKind::Haproxy, "web-1"),
        (BalancerKind::Envoy, "127.9.9.3:20000"),
    ] {
        let read = line(kind, &text(upstream));
        assert_eq!((read.id, read.pool, read.wall), (None, None, 1_700_000_000_280_000_000), "{kind}");
        assert_eq!(read.attempts, [attempt("web-1", None)], "{kind}");
        assert_eq!(line(kind, &text("-")).attempts, [], "{kind}");
    }
}

#[test]
fn nginx_loads_the_stream_module_where_it_is_one() {
    let modules = |said: &str| (adapter(BalancerKind::Nginx).program().modules)(said);
    let debian = "configure arguments: --prefix=/usr/share/nginx --modules-path=/usr/lib/nginx/modules --with-stream=dynamic";
    assert_eq!(modules(debian), ["/usr/lib/nginx/modules/ngx_stream_module.so"]);
    let own = "configure arguments: --prefix=/opt/nginx --with-stream=dynamic";
    assert_eq!(modules(own), ["/opt/nginx/modules/ngx_stream_module.so"]);
    assert!(modules("configure arguments: --modules-path=/etc/nginx/modules --with-stream").is_empty());
}
