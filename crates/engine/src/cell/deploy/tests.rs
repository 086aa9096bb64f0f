//! The deploy sequence on a scripted fleet, under paused time: no process, no waiting.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use model::history::WindowDerivation;
use model::timeline::{Deregister, Drain, Leaving, ToldAfter, Until};
use model::topology::{Backend, Latency};
use model::units::{Bytes, Span};

use super::*;
use crate::balancer::Standing;
use crate::cell::steps::DrainReading;

mod orchestrated;
mod scaling;

/// Requests that a backend still has after it was deregistered, and how long each takes.
#[derive(Default)]
struct Scripted {
    events: RefCell<Vec<Happening>>,
    calls: RefCell<Vec<String>>,
    generations: RefCell<BTreeMap<String, u32>>,
    /// When each backend was turned away, and how long it is busy from then on.
    draining: RefCell<BTreeMap<String, Instant>>,
    busy_for: Duration,
    /// A request that arrives so long after the deregistration.
    straggler_at: Option<Duration>,
    never_healthy: bool,
    stillborn: bool,
    unfair: bool,
    unloaded: bool,
    /// The balancer keeps users where they are.
    sticky: bool,
    asked: RefCell<u64>,
    /// Backends whose process is gone.
    dead: RefCell<BTreeSet<String>>,
    dies_after_its_launch: bool,
    load_ends: Option<Instant>,
    /// The balancer never uses who comes back.
    never_up: bool,
}

impl Scripted {
    fn call(&self, words: String) {
        self.calls.borrow_mut().push(words);
    }

    fn names(&self) -> Vec<String> {
        self.events.borrow().iter().map(name).collect()
    }
}

fn name(event: &Happening) -> String {
    let text = format!("{event:?}");
    text.split([' ', '{']).next().unwrap().to_owned()
}

impl Fleet for Scripted {
    fn record(&self, what: Happening) {
        self.events.borrow_mut().push(what);
    }
    fn under_load(&self) -> bool {
        !self.unloaded
    }
    fn room(&self) -> Option<Duration> {
        self.load_ends.map(|ends| ends.saturating_duration_since(Instant::now()))
    }
    fn incarnation(&self, backend: &str) -> Incarnation {
        Incarnation::new(backend, self.generations.borrow().get(backend).copied().unwrap_or(0))
    }
    async fn turn(&self, backend: &str, standing: Standing, _how: Deregister) -> Result<String, CellError> {
        self.call(format!("{backend} {standing:?}"));
        self.draining.borrow_mut().insert(backend.to_owned(), Instant::now());
        if self.never_up && standing == Standing::In {
            std::future::pending::<()>().await;
        }
        Ok("scripted".into())
    }
    async fn drain_reading(&self, backend: &str) -> Result<DrainReading, CellError> {
        if self.is_gone(backend) {
            return Ok(DrainReading::Dead);
        }
        let since = self.draining.borrow()[backend].elapsed();
        let late = self.straggler_at.is_some_and(|at| since >= at);
        Ok(DrainReading::InFlight {
            count: u64::from(since < self.busy_for),
            received: if late { 11 } else { 10 },
            steady: Duration::from_millis(100),
            source: "scripted",
        })
    }
    async fn terminate(&self, backend: &str) -> Result<(), CellError> {
        self.call(format!("{backend} SIGTERM"));
        let (incarnation, signal) = (self.incarnation(backend), "SIGTERM".to_owned());
        self.record(Happening::Terminated { incarnation, signal });
        Ok(())
    }
    async fn exited(&self, backend: &str, _within: Duration) -> Result<(), CellError> {
        self.call(format!("{backend} exited"));
        Ok(())
    }
    fn draw(&self, _old: &Incarnation, from: Span, _to: Span) -> Duration {
        from.0
    }
    async fn launch(&self, incarnation: &Incarnation, _unhealthy: bool) -> Result<(), CellError> {
        self.call(format!("{incarnation} launched"));
        if self.stillborn {
            let reason = "it exited at once".into();
            return Err(CellError::BackendFailed { incarnation: incarnation.clone(), reason });
        }
        self.generations.borrow_mut().insert(incarnation.backend.clone(), incarnation.generation);
        match self.dies_after_its_launch {
            true => self.dead.borrow_mut().insert(incarnation.backend.clone()),
            false => self.dead.borrow_mut().remove(&incarnation.backend),
        };
        Ok(())
    }
    fn is_gone(&self, backend: &str) -> bool {
        self.dead.borrow().contains(backend)
    }
    async fn healthy(&self, _backend: &str) -> bool {
        !self.never_healthy
    }
    fn starts_slowly(&self) -> Duration {
        Duration::ZERO
    }

