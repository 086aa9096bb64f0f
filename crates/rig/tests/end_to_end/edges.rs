//! The edges of draining, and reloads, in short forms.

use testing::{BALANCERS, Haproxy, Holding, books_balance, counts_are_trusted, deploy};

use crate::RIG;

#[test]
#[ignore = "takes long: make test-rest"]
fn what_a_reload_cuts_off_is_counted_and_a_graceful_one_loses_no_fresh_connection() {
    let short = RIG.beside_others().run("reload").set("load.for", "2s");
    let run = short.variants(["fresh"]).set("timeline.reloads.reload.times", "3").json();
    for balancer in BALANCERS {
        let [cut, fresh] = ["cut-off", "fresh"].map(|variant| run.cell(balancer, variant));
        for cell in [cut, fresh] {
            assert_eq!(cell.reloads.unwrap().count, 3, "{balancer}");
            counts_are_trusted(cell);
        }
        assert!(cut.counts.dropped > 0, "{balancer}");
        assert_eq!(cut.reloads.unwrap().dropped, cut.counts.dropped, "{balancer}: {:?}", cut.dropped);
        assert_eq!(fresh.counts.dropped, 0, "{balancer}: {:?}", fresh.dropped);
    }
}

#[test]
fn a_window_that_is_long_enough_turns_the_claim_about_a_short_one_red() {
    let short = RIG.beside_others().run("drain-edges").on([Haproxy]).variants(["too-short"]);
    let run = short.set("variants.too-short.timeline.rollout.deploy.drain", "1s").json();
    run.exits(1);
    assert_eq!(run.cell(Haproxy, "too-short").counts.dropped, 0);
    assert_eq!(*run.claim(Haproxy, "too-short.dropped > 0"), Holding::Failed);
}

#[test]
#[ignore = "takes long: make test-rest"]
fn slow_uploads_are_cut_without_draining_and_survive_a_window_that_covers_them() {
    let run = RIG.beside_others().run("drain-edges").on([Haproxy]).variants(["upload", "upload-untold"]);
    let run = run
        .set("variants.upload.load.for", "8s")
        .set("variants.upload.topology.pools.web.backends", "2")
        .set("variants.upload-untold.topology.pools.web.backends", "2")
        .json();
    let [untold, drained] = ["upload-untold", "upload"].map(|variant| run.cell(Haproxy, variant));
    assert!(untold.counts.dropped > 0);
    assert_eq!((drained.counts.dropped, deploy(drained).replaced), (0, 2));
    for cell in [untold, drained] {
        books_balance(cell);
    }
}
