//! What Traefik sends again (middleware `retry`). Where the backend does not answer, Traefik answers 502 or 504 itself, and its
//! `status` is about its own answers as well as about the backend's.

use minijinja::{Value, context};
use model::topology::{Retries, Retry, RetryCause};

use super::duration;

/// What the template needs.
pub(super) fn retries(retries: &Retries) -> Option<Value> {
    let Retries::On(retry) = retries else { return None };
    Some(context! {
        attempts => retry.tries,
        statuses => retry.statuses(),
        unconnected => is_about_connections(retry),
        backoff => retry.backoff.map(duration),
    })
}

fn is_about_connections(retry: &Retry) -> bool {
    retry.on.is_none() || retry.says(RetryCause::Refused)
}
