//! How long a request is worked on: a pure function of the seed, the request and the backend's latency.

use std::time::Duration;

use crate::draw::{Decision, uniform};
use crate::identity::RequestId;
use crate::topology::Latency;
use crate::units::Factor;

/// The service time of request `id`, which costs `cost` times as much as others. Neither the backend nor its
/// incarnation enters, so that a request costs the same in every variant, whoever serves it. A time beyond what a
/// [`Duration`] holds is the longest that it does hold.
pub fn service_time(seed: u64, id: RequestId, latency: &Latency, cost: Factor) -> Duration {
    let time = drawn(seed, id, latency);
    Duration::try_from_secs_f64(time.as_secs_f64() * cost.0).unwrap_or(Duration::MAX)
}

fn drawn(seed: u64, id: RequestId, latency: &Latency) -> Duration {
    if let Some(tail) = latency.tail
        && uniform(seed, Decision::SlowTail, id.0) < tail.share.0
    {
        return tail.at.0;
    }
    let width = latency.to.0.saturating_sub(latency.from.0);
    latency.from.0 + width.mul_f64(uniform(seed, Decision::ServiceTime, id.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Tail;
    use crate::units::{Share, Span};
    use proptest::prelude::*;

    fn latency(from: u64, width: u64, share: f64) -> Latency {
        Latency {
            from: Span::millis(from),
            to: Span::millis(from + width),
            tail: Some(Tail { share: Share(share), at: Span::millis(60_000) }),
        }
    }

    proptest! {
        #[test]
        fn every_draw_lies_in_the_uniform_part_or_is_the_tail(
            seed: u64, id: u64, from in 0u64..1_000, width in 0u64..1_000, share in 0.0f64..=1.0,
        ) {
            let latency = latency(from, width, share);
            let time = service_time(seed, RequestId(id), &latency, Factor::ONE);
            let uniform = latency.from.0..=latency.to.0;
            prop_assert!(uniform.contains(&time) || time == Duration::from_secs(60));
            prop_assert_eq!(time, service_time(seed, RequestId(id), &latency, Factor::ONE));
        }

        #[test]
        fn the_tail_has_its_share_and_the_rest_keeps_its_mean(seed: u64) {
            let latency = latency(100, 200, 0.02);
            let times: Vec<Duration> =
                (0..10_000).map(|id| service_time(seed, RequestId(id), &latency, Factor::ONE)).collect();
            let (slow, rest): (Vec<Duration>, Vec<Duration>) =
                times.into_iter().partition(|time| *time == Duration::from_secs(60));
            // Seven standard deviations of each.
            prop_assert!((102..=298).contains(&slow.len()), "{} of 10,000 are slow", slow.len());
            let mean = rest.iter().sum::<Duration>().as_secs_f64() * 1e3 / rest.len() as f64;
            prop_assert!((195.8..=204.2).contains(&mean), "a mean of {} ms", mean);
        }
    }

    #[test]
    fn a_fixed_latency_without_a_tail_is_exact() {
        let fixed = Latency { from: Span::millis(5), to: Span::millis(5), tail: None };
        for id in 0..100 {
            assert_eq!(service_time(9, RequestId(id), &fixed, Factor::ONE), Duration::from_millis(5));
        }
    }

    #[test]
    fn a_request_that_costs_more_takes_its_own_time_so_many_times() {
        let latency = latency(100, 200, 0.0);
        for id in (0..100).map(RequestId) {
            let once = service_time(9, id, &latency, Factor::ONE).as_secs_f64();
            let often = service_time(9, id, &latency, Factor(20.0)).as_secs_f64();
            assert!((often - 20.0 * once).abs() < 1e-7, "{once} s and {often} s");
        }
    }

    #[test]
    fn a_cost_beyond_all_bounds_is_a_long_time_and_no_panic() {
        let fixed = Latency { from: Span::millis(5), to: Span::millis(5), tail: None };
        assert_eq!(service_time(9, RequestId(1), &fixed, Factor(f64::INFINITY)), Duration::MAX);
    }
}
