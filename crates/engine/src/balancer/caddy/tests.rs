use std::net::SocketAddr;

use model::access_log::{Attempt, Reason};
use model::catalog::BalancerKind;
use model::identity::RequestId;
use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};

use super::*;
use crate::balancer::{Rendered, adapter, catalog, example_site};

fn variant(topology: &str) -> Variant {
    let text = format!(
        "name: rendered\nquestion: What is rendered?\nbalancers: [caddy]\ntopology:\n  \
         pools: {{ web: {{ backends: 2 }}, canary: {{ backends: 1 }} }}\n{topology}\
         load: {{ rate: 100/s, for: 10s, timeout: 5s }}\n\
         timeline: {{ rollout: {{ at: 4s, deploy: {{ pool: web, drain: auto }} }} }}\n"
    );
    let scenario = Scenario::parse("rendered.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    plan.variants[0].clone()
}

const PLAIN: &str = "  routes: { all: { path: /, to: web } }\n";

fn rendered(variant: &Variant) -> Vec<ConfigFile> {
    let (topology, site) = (&variant.topology, example_site(variant, BalancerKind::Caddy.into()));
    Caddy.files(topology, &site, &Rotation::initial(topology), &Templates::embedded()).unwrap()
}

fn settings_of(variant: &Variant, name: &str) -> String {
    let files = rendered(variant);
    let templates = &Templates::embedded();
    let settings = Caddy.read_back().unwrap().settings(&Rendered {
        variant,
        files: &files,
        arguments: &[],
        templates,
        version: None,
    });
    settings.into_iter().find(|setting| setting.name == name).unwrap().rendered
}

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 7, 7, n], 20_000));
    let backends = [("web-1".to_owned(), address(2)), ("web-2".to_owned(), address(3))];
    Site { backends: backends.into(), ..example_site(&variant(PLAIN), BalancerKind::Caddy.into()) }
}

fn line(text: &str) -> crate::balancer::LogLine {
    Caddy.request_log().unwrap().read(text, &site()).unwrap().unwrap()
}

#[test]
fn every_request_tests_for_the_backend_that_is_out_and_never_meets_it() {
    let text = &rendered(&variant(PLAIN))[0].text;
    for (backend, left) in [("web-1", "127.0.1.11:20000"), ("web-2", "127.0.1.10:20000")] {
        let out = text.split(&format!("handle @{backend} {{")).nth(1).unwrap().split('}').next().unwrap();
        assert_eq!(out.trim(), format!("import pool_0 {left}"), "{text}");
    }
    assert!(text.contains("import pool_0 127.0.1.10:20000 127.0.1.11:20000"), "{text}");
    let alone = text.split("handle @canary-1 {").nth(1).unwrap().split('}').next().unwrap();
    assert_eq!(alone.trim(), "error \"no upstreams available\" 503", "{text}");
}

#[test]
fn a_reload_leaves_out_who_is_out_and_a_flag_leaves_the_file_as_it_is() {
    let variant = variant(PLAIN);
    let to = Rotation::initial(&variant.topology).with("web-1", Standing::Draining);
    let change = |how| {
        let turn = Turn { to: &to, backend: "web-1", how };
        let site = example_site(&variant, BalancerKind::Caddy.into());
        Caddy.deregisters().unwrap().change(&variant.topology, &site, turn, &Templates::embedded()).unwrap()
    };
    let live = change(Deregister::Live);
    assert!(matches!(live.steps.as_slice(), [Step::Write { path, .. }] if path == "drain/web-1"));
    let reload = change(Deregister::Reload);
    let [Step::Write { text, .. }, Step::Reload(Trigger::Signal(Signal::Usr1)), Step::Await { .. }] =
        reload.steps.as_slice()
    else {
        panic!("{reload:?}")
    };
    assert!(!text.contains("127.0.1.10:20000") && text.contains("127.0.1.11:20000"), "{text}");
    assert_eq!((live.drained, reload.drained), (DrainSignal::View, DrainSignal::View));
}

