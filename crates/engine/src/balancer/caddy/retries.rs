//! What Caddy sends again (`lb_retries`, `lb_retry_match`). A connection that it could not make it always tries again; of the rest,
//! what `lb_retry_match` says, and where that is left out, any GET whose connection broke or whose response is late.

use minijinja::{Value, context};
use model::topology::{Retries, Retry, RetryCause};

use super::duration;

/// What the template needs.
pub(super) fn retries(retries: &Retries) -> Option<Value> {
    let Retries::On(retry) = retries else { return None };
    Some(context! {
        more => retry.tries.saturating_sub(1),
        only => retry.on.is_some().then(|| condition(retry)).flatten(),
        backoff => retry.backoff.map(duration),
    })
}

/// The expression about the request's last attempt; `None`: Caddy's default says the same. A status may be that of an earlier attempt.
fn condition(retry: &Retry) -> Option<String> {
    let broke = "{rp.is_transport_error} == true";
    let statuses = retry.statuses().iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    match (retry.says(RetryCause::Reset), statuses.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("{broke} || {{rp.status_code}} in [{statuses}]")),
        (false, true) => Some("false".into()),
        (false, false) => Some(format!("!({broke}) && {{rp.status_code}} in [{statuses}]")),
    }
}
