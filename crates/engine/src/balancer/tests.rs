use std::net::SocketAddr;
use std::path::PathBuf;

use model::units::Span;

use super::*;

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 9, 9, n], 20_000));
    Site {
        directory: PathBuf::from("/run/cell"),
        listener: address(1),
        admin: PathBuf::from("/run/admin.sock"),
        backends: [("web-1".to_owned(), address(3)), ("web-2".to_owned(), address(4))].into(),
        certificates: None,
        modules: vec![],
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
        r#"{"id":"1","ts":"1700000000.250","status":502,"upstream":"web_without_web-1","upstream_status":"502","completion":"","pool":"web_without_web-1"}"#,
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
        r#"{"id":"","ts":"1700000000.001","status":-1,"active":0,"pool":"the_listener","server":"<NOSRV>","flags":"CR--","retries":"0"}"#,
    );
    assert_eq!((read.id, read.status, read.attempts), (None, 0, vec![]));
}

#[test]
fn haproxy_counts_the_attempts_before_the_server_that_it_names() {
    let read = |retries: &str| {
        let text = format!(
            r#"{{"id":"3","ts":"1700000000.001","status":200,"active":9,"pool":"web","server":"web-1","flags":"----","retries":"{retries}"}}"#
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
    let millis = |kind, symptom| match adapter(kind).detection(&check, symptom) {
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
    let modules = |said: &str| adapter(BalancerKind::Nginx).modules(said);
    let debian = "configure arguments: --prefix=/usr/share/nginx --modules-path=/usr/lib/nginx/modules --with-stream=dynamic";
    assert_eq!(modules(debian), ["/usr/lib/nginx/modules/ngx_stream_module.so"]);
    let own = "configure arguments: --prefix=/opt/nginx --with-stream=dynamic";
    assert_eq!(modules(own), ["/opt/nginx/modules/ngx_stream_module.so"]);
    assert!(modules("configure arguments: --modules-path=/etc/nginx/modules --with-stream").is_empty());
}
