//! An environment that cannot run a scenario: exit 3, a message that says what to do, nothing left running.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::harness::{alive, files, histories, launched, machine, rig, said, scenario};

const QUICK: [&str; 5] = ["--balancer", "nginx", "--variant", "with-drain", "--quiet"];

#[test]
fn a_missing_balancer_is_named_before_anything_is_launched() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain"), "--quiet"]);
    let ended = said(command.env("RIG_ENVOY", "/nonexistent/envoy"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("RIG_ENVOY names it, and it is no executable file"), "{}", ended.err);
    assert_eq!(files(dir.path()).len(), 0);
}

#[test]
fn what_killed_runs_have_left_is_told_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let left = dir.path().join("results/drain/20261122T135148Z/cells/nginx.with-drain.1/run");
    std::fs::create_dir_all(left).unwrap();
    let mut command = rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain")]);
    let ended = said(command.env("RIG_ENVOY", "/nonexistent/envoy"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    let words = "killed runs left files in results; `rig clean --out results` removes them";
    assert!(ended.err.contains(words), "{}", ended.err);
}

#[test]
fn a_program_that_is_no_balancer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain"), "--quiet"]);
    let ended = said(command.env("RIG_NGINX", "/bin/true"));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("`/bin/true` does not run as nginx"), "{}", ended.err);
}

#[test]
fn an_engine_that_is_not_there_is_named_with_what_says_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let ended = said(rig(dir.path(), &["images"]).env("DOCKER_HOST", "unix:///nonexistent/docker.sock"));
    assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{}", ended.err);
    let words =
        "no Docker engine answers at unix:///nonexistent/docker.sock (from DOCKER_HOST): No such file";
    assert!(ended.err.contains(words), "{}", ended.err);
}

#[test]
fn a_balancer_that_refuses_its_configuration_is_quoted_and_nothing_keeps_running() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    for (balancer, file, text, words) in [
        ("nginx", "nginx.conf", "no_such_directive;\n", "unknown directive \"no_such_directive\""),
        ("haproxy", "haproxy.cfg", "no_such_directive\n", "unknown keyword 'no_such_directive'"),
        ("envoy", "envoy.yaml", "no_such_directive: 1\n", "no_such_directive"),
    ] {
        let configs = dir.path().join(format!("configs-{balancer}"));
        std::fs::create_dir_all(configs.join(balancer)).unwrap();
        let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proxy-configs");
        let built_in = std::fs::read_to_string(Path::new(built_in).join(balancer).join(file)).unwrap();
        std::fs::write(configs.join(balancer).join(file), format!("{built_in}\n{text}")).unwrap();
        let out = tempfile::tempdir().unwrap();
        let arguments = [
            "run",
            "--runtime",
            "process",
            &scenario("short-drain"),
            "--balancer",
            balancer,
            "--quiet",
            "--proxy-configs",
        ];
        let ended = said(rig(out.path(), &arguments).arg(&configs));
        assert_eq!(ended.code, 3, "{}", ended.err);
        assert!(ended.err.contains(words), "{balancer}: {}", ended.err);
        let history: Vec<_> = histories(out.path())
            .iter()
            .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect();
        assert!(!launched(&history).is_empty(), "{balancer}: nothing was launched");
        assert_eq!(alive(&launched(&history)), Vec::<String>::new(), "{balancer}");
    }
}

#[test]
fn a_template_that_names_an_unknown_value_is_an_error_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("nginx")).unwrap();
    std::fs::write(dir.path().join("nginx/nginx.conf"), "a\nb {{ no_such_value }}\n").unwrap();
    let ended = said(
        rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain"), "--proxy-configs", "."])
            .args(QUICK),
    );
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("nginx/nginx.conf:2"), "{}", ended.err);
}

#[test]
fn a_listener_that_is_taken_is_named() {
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let ended = said(
        rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain"), "--listen", &address])
            .args(QUICK),
    );
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains(&address) && ended.err.contains("--listen"), "{}", ended.err);
}

#[test]
fn results_that_cannot_be_written_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("taken"), "a file").unwrap();
    let ended = said(
        rig(dir.path(), &["run", "--runtime", "process", &scenario("short-drain"), "--out", "taken"])
            .args(QUICK),
    );
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("taken"), "{}", ended.err);
}

#[test]
fn a_run_that_is_none_cannot_be_reported() {
    let dir = tempfile::tempdir().unwrap();
    let ended = said(&mut rig(dir.path(), &["report", "nowhere"]));
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("nowhere"), "{}", ended.err);
}

#[test]
fn a_limit_of_file_size_is_an_error_and_not_the_end_without_a_word() {
    let dir = tempfile::tempdir().unwrap();
    // 512 bytes: fewer than the plan has.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -f 1; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_rig"), "run"]);
    command.args(["--runtime", "process", &scenario("short-drain")]).args(QUICK).current_dir(dir.path());
    let ended = said(&mut command);
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("File too large"), "{}", ended.err);
}

#[test]
fn closed_outputs_change_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let rig = env!("CARGO_BIN_EXE_rig");
    for (command, code) in [
        (format!("{rig} schema | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"), 0),
        (format!("({rig} validate nowhere.yaml 2>&1 >/dev/null; echo $? >code) | true; exit $(cat code)"), 2),
        (format!("{rig} validate nowhere.yaml 2>&-"), 2),
    ] {
        let ended = Command::new("bash").args(["-c", &command]).current_dir(dir.path()).status().unwrap();
        assert_eq!(ended.code(), Some(code), "{command}");
    }
}
