use std::net::SocketAddr;
use std::path::PathBuf;

use super::*;

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 9, 9, n], 20_000));
    Site {
        directory: PathBuf::from("/run/cell"),
        listener: address(1),
        admin: address(2),
        backends: [("web-1".to_owned(), address(3)), ("web-2".to_owned(), address(4))].into(),
        connections: 100,
        workers: 1,
        as_root: false,
    }
}

fn line(kind: BalancerKind, text: &str) -> LogLine {
    adapter(kind).read_log(text, &site()).unwrap().unwrap()
}

fn attempt(backend: &str, status: Option<u16>) -> Attempt {
    Attempt { backend: Some(backend.into()), status }
}

/// An attempt that a balancer counts without a name.
const UNNAMED: Attempt = Attempt { backend: None, status: None };

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
        r#"{"id":"1","ts":"1700000000.250","status":502,"upstream":"web_without_web-1","upstream_status":"502","completion":""}"#,
    );
    assert_eq!(read.attempts, []);
}

#[test]
fn haproxy_logs_its_termination_state_and_skips_its_notices() {
    let read = line(
        BalancerKind::Haproxy,
        r#"{"id":"7","ts":"1700000000.999","status":502,"queue":0,"connect":0,"response":-1,"active":12,"pool":"web","server":"web-2","flags":"SH--","retries":"0","method":"GET","client":"127.0.0.1:5"}"#,
    );
    assert_eq!((read.status, read.flags.as_str(), read.wall), (502, "SH--", 1_700_000_001_011_000_000));
    assert_eq!(read.attempts, [attempt("web-2", None)]);
    let notice = adapter(BalancerKind::Haproxy).read_log("Server web/web-1 is DOWN", &site());
    assert_eq!(notice, Ok(None));
}

#[test]
fn haproxy_that_found_no_server_and_sent_nothing_says_so() {
    let read = line(
        BalancerKind::Haproxy,
        r#"{"id":"","ts":"1700000000.001","status":-1,"active":0,"server":"<NOSRV>","flags":"CR--","retries":"0"}"#,
    );
    assert_eq!((read.id, read.status, read.attempts), (None, 0, vec![]));
}

#[test]
fn haproxy_counts_the_attempts_before_the_server_that_it_names() {
    let read = |retries: &str| {
        let text = format!(
            r#"{{"id":"3","ts":"1700000000.001","status":200,"active":9,"server":"web-1","flags":"----","retries":"{retries}"}}"#
        );
        adapter(BalancerKind::Haproxy).read_log(&text, &site()).map(|line| line.unwrap().attempts)
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
fn a_line_in_another_format_is_an_error_and_not_a_request() {
    for kind in BalancerKind::ALL {
        assert!(adapter(kind).read_log("{\"nonsense\": true}", &site()).is_err(), "{kind}");
    }
}

#[test]
fn haproxy_statistics_tell_state_and_requests_in_flight() {
    let query = adapter(BalancerKind::Haproxy).view(&site()).unwrap();
    let answer = "# pxname,svname,qcur,scur,status\nweb,web-1,0,3,DRAIN\nweb,web-2,0,0,UP 1/2\n\n";
    let view = (query.read)(answer, &site()).unwrap();
    assert_eq!((view[0].up, view[0].in_flight), (false, 3));
    assert_eq!((view[1].up, view[1].in_flight), (true, 0));
    assert!((query.read)("# pxname,svname\nweb,web-1\n", &site()).is_err());
}

#[test]
fn envoy_clusters_tell_discovery_state_failed_checks_and_requests_in_flight() {
    let query = adapter(BalancerKind::Envoy).view(&site()).unwrap();
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
    for (kind, capability, reason) in catalog().missing {
        assert!(!reason.is_empty(), "{kind} {capability:?}");
    }
}
