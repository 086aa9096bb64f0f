//! Errors of the system that ended requests, by number.

use std::collections::BTreeMap;

use model::errno::Errno;
use model::outcome::OutcomeKind;
use model::request::Request;

/// How often each occurred.
pub type Errors = BTreeMap<Errno, u64>;

/// Those of the requests that ended as `kind`.
pub fn of_kind(measured: &[&Request], kind: OutcomeKind) -> Errors {
    let mut errors = Errors::new();
    let ended = measured.iter().filter(|request| request.outcome.kind() == kind);
    for errno in ended.filter_map(|request| request.outcome.errno()) {
        *errors.entry(errno).or_default() += 1;
    }
    errors
}

/// Each with its number, and what to do about it; nothing, if there is none.
pub fn words(errors: &Errors) -> Option<String> {
    let each = errors.iter().map(|(errno, count)| match errno.remedy() {
        Some(remedy) => format!("{count} × {errno}: {remedy}"),
        None => format!("{count} × {errno}"),
    });
    (!errors.is_empty()).then(|| each.collect::<Vec<_>>().join("; "))
}