#[test]
fn shares_are_parts_of_all_uuids() {
    assert_eq!(
        (below(0), below(100), below(5_000)),
        ("00000000".into(), "028f5c28".into(), "80000000".into())
    );
    // Every UUID is less.
    assert!("ffffffff-ffff-4fff-bfff-ffffffffffff" < below(Split::PARTS).as_str());
    let variant = variant("  routes: { all: { path: /, to: { canary: 1%, web: 99% } } }\n");
    let files = rendered(&variant);
    assert!(files.contains(&ConfigFile::new("shares/all/canary", "028f5c28")), "{files:?}");
    let text = &files[0].text;
    assert!(text.contains("vars share_0_1 \"{file./run/rig/balancer/shares/all/canary}\""), "{text}");
    assert!(text.contains("expression `{http.request.uuid} < {http.vars.share_0_1}`"), "{text}");
    let (topology, site) = (&variant.topology, example_site(&variant, BalancerKind::Caddy.into()));
    let split =
        Caddy.splits().unwrap().split(topology, &site, &topology.routes[0], &Templates::embedded()).unwrap();
    assert!(matches!(split.steps.as_slice(), [Step::Write { path, .. }] if path == "shares/all/canary"));
}

#[test]
fn settings_are_the_files_own_words() {
    let plain = variant(PLAIN);
    assert_eq!(settings_of(&plain, "balance"), "lb_policy round_robin");
    assert!(settings_of(&plain, "retries").starts_with("(nothing: Caddy's default, none); beside that, Go"));
    assert!(settings_of(&plain, "health_check").contains("health_interval 500ms, health_timeout 250ms"));
    assert_eq!(settings_of(&plain, "client_keepalive"), "idle 75000ms");
    assert_eq!(settings_of(&plain, "reload_grace"), "grace_period 30000ms");
    assert!(settings_of(&plain, "deregister").starts_with("route flag"));
    let other = variant(
        "  routes: { all: { path: /, to: web, sticky: { cookie: SRV } } }\n  retries: { tries: 3 }\n  client_keepalive: off\n  \
         health_check: off\n  passive_health: { fails: 5, for: 10s }\n",
    );
    assert!(settings_of(&other, "retries").starts_with("lb_retries 2; "));
    assert_eq!(settings_of(&other, "client_keepalive"), "header >Connection close");
    assert_eq!(settings_of(&other, "health_check"), "(nothing: Caddy's default, none)");
    assert_eq!(
        settings_of(&other, "passive_health"),
        "max_fails 5, fail_duration 10000ms, unhealthy_status 5xx"
    );
    let balance = settings_of(&other, "balance");
    assert!(balance.contains("lb_policy cookie SRV, fallback round_robin"), "{balance}");
}

#[test]
fn its_log_has_the_error_in_gos_words() {
    // As Caddy 2.11.7 wrote them, without what rig does not read.
    let read = |error: &str, status: u16| {
        line(&format!(
            r#"{{"level":"error","ts":1795727054.5549314,"logger":"http.log.access.log0","msg":"handled request","bytes_read":0,"duration":0.000916655,"size":0,"status":{status},"id":"11","uuid":"dfbb9afb-5962-4e32-9a02-ccfec4456787","retries":0,"upstream":"127.7.7.2:20000","pool":"web","error":"{error}"}}"#
        ))
    };
    for (error, status, reason) in [
        ("dial tcp 127.7.7.2:20000: connect: connection refused", 502, Reason::ConnectRefused),
        ("dial tcp 127.7.7.2:20000: i/o timeout", 504, Reason::ConnectTimeout),
        (
            "read tcp 127.0.0.1:60714->127.7.7.2:20000: read: connection reset by peer",
            502,
            Reason::BackendClosed,
        ),
        ("EOF", 502, Reason::BackendClosed),
        ("net/http: timeout awaiting response headers", 504, Reason::GatewayTimeout),
        ("no upstreams available", 503, Reason::NoLiveBackend),
        ("no route", 404, Reason::NoRoute),
    ] {
        let read = read(error, status);
        assert_eq!((read.reason, read.status, read.flags.as_str()), (Some(reason), status, error));
    }
    let read = read("EOF", 502);
    assert_eq!(
        (read.id, read.wall, read.pool),
        (Some(RequestId(11)), 1_795_727_054_554_931_400, Some("web".into()))
    );
    assert_eq!(read.attempts, [Attempt { backend: Some("web-1".into()), status: None }]);
}

