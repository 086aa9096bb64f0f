use super::*;

#[test]
fn a_status_is_ok_expected_or_dropped() {
    let kind = |status, expected| Outcome::Answered { status, body: BodyCheck::Unstamped, expected }.kind();
    for (status, expected, ended) in [
        (204, None, OutcomeKind::Ok),
        (204, Some(true), OutcomeKind::Ok),
        (204, Some(false), OutcomeKind::HttpOther),
        (404, None, OutcomeKind::HttpOther),
        (404, Some(true), OutcomeKind::ExpectedStatus),
        (429, Some(false), OutcomeKind::HttpOther),
        (503, None, OutcomeKind::Http5xx),
        (503, Some(true), OutcomeKind::ExpectedStatus),
        (503, Some(false), OutcomeKind::Http5xx),
    ] {
        assert_eq!(kind(status, expected), ended, "{status} {expected:?}");
    }
    let changed = Outcome::Answered { status: 404, body: BodyCheck::Mismatch, expected: Some(true) };
    assert_eq!(changed.kind(), OutcomeKind::BodyMismatch);
    // As it was saved before statuses could be declared.
    let saved: Outcome = serde_json::from_str(r#"{"answered":{"status":404,"body":"unstamped"}}"#).unwrap();
    assert_eq!(saved.kind(), OutcomeKind::HttpOther);
}

#[test]
fn the_kernels_errors_are_what_they_say_wherever_they_strike() {
    let kind = |stage, errno| Outcome::Failed { stage, cause: Cause::Errno(errno) }.kind();
    for errno in [1, 13, 100, 101, 112, 113] {
        assert_eq!(kind(Stage::Connect, errno), OutcomeKind::Unreachable, "{errno}");
        assert_eq!(kind(Stage::FirstByte, errno), OutcomeKind::Unreachable, "{errno}");
    }
    assert_eq!(kind(Stage::Connect, 110), OutcomeKind::ConnectTimeout);
    assert_eq!(kind(Stage::Body, 110), OutcomeKind::Timeout);
    assert_eq!(kind(Stage::Connect, 71), OutcomeKind::Unreachable, "no reset is made up");
    assert_eq!(kind(Stage::Tls, 5), OutcomeKind::Tls);
    assert_eq!(kind(Stage::Body, 5), OutcomeKind::Reset);
    let reset = Outcome::Failed { stage: Stage::Connect, cause: Cause::Reset };
    assert_eq!((reset.kind(), reset.errno()), (OutcomeKind::ConnectReset, None));
}

#[test]
fn an_error_says_its_name_and_what_to_do() {
    let own = Outcome::NotSent(NotSent::LocalResource(24)).errno().unwrap();
    assert_eq!(own.to_string(), "EMFILE (24), too many open files");
    assert!(own.remedy().unwrap().contains("prlimit"));
    let unreachable = Outcome::Failed { stage: Stage::Connect, cause: Cause::Errno(113) }.errno().unwrap();
    assert_eq!(unreachable.to_string(), "EHOSTUNREACH (113), no route to the host");
    assert_eq!(unreachable.remedy(), None);
}