    fn keeps_users(&self, _pool: &str) -> bool {
        self.sticky
    }
    async fn answers_newcomers(&self, new: &Incarnation, _within: Duration) -> Option<u64> {
        self.call(format!("{new} asked for"));
        (!self.unfair).then_some(3)
    }
    async fn received(&self, _pool: &str) -> Result<BTreeMap<String, u64>, CellError> {
        let asked = *self.asked.borrow() + 1;
        *self.asked.borrow_mut() = asked;
        let places = ["web-1", "web-2", "web-3"];
        let count = |place: &str| {
            if self.unfair && place == "web-1" { 0 } else { asked * 10 }
        };
        Ok(places.into_iter().map(|place| (place.to_owned(), count(place))).collect())
    }
    fn slowest(&self, _pool: &str) -> Result<Option<WindowDerivation>, CellError> {
        Ok(Some(WindowDerivation { slowest: Span::millis(800), samples: 1200 }))
    }

    fn refused(&self, reason: &str) -> CellError {
        CellError::Control { kind: model::catalog::BalancerKind::ALL[0], reason: reason.to_owned() }
    }
}

fn pool(serving: usize, spares: usize) -> Pool {
    let fixed = Latency { from: Span::millis(5), to: Span::millis(5), tail: None };
    let backends = (1..=serving + spares)
        .map(|n| Backend {
            id: format!("web-{n}"),
            spare: n > serving,
            latency: fixed,
            queue: 0,
            body: Bytes(0),
            ..Backend::default()
        })
        .collect();
    Pool { name: "web".into(), backends, ..Pool::default() }
}

fn fleet(pool: &Pool) -> Scripted {
    let fleet = Scripted::default();
    for backend in pool.serving() {
        fleet.generations.borrow_mut().insert(backend.id.clone(), 1);
    }
    fleet
}

fn wanted(drain: Drain) -> Deploy {
    Deploy {
        pool: "web".into(),
        leaving: Leaving { drain, ..Leaving::ABRUPT },
        ready_within: Span::millis(2000),
        ..Deploy::default()
    }
}

