//! Backends that end while the balancer is still being told, and several at a time.

use model::discovery::Discovery;
use model::timeline::{Batch, Termination};

use super::*;

/// As an orchestrator ends backends.
fn ended(told_after: ToldAfter, pre_stop: u64) -> Deploy {
    let termination = Termination { told_after, pre_stop: Span::millis(pre_stop) };
    let leaving = Leaving { termination: Some(termination), ..Leaving::ABRUPT };
    Deploy { leaving, ..wanted(Drain::Off) }
}

#[tokio::test(start_paused = true)]
async fn an_orchestrator_ends_a_backend_whether_or_not_the_balancer_has_been_told() {
    let pool = pool(3, 0);
    let told = ToldAfter::Between(Span::millis(500), Span::millis(500));
    for (pre_stop, first, second) in
        [(0, "web-1 SIGTERM", "web-1 exited"), (900, "web-1 Draining", "web-1 SIGTERM")]
    {
        let fleet = fleet(&pool);
        let begun = Instant::now();
        deploy(&fleet, "rollout", &ended(told, pre_stop), &pool).await.unwrap();
        let calls = fleet.calls.borrow().clone();
        assert_eq!(calls[..2], [first, second], "{calls:?}");
        assert_eq!(calls[3..5], ["web-1/2 launched", "web-1 In"], "{calls:?}");
        // Neither waits for the other: each replacement takes as long as the longer of both.
        let least = Duration::from_millis(3 * pre_stop.max(500));
        let took = begun.elapsed();
        assert!(least <= took && took < least + Duration::from_secs(1), "{took:?}");
        assert_eq!(fleet.names().iter().filter(|name| *name == "Stopping").count(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_replaced_at_once_and_the_next_one_when_it_has_been() {
    let pool = pool(3, 0);
    let fleet = fleet(&pool);
    let fleet = Scripted { busy_for: Duration::from_millis(300), ..fleet };
    let two = Deploy { batch: Batch::Of(2), ..wanted(Drain::Auto) };
    deploy(&fleet, "rollout", &two, &pool).await.unwrap();
    let calls = fleet.calls.borrow();
    let place = |call: &str| calls.iter().position(|known| known == call).unwrap();
    assert!(place("web-2 Draining") < place("web-1 SIGTERM"), "{calls:?}");
    assert!(place("web-3 Draining") > place("web-2/2 launched"), "{calls:?}");
    assert_eq!(fleet.names().iter().filter(|name| *name == "Replaced").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_surge_of_all_puts_a_second_pool_beside_the_first() {
    let pool = pool(3, 3);
    let fleet = fleet(&pool);
    let all = Deploy { batch: Batch::All, strategy: Strategy::Surge, ..wanted(Drain::Auto) };
    deploy(&fleet, "rollout", &all, &pool).await.unwrap();
    let calls = fleet.calls.borrow();
    let launched =
        |place: &str| calls.iter().position(|call| *call == format!("{place}/1 launched")).unwrap();
    let first_to_leave = calls.iter().position(|call| call.ends_with("Draining")).unwrap();
    assert!(["web-4", "web-5", "web-6"].iter().all(|place| launched(place) < first_to_leave), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_is_never_told_is_told_of_no_successor_either() {
    let pool = pool(3, 0);
    let fleet = fleet(&pool);
    deploy(&fleet, "rollout", &ended(ToldAfter::Never, 100), &pool).await.unwrap();
    let calls = fleet.calls.borrow();
    assert!(calls.iter().all(|call| !call.contains("Draining") && !call.contains(" In")), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_at_a_new_address_leaves_the_old_one_empty() {
    for (strategy, first) in [(Strategy::InPlace, "web-1 Draining"), (Strategy::Surge, "web-3/1 launched")] {
        let pool = pool(2, 2);
        let fleet = fleet(&pool);
        let moved = Deploy { new_address: true, strategy, ..wanted(Drain::For(Span::millis(2000))) };
        deploy(&fleet, "rollout", &moved, &pool).await.unwrap();
        let calls = fleet.calls.borrow();
        assert_eq!(calls[0], first, "{calls:?}");
        let launched: Vec<_> = calls.iter().filter(|call| call.ends_with("launched")).collect();
        assert_eq!(launched, ["web-3/1 launched", "web-4/1 launched"], "{calls:?}");
        assert!(
            calls.contains(&"web-3 In".to_owned()) && calls.contains(&"web-4 In".to_owned()),
            "{calls:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_left_without_a_drain_is_not_used_any_more() {
    let pool = pool(2, 2);
    let fleet = fleet(&pool);
    let moved = Deploy { new_address: true, ..wanted(Drain::Off) };
    deploy(&fleet, "rollout", &moved, &pool).await.unwrap();
    let calls = fleet.calls.borrow();
    assert_eq!(
        calls[..5],
        ["web-1 SIGTERM", "web-1 exited", "web-1 Out", "web-3/1 launched", "web-3 In"],
        "{calls:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_balancer_that_asks_again_later_has_the_time_for_that() {
    let waited = async |discovery| {
        let pool = Pool { discovery, ..pool(3, 0) };
        let fleet = Scripted { unfair: true, ..fleet(&pool) };
        let begun = Instant::now();
        deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
        begun.elapsed()
    };
    let ttl = Span::millis(60_000);
    let more = waited(Some(Discovery { ttl })).await - waited(None).await;
    assert!(more >= ttl.0, "{more:?}");
}
