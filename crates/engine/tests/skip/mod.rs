//! What tests do that need something, such as a Docker engine, where it is not.

use std::fmt::Display;

/// What was `found`. Where nothing was, this says why and the test is to end; with `RIG_REQUIRE_DOCKER`, it fails.
pub(crate) fn unless_missing<T>(found: Result<T, impl Display>) -> Option<T> {
    unless_allowed(found, "RIG_REQUIRE_DOCKER")
}

/// The same of anything that a variable of the environment can require.
pub(crate) fn unless_allowed<T>(found: Result<T, impl Display>, required: &str) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) if std::env::var_os(required).is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("not tested: {error}");
            None
        }
    }
}
