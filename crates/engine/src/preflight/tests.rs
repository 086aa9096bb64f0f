use std::fs;
use std::path::Path;

use model::plan::Plan;
use model::scenario::{Choice, Scenario, Set};

use super::*;
use crate::balancer::catalog;
use crate::help::with_help;

const SCENARIO: &str = "name: own\nquestion: Can it be used?\ntopology:\n  pools: { web: { backends: 2 } }\n  routes: { \
                        all: { path: /, to: web } }\nload: { rate: 10/s, for: 5s }\n";

fn plan(sets: &[&str]) -> Plan {
    let sets: Vec<Set> = sets.iter().map(|set| set.parse().unwrap()).collect();
    let scenario = Scenario::parse("own.yaml", SCENARIO, &sets).unwrap();
    Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What is said of the built-in template `name`, changed by `change`.
fn said(name: &str, change: impl Fn(&str) -> String) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    Templates::write_embedded(directory.path()).unwrap();
    let path = directory.path().join(name);
    fs::write(&path, change(&fs::read_to_string(&path).unwrap())).unwrap();
    let templates = Templates::with_directory(directory.path()).unwrap();
    preflight(&plan(&[]), &templates).map(drop).map_err(|error| with_help(&error))
}

#[test]
fn the_built_in_templates_can_be_used() {
    for sets in [
        &[][..],
        &["topology.listener={ layer: 4 }"],
        &["topology.listener={ tls: reencrypt }"],
        &["balancers=[caddy, traefik]"],
    ] {
        let used = preflight(&plan(sets), &Templates::embedded()).unwrap();
        assert!(used.values().all(|it| it.own.is_none() && it.diff.is_empty()));
        assert_eq!(used.contains_key("nginx/layer4.conf"), sets.iter().any(|set| set.contains("layer")));
    }
}

#[test]
fn what_would_leave_the_cell_or_never_serve_is_told_with_its_line_and_the_fix() {
    let added = |line: &'static str| move |text: &str| format!("{line}\n{text}");
    let nginx = "nginx/nginx.conf";
    for (line, says) in [
        ("user www-data;", "nginx.conf:1: `user www-data;`: workers of another user"),
        ("pid /run/nginx.pid;", "nginx.conf:1: `pid /run/nginx.pid;`: its pid file is outside"),
        (
            "error_log /var/log/nginx/error.log;",
            "this log is outside the cell's directory: begin its path with",
        ),
        ("http {", "`}` is missing"),
    ] {
        let said = said(nginx, added(line)).unwrap_err();
        assert!(said.contains(says), "{said}");
        assert!(said.contains("rig render --templates DIR"), "{said}");
    }
    let haproxy = "haproxy/haproxy.cfg";
    for (line, says) in [
        ("  user haproxy", "`user haproxy`: HAProxy runs as rig's own user: remove it"),
        ("  pidfile /run/haproxy.pid", "its pid file would be written outside"),
        ("  log /dev/log local0", "rig could not read this log"),
        ("  chroot /var/lib/haproxy", "out of its reach"),
        ("  stats socket /run/haproxy/admin.sock", "this socket is outside"),
    ] {
        let said =
            said(haproxy, |text| text.replacen("global\n", &format!("global\n{line}\n"), 1)).unwrap_err();
        assert!(said.contains(says) && said.contains("haproxy.cfg:2: "), "{said}");
    }
    // What HAProxy is told on its command line outweighs it.
    said(haproxy, |text| text.replacen("global\n", "global\n  daemon\n", 1)).unwrap();
    for (name, from, to, says) in [
        (nginx, "daemon off;", "daemon on;", "nginx would leave rig's sight"),
        (nginx, "listen {{ listener }}", "listen 80", "nginx would not listen where the load arrives"),
        (
            nginx,
            "server {{ server.address }}",
            "server 10.0.3.11:8080",
            "no server has the address of web-1, web-2",
        ),
        (
            nginx,
            "access_log \"{{ directory }}/access.log\"",
            "access_log \"{{ directory }}/a.log\"",
            "no access log",
        ),
        (haproxy, "bind {{ listener }}", "bind :80", "HAProxy would not listen where the load arrives"),
        (haproxy, "{{ server.address }}", "10.0.3.11:8080", "no server has the address of web-1, web-2"),
        (haproxy, "log stdout format raw daemon", "log-tag x", "no access log to read"),
        ("envoy/envoy.yaml", "{{ listener.ip }}", "0.0.0.0", "Envoy would not listen where the load arrives"),
        ("envoy/envoy.yaml", "/access.log", "/a.log", "no access log to read"),
        (
            "envoy/endpoints.yaml",
            "{{ host.address.port }}",
            "9000",
            "no endpoint has the address of web-1, web-2",
        ),
        ("envoy/routes.yaml", "resources:", "resources: [", "it is no YAML"),
    ] {
        let said = said(name, |text| {
            assert!(text.contains(from), "{name} has no {from}");
            text.replace(from, to)
        });
        assert!(said.as_ref().is_err_and(|said| said.contains(says)), "{name} {to}: {said:?}");
    }
}

#[test]
fn the_configurations_of_production_are_refused_with_everything_that_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("nginx/nginx.conf", include_str!("nginx.conf")),
        ("haproxy/haproxy.cfg", include_str!("haproxy.cfg")),
    ] {
        fs::create_dir_all(directory.path().join(name).parent().unwrap_or(Path::new("."))).unwrap();
        fs::write(directory.path().join(name), text).unwrap();
    }
    let templates = Templates::with_directory(directory.path()).unwrap();
    let said = preflight(&plan(&[]), &templates).unwrap_err().to_string();
    let said = said.replace(&directory.path().display().to_string(), "DIR");
    for line in [
        "DIR/nginx/nginx.conf:1: `user www-data;`",
        "DIR/nginx/nginx.conf:4: `pid /run/nginx.pid;`",
        "DIR/nginx/nginx.conf: nginx would not listen where the load arrives",
        "DIR/nginx/nginx.conf: no server has the address of web-1, web-2",
        "DIR/haproxy/haproxy.cfg:2: `log /dev/log local0`",
        "DIR/haproxy/haproxy.cfg:4: `user haproxy`",
        "DIR/haproxy/haproxy.cfg: HAProxy would not listen where the load arrives",
        "DIR/haproxy/haproxy.cfg: rig could not reach its runtime socket",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
}
