//! Backends that leave for good, or arrive beside the others.

use model::history::Scaling;
use model::timeline::{Addition, Removal, Termination};

use super::*;
use crate::cell::scale::{add, remove};

fn removal(leaving: Leaving) -> Removal {
    Removal { backend: "web-3".into(), leaving }
}

fn addition() -> Addition {
    Addition { backend: "web-4".into(), register: Deregister::Live, ready_within: Span::millis(2000) }
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_leaves_as_in_a_deploy_and_is_then_out_for_good() {
    let pool = pool(3, 0);
    let drained = Leaving { drain: Drain::Auto, ..Leaving::ABRUPT };
    let told = ToldAfter::Between(Span::millis(500), Span::millis(500));
    let late = Termination { told_after: told, pre_stop: Span::default() };
    let untold = Termination { told_after: ToldAfter::Never, pre_stop: Span::default() };
    let ended = |termination| Leaving { termination: Some(termination), ..Leaving::ABRUPT };
    for (leaving, calls) in [
        (drained, vec!["web-3 Draining", "web-3 SIGTERM", "web-3 exited", "web-3 Out"]),
        // Its address stays empty, so the balancer is told all the same.
        (Leaving::ABRUPT, vec!["web-3 SIGTERM", "web-3 exited", "web-3 Out"]),
        (ended(late), vec!["web-3 SIGTERM", "web-3 exited", "web-3 Draining", "web-3 Out"]),
        (ended(untold), vec!["web-3 SIGTERM", "web-3 exited"]),
    ] {
        let fleet = fleet(&pool);
        remove(&fleet, "in", &removal(leaving), &pool).await.unwrap();
        assert_eq!(*fleet.calls.borrow(), calls, "{leaving:?}");
        let steps: Vec<String> =
            fleet.names().into_iter().filter(|name| name.starts_with("Scaling")).collect();
        assert_eq!(steps.len(), 2, "{:?}", fleet.names());
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_added_is_registered_once_it_is_healthy_and_awaits_its_share() {
    let pool = pool(3, 1);
    let fleet = fleet(&pool);
    add(&fleet, "out", &addition(), &pool).await.unwrap();
    assert_eq!(*fleet.calls.borrow(), ["web-4/1 launched", "web-4 In"]);
    let last = fleet.events.borrow().last().cloned();
    assert!(matches!(last, Some(Happening::Scaling(Scaling::Added { .. }))), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn who_never_gets_healthy_is_not_registered() {
    let pool = pool(3, 1);
    let fleet = Scripted { never_healthy: true, ..fleet(&pool) };
    add(&fleet, "out", &addition(), &pool).await.unwrap();
    assert_eq!(*fleet.calls.borrow(), ["web-4/1 launched"]);
    let last = fleet.events.borrow().last().cloned();
    let Some(Happening::Scaling(Scaling::NotAdded { reason, .. })) = last else { panic!("{last:?}") };
    assert!(reason.contains("did not say 200 within 2s"), "{reason}");
}
