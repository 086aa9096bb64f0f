//! Where TLS ends: counts of handshakes on real balancers, their own word for them, and what is left behind.

use testing::{BALANCERS, Haproxy, Nginx, OutcomeKind, text};

use crate::RIG;

#[test]
fn handshakes_are_told_apart_by_client_and_balancer_alike_and_no_key_is_left() {
    let run = RIG.beside_others().run("short-tls").at_once().json();
    run.exits(0);
    for balancer in BALANCERS {
        for variant in ["resumed", "reencrypt", "passthrough"] {
            let cell = run.cell(balancer, variant);
            let tls = cell.tls.unwrap();
            assert_eq!((cell.counts.of(OutcomeKind::Ok), tls.failed), (60, 0), "{balancer}");
            let all = tls.handshakes.full + tls.handshakes.resumed;
            assert_eq!(all, 60, "{balancer} {variant}: one per connection");
            let curl = &cell.curls[0];
            assert_eq!(curl.status, "exit status: 0", "{curl:?}");
            assert!(curl.command.contains("https://rig.test:"), "{curl:?}");
        }
    }
    // Envoy's log has no word for it.
    for (balancer, resumed) in [(Nginx, r#""session":"r""#), (Haproxy, r#""resumed":"1""#)] {
        let log = run.sandbox.read(&format!("{balancer}.resumed.1/access.log.zst"));
        let lines = log.lines().filter(|line| line.contains(resumed) && !line.contains(r#""id":"""#)).count();
        let client = run.cell(balancer, "resumed").tls.unwrap().handshakes.resumed;
        assert_eq!(client, lines as u64, "{balancer} agrees");
    }
    for path in run.sandbox.files() {
        assert!(!text(&path).contains("PRIVATE KEY"), "{} holds a key", path.display());
    }
}
