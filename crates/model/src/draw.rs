//! Reproducible randomness: a draw is a pure function of a seed, of what it decides, and of a request's place in
//! the schedule. So a request is the same in every variant and behind every balancer, whatever happened
//! before it.

/// What a draw decides. Draws for different decisions are independent of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Which class of the mix a request belongs to.
    Class,
    /// Whether a request opens a new connection.
    FreshConnection,
    /// How long after the arrival before it a request arrives.
    Gap,
    /// Where in the uniform part a service time lies.
    ServiceTime,
    /// Whether a service time belongs to the slow tail.
    SlowTail,
    /// The order of the cells of a run.
    CellOrder,
    /// How much later than its time an entry of the timeline begins.
    Jitter,
    /// Whether a degraded backend answers a request with an error.
    Error,
    /// Which user makes a request.
    User,
    /// How late a balancer is told that a backend ends.
    Told,
}

/// A number in [0, 1), uniformly distributed over `n`.
pub fn uniform(seed: u64, decision: Decision, n: u64) -> f64 {
    let stream = mix(seed ^ mix(decision as u64 + 1));
    // The upper 53 bits, as many as the fraction of an f64 holds.
    (mix(stream.wrapping_add(n)) >> 11) as f64 / (1u64 << 53) as f64
}

/// SplitMix64: each bit of the result depends on each bit of `x`.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_draw_is_in_range_and_repeatable(seed: u64, n: u64) {
            let draw = uniform(seed, Decision::Class, n);
            prop_assert!((0.0..1.0).contains(&draw));
            prop_assert_eq!(draw, uniform(seed, Decision::Class, n));
        }

        #[test]
        fn draws_are_spread_evenly_for_any_seed(seed: u64) {
            let below = (0..10_000).filter(|n| uniform(seed, Decision::Gap, *n) < 0.25).count();
            // Seven standard deviations of a binomial of 10,000 × 25 %.
            prop_assert!((2_190..=2_810).contains(&below), "{} of 10,000 below a quarter", below);
        }

        #[test]
        fn decisions_about_one_request_are_independent(seed: u64) {
            let both = (0..10_000)
                .filter(|n| uniform(seed, Decision::Class, *n) < 0.5 && uniform(seed, Decision::FreshConnection, *n) < 0.5)
                .count();
            prop_assert!((2_190..=2_810).contains(&both), "{} of 10,000 in both halves", both);
        }
    }
}
