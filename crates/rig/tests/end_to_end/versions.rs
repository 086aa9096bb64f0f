//! Several versions of one balancer beside each other: Debian's, the current nginx that `make setup` installs, and a current
//! HAProxy where `tools/haproxy-3.sh` has been run.

use model::identity::BalancerName;
use model::version::Version;
use serde_json::Value;
use testing::{BalancerKind, Haproxy, Nginx, Sandbox, books_balance, counts_are_trusted, deploy};

use crate::RIG;

/// What `rig list` finds of `balancer`, by the names that ask for it: what the plain name means, and the newest.
fn oldest_and_newest(rig: &Sandbox, balancer: BalancerKind) -> Option<[BalancerName; 2]> {
    let listed: Value = rig.command(["list", "--format", "json"]).exits(0).read();
    let checks = listed["balancers"].as_array().unwrap();
    let named = |check: &Value| check["name"].as_str().unwrap().to_owned();
    let plain = checks.iter().find(|check| named(check) == balancer.name()).unwrap();
    let version = Version::of_words(plain["found"].as_str().unwrap()).unwrap();
    let of_a_version = |text: &str| text.parse::<BalancerName>().ok().filter(|name| *name == balancer);
    let others = checks.iter().filter_map(|check| of_a_version(&named(check)));
    let newest =
        others.filter_map(|name| Some((name.version()?, name))).max_by_key(|(version, _)| *version)?.1;
    Some([format!("{balancer}@{version}").parse().unwrap(), newest])
}

fn deploys_alike(rig: &Sandbox, balancers: [BalancerName; 2]) {
    let run = rig.run("short-drain").on(balancers).variants(["without-drain", "with-drain"]).json();
    run.exits(0);
    for balancer in balancers {
        let (without, with) = (run.cell(balancer, "without-drain"), run.cell(balancer, "with-drain"));
        for cell in [without, with] {
            counts_are_trusted(cell);
            books_balance(cell);
            assert_eq!(deploy(cell).replaced, 3, "{balancer}");
        }
        assert!(without.counts.dropped > 0 && with.counts.dropped == 0, "{run}");
        let build = &run.environment.balancers[balancer.as_str()];
        assert_eq!(Version::of_words(&build.version), balancer.version(), "{build:?}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_old_and_a_current_nginx_deploy_alike() {
    let rig = RIG.beside_others();
    let both = oldest_and_newest(&rig, Nginx).expect("`make setup` installs a current nginx beside Debian's");
    deploys_alike(&rig, both);
}

#[test]
#[ignore = "takes long: make test-rest"]
fn an_old_and_a_current_haproxy_deploy_alike() {
    let rig = RIG.beside_others();
    match oldest_and_newest(&rig, Haproxy) {
        Some(both) => deploys_alike(&rig, both),
        None => eprintln!(
            "skipped: only one version of HAProxy is installed; tools/haproxy-3.sh gets a current one"
        ),
    }
}

const STICKY: &str = "
name: sticky
question: Does nginx keep users and balance the others?
balancers: [nginx]
topology:
  pools: { web: { backends: 3, sessions: memory } }
  routes: { all: { path: /, to: web, sticky: { cookie: user } } }
  balance: least_connections
load: { rate: 200/s, for: 1500ms, users: { count: 20 } }
";

#[test]
fn what_only_a_newer_version_has_is_used_where_it_is_asked_for() {
    let rig = RIG.beside_others();
    let [old, new] = oldest_and_newest(&rig, Nginx).unwrap();
    rig.write("sticky.yaml", STICKY);
    let refused = rig.command(["validate", "sticky.yaml"]).exits(2);
    refused.complains("nginx cannot choose by a cookie").complains("write `nginx@1.29.6`");
    rig.write("sticky.yaml", STICKY.replace("[nginx]", &format!("[{old}]")));
    rig.command(["validate", "sticky.yaml"]).exits(2).complains(&format!("{old} cannot choose by a cookie"));
    rig.write("sticky.yaml", STICKY.replace("[nginx]", &format!("[{new}]")));
    let run = rig.run_file("sticky.yaml").json();
    run.exits(0);
    let cell = run.cell(new, "base");
    let setting = |name: &str| &cell.settings.iter().find(|it| it.name == name).unwrap().rendered;
    assert_eq!(setting("sticky"), "sticky cookie user path=/ httponly;");
    assert_eq!(cell.users.unwrap().moved, 0);
}

#[test]
fn a_version_that_nobody_has_is_an_error_that_names_those_there_are() {
    let rig = RIG.idle();
    let run = rig.run("short-drain").on(["nginx@9.9".parse::<BalancerName>().unwrap()]).loud().exits(3);
    run.complains("nginx@9.9 is not installed: ").complains("--program nginx@9.9=/path/to/nginx");
    // Of several, the error names those that can be run, and skipping is said in the verdict.
    let both = ["nginx", "nginx@9.9"].map(|name| name.parse::<BalancerName>().unwrap());
    let asked = || rig.run("short-drain").on(both).variants(["without-drain"]);
    asked().loud().exits(3).complains("or run it on nginx with --skip-missing");
    let skipping = asked().args(["--skip-missing"]).exits(0);
    skipping
        .says("short-drain: PASSED")
        .says("(without nginx@9.9)")
        .says("nginx@9.9: skipped (nginx@9.9 is not installed");
    let wrong = rig.run("short-drain").on(["nginx@9.9".parse::<BalancerName>().unwrap()]).loud();
    let executable = testing::program::of(Nginx);
    let wrong = wrong.args(["--program", &format!("nginx@9.9={}", executable.display())]).exits(3);
    wrong.complains("--program names it for nginx@9.9, and it is version 1.");
}

#[test]
fn rig_yaml_names_programs() {
    let rig = RIG.idle();
    rig.write("rig.yaml", "programs: { nginx: /nonexistent/nginx }\n");
    rig.command(["list"]).exits(0).says("rig.yaml names it, and it is no executable file");
    rig.write("rig.yaml", "programs: { ngnix: /usr/sbin/nginx }\n");
    rig.command(["list"]).exits(2).complains("rig.yaml: programs: `ngnix` is no balancer");
}

const HELD: &str = "
name: held
question: Do users stay while nginx drains?
balancers: [nginx]
topology:
  pools: { web: { backends: 2, boot: 0ms, latency: 20ms, sessions: memory } }
  routes: { all: { path: /, to: web, sticky: { cookie: user } } }
load: { rate: 200/s, for: 5s, timeout: 1s, users: { count: 20 } }
timeline: { rollout: { at: 500ms, deploy: { pool: web, drain: 500ms } } }
variants:
  moved: {}
  held: { timeline: { rollout: { deploy: { deregister: reload } } } }
";

#[test]
#[ignore = "takes long: make test-rest"]
fn a_current_nginx_that_is_reloaded_keeps_bound_users_at_a_backend_that_drains() {
    let rig = RIG.beside_others();
    let [_, new] = oldest_and_newest(&rig, Nginx).unwrap();
    rig.write("held.yaml", HELD.replace("[nginx]", &format!("[{new}]")));
    let run = rig.run_file("held.yaml").at_once().json();
    let expired = |variant| deploy(run.cell(new, variant)).drains_expired;
    assert_eq!((expired("moved"), expired("held")), (0, 2));
}
