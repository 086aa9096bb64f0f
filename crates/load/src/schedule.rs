//! Which request is due when, and what it is. Pure: same traffic, origin and seed, same arrivals.

use std::net::IpAddr;

use model::draw::{Decision, uniform};
use model::generators::LoadPart;
use model::identity::RequestId;
use model::traffic::{Arrivals, Traffic};
use model::units::Nanos;

use crate::users::Crowd;

/// One scheduled request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its place in the schedule.
    pub id: RequestId,
    /// Its intended start.
    pub due: Nanos,
    /// Index of its class in the mix.
    pub class: usize,
    /// The connection that it wants.
    pub connect: Connect,
    /// Its user; `None`: no user in particular.
    pub user: Option<u32>,
    /// The address that its connection has to come from; `None`: any.
    pub source: Option<IpAddr>,
}

/// The connection that a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connect {
    /// Any idle one.
    Reuse,
    /// A new one, closed afterwards.
    Fresh,
}

/// The arrivals that are still to come, in order.
#[derive(Clone, Debug)]
pub struct Schedule {
    due: DueTimes,
    seed: u64,
    next: u64,
    /// For each class the share of all classes up to it.
    mix: Vec<f64>,
    fresh: f64,
    crowd: Option<Crowd>,
    part: LoadPart,
}

impl Schedule {
    /// The whole schedule of `traffic`, whose first measured request is due at `origin`.
    pub fn new(traffic: &Traffic, origin: Nanos, seed: u64) -> Schedule {
        let mix = traffic.mix.iter().scan(0.0, |sum, class| {
            *sum += class.share.0;
            Some(*sum)
        });
        Schedule {
            due: DueTimes::new(traffic, origin, seed),
            seed,
            next: 0,
            mix: mix.collect(),
            fresh: traffic.fresh_connections.0,
            crowd: traffic.users.map(|users| Crowd::new(&users, seed)),
            part: LoadPart::WHOLE,
        }
    }

    /// What one of several generators sends of it: each arrival as it is in the whole, with the same id.
    pub fn of(self, part: LoadPart) -> Schedule {
        Schedule { part, ..self }
    }

    /// How many arrivals are still to come.
    pub fn remaining(&self) -> u64 {
        let whole = self.due.remaining();
        match self.part.of {
            1 => whole,
            _ => (self.next..self.next + whole).filter(|n| self.has(*n, self.user_of(*n))).count() as u64,
        }
    }

    fn user_of(&self, n: u64) -> Option<u32> {
        self.crowd.as_ref().map(|crowd| crowd.user_of(n))
    }

    fn has(&self, n: u64, user: Option<u32>) -> bool {
        self.part.has(RequestId(n), user)
    }
}

impl DueTimes {
    fn remaining(&self) -> u64 {
        match self {
            DueTimes::Constant { next, end, .. } => u64::try_from(end - next).unwrap_or(0),
            poisson @ DueTimes::Poisson { .. } => poisson.clone().count() as u64,
        }
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let (due, n, user) = loop {
            let (due, n) = (self.due.next()?, self.next);
            self.next += 1;
            let user = self.user_of(n);
            if self.has(n, user) {
                break (due, n, user);
            }
        };
        let class = uniform(self.seed, Decision::Class, n);
        let last = self.mix.len().saturating_sub(1);
        Some(Arrival {
            id: RequestId(n),
            due,
            // Shares that sum to a little under 1 leave a gap above the last one, which is the last one's.
            class: self.mix.partition_point(|upper| *upper <= class).min(last),
            connect: match uniform(self.seed, Decision::FreshConnection, n) < self.fresh {
                true => Connect::Fresh,
                false => Connect::Reuse,
            },
            source: self.crowd.as_ref().zip(user).and_then(|(crowd, user)| crowd.source_of(user)),
            user,
        })
    }
}

/// The intended starts.
#[derive(Clone, Debug)]
enum DueTimes {
    /// Tick `next` is due at origin + next / rate, computed from the integer: errors can't add up. Ticks of
    /// the warm-up are negative, so that tick 0 is due at the origin exactly.
    Constant { origin: Nanos, rate: f64, next: i64, end: i64 },
    /// Whole nanoseconds are added up, which is exact.
    Poisson { seed: u64, rate: f64, at: Nanos, end: Nanos, next: u64 },
}

