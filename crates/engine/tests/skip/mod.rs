//! What tests do that need a Docker engine where there is none.

use std::fmt::Display;

/// What was `found`. Where nothing was, this says why and the test is to end; with `RIG_REQUIRE_DOCKER`, it fails.
pub(crate) fn unless_missing<T>(found: Result<T, impl Display>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) if std::env::var_os("RIG_REQUIRE_DOCKER").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("not tested: {error}");
            None
        }
    }
}