#[test]
fn a_request_that_ended_well_was_given_up_or_met_no_upstream_is_read_as_that() {
    let text = r#"{"level":"info","ts":1795726431.5549314,"status":200,"id":"1","retries":2,"upstream":"127.7.7.3:20000","pool":"web"}"#;
    let read = line(text);
    assert_eq!((read.reason, read.signs.len(), read.attempts.len()), (None, 0, 3));
    let left = line(
        r#"{"ts":1795726431.5,"status":499,"id":"14","retries":0,"upstream":"127.7.7.3:20000","pool":"web"}"#,
    );
    assert_eq!(left.reason, Some(Reason::ClientAbort));
    let no_upstream =
        line(r#"{"ts":1795726431.5,"status":404,"id":"23","retries":null,"upstream":null,"pool":null}"#);
    assert_eq!((no_upstream.attempts.len(), no_upstream.pool), (0, None));
    // A response that breaks off ends the chain of handlers before they add their fields.
    let broken_off = line(r#"{"ts":1795726431.5,"size":3,"status":200,"id":"10"}"#);
    assert_eq!((broken_off.id, broken_off.attempts.len()), (Some(RequestId(10)), 0));
}

#[test]
fn its_view_counts_requests_and_lists_every_backend() {
    let view = Caddy.view().unwrap();
    let answer = r#"[{"address":"127.7.7.3:20000","num_requests":3,"fails":1}]"#;
    let read = (view.read)(answer, &site()).unwrap();
    let told: Vec<_> = read.iter().map(|it| (it.backend.as_str(), it.in_flight, it.words.as_str())).collect();
    assert_eq!(told, [("web-1", 0, "not listed"), ("web-2", 3, "fails 1")]);
    assert!(!view.tells_health);
    assert!((view.read)("{}", &site()).is_err());
}

#[test]
fn its_notices_name_the_backend() {
    let said = r#"{"level":"info","ts":1795727057.2202415,"logger":"http.handlers.reverse_proxy.health_checker.active","msg":"HTTP request failed","host":"127.7.7.3:20000","error":"Get \"http://127.7.7.3:20000/health\": dial tcp 127.7.7.3:20000: connect: connection refused"}"#;
    let notice = |line| Caddy.request_log().unwrap().read_notice(line, &site());
    assert_eq!(notice(said).as_deref(), Some("web-2: HTTP request failed"));
    let other = r#"{"level":"info","ts":1795727060.0951626,"msg":"successfully reloaded config from file","signal":"SIGUSR1","file":"Caddyfile"}"#;
    assert_eq!(notice(other), None);
}

#[test]
fn a_configuration_that_rig_can_not_work_with_is_told() {
    let variant = variant(PLAIN);
    let (topology, site) = (&variant.topology, example_site(&variant, BalancerKind::Caddy.into()));
    let misfits = |from: &str, to: &str| {
        let mut files = rendered(&variant);
        assert!(files[0].text.contains(from), "{from}");
        files[0].text = files[0].text.replace(from, to);
        Caddy.misfits(topology, &site, &files).into_iter().map(|it| it.what).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(misfits("round_robin", "random"), "");
    assert_eq!(misfits("bind ", "bind 10."), "Caddy would not listen where the load arrives");
    assert_eq!(misfits("admin \"unix", "admin \"other"), "rig could not ask Caddy anything");
    assert!(misfits("/run/rig/balancer/access.log", "/var/log/a.log").contains("no access log to read"));
    assert_eq!(misfits("127.0.1.10:20000", "10.0.0.1:1"), "no upstream has the address of web-1");
    assert_eq!(misfits("route {", "route"), "this `}` closes no block");
}

#[test]
fn its_probes_are_late_by_a_timeout_at_most() {
    let check = variant(PLAIN).topology.health_check.unwrap();
    let most = |symptom| match adapter(BalancerKind::Caddy).probes().unwrap().detection(&check, symptom) {
        DetectionBound::Within { most, .. } => most.whole_millis(),
        DetectionBound::None { .. } => 0,
    };
    assert_eq!((most(Symptom::Refuses), most(Symptom::Hangs)), (1_000, 1_250));
}