fn waited(fleet: &Scripted) -> Option<Duration> {
    fleet.events.borrow().iter().find_map(|event| match event {
        Happening::Drained { waited, .. } => Some(waited.0),
        _ => None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_drained_backend_is_deregistered_before_and_registered_after_its_replacement() {
    let pool = pool(3, 0);
    let fleet = Scripted { busy_for: Duration::from_millis(300), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    let one = |n| {
        [
            format!("web-{n} Draining"),
            format!("web-{n} SIGTERM"),
            format!("web-{n} exited"),
            format!("web-{n}/2 launched"),
            format!("web-{n} In"),
        ]
    };
    assert_eq!(*fleet.calls.borrow(), [one(1), one(2), one(3)].concat());
    let replaced = fleet.names().iter().filter(|name| *name == "Replaced").count();
    assert_eq!(replaced, 3);
}

#[tokio::test(start_paused = true)]
async fn no_share_is_waited_for_where_no_requests_come() {
    let pool = pool(3, 0);
    let fleet = Scripted { unloaded: true, unfair: true, ..fleet(&pool) };
    deploy(&fleet, "up", &wanted(Drain::Auto), &pool).await.unwrap();
    let names = fleet.names();
    assert_eq!(names.iter().filter(|name| *name == "Replaced").count(), 3);
    assert!(!names.iter().any(|name| name.ends_with("onfirmed")), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn without_draining_the_balancer_is_told_nothing() {
    let pool = pool(3, 0);
    let fleet = fleet(&pool);
    deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
    assert!(fleet.calls.borrow().iter().all(|call| !call.contains("Draining") && !call.contains(" In")));
    assert!(!fleet.names().iter().any(|name| name == "Deregistering" || name == "DrainWindow"));
}

#[tokio::test(start_paused = true)]
async fn the_automatic_window_is_the_slowest_request_and_a_fifth_and_a_quarter_second() {
    let pool = pool(3, 0);
    let fleet = fleet(&pool);
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    let window = fleet.events.borrow().iter().find_map(|event| match event {
        Happening::DrainWindow { window, derived } => Some((*window, derived.unwrap().samples)),
        _ => None,
    });
    assert_eq!(window, Some((Span::millis(1210), 1200)));
}

#[tokio::test(start_paused = true)]
async fn a_window_that_ends_early_terminates_with_what_is_in_flight_and_says_so() {
    let pool = pool(3, 0);
    let fleet = Scripted { busy_for: Duration::from_secs(5), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::For(Span::millis(50))), &pool).await.unwrap();
    let expired = |event: &&Happening| matches!(event, Happening::DrainExpired { in_flight: Some(1), .. });
    assert_eq!(fleet.events.borrow().iter().filter(expired).count(), 3);
    assert_eq!(waited(&fleet), None);
}

#[tokio::test(start_paused = true)]
async fn one_zero_reading_is_not_drained() {
    let pool = pool(3, 0);
    let fleet = Scripted { busy_for: Duration::from_millis(300), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    assert_eq!(waited(&fleet), Some(Duration::from_millis(400)));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_arrives_between_two_zero_readings_starts_the_count_anew() {
    let pool = pool(3, 0);
    let fleet = Scripted { straggler_at: Some(Duration::from_millis(60)), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    assert_eq!(waited(&fleet), Some(Duration::from_millis(160)));
}

#[tokio::test(start_paused = true)]
async fn until_window_waits_for_the_whole_window_even_if_idle() {
    let pool = pool(2, 0);
    let fleet = fleet(&pool);
    let leaving = Leaving { until: Until::Window, drain: Drain::For(Span::millis(900)), ..Leaving::ABRUPT };
    let until_window = Deploy { leaving, ..wanted(Drain::Off) };
    let begun = Instant::now();
    deploy(&fleet, "rollout", &until_window, &pool).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(2 * 900));
    assert_eq!(waited(&fleet), Some(Duration::from_millis(100)));
}

#[tokio::test(start_paused = true)]
async fn a_generation_that_never_becomes_healthy_aborts_the_deploy_and_spares_the_rest() {
    let pool = pool(3, 0);
    let fleet = Scripted { never_healthy: true, ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    assert_eq!(fleet.names().last().map(String::as_str), Some("DeployAborted"));
    assert!(!fleet.calls.borrow().iter().any(|call| call.contains("web-2") || call == "web-1 In"));
}

#[tokio::test(start_paused = true)]
async fn a_generation_that_does_not_even_start_aborts_the_deploy_as_well() {
    let pool = pool(3, 0);
    let fleet = Scripted { stillborn: true, ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
    assert_eq!(fleet.names().last().map(String::as_str), Some("DeployAborted"));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_idle_when_a_short_window_ends_is_drained_and_not_expired() {
    let pool = pool(3, 0);
    let fleet = Scripted { busy_for: Duration::from_millis(5), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::For(Span::millis(20))), &pool).await.unwrap();
    assert!(!fleet.names().iter().any(|name| name == "DrainExpired"));
    assert_eq!(fleet.names().iter().filter(|name| *name == "Drained").count(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_without_its_share_is_reported_and_the_deploy_goes_on() {
    let pool = pool(3, 0);
    let fleet = Scripted { unfair: true, ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
    let names = fleet.names();
    assert_eq!(names.iter().filter(|name| *name == "Unconfirmed").count(), 1);
    assert_eq!(names.last().map(String::as_str), Some("DeployFinished"));
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_needs_the_share_that_its_weight_says_and_a_backup_none() {
    let mut pool = pool(3, 0);
    pool.backends[1].weight = 9;
    pool.backends[2].backup = true;
    // Each gets a third.
    let fleet = fleet(&pool);
    deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
    let of = |kind: &str| fleet.names().iter().filter(|name| *name == kind).count();
    assert_eq!((of("Confirmed"), of("Unconfirmed"), of("Replaced")), (1, 1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_surge_starts_the_new_generation_before_the_old_one_leaves_and_reuses_its_place() {
    let pool = pool(2, 1);
    let fleet = fleet(&pool);
    let surge = Deploy { strategy: Strategy::Surge, ..wanted(Drain::Auto) };
    deploy(&fleet, "rollout", &surge, &pool).await.unwrap();
    let expected = [
        "web-3/1 launched",
        "web-3 In",
        "web-1 Draining",
        "web-1 SIGTERM",
        "web-1 exited",
        "web-1/2 launched",
        "web-1 In",
        "web-2 Draining",
        "web-2 SIGTERM",
        "web-2 exited",
    ];
    assert_eq!(*fleet.calls.borrow(), expected);
}

#[tokio::test(start_paused = true)]
async fn where_users_stay_a_new_generation_is_proved_by_one_who_comes_anew() {
    for (unfair, proof) in [(false, "Reached"), (true, "Unconfirmed")] {
        let pool = pool(1, 0);
        let fleet = Scripted { sticky: true, unfair, ..fleet(&pool) };
        deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
        assert!(fleet.calls.borrow().contains(&"web-1/2 asked for".to_owned()));
        assert!(fleet.names().contains(&proof.to_owned()), "{:?}", fleet.names());
        assert!(!fleet.names().contains(&"Confirmed".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_dead_is_replaced_and_counts_as_not_drained() {
    let pool = pool(3, 0);
    let fleet = Scripted { dead: RefCell::new(BTreeSet::from(["web-2".into()])), ..fleet(&pool) };
    deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
    let of = |kind: &str| fleet.names().iter().filter(|name| *name == kind).count();
    assert_eq!((of("DrainCut"), of("Drained"), of("Replaced")), (1, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn a_new_generation_that_dies_before_the_balancer_uses_it_aborts_the_deploy_at_once() {
    let pool = pool(3, 0);
    for never_up in [false, true] {
        let fleet =
            Scripted { dies_after_its_launch: true, never_up, never_healthy: !never_up, ..fleet(&pool) };
        let begun = Instant::now();
        deploy(&fleet, "rollout", &wanted(Drain::Auto), &pool).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!(fleet.names().last().map(String::as_str), Some("DeployAborted"));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_the_share_of_a_generation_that_has_died() {
    let pool = pool(1, 1);
    let fleet = Scripted { dies_after_its_launch: true, unfair: true, ..fleet(&pool) };
    let begun = Instant::now();
    let surge = Deploy { strategy: Strategy::InPlace, ..wanted(Drain::Off) };
    deploy(&fleet, "rollout", &surge, &pool).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(fleet.names().contains(&"Unconfirmed".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_share_that_never_comes_is_waited_for_no_longer_than_the_load_has_room_for_the_rest() {
    let pool = pool(3, 0);
    for (room, most) in [(3, 3), (60, 16)] {
        let load_ends = Some(Instant::now() + Duration::from_secs(room));
        let fleet = Scripted { unfair: true, load_ends, ..fleet(&pool) };
        let begun = Instant::now();
        deploy(&fleet, "rollout", &wanted(Drain::Off), &pool).await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(most), "{:?}", begun.elapsed());
        assert_eq!(fleet.names().iter().filter(|name| *name == "Replaced").count(), 3);
    }
}
