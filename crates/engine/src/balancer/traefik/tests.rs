use std::net::SocketAddr;

use model::access_log::{Attempt, Reason};
use model::identity::RequestId;
use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};
use model::timeline::Deregister;

use model::catalog::BalancerKind;

use super::*;
use crate::balancer::{LogLine, Rendered, catalog, example_site};

fn variant(topology: &str) -> Variant {
    let text = format!(
        "name: rendered\nquestion: What is rendered?\nbalancers: [traefik]\ntopology:\n  \
         pools: {{ web: {{ backends: 2 }}, canary: {{ backends: 1 }} }}\n{topology}load: {{ rate: 100/s, for: 10s, timeout: 5s }}\n"
    );
    let scenario = Scenario::parse("rendered.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    plan.variants[0].clone()
}

const PLAIN: &str = "  routes: { all: { path: /, to: web } }\n";
const LAYER4: &str = "  routes: { all: { path: /, to: web } }\n  listener: { layer: 4 }\n";

fn rendered(variant: &Variant) -> Vec<ConfigFile> {
    let (topology, site) = (&variant.topology, example_site(variant, BalancerKind::Traefik.into()));
    Traefik.files(topology, &site, &Rotation::initial(topology), &Templates::embedded()).unwrap()
}

fn settings_of(variant: &Variant, name: &str) -> String {
    let files = rendered(variant);
    let templates = &Templates::embedded();
    let rendered = Rendered { variant, files: &files, arguments: &[], templates, version: None };
    let settings = Traefik.read_back().unwrap().settings(&rendered);
    settings.into_iter().find(|setting| setting.name == name).unwrap().rendered
}

fn site() -> Site {
    let address = |n: u8| SocketAddr::from(([127, 7, 7, n], 20_000));
    let backends = [("web-1".to_owned(), address(2)), ("web-2".to_owned(), address(3))];
    Site { backends: backends.into(), ..example_site(&variant(PLAIN), BalancerKind::Traefik.into()) }
}

fn line(text: &str) -> LogLine {
    Traefik.request_log().unwrap().read(text, &site()).unwrap().unwrap()
}

#[test]
fn who_is_out_is_not_in_the_new_version_and_a_request_shows_that_it_serves() {
    let variant = variant(PLAIN);
    let (topology, site) = (&variant.topology, example_site(&variant, BalancerKind::Traefik.into()));
    let initial = Rotation::initial(topology);
    let change = |to: &Rotation| {
        let turn = Turn { to, backend: "web-1", how: Deregister::Live };
        Traefik.deregisters().unwrap().change(topology, &site, turn, &Templates::embedded()).unwrap()
    };
    let taken = |to: &Rotation| match change(to).steps.as_slice() {
        [Step::Write { text, .. }, Step::Await { sighting: Sighting::Serves { path, status: 418 }, .. }] => {
            assert!(text.contains(&format!("Path(`{path}`)")), "{text}");
            (text.clone(), path.clone())
        }
        other => panic!("{other:?}"),
    };
    let (out, out_path) = taken(&initial.with("web-1", Standing::Draining));
    assert!(!out.contains("127.0.1.10:20000") && out.contains("http://127.0.1.11:20000"), "{out}");
    // Back in, it is the version that it was started with.
    let (back, back_path) = taken(&initial);
    assert_eq!(back, rendered(&variant)[1].text);
    assert_ne!(out_path, back_path);
    let without_canary = taken(&initial.with("canary-1", Standing::Out)).0;
    assert!(without_canary.contains("          []"), "{without_canary}");
}

#[test]
fn a_reload_is_a_version_of_its_own_though_nothing_is_new() {
    let variant = variant(PLAIN);
    let (topology, site) = (&variant.topology, example_site(&variant, BalancerKind::Traefik.into()));
    let out = Rotation::initial(topology).with("web-1", Standing::Draining);
    let text = |nth, keeps| {
        let steps =
            Traefik.reloads().unwrap().reload(topology, &site, &out, keeps, nth, &Templates::embedded());
        match steps.unwrap().swap_remove(0) {
            Step::Reload(Trigger::Write { text, .. }) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_ne!(text(1, Keeps::Rotation), text(2, Keeps::Rotation));
    assert!(!text(1, Keeps::Rotation).contains("127.0.1.10:20000"));
    assert!(text(1, Keeps::Configuration).contains("127.0.1.10:20000"));
}

#[test]
fn shares_are_weights_and_the_first_route_that_fits_counts() {
    let routes = "  routes: { canary: { path: /, header: { X-Canary: a.b }, to: canary }, all: { path: /, to: { canary: 1%, web: 99% } } }\n";
    let text = &rendered(&variant(routes))[1].text;
    for line in [
        "rule: \"PathPrefix(`/`) && HeaderRegexp(`X-Canary`, `(^|,) *a[.]b *(,|$)`)\"",
        "- {name: \"canary\", weight: 100}",
        "- {name: \"web\", weight: 9900}",
    ] {
        assert!(text.lines().any(|it| it.trim() == line), "no `{line}` in {text}");
    }
    let priority = |route: &str| {
        text.split(&format!("{route}:")).nth(1).unwrap().split("priority: ").nth(1).unwrap()[..1].to_owned()
    };
    assert_eq!((priority("route-0"), priority("route-1")), ("2".into(), "1".into()));
}

#[test]
fn settings_are_the_files_own_words() {
    let plain = variant(PLAIN);
    assert_eq!(settings_of(&plain, "balance"), "strategy: wrr");
    assert!(
        settings_of(&plain, "retries").starts_with("(nothing: Traefik's default, none); beside that, Go")
    );
    let probes = settings_of(&plain, "health_check");
    assert!(
        probes.contains("interval:500ms") && probes.contains("`fall` and `rise` have no equivalent"),
        "{probes}"
    );
    assert_eq!(settings_of(&plain, "client_keepalive"), "idleTimeout: 75000ms");
    assert_eq!(settings_of(&plain, "providers_throttle"), "providersThrottleDuration: 0s");
    let other = variant(
        "  routes: { all: { path: /, to: web, sticky: { cookie: SRV } } }\n  retries: { tries: 3 }\n  client_keepalive: off\n  \
         balance: two_choices\n  passive_health: { fails: 5, for: 10s }\n",
    );
    assert!(settings_of(&other, "retries").starts_with("retry: {attempts:3}; "));
    assert_eq!(settings_of(&other, "client_keepalive"), "keepAliveMaxRequests: 1");
    assert_eq!(settings_of(&other, "balance"), "strategy: p2c");
    assert!(settings_of(&other, "passive_health").contains("maxFailedAttempts:5"));
    assert!(settings_of(&other, "sticky").contains("SRV"));
    assert!(settings_of(&variant(LAYER4), "listener").contains("no route applies"));
}

#[test]
fn its_log_names_the_status_and_whether_there_was_a_server() {
    // As Traefik 3.7.15 wrote them.
    let read = |status: u16, rest: &str| {
        line(&format!(
            r#"{{"ClientAddr":"127.0.0.1:36450","DownstreamStatus":{status},"Duration":2228882,"RequestMethod":"GET","RetryAttempts":0,"RouterName":"site@file",{rest}"StartUTC":"2026-11-26T21:11:18.515596556Z","level":"info","msg":"","request_X-Rig-Seq":"11","time":"2026-11-26T21:11:18Z"}}"#
        ))
    };
    let served = r#""ServiceAddr":"127.7.7.3:20000","ServiceName":"web@file","#;
    let ok = read(200, served);
    assert_eq!(
        (ok.id, ok.wall, ok.pool.as_deref()),
        (Some(RequestId(11)), 1_795_727_478_517_825_438, Some("web"))
    );
    assert_eq!(ok.attempts, [Attempt { backend: Some("web-2".into()), status: None }]);
    assert_eq!((ok.reason, ok.signs.len()), (None, 0));
    for (status, rest, word, reason) in [
        (502, served, "502", None),
        (504, served, "504", None),
        (499, served, "499", Some(Reason::ClientAbort)),
        (503, "", "503 without a server", Some(Reason::NoLiveBackend)),
        (404, "", "404 without a service", Some(Reason::NoRoute)),
    ] {
        let read = read(status, rest);
        assert_eq!((read.signs.join(" ").as_str(), read.reason), (word, reason));
    }
    // The server's own.
    assert!(read(503, served).signs.is_empty() && read(404, served).signs.is_empty());
}

#[test]
fn its_notices_name_the_backend() {
    let said = r#"{"level":"warn","serviceName":"web@file","targetURL":"http://127.7.7.3:20000","error":"checking HTTP health: HTTP request failed: Get \"http://127.7.7.3:20000/health\": dial tcp 127.7.7.3:20000: connect: connection refused","time":"2026-11-26T21:11:21Z","message":"Health check failed."}"#;
    let notice = |line| Traefik.request_log().unwrap().read_notice(line, &site());
    assert_eq!(notice(said).as_deref(), Some("web-2: Health check failed."));
    let other =
        r#"{"level":"info","time":"2026-11-26T21:11:16Z","message":"Starting provider *file.Provider"}"#;
    assert_eq!(notice(other), None);
}

#[test]
fn a_configuration_that_rig_can_not_work_with_is_told() {
    let misfits = |topology: &str, file: usize, from: &str, to: &str| {
        let variant = variant(topology);
        let mut files = rendered(&variant);
        assert!(files[file].text.contains(from), "{from}");
        files[file].text = files[file].text.replace(from, to);
        let found =
            Traefik.misfits(&variant.topology, &example_site(&variant, BalancerKind::Traefik.into()), &files);
        found.into_iter().map(|it| it.what).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(misfits(PLAIN, 1, "wrr", "p2c"), "");
    assert_eq!(misfits(LAYER4, 1, "tcp:", "tcp:"), "");
    assert_eq!(
        misfits(PLAIN, 0, "127.0.1.1:", "0.0.0.0:"),
        "Traefik would not listen where the load arrives"
    );
    assert!(misfits(PLAIN, 0, "/access.log", "/other.log").contains("no access log to read"));
    assert!(
        misfits(PLAIN, 0, "global:", "api: {insecure: true}\nglobal:").contains("could ask Traefik's API")
    );
    assert_eq!(misfits(PLAIN, 1, "127.0.1.10:20000", "10.0.0.1:1"), "no server has the address of web-1");
    assert!(misfits(PLAIN, 1, "http:", "http: [").contains("it is no YAML"));
}

#[test]
fn the_first_failed_probe_counts() {
    let check = variant(PLAIN).topology.health_check.unwrap();
    let most = |symptom| match Traefik.detection(&check, symptom) {
        DetectionBound::Within { most, .. } => most.whole_millis(),
        DetectionBound::None { .. } => 0,
    };
    assert_eq!((most(Symptom::Refuses), most(Symptom::Hangs)), (500, 750));
}
