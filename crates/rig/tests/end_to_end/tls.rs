//! Where TLS ends: counts of handshakes on real balancers, their own word for them, and what is left behind.

use serde_json::Value;

use crate::harness::{cell, files, machine, rig, said, scenario};

const BALANCERS: [&str; 3] = ["nginx", "haproxy", "envoy"];

#[test]
fn handshakes_are_told_apart_by_client_and_balancer_alike_and_no_key_is_left() {
    let _machine = machine();
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["run", &scenario("tls"), "--runtime", "process", "--format", "json", "--quiet"];
    let ended = said(&mut rig(dir.path(), &arguments));
    let run: Value =
        serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{}{}", ended.out, ended.err));
    assert_eq!(ended.code, 0, "{}", run["claims"]);
    for balancer in BALANCERS {
        for variant in ["resumed", "reencrypt", "passthrough"] {
            let cell = cell(&run, balancer, variant);
            assert_eq!(
                (&cell["counts"]["ok"], &cell["tls"]["failed"]),
                (&60.into(), &0.into()),
                "{balancer}"
            );
            let handshakes = &cell["tls"]["handshakes"];
            let all = handshakes["full"].as_u64().unwrap() + handshakes["resumed"].as_u64().unwrap();
            assert_eq!(all, 60, "{balancer} {variant}: one per connection");
            let curl = &cell["curls"][0];
            assert_eq!(curl["status"], "exit status: 0", "{curl}");
            assert!(curl["command"].as_str().unwrap().contains("https://rig.test:"), "{curl}");
        }
    }
    let written = files(dir.path());
    // Envoy's log has no word for it.
    for (balancer, resumed) in [("nginx", r#""session":"r""#), ("haproxy", r#""resumed":"1""#)] {
        let wanted = format!("{balancer}.resumed.1/access.log");
        let log = written.iter().find(|path| path.to_str().unwrap().ends_with(&wanted)).unwrap();
        let log = std::fs::read_to_string(log).unwrap();
        let lines = log.lines().filter(|line| line.contains(resumed) && !line.contains(r#""id":"""#)).count();
        let client = &cell(&run, balancer, "resumed")["tls"]["handshakes"]["resumed"];
        assert_eq!(*client, lines, "{balancer} agrees");
    }
    for path in written {
        let bytes = std::fs::read(&path).unwrap();
        let holds = bytes.windows(11).any(|window| window == b"PRIVATE KEY");
        assert!(!holds, "{} holds a key", path.display());
    }
}
