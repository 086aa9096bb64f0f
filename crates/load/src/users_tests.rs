use proptest::prelude::*;

use super::*;
use crate::response::ResponseReader;
use model::traffic::{Method, Skew};

fn users(count: u32, skew: Skew, identity: Identity) -> Users {
    Users { count, skew, identity }
}

proptest! {
    #[test]
    fn the_first_requests_go_to_each_user_once_in_order(count in 1u32..200, seed: u64) {
        let crowd = Crowd::new(&users(count, Skew::Zipf(1.5), Identity::Cookie), seed);
        let first: Vec<u32> = (0..u64::from(count)).map(|n| crowd.user_of(n)).collect();
        prop_assert_eq!(first, (0..count).collect::<Vec<_>>());
        prop_assert!((0..1_000).all(|n| crowd.user_of(n) < count && crowd.user_of(n) == crowd.clone().user_of(n)));
    }

    #[test]
    fn the_busiest_users_have_the_parts_that_zipfs_law_gives_them(seed: u64, exponent in 0.8f64..2.0) {
        const COUNT: u32 = 60;
        const DRAWS: u64 = 20_000;
        let crowd = Crowd::new(&users(COUNT, Skew::Zipf(exponent), Identity::Cookie), seed);
        let mut made = [0u64; COUNT as usize];
        for n in 0..DRAWS {
            made[crowd.user_of(u64::from(COUNT) + n) as usize] += 1;
        }
        let whole: f64 = (1..=COUNT).map(|rank| f64::from(rank).powf(-exponent)).sum();
        for (rank, made) in (1..=3u32).zip(made) {
            let share = f64::from(rank).powf(-exponent) / whole;
            let (mean, deviation) = (DRAWS as f64 * share, (DRAWS as f64 * share * (1.0 - share)).sqrt());
            prop_assert!((made as f64 - mean).abs() < 7.0 * deviation, "rank {}: {} instead of {}", rank, made, mean);
        }
    }

    #[test]
    fn every_user_has_an_address_that_no_other_has_and_no_component(count in 1u32..=10_000) {
        let user = count - 1;
        let address = source(user);
        prop_assert!(address.octets()[..2] == [127, 255]);
        prop_assert!(!address.octets().contains(&0));
        prop_assert!(address.octets()[2] != 255);
        let next = source(user + 1);
        prop_assert!(next.octets()[..3] != address.octets()[..3], "neighbours are not in one /24");
    }
}

#[test]
fn ten_thousand_users_have_as_many_addresses() {
    let all: std::collections::BTreeSet<_> = (0..10_000).map(source).collect();
    assert_eq!(all.len(), 10_000);
}

#[test]
fn without_skew_everybody_asks_as_often() {
    let crowd = Crowd::new(&users(4, Skew::None, Identity::SourceAddress), 7);
    let busiest = (4..10_004).filter(|n| crowd.user_of(*n) == 0).count();
    // Seven standard deviations.
    assert!((2_190..=2_810).contains(&busiest), "{busiest}");
    assert_eq!(crowd.source_of(3), Some(IpAddr::from([127, 255, 4, 1])));
}

#[test]
fn a_cookie_is_read_as_user_agents_read_it() {
    let read = |text| SetCookie::read(text).map(|cookie| (cookie.name, cookie.value));
    let set = |name: &str, value: &str| Some((name.to_owned(), Some(value.to_owned())));
    assert_eq!(read("SRV=web-1; path=/; HttpOnly"), set("SRV", "web-1"));
    assert_eq!(read(" a = \"b=c\" ;Max-Age=60"), set("a", "\"b=c\""));
    assert_eq!(read("a="), set("a", ""));
    assert_eq!(read("a=b; Max-Age=0"), Some(("a".into(), None)));
    assert_eq!(read("a=; expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/"), Some(("a".into(), None)));
    assert_eq!(read("a=b; max-age=soon"), set("a", "b"));
    for ignored in ["", "a", "=b", "; a=b"] {
        assert_eq!(read(ignored), None, "{ignored}");
    }
}

#[test]
fn a_jar_keeps_the_last_value_of_each_cookie_and_forgets_the_deleted() {
    let mut jar = Jar::default();
    assert_eq!(jar.line(), "");
    for text in ["a=1", "b=2", "a=3", "c=4", "b=; Max-Age=0", "d=; Max-Age=0"] {
        jar.set(&SetCookie::read(text).unwrap());
    }
    assert_eq!(jar.line(), "Cookie: a=3; c=4\r\n");
}

/// The head of a response with this answer, and the session's cookie if there is one.
fn head(answer: &str, cookie: Option<&str>) -> Head {
    let cookie = cookie.map_or(String::new(), |cookie| format!("Set-Cookie: {cookie}\r\n"));
    let mut reader = ResponseReader::new(Method::Get);
    let text = format!("HTTP/1.1 200 OK\r\nX-Rig-Session: {answer}\r\n{cookie}Content-Length: 0\r\n\r\n");
    reader.read(text.as_bytes()).unwrap();
    reader.head().clone()
}

fn used(id: &str, state: SessionState, seen: u64, count: Option<u64>) -> Option<SessionUse> {
    Some(SessionUse { id: id.into(), state, seen, count })
}

#[test]
fn a_session_is_followed_from_its_beginning_to_its_loss() {
    use SessionState::{Kept, Lost, New, Unavailable};
    let mut holdings = Holdings::new(Some(users(2, Skew::None, Identity::Cookie)));
    let one = Some(1);
    let (lines, held) = holdings.send(one);
    assert_eq!(lines, "");
    let begun = holdings.receive(one, &held, &head("new 1 w-0", Some("rig-session=w-0; Path=/")));
    assert_eq!(begun, used("w-0", New, 0, Some(1)));

    // Two at once: what each had seen is what its user had when it was sent.
    let (lines, first) = holdings.send(one);
    assert_eq!(lines, "Cookie: rig-session=w-0\r\nx-rig-session-seen: 1\r\n");
    let (_, second) = holdings.send(one);
    assert_eq!(holdings.receive(one, &second, &head("kept 3 w-0", None)), used("w-0", Kept, 1, Some(3)));
    assert_eq!(holdings.receive(one, &first, &head("kept 2 w-0", None)), used("w-0", Kept, 1, Some(2)));
    assert!(holdings.send(one).0.ends_with("x-rig-session-seen: 3\r\n"), "the largest counts");

    let (_, held) = holdings.send(one);
    assert_eq!(holdings.receive(one, &held, &head("unavailable", None)), used("w-0", Unavailable, 3, None));
    let (_, late) = holdings.send(one);
    let lost = holdings.receive(one, &held, &head("lost 1 v-0", Some("rig-session=v-0")));
    assert_eq!(lost, used("w-0", Lost, 3, None));
    assert_eq!(holdings.send(one).0, "Cookie: rig-session=v-0\r\nx-rig-session-seen: 1\r\n");
    // A late answer about the old session changes nothing about the new one.
    assert_eq!(holdings.receive(one, &late, &head("kept 4 w-0", None)), used("w-0", Kept, 3, Some(4)));
    assert_eq!(holdings.send(one).0, "Cookie: rig-session=v-0\r\nx-rig-session-seen: 1\r\n");

    assert_eq!(holdings.send(Some(0)).0, "", "the other user has a separate jar");
    assert_eq!(holdings.receive(None, &Held::default(), &head("new 1 w-0", None)), None);
}
