//! A load that several generators send: which of them sends a request, and how many connections each may have.

use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::identity::RequestId;
use crate::traffic::{FEWEST_CONNECTIONS, Identity, Traffic, most_in_flight};
use crate::units::Rate;

/// The most generators of a load: each then has at least four of the fewest connections that a load has.
pub const MOST_GENERATORS: u32 = 16;

/// One generator's part of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPart {
    /// Which, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
}

impl Default for LoadPart {
    fn default() -> LoadPart {
        LoadPart::WHOLE
    }
}

impl LoadPart {
    /// The load of a generator that sends all of it.
    pub const WHOLE: LoadPart = LoadPart { index: 0, of: 1 };

    /// The parts of a load of so many generators, in order. A saved plan may say any number.
    pub fn all(generators: u32) -> impl ExactSizeIterator<Item = LoadPart> {
        let of = generators.clamp(1, MOST_GENERATORS);
        (0..of).map(move |index| LoadPart { index, of })
    }

    /// The part of a request: where it has a user, that user's, so that one generator has the user's cookies and connections,
    /// and sends the requests in order. `generators` may be any number, as above.
    pub fn of_request(id: RequestId, user: Option<u32>, generators: u32) -> LoadPart {
        let of = generators.clamp(1, MOST_GENERATORS);
        let index = user.map_or(id.0, u64::from) % u64::from(of);
        LoadPart { index: u32::try_from(index).unwrap_or(0), of }
    }

    /// Whether a request is in this part.
    pub fn has(self, id: RequestId, user: Option<u32>) -> bool {
        LoadPart::of_request(id, user, self.of) == self
    }

    /// How reports call the generator that sends it.
    pub fn words(self) -> String {
        match self.of {
            1 => "the generator".to_owned(),
            _ => format!("generator {}", self.index + 1),
        }
    }

    /// The generator that sends it.
    pub fn generator(self) -> Component {
        match self.of {
            1 => Component::Generator,
            _ => Component::NumberedGenerator(self.index + 1),
        }
    }
}

impl Traffic {
    /// The arrivals per second that the generator of a part sends.
    pub fn rate_of(&self, part: LoadPart) -> Rate {
        Rate(self.rate.0 * shares(self, part.of).get(part.index as usize).copied().unwrap_or(1.0))
    }

    /// The most connections of the generator of a part. Those of all parts are [`Traffic::connections`], unless that is less
    /// than one for each.
    pub fn connections_of(&self, part: LoadPart) -> u32 {
        let shares = divided(self.connections, &needs(self, part.of));
        shares.get(part.index as usize).copied().unwrap_or(1)
    }
}

/// The part of the arrivals that each generator sends, 0 to 1: of users at least as large as while their first requests come
/// in order.
pub(crate) fn shares(traffic: &Traffic, generators: u32) -> Vec<f64> {
    let parts = LoadPart::all(generators);
    let even = 1.0 / parts.len() as f64;
    let mut shares = vec![even; parts.len()];
    if let Some(users) = &traffic.users {
        shares.fill(0.0);
        for (share, part) in users.shares().zip((0..parts.len()).cycle()) {
            shares[part] += share;
        }
    }
    shares.into_iter().map(|share| share.clamp(even, 1.0)).collect()
}

/// The connections that each generator can need: as many as requests of its part can be unfinished at once, and one for each
/// address of its users.
pub(crate) fn needs(traffic: &Traffic, generators: u32) -> Vec<u64> {
    let of = LoadPart::all(generators).len() as u64;
    let addresses = traffic.users.filter(|users| users.identity == Identity::SourceAddress);
    let addresses = addresses.map_or(0, |users| u64::from(users.count));
    let need = |(index, share): (u64, f64)| {
        let in_flight = most_in_flight(Rate(traffic.rate.0 * share), traffic.timeout);
        let own = (addresses + of - 1 - index) / of;
        in_flight.max(u64::from(FEWEST_CONNECTIONS).div_ceil(of)) + own
    };
    (0..).zip(shares(traffic, generators)).map(need).collect()
}

/// `connections` divided in proportion to `needs`: one for each, and the rest by the largest remainders, so that their sum is
/// `connections`, and each has what it needs where there is as much.
fn divided(connections: u32, needs: &[u64]) -> Vec<u32> {
    let rest = u64::from(connections).saturating_sub(needs.len() as u64);
    let weight = |need: &u64| need.saturating_sub(1);
    let all = needs.iter().map(weight).sum::<u64>().max(1);
    let mut shares: Vec<u64> = needs.iter().map(|need| rest * weight(need) / all).collect();
    let left = rest - shares.iter().sum::<u64>();
    let mut by_remainder: Vec<usize> = (0..needs.len()).collect();
    by_remainder.sort_by_key(|at| std::cmp::Reverse(rest * weight(&needs[*at]) % all));
    for at in by_remainder.into_iter().cycle().take(usize::try_from(left).unwrap_or(0)) {
        shares[at] += 1;
    }
    shares.into_iter().map(|share| u32::try_from(share + 1).unwrap_or(u32::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_its_users_part_or_else_that_of_its_id() {
        let part = |id, user, of| LoadPart::of_request(RequestId(id), user, of).index;
        assert_eq!([0, 1, 2, 3, 4].map(|id| part(id, None, 3)), [0, 1, 2, 0, 1]);
        assert_eq!([0, 1, 2, 3, 4].map(|id| part(id, Some(4), 3)), [1; 5]);
        assert_eq!(part(7, None, 0), 0, "a saved plan may say anything");
        assert_eq!(LoadPart::all(u32::MAX).len(), MOST_GENERATORS as usize);
    }

    #[test]
    fn one_generator_has_no_number() {
        assert_eq!(LoadPart::WHOLE.generator(), Component::Generator);
        let names: Vec<_> = LoadPart::all(2).map(|part| part.generator().to_string()).collect();
        assert_eq!(names, ["generator_1", "generator_2"]);
        let words: Vec<_> = [1, 2].into_iter().flat_map(LoadPart::all).map(LoadPart::words).collect();
        assert_eq!(words, ["the generator", "generator 1", "generator 2"]);
    }

    #[test]
    fn connections_are_divided_to_the_last() {
        assert_eq!(divided(2_000, &[100; 3]), [667, 667, 666]);
        assert_eq!(divided(200, &[200]), [200]);
        assert_eq!(divided(5, &[100, 1, 1]), [3, 1, 1]);
        assert_eq!(divided(1, &[10, 10]), [1, 1], "validation refuses that");
    }

    proptest! {
        #[test]
        fn each_has_what_it_needs_where_there_is_as_much_and_the_sum_is_always_right(
            needs in proptest::collection::vec(1u64..5_000, 1..16), less in 0u64..3,
        ) {
            let needed: u64 = needs.iter().sum();
            let all: Vec<u64> = divided(needed as u32, &needs).into_iter().map(u64::from).collect();
            prop_assert_eq!(&all, &needs);
            let connections = (needed / (less + 1)).max(needs.len() as u64);
            let fewer = divided(connections as u32, &needs);
            prop_assert_eq!(fewer.iter().map(|n| u64::from(*n)).sum::<u64>(), connections);
            prop_assert!(fewer.iter().all(|n| *n >= 1));
        }
    }
}
