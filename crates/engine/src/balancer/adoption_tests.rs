use std::path::{Path, PathBuf};

use model::plan::Plan;
use model::scenario::{Choice, Scenario};

use super::*;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rig/tests/end_to_end/own").join(name)
}

/// All that becomes of a configuration: what is changed of it, what is said, and the scenario.
fn taken_over(file: &Path) -> String {
    let (kind, adoption) = adopt(file, None).unwrap();
    let notes = |title: &str, notes: &[Note]| {
        let line = |it: &Note| format!("{}: {} [{}]\n", it.place, it.what, it.fix);
        format!("{title}\n{}", notes.iter().map(line).collect::<String>())
    };
    let scenario = adoption.scenario("mine", "mine", kind, "config");
    let parsed = Scenario::parse("mine.yaml", &scenario, &[]).unwrap();
    Plan::build(&parsed, &catalog(), &Choice::default()).unwrap();
    let said = [
        adoption.diff(),
        notes("MAPPED", &adoption.mapped),
        notes("LEFT", &adoption.left),
        adoption.files.keys().map(|path| format!("FILE {path}\n")).collect(),
        scenario,
    ];
    said.join("\n").replace(&file.parent().unwrap().display().to_string(), "")
}

#[test]
fn what_becomes_of_an_nginx_configuration() {
    insta::assert_snapshot!(taken_over(&case("nginx/nginx.conf")));
}

#[test]
fn what_becomes_of_an_haproxy_configuration() {
    insta::assert_snapshot!(taken_over(&case("haproxy/haproxy.cfg")));
}

fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

#[test]
fn hosts_paths_and_headers_become_routes_that_a_scenario_can_have() {
    let (_kept, file) = written(
        "nginx.conf",
        "events {}\nhttp {\n map $cookie_beta $pool { default one; yes two; }\n upstream one { server a; server b; }\n upstream \
         two { server c:81; }\n server { listen 8080; server_name one.test; location / { proxy_pass http://$pool; } location \
         /t/ { proxy_pass http://two/; } location ~ x { proxy_pass http://one; } }\n server { listen 8080; server_name \
         *.two.test; location / { proxy_pass https://two; } }\n}\n",
    );
    let (_, adoption) = adopt(&file, None).unwrap();
    let routes = adoption.routes.iter().map(|route| {
        (
            route.path.as_str(),
            route.host.as_deref(),
            route.header.as_ref().map(|(_, v)| v.as_str()),
            route.pool.as_str(),
        )
    });
    assert_eq!(
        routes.collect::<Vec<_>>(),
        [
            ("/", Some("one.test"), None, "one"),
            ("/t/", Some("one.test"), None, "two"),
            ("/", Some("one.test"), Some("beta=yes"), "two"),
        ]
    );
    assert!(adoption.tls_to_servers && !adoption.tls);
    // One header at a path: the other host's route does not fit beside the cookie's.
    assert!(adoption.left.iter().any(|note| note.what.contains("host: www.two.test")), "{:?}", adoption.left);
}

#[test]
fn a_text_of_users_that_looks_like_a_template_stays_what_it_is() {
    let text = "events {}\nhttp { log_format j '{{\"a\":1}} {%x%} {#y#}'; upstream a { server h; server i; }\n server { listen \
                80; location / { proxy_pass http://a; } } }\n";
    let (_kept, file) = written("nginx.conf", text);
    let (kind, adoption) = adopt(&file, None).unwrap();
    let scenario = adoption.scenario("mine", "mine", kind, "config");
    let parsed = Scenario::parse("mine.yaml", &scenario, &[]).unwrap();
    let plan = Plan::build(&parsed, &catalog(), &Choice::default()).unwrap();
    let variant = &plan.variants[0];
    let templates = Templates::embedded().with_adopted(kind, &adoption);
    let rotation = Rotation::initial(&variant.topology);
    let rendered = |rotation: &Rotation| {
        adapter(kind)
            .files(&variant.topology, &example_site(variant, variant.balancers[0]), rotation, &templates)
            .unwrap()[0]
            .text
            .clone()
    };
    assert!(rendered(&rotation).contains("'{{\"a\":1}} {%x%} {#y#}'"), "{}", rendered(&rotation));
    let one_out = rotation.with("a-2", Standing::Draining);
    let (all, without) = (rendered(&rotation), rendered(&one_out));
    let changed: Vec<&str> =
        without.lines().filter(|line| !all.lines().any(|known| known == *line)).collect();
    assert!(changed.len() == 1 && changed[0].matches(" down;").count() == 1, "{changed:?}");
}

