//! Comparing, writing up, and the runbook, whose commands are typed at running balancers.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use engine::balancer::adapter;
use model::catalog::BalancerKind;
use model::operations::{Operations, Whereabouts};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{Running, eventually, files, machine, rig, said, scenario};

/// What `command` prints; it must end well.
fn typed(command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).output().expect("there is a shell");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What follows `before` in `text`, up to a character that no address has.
fn after<'t>(text: &'t str, before: &str) -> Option<&'t str> {
    let rest = text.split(before).nth(1)?;
    rest.split(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).next()
}

/// Where a running balancer is, as its own configuration says.
fn whereabouts(out: &Path) -> Whereabouts {
    let of = |name: &str| {
        let found = files(out).into_iter().find(|file| file.ends_with(format!("run/balancer/{name}")));
        found.map(|file| (std::fs::read_to_string(&file).unwrap(), file))
    };
    let mut at = Whereabouts { pool: "web".into(), backend: "web-1".into(), ..Whereabouts::placeholders() };
    if let Some((config, _)) = of("haproxy.cfg") {
        at.admin = config.split("stats socket ").nth(1).unwrap().split(' ').next().unwrap().into();
    } else if let Some((config, file)) = of("envoy.yaml") {
        let address = |text: &str| {
            let rest = text.split("socket_address: {address: ").nth(1).unwrap();
            let host = rest.split(',').next().unwrap().to_owned();
            (host, after(rest, "port_value: ").unwrap().to_owned())
        };
        at.admin = config.split("pipe: {path: \"").nth(1).unwrap().split('"').next().unwrap().into();
        at.directory = file.parent().unwrap().display().to_string();
        let (endpoints, _) = of("endpoints/web/endpoints.yaml").unwrap();
        (at.host, at.port) = address(&endpoints);
    } else {
        let (_, file) = of("nginx.conf").expect("some balancer stands");
        at.directory = file.parent().unwrap().display().to_string();
    }
    at
}

#[test]
fn the_commands_of_every_runbook_work_on_a_balancer_that_serves() {
    let _machine = machine();
    for (kind, drained) in BalancerKind::ALL.into_iter().zip(["web-1", "DRAIN", "eds_status_draining"]) {
        let dir = tempfile::tempdir().unwrap();
        let balancer = kind.name();
        let arguments = [
            "run",
            "--runtime",
            "process",
            &scenario("standing"),
            "--balancer",
            balancer,
            "--set",
            "load.for=60s",
        ];
        let mut running = Running::start(dir.path(), &[&arguments[..], &["--variant", "plain"]].concat());
        running.until("scheduled");
        let at = whereabouts(dir.path());
        let operations: Operations = adapter(kind).operated().unwrap().operations(&at);
        let look = |signal: &model::operations::Signal| typed(&signal.command);
        eventually(&format!("{balancer} to have given every backend something"), || {
            let shares = look(&operations.distribution);
            let numbers = shares.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u64>().ok());
            (numbers.filter(|n| *n > 0).count() >= 3).then_some(())
        });
        look(&operations.health);
        assert!(!look(&operations.errors).trim().is_empty(), "{balancer} tells of no status");
        assert!(!look(&operations.drain).contains(drained), "{balancer} drains nothing yet");
        // Nobody else on this machine can take a backend out.
        if kind != BalancerKind::Nginx {
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            let socket = Path::new(&at.admin);
            assert_eq!((mode(socket), mode(socket.parent().unwrap())), (0o600, 0o700), "{balancer}");
        }
        typed(&operations.take_out);
        eventually(&format!("{balancer} to say that it drains"), || {
            look(&operations.drain).contains(drained).then_some(())
        });
        typed(&operations.put_back);
        eventually(&format!("{balancer} to say that it does not"), || {
            (!look(&operations.drain).contains(drained)).then_some(())
        });
        let pid = Pid::from_raw(i32::try_from(running.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert_eq!(running.child.wait().unwrap().code(), Some(130));
        assert!(!Path::new(&at.admin).exists(), "{balancer}");
    }
}

#[test]
fn balancers_are_compared_by_running_them_and_runs_by_reading_them() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let standing = scenario("standing");
    let process = ["--runtime", "process", "--quiet"];
    let compared = ["compare", "haproxy", "nginx", &standing, "--repeat", "1", "--format", "json"];
    let ended = said(rig(dir.path(), &compared).args(process));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    let comparison: Value = serde_json::from_str(&ended.out).unwrap();
    let sides = &comparison[0]["sides"];
    assert_eq!([&sides[0]["name"], &sides[1]["name"]], ["haproxy", "nginx"]);
    let dropped = &comparison[0]["rows"][0];
    assert_eq!((&dropped["figure"], &dropped["sides"][1]["text"]), (&"dropped".into(), &"0 of 100".into()));
    assert_eq!(dropped["best"], Value::Null);
    assert_eq!(comparison[0]["absent"][0]["variant"], "only-here");
    let first = std::fs::canonicalize(dir.path().join("results/standing/latest")).unwrap();
    let other = ["run", &standing, "--balancer", "nginx", "--variant", "plain", "--set", "load.rate=120/s"];
    assert_eq!(said(rig(dir.path(), &other).args(process)).code, 0);
    let runs = ["compare", first.to_str().unwrap(), "results/standing/latest"];
    let refused = said(&mut rig(dir.path(), &runs));
    assert_eq!(refused.code, 2, "{}", refused.out);
    assert!(refused.err.contains("load.rate: 100/s against 120/s"), "{}", refused.err);
    let forced = said(rig(dir.path(), &runs).arg("--force"));
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert!(forced.out.contains("0 of 120"), "{}", forced.out);
    let page = said(&mut rig(dir.path(), &["writeup"]));
    assert_eq!(page.code, 0, "{}", page.err);
    // What this scenario lacks, a bundled one has: it is found outside the repository too.
    assert!(page.out.contains("rig run scenarios/drain.yaml would show it"), "{}", page.out);
    let page = said(&mut rig(dir.path(), &["runbook"]));
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(page.out.starts_with("# Runbook: nginx"), "{}", page.out);
}

#[test]
fn what_is_no_comparison_is_refused_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    for (words, why) in [
        (&["nginx"][..], "nginx alone can't be compared"),
        (&["ngnix", "envoy"], "`ngnix` is no balancer"),
        (&["drain"], "no balancer is named"),
        (&["nginx", "envoy", "--force"], "--force is for saved runs"),
    ] {
        let ended = said(rig(dir.path(), &["compare"]).args(words));
        assert_eq!(ended.code, 2, "{words:?}");
        assert!(ended.err.contains(why), "{words:?}: {}", ended.err);
    }
    assert!(!dir.path().join("results").exists());
}
