//! Short forms of the scenarios about sick backends: who notices, and what turns them red.

use model::detection::DetectionBound;
use report::fate::SubCause;
use testing::{
    BALANCERS, BalancerKind, FaultRecord, Haproxy, Nginx, OutcomeKind, Run, TimeToEject, books_balance,
};

use crate::RIG;

fn fault<'a>(run: &'a Run, balancer: BalancerKind, variant: &str, backend: &str) -> &'a FaultRecord {
    run.cell(balancer, variant).faults.iter().find(|fault| fault.backend == backend).unwrap()
}

fn harmed(fault: &FaultRecord) -> u64 {
    fault.failed_in_flight + fault.failed_after
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_crash_is_seen_by_probes_and_goes_on_costing_without_them() {
    let rig = RIG.beside_others();
    let short = rig.run("health-check").on([Nginx, Haproxy]).variants(["fast-crash"]);
    let run = short.set("timeline.fault.for", "2500ms").set("load.for", "5s").json();
    run.exits(0).quietly();
    let seen = fault(&run, Haproxy, "fast-crash", "web-1");
    assert_eq!(seen.seen_down.as_ref().unwrap().words, "DOWN");
    assert!(seen.seen_up.is_some() && seen.time_to_restore_ms.is_some(), "{seen:?}");
    assert!(matches!(&seen.bound, DetectionBound::Within { why, .. } if why == "2 × 200ms"), "{seen:?}");
    let unseen = fault(&run, Nginx, "fast-crash", "web-1");
    assert_eq!(unseen.time_to_eject, TimeToEject::Never, "{unseen:?}");
    assert!(harmed(unseen) > 2 * harmed(seen), "{unseen:?} {seen:?}");
    for balancer in [Nginx, Haproxy] {
        books_balance(run.cell(balancer, "fast-crash"));
    }

    // Without probes no balancer sees it, and the claim about detection says why it fails.
    let unprobed = rig.fresh().run("health-check").on([Haproxy]).variants(["fast-crash"]);
    let unprobed = unprobed.set("topology.health_check", "off");
    let ended = unprobed.set("load.for", "4s").set("timeline.fault.for", "1s").exits(1);
    ended.says("(never; no bound: health_check is off: nothing probes)");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn responses_that_break_off_end_as_told_and_those_in_the_body_eject_nobody() {
    let short = RIG.beside_others().run("half-dead").variants(["truncations"]);
    let run = short.set("control", "[]").set("expect", "[]").set("load.for", "3500ms").json();
    run.exits(0).quietly();
    for balancer in BALANCERS {
        let [before, head, body] =
            ["web-1", "web-2", "web-3"].map(|backend| fault(&run, balancer, "truncations", backend));
        for broken in [before, head] {
            assert!((1..harmed(body)).contains(&harmed(broken)), "{balancer}: {broken:?} {body:?}");
        }
        assert!(body.seen_down.is_none(), "{balancer}: {body:?}");
        let groups = &run.cell(balancer, "truncations").dropped;
        let broken_off = groups.iter().all(|group| group.source.sub_cause == SubCause::BrokenOff);
        assert!(broken_off, "{balancer}: {groups:?}");
        // Its head has been passed on: nothing but the end of the connection can tell the client.
        let mut of_body =
            groups.iter().map(|it| &it.source).filter(|it| it.backend.as_deref() == Some("web-3")).peekable();
        assert!(of_body.peek().is_some() && of_body.all(|it| it.outcome == OutcomeKind::Closed));
    }
}
