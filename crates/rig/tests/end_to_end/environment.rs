//! An environment that cannot run a scenario: exit 3, a message that says what to do, nothing left running.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use testing::{Envoy, Haproxy, Invocation, Nginx, Sandbox, left};

use crate::RIG;

/// A run of a single cell.
fn quick(rig: &Sandbox) -> Invocation {
    rig.run("short-drain").on([Nginx]).variants(["with-drain"])
}

#[test]
fn a_missing_balancer_is_named_before_anything_is_launched() {
    let run = RIG.idle().run("short-drain").env("RIG_ENVOY", "/nonexistent/envoy");
    run.exits(3).complains("RIG_ENVOY names it, and it is no executable file").leaves_nothing();
}

#[test]
fn what_killed_runs_have_left_is_told_by_the_next_run() {
    let rig = RIG.idle();
    let left = rig.path().join("results/drain/20261122T135148Z/cells/nginx.with-drain.1/run");
    std::fs::create_dir_all(left).unwrap();
    let ended = rig.run("short-drain").loud().env("RIG_ENVOY", "/nonexistent/envoy").exits(3);
    ended.complains("killed runs left files in results; `rig clean --out results` removes them");
}

#[test]
fn a_program_that_is_no_balancer_is_refused() {
    let ended = RIG.idle().run("short-drain").env("RIG_NGINX", "/bin/true").exits(3);
    ended.complains("`/bin/true` does not run as nginx");
}

#[test]
fn an_engine_that_is_not_there_is_named_with_what_says_where_it_is() {
    let images = RIG.idle().command(["images"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    images.exits(3).says_nothing().complains(
        "no Docker engine answers at unix:///nonexistent/docker.sock (from DOCKER_HOST): No such file",
    );
}

#[test]
fn a_balancer_that_refuses_its_configuration_is_quoted_and_nothing_keeps_running() {
    let machine = RIG.beside_others();
    for (balancer, file, text, words) in [
        (Nginx, "nginx.conf", "no_such_directive;\n", "unknown directive \"no_such_directive\""),
        (Haproxy, "haproxy.cfg", "no_such_directive\n", "unknown keyword 'no_such_directive'"),
        (Envoy, "envoy.yaml", "no_such_directive: 1\n", "no_such_directive"),
    ] {
        let rig = machine.fresh();
        let file = Path::new(balancer.name()).join(file);
        let built_in = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../proxy-configs")).join(&file);
        let built_in = std::fs::read_to_string(built_in).unwrap();
        rig.write(Path::new("configs").join(&file), format!("{built_in}\n{text}"));
        let run = rig.run("short-drain").on([balancer]).args(["--proxy-configs", "configs"]);
        run.exits(3).complains(words);
        let launched: Vec<u32> = rig.histories().iter().flat_map(|history| history.launched()).collect();
        assert!(!launched.is_empty(), "{balancer}: nothing was launched");
        assert_eq!(left::alive(&launched), Vec::<String>::new(), "{balancer}");
    }
}

#[test]
fn a_template_that_names_an_unknown_value_is_an_error_with_its_line() {
    let rig = RIG.idle();
    rig.write("nginx/nginx.conf", "a\nb {{ no_such_value }}\n");
    quick(&rig).args(["--proxy-configs", "."]).exits(2).complains("nginx/nginx.conf:2");
}

#[test]
fn a_listener_that_is_taken_is_named() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    quick(&RIG.idle()).args(["--listen", &address]).exits(3).complains(&address).complains("--listen");
}

#[test]
fn results_that_cannot_be_written_are_named() {
    let rig = RIG.idle();
    rig.write("taken", "a file");
    quick(&rig).args(["--out", "taken"]).exits(3).complains("taken");
}

#[test]
fn a_run_that_is_none_cannot_be_reported() {
    RIG.idle().command(["report", "nowhere"]).exits(2).complains("nowhere");
}

#[test]
fn a_limit_of_file_size_is_an_error_and_not_the_end_without_a_word() {
    // 512 bytes: fewer than the plan has.
    quick(&RIG.idle()).after("ulimit -f 1").exits(3).complains("File too large");
}

#[test]
fn closed_outputs_change_no_exit_code() {
    let sandbox = RIG.idle();
    let rig = env!("CARGO_BIN_EXE_rig");
    for (command, code) in [
        (format!("{rig} schema | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"), 0),
        (format!("({rig} validate nowhere.yaml 2>&1 >/dev/null; echo $? >code) | true; exit $(cat code)"), 2),
        (format!("{rig} validate nowhere.yaml 2>&-"), 2),
    ] {
        let ended = Command::new("bash").args(["-c", &command]).current_dir(sandbox.path()).status().unwrap();
        assert_eq!(ended.code(), Some(code), "{command}");
    }
}