impl DueTimes {
    fn new(traffic: &Traffic, origin: Nanos, seed: u64) -> DueTimes {
        let rate = traffic.rate.0;
        match traffic.arrivals {
            Arrivals::Constant => DueTimes::Constant {
                origin,
                rate,
                // The millionths absorb rounding: 2 s × 333.3/s × 10 are 6666 ticks, not 6667.
                next: -((traffic.warmup.seconds() * rate + 1e-6).floor() as i64),
                end: (traffic.duration.seconds() * rate - 1e-6).ceil() as i64,
            },
            Arrivals::Poisson => DueTimes::Poisson {
                seed,
                rate,
                at: origin - traffic.warmup.0,
                end: origin + traffic.duration.0,
                next: 0,
            },
        }
    }
}

impl Iterator for DueTimes {
    type Item = Nanos;

    fn next(&mut self) -> Option<Nanos> {
        match self {
            DueTimes::Constant { origin, rate, next, end } => {
                if *next >= *end {
                    return None;
                }
                let offset = (*next as f64 * 1e9 / *rate).round() as i64;
                *next += 1;
                Some(Nanos(origin.0 + offset))
            }
            DueTimes::Poisson { seed, rate, at, end, next } => {
                let gap = -(1.0 - uniform(*seed, Decision::Gap, *next)).ln() * 1e9 / *rate;
                *next += 1;
                *at = Nanos(at.0.saturating_add(gap.round() as i64));
                (*at < *end).then_some(*at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::traffic::{Cap, Identity, RequestClass, Skew, Users};
    use model::units::{Rate, Share, Span};
    use proptest::prelude::*;

    const ORIGIN: Nanos = Nanos(5_000_000_000_000);

    fn class(share: f64) -> RequestClass {
        RequestClass { name: format!("{share}"), share: Share(share), ..RequestClass::default() }
    }

    fn traffic(arrivals: Arrivals, rate: f64, warmup_ms: u64, for_ms: u64) -> Traffic {
        Traffic {
            rate: Rate(rate),
            arrivals,
            duration: Span::millis(for_ms),
            warmup: Span::millis(warmup_ms),
            timeout: Span::millis(1_000),
            connections: 10,
            connections_from: Cap::Scenario,
            mix: vec![class(0.25), class(0.75)],
            ..Traffic::default()
        }
    }

    fn any_arrivals() -> impl Strategy<Value = Arrivals> {
        prop_oneof![Just(Arrivals::Constant), Just(Arrivals::Poisson)]
    }

    fn any_users() -> impl Strategy<Value = Option<Users>> {
        let skew = prop_oneof![Just(Skew::None), (0.1f64..3.0).prop_map(Skew::Zipf)];
        let identity = prop_oneof![Just(Identity::Cookie), Just(Identity::SourceAddress)];
        let users = (3u32..100, skew, identity);
        proptest::option::of(users.prop_map(|(count, skew, identity)| Users { count, skew, identity }))
    }

    proptest! {
        #[test]
        fn the_same_seed_gives_the_same_arrivals_in_order_and_in_bounds(
            arrivals in any_arrivals(), seed: u64, rate in 1.0f64..2_000.0, warmup in 0u64..2_000, length in 1u64..2_000,
        ) {
            let traffic = traffic(arrivals, rate, warmup, length);
            let schedule = Schedule::new(&traffic, ORIGIN, seed);
            let all: Vec<Arrival> = schedule.clone().collect();
            prop_assert_eq!(schedule.remaining(), all.len() as u64);
            prop_assert!(all.iter().enumerate().all(|(n, arrival)| arrival.id.0 == n as u64));
            prop_assert!(all.is_sorted_by_key(|arrival| arrival.due));
            let (from, to) = (ORIGIN - traffic.warmup.0, ORIGIN + traffic.duration.0);
            prop_assert!(all.iter().all(|arrival| (from..to).contains(&arrival.due)));
            prop_assert!(Schedule::new(&traffic, ORIGIN, seed).eq(all.iter().copied()));
            let later = Nanos(ORIGIN.0 + 77);
            prop_assert!(
                Schedule::new(&traffic, later, seed).zip(&all).all(|(moved, arrival)| moved.due.0 == arrival.due.0 + 77),
                "the origin only shifts the schedule"
            );
        }

        #[test]
        fn the_parts_of_several_generators_are_the_whole_schedule_and_have_nothing_in_common(
            arrivals in any_arrivals(), seed: u64, rate in 1.0f64..2_000.0, warmup in 0u64..500, length in 1u64..500,
            fresh in 0.0f64..1.0, users in any_users(), taken in 0usize..200,
        ) {
            let traffic = Traffic { fresh_connections: Share(fresh), users, ..traffic(arrivals, rate, warmup, length) };
            let whole = Schedule::new(&traffic, ORIGIN, seed);
            let all: Vec<Arrival> = whole.clone().collect();
            for of in 1..=3 {
                let mut together = Vec::new();
                for part in LoadPart::all(of) {
                    let mut of_part = whole.clone().of(part);
                    let counted = of_part.remaining();
                    let mut sent: Vec<Arrival> = of_part.by_ref().take(taken).collect();
                    prop_assert_eq!(of_part.remaining() + sent.len() as u64, counted);
                    sent.extend(of_part);
                    prop_assert_eq!(sent.len() as u64, counted);
                    prop_assert!(sent.iter().all(|it| part.has(it.id, it.user)));
                    together.extend(sent);
                }
                together.sort_by_key(|arrival| arrival.id);
                prop_assert_eq!(&together, &all, "id, due, class, connection and user are those of one generator");
            }
        }

        #[test]
        fn a_constant_rate_has_exact_counts_and_its_first_measured_tick_at_the_origin(
            rate in 1u32..2_000, warmup in 0u64..5, length in 1u64..5,
        ) {
            let traffic = traffic(Arrivals::Constant, f64::from(rate), warmup * 1_000, length * 1_000);
            let (before, measured): (Vec<Arrival>, Vec<Arrival>) =
                Schedule::new(&traffic, ORIGIN, 0).partition(|arrival| arrival.due < ORIGIN);
            prop_assert_eq!(before.len() as u64, warmup * u64::from(rate));
            prop_assert_eq!(measured.len() as u64, length * u64::from(rate));
            prop_assert_eq!(measured[0].due, ORIGIN);
        }

        #[test]
        fn classes_and_fresh_connections_have_their_shares(seed: u64) {
            let traffic = traffic(Arrivals::Constant, 10_000.0, 0, 1_000);
            let all: Vec<Arrival> = Schedule::new(&traffic, ORIGIN, seed).collect();
            // Seven standard deviations of each.
            let first = all.iter().filter(|arrival| arrival.class == 0).count();
            prop_assert!((2_190..=2_810).contains(&first), "{} of 10,000 of the first class", first);
            let fresh = all.iter().filter(|arrival| arrival.connect == Connect::Fresh).count();
            prop_assert!((790..=1_210).contains(&fresh), "{} of 10,000 fresh", fresh);
        }

        #[test]
        fn poisson_arrivals_keep_the_rate_and_have_exponential_gaps(seed: u64) {
            let traffic = traffic(Arrivals::Poisson, 1_000.0, 0, 10_000);
            let all: Vec<Arrival> = Schedule::new(&traffic, ORIGIN, seed).collect();
            prop_assert!((9_300..=10_700).contains(&all.len()), "{} arrivals", all.len());
            // e⁻¹ of the gaps are longer than their mean.
            let long = all.windows(2).filter(|pair| pair[1].due.0 - pair[0].due.0 > 1_000_000).count();
            let share = long as f64 / all.len() as f64;
            prop_assert!((0.333..0.403).contains(&share), "a share of {} is longer than the mean", share);
        }
    }

    #[test]
    fn ticks_do_not_drift_over_a_day() {
        let traffic = traffic(Arrivals::Constant, 3.0, 0, 86_400_000);
        let last = Schedule::new(&traffic, ORIGIN, 0).last().unwrap();
        assert_eq!(last.id, RequestId(3 * 86_400 - 1));
        assert_eq!(last.due.0 - ORIGIN.0, 86_399_666_666_667);
    }
}