#[test]
fn a_server_that_several_sections_name_is_taken_out_of_all_of_them() {
    let (_kept, file) = written(
        "haproxy.cfg",
        "defaults\n mode http\nfrontend f\n bind :80\n use_backend ws if { path_beg /ws/ }\n default_backend web\nbackend web\n \
         server s1 10.0.0.1:80\n server s2 10.0.0.2:80\nbackend ws\n server w1 10.0.0.1:80\n server w2 10.0.0.2:80\n",
    );
    let (kind, adoption) = adopt(&file, None).unwrap();
    assert_eq!(adoption.pools.len(), 1, "{:?}", adoption.pools);
    let scenario = adoption.scenario("mine", "mine", kind, "config");
    let parsed = Scenario::parse("mine.yaml", &scenario, &[]).unwrap();
    let plan = Plan::build(&parsed, &catalog(), &Choice::default()).unwrap();
    let (variant, templates) = (&plan.variants[0], Templates::embedded().with_adopted(kind, &adoption));
    let rotation = Rotation::initial(&variant.topology).with("web-2", Standing::Draining);
    let turn = Turn { to: &rotation, backend: "web-2", how: model::timeline::Deregister::Live };
    let deregisters = adapter(kind).deregisters().unwrap();
    let change = deregisters
        .change(&variant.topology, &example_site(variant, variant.balancers[0]), turn, &templates)
        .unwrap();
    let sent = change.steps.iter().filter_map(|step| match step {
        Step::Send(line) => Some(line.clone()),
        _ => None,
    });
    let sent: Vec<String> = sent.collect();
    assert_eq!(sent, ["set server web/s2 state drain", "set server ws/w2 state drain"]);
}

#[test]
fn what_would_refuse_the_load_is_left_out_and_what_this_machine_serves_is_not_taken_in() {
    let (_kept, file) = written(
        "haproxy.cfg",
        "defaults\n mode http\nfrontend f\n bind :80\n acl office src 10.0.0.0/8\n acl bad src 192.0.2.1\n http-request deny if \
         !office\n http-request deny unless { src 10.0.0.0/8 }\n http-request deny if bad\n default_backend web\nbackend web\n \
         server s1 10.0.0.1:80\n",
    );
    let (_, adoption) = adopt(&file, None).unwrap();
    let left: Vec<&str> = adoption.left.iter().map(|note| note.what.as_str()).collect();
    assert!(left[0].starts_with("`http-request deny if !office` is left out"), "{left:?}");
    assert!(left[1].starts_with("`http-request deny unless"), "{left:?}");
    assert!(adoption.template().contains("http-request deny if bad"));
    assert_eq!(adoption.deployed(), None);
    let (_kept, file) = written(
        "nginx.conf",
        "events {}\nhttp { include /etc/nginx/sites-enabled/*; server { location / { allow 10.0.0.1; deny all; proxy_pass \
         http://10.0.0.2:80/x/; } } }\n",
    );
    let (_, adoption) = adopt(&file, None).unwrap();
    let template = adoption.template();
    assert!(template.contains("allow 10.0.0.1; allow all;"), "{template}");
    assert!(template.contains("proxy_pass http://{{ backends[\"10-0-0-2-80-1\"] }}/x/;"), "{template}");
    assert!(
        template.contains("server { listen {{ listener }}; location")
            || template.contains("server { listen {{ listener }};")
    );
    assert_eq!(adoption.original().matches("server {").count(), 1);
}
