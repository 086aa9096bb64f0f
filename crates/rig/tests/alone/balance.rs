//! Skew by backend and by request, in a short form. A loaded machine can spoil latency: judged are counts.

use testing::{BALANCERS, Haproxy, Holding, Invocation, Nginx, books_balance};

use crate::RIG;

/// Some variants of the scenario for a second.
fn short<const N: usize>(variants: [&str; N]) -> Invocation {
    let run = RIG.alone().run("round-robin-vs-least-connections").variants(variants);
    run.set("load.for", "1s").set("load.warmup", "300ms")
}

const QUEUED: &str = "rr.queue_growth[web-1] > 5";
const SPARED: &str = "lc.share[web-1] < 0.5 × rr.share[web-1]";

#[test]
#[ignore = "takes long: make test-rest"]
fn round_robin_lets_a_slow_backend_queue_and_least_connections_spares_it() {
    let run = short(["rr", "lc", "mix-lc"]).json();
    for balancer in BALANCERS {
        for claim in [QUEUED, "rr.imbalance < 1.1", SPARED] {
            assert_eq!(*run.claim(balancer, claim), Holding::Held, "{balancer} {claim}: {run}");
        }
        let [rr, lc, mix] = ["rr", "lc", "mix-lc"].map(|variant| run.cell(balancer, variant));
        for cell in [rr, lc, mix] {
            assert_eq!((cell.counts.scheduled, cell.counts.dropped), (300, 0));
            books_balance(cell);
        }
        assert_eq!(rr.load["web-1"].received, 100, "{balancer}");
        // Whoever has a view says what it has in flight; nginx has none.
        let viewed = rr.load["web-1"].in_hand.unwrap().balancer_in_flight_mean;
        assert_eq!(viewed.is_none(), balancer == Nginx, "{balancer}: {viewed:?}");
        // At 1–3 ms each, only what the class costs takes anyone 20 ms and more: it came through the balancer.
        assert!(mix.latency_ms.max.unwrap() >= 20.0, "{balancer}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_round_robin_that_passes_for_least_connections_is_found_out() {
    let swapped = short(["rr", "lc"]).on([Haproxy]);
    let run = swapped.set("variants.lc.topology.balance", "round_robin").json();
    run.exits(1);
    assert_eq!(*run.claim(Haproxy, QUEUED), Holding::Held);
    assert_eq!(*run.claim(Haproxy, SPARED), Holding::Failed);
}
