//! Configurations as people run them, taken over as they are: `own/nginx`, `own/haproxy` and `own/envoy` are whole ones, `own/edge` has
//! what else such files hold.

use std::path::{Path, PathBuf};

use model::identity::BalancerName;
use report::CellSummary;
use testing::{Ended, Run, Sandbox};

use crate::RIG;

/// What the written scenarios call the balancer.
fn mine() -> BalancerName {
    "mine".parse().unwrap()
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/own").join(name)
}

fn adopt(rig: &Sandbox, name: &str) -> Ended {
    rig.command(["adopt"]).args([case(name)]).args(["--out", "taken", "--name", "taken"]).exits(0)
}

/// What of a deploy is the same whatever the machine: the careless one loses, or the balancer hides it; the careful one
/// loses nothing.
fn deploys_with_and_without_draining(run: &Run) {
    run.exits(0);
    let cell = |variant: &str| -> &CellSummary { run.cell(mine(), variant) };
    let (careless, careful) = (cell("without-drain"), cell("with-drain"));
    assert!(careless.counts.dropped > 0, "{run}");
    assert_eq!(careful.counts.dropped, 0, "{run}");
    let setting = careful.settings.iter().find(|it| it.name == "template").map(|it| it.rendered.as_str());
    assert!(setting.is_some_and(|said| said.starts_with("own: ") && said.contains("taken/")), "{setting:?}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_nginx_configuration_deploys_unedited() {
    let rig = RIG.beside_others();
    adopt(&rig, "nginx/nginx.conf").says("upstream app → pool app, 3 backends").says("checked: nginx");
    let run = rig.run_file("taken/taken.yaml").at_once().json();
    deploys_with_and_without_draining(&run);
    let retries = run.cell(mine(), "with-drain").settings.iter().find(|it| it.name == "retries").unwrap();
    assert_eq!(
        retries.rendered,
        "proxy_next_upstream error timeout http_502 http_503; proxy_next_upstream_tries 2;"
    );
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_haproxy_configuration_deploys_unedited() {
    let rig = RIG.beside_others();
    adopt(&rig, "haproxy/haproxy.cfg").says("backend web → pool web, 3 backends").says("checked: haproxy");
    let run = rig.run_file("taken/taken.yaml").at_once().json();
    deploys_with_and_without_draining(&run);
    let probes = run.cell(mine(), "with-drain").settings.iter().find(|it| it.name == "health_check").unwrap();
    assert!(probes.rendered.contains("check inter 2s fall 3 rise 2"), "{}", probes.rendered);
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_envoy_bootstrap_deploys_unedited() {
    let rig = RIG.beside_others();
    adopt(&rig, "envoy/envoy.yaml").says("cluster web → pool web, 3 backends").says("checked: envoy");
    let run = rig.run_file("taken/taken.yaml").at_once().json();
    deploys_with_and_without_draining(&run);
}

#[test]
fn what_this_machine_lacks_is_left_out_with_its_line_and_the_balancer_accepts_the_rest() {
    let rig = RIG.idle();
    let nginx = adopt(&rig, "edge/nginx.conf");
    for says in [
        "nginx.conf:20: `brotli on;` is left out: this machine's version says: unknown directive \"brotli\"",
        "conf.d/00-upstreams.conf:4: `resolve` is left out",
        "conf.d/site.conf:22: `proxy_cache off;`",
        "`limit_conn addr 20;` lets 50 requests per second",
        "upstream api_v2 → pool api-v2, 2 backends",
        "checked: nginx of this machine accepts it",
    ] {
        assert!(nginx.out.contains(says), "no `{says}`: {nginx}");
    }
    rig.command(["validate", "taken/taken.yaml"]).exits(0);
    let rig = rig.fresh();
    let haproxy = adopt(&rig, "edge/haproxy.cfg");
    for says in [
        "haproxy.cfg:91: `server-template web 3`: a `server` for each",
        "haproxy.cfg:74: `http-request lua.cors if api_path` is left out",
        "`program api` is left out: rig runs no other programs",
        "listen mysql: the load does not go there",
        "checked: haproxy of this machine accepts it",
    ] {
        assert!(haproxy.out.contains(says), "no `{says}`: {haproxy}");
    }
    rig.command(["validate", "taken/taken.yaml"]).exits(0);
}

#[test]
fn nothing_is_overwritten_and_what_can_not_be_taken_over_is_wrong_usage() {
    let rig = RIG.idle();
    adopt(&rig, "nginx/nginx.conf");
    let again =
        rig.command(["adopt"]).args([case("nginx/nginx.conf")]).args(["--out", "taken", "--name", "taken"]);
    again.clone().exits(2).complains("--force");
    again.args(["--force"]).exits(0);
    rig.write("static.conf", "events {}\nhttp { server { listen 80; root /srv; } }\n");
    rig.write("broken.conf", "events {}\nhttp { server { listen 80 }\n");
    rig.write("notes.txt", "hello\n");
    for (file, says) in [
        ("static.conf", "static.conf:2: no `server` of it passes requests on"),
        ("broken.conf", "broken.conf:2"),
        ("notes.txt", "--kind"),
        ("nowhere.conf", "nowhere.conf"),
    ] {
        rig.command(["adopt", file]).exits(2).complains(says);
    }
}

#[test]
fn a_file_that_was_not_taken_over_is_refused_with_the_way_to_do_it() {
    let rig = RIG.idle();
    adopt(&rig, "nginx/nginx.conf");
    let scenario = std::fs::read_to_string(rig.path().join("taken/taken.yaml")).unwrap();
    std::fs::copy(case("nginx/nginx.conf"), rig.path().join("taken/raw.conf")).unwrap();
    rig.write("taken/raw.yaml", scenario.replace("nginx.conf.template", "raw.conf"));
    let raw = rig.command(["validate", "taken/raw.yaml"]).exits(2);
    raw.complains("nginx would not listen where the load arrives").complains("rig adopt FILE");
    rig.write("taken/live.yaml", scenario.replace(", deregister: reload", ""));
    let live = rig.command(["validate", "taken/live.yaml"]).exits(2);
    live.complains("write `deregister: reload` in the deploy");
    rig.write("taken/lost.yaml", scenario.replace("nginx.conf.template", "lost.conf"));
    rig.command(["validate", "taken/lost.yaml"]).exits(2).complains("lost.conf can't be read");
}

#[test]
fn templates_of_one_kind_are_written_and_overwrite_nothing() {
    let rig = RIG.idle();
    rig.command(["templates", "eject", "haproxy", "mine"]).exits(0).says("mine/haproxy/haproxy.cfg");
    assert!(!rig.path().join("mine/nginx").exists());
    rig.command(["templates", "eject", "haproxy", "mine"]).exits(2).complains("mine/haproxy/haproxy.cfg");
}
