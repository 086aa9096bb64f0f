//! Messages as real resolvers send them, and as no resolver should.

use model::job::NameRecords;
use proptest::prelude::*;

use super::*;

/// A question for `web.rig.test`, with `kind` and recursion desired, as c-ares and HAProxy ask.
fn asked(name: &str, kind: u16) -> Vec<u8> {
    let mut query = vec![0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.push(0);
    query.extend(kind.to_be_bytes());
    query.extend(CLASS_IN.to_be_bytes());
    query
}

/// The same with an OPT record that takes datagrams of `size`.
fn with_edns(mut query: Vec<u8>, size: u16, version: u8) -> Vec<u8> {
    query[11] = 1;
    query.push(0);
    query.extend(TYPE_OPT.to_be_bytes());
    query.extend(size.to_be_bytes());
    query.extend([0, version, 0, 0, 0, 0]);
    query
}

fn zone(addresses: u8) -> Zone {
    let addresses = (1..=addresses).map(|n| Ipv4Addr::new(127, 0, 0, n)).collect();
    [NameRecords { name: "web.rig.test".into(), ttl: 5, addresses }].into_iter().collect()
}

fn answered(query: &[u8], zone: &Zone) -> Vec<u8> {
    answer(query, DnsTransport::Udp, zone).unwrap()
}

fn word(message: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([message[at], message[at + 1]])
}

fn code(message: &[u8]) -> u16 {
    word(message, 2) & 0x000f
}

#[test]
fn a_question_for_addresses_gets_each_with_its_ttl() {
    let query = asked("web.rig.test", TYPE_A);
    let message = answered(&query, &zone(2));
    // The same id, an authoritative response without an error, recursion desired as asked.
    assert_eq!(message[..12], [0x12, 0x34, 0x85, 0x00, 0, 1, 0, 2, 0, 0, 0, 0]);
    assert_eq!(message[12..query.len()], query[12..], "the question stands in it as it was asked");
    let records = &message[query.len()..];
    let record = |last| [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, last];
    assert_eq!(records, [record(1), record(2)].concat());
}

#[test]
fn other_records_than_addresses_are_none_and_other_names_are_none_of_its() {
    const TYPE_AAAA: u16 = 28;
    const TYPE_SRV: u16 = 33;
    const TYPE_HTTPS: u16 = 65;
    let zone = zone(2);
    for kind in [TYPE_AAAA, TYPE_SRV, TYPE_HTTPS, 4711] {
        let message = answered(&asked("web.rig.test", kind), &zone);
        assert_eq!((code(&message), word(&message, 6)), (Code::NoError as u16, 0), "{kind}");
    }
    assert_eq!(word(&answered(&asked("WEB.rig.TEST", TYPE_A), &zone), 6), 2, "case does not matter");
    assert_eq!(code(&answered(&asked("api.rig.test", TYPE_A), &zone)), Code::NameError as u16);
    for elsewhere in ["example.com", "xrig.test", "web.rig.test.example"] {
        assert_eq!(code(&answered(&asked(elsewhere, TYPE_A), &zone)), Code::Refused as u16, "{elsewhere}");
    }
}

#[test]
fn a_name_without_an_address_exists() {
    let message = answered(&asked("web.rig.test", TYPE_A), &zone(0));
    assert_eq!((code(&message), word(&message, 6)), (Code::NoError as u16, 0));
}

#[test]
fn what_does_not_fit_into_a_datagram_is_asked_for_on_a_connection() {
    let (query, many) = (asked("web.rig.test", TYPE_A), zone(40));
    let cut = answered(&query, &many);
    assert!(word(&cut, 2) & TRUNCATED != 0 && word(&cut, 6) == 0 && cut.len() <= PLAIN_UDP);
    assert_eq!(word(&answer(&query, DnsTransport::Tcp, &many).unwrap(), 6), 40);
    assert_eq!(word(&answered(&with_edns(query, 4096, 0), &many), 6), 40, "EDNS allows more");
}

#[test]
fn edns_is_answered_with_edns_and_only_in_its_first_version() {
    let query = asked("web.rig.test", TYPE_A);
    let message = answered(&with_edns(query.clone(), 1232, 0), &zone(1));
    assert_eq!((word(&message, 6), word(&message, 10)), (1, 1));
    assert_eq!(message[message.len() - 11..][..3], [0, 0, 41]);
    let newer = answered(&with_edns(query, 1232, 1), &zone(1));
    assert_eq!((code(&newer), newer[newer.len() - 6], word(&newer, 6)), (0, 1, 0), "BADVERS is 16");
}

#[test]
fn what_is_no_question_is_refused_or_not_answered() {
    let good = asked("web.rig.test", TYPE_A);
    let changed = |at: usize, to: u8| {
        let mut query = good.clone();
        query[at] = to;
        query
    };
    assert_eq!(answer(&changed(2, 0x81), DnsTransport::Udp, &zone(1)), None, "a response is never answered");
    assert_eq!(answer(&good[..11], DnsTransport::Udp, &zone(1)), None);
    assert_eq!(code(&answered(&changed(2, 0x28), &zone(1))), Code::NotImplemented as u16);
    let two_questions = changed(5, 2);
    let a_pointer = changed(12, 0xc0);
    let cut_off = good[..good.len() - 1].to_vec();
    let no_such_record = changed(11, 1);
    for wrong in [two_questions, a_pointer, cut_off, no_such_record] {
        assert_eq!(code(&answered(&wrong, &zone(1))), Code::FormatError as u16, "{wrong:?}");
    }
    let other_class = changed(good.len() - 1, 3);
    assert_eq!(code(&answered(&other_class, &zone(1))), Code::Refused as u16);
    let long = vec!["a".repeat(63); 4].join(".");
    assert_eq!(code(&answered(&asked(&long, TYPE_A), &zone(1))), Code::FormatError as u16);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_answer_at_length(bytes: Vec<u8>, tcp: bool) {
        let transport = if tcp { DnsTransport::Tcp } else { DnsTransport::Udp };
        if let Some(message) = answer(&bytes, transport, &zone(16)) {
            prop_assert!(message.len() <= bytes.len() + 16 * 16 + 11);
            prop_assert!(word(&message, 2) & RESPONSE != 0);
        }
    }

    #[test]
    fn nor_does_a_question_that_was_tampered_with(at: prop::sample::Index, cut in 0..9_usize, piece: Vec<u8>) {
        let mut query = with_edns(asked("web.rig.test", TYPE_A), 4096, 0);
        let at = at.index(query.len());
        let end = (at + cut).min(query.len());
        query.splice(at..end, piece);
        if let Some(message) = answer(&query, DnsTransport::Udp, &zone(100)) {
            prop_assert!(message.len() <= usize::from(MOST_UDP));
            prop_assert_eq!(answer(&message, DnsTransport::Udp, &zone(100)), None, "an answer is never answered");
        }
    }
}
