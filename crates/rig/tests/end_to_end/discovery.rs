//! A new generation at new addresses, found by DNS, in a short form.

use testing::{CellSummary, Envoy, Haproxy, Holding, Invocation, books_balance, counts_are_trusted, deploy};

use crate::RIG;

/// The whole pool is replaced at once, with the shortest TTL that there is.
fn short() -> Invocation {
    let run = RIG.beside_others().run("discovery").on([Haproxy, Envoy]).at_once();
    let run = run.set("topology.pools.web.discovery.dns.ttl", "1s").set("load.for", "6s");
    run.set("timeline.rollout.deploy.batch", "all")
        .set("variants.pre-stop.timeline.rollout.deploy.pre_stop", "2500ms")
}

fn last_at_old(cell: &CellSummary) -> Vec<f64> {
    deploy(cell).replacements.iter().map(|it| it.last_at_old_ms.unwrap()).collect()
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_backend_that_leaves_is_used_until_the_ttl_is_over_and_a_pre_stop_covers_that() {
    let run = short().variants(["pre-stop"]).json();
    for balancer in [Haproxy, Envoy] {
        let [at_once, covered] = ["no-pre-stop", "pre-stop"].map(|variant| run.cell(balancer, variant));
        for cell in [at_once, covered] {
            counts_are_trusted(cell);
            books_balance(cell);
            assert_eq!(deploy(cell).replaced, 2, "{balancer}: {run}");
            // Each came up at an address that none had before.
            let replacements = deploy(cell).replacements.iter();
            let moves: Vec<String> = replacements
                .map(|it| format!("{} {}", it.old.as_ref().unwrap(), it.new.as_ref().unwrap()))
                .collect();
            assert_eq!(moves, ["web-1/1 web-3/1", "web-2/1 web-4/1"], "{balancer}");
        }
        assert!(at_once.counts.dropped > 0, "{balancer}: {run}");
        let after = deploy(at_once).after_signals().map(|it| it.sent_after_exit).sum::<u64>();
        assert!(after > 0 && last_at_old(at_once).iter().any(|ms| *ms > 0.0), "{balancer}: {run}");
        assert_eq!(covered.counts.dropped, 0, "{balancer}: {run}");
        let claim = "pre-stop.sent_after_signal == 0";
        assert_eq!(*run.claim(balancer, claim), Holding::Held, "{balancer}: {run}");
    }
}
