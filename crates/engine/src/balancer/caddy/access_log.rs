//! What Caddy says about requests that it could not deliver: the error that reached `handle_errors`, in the words of Go's
//! net/http, which the template adds to the line.

use model::access_log::{Attempt, LogGap, Reason};
use model::plan::Variant;
use model::topology::PassiveHealth;
use serde::Deserialize;
use serde_json::Value;

use super::super::limited::{empties_a_pool, is_limited};
use super::super::{LogError, LogLine, LogsRequests, Sign, Site, logged_id, wall_nanos};
use super::Caddy;

const fn sign(word: &'static str, reason: Reason, meaning: &'static str) -> Sign {
    Sign { word, reason: Some(reason), meaning }
}

const CLIENT_CLOSED: Sign =
    sign("client closed", Reason::ClientAbort, "the client closed the connection first (Caddy's status 499)");
const DIAL_TIMED_OUT: Sign = sign(
    "i/o timeout",
    Reason::ConnectTimeout,
    "dial_timeout ran out before the connection to the upstream was established",
);

impl LogsRequests for Caddy {
    fn gaps(&self, variant: &Variant) -> Vec<LogGap> {
        let untold = is_limited(variant) && others_may_be_down(variant);
        [LogGap::Resend].into_iter().chain(untold.then_some(LogGap::LimitUntold)).collect()
    }

    /// An upstream with too many requests is one that is not available.
    fn means(&self, reason: Reason, variant: &Variant) -> Reason {
        match reason {
            Reason::NoLiveBackend if is_limited(variant) && !others_may_be_down(variant) => {
                Reason::LimitReached
            }
            other => other,
        }
    }

    fn read(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
        read_log(line, site)
    }

    fn signs(&self) -> &'static [Sign] {
        SIGNS
    }

    fn read_notice(&self, line: &str, site: &Site) -> Option<String> {
        read_notice(line, site)
    }
}

/// Whether anything but a limit takes upstreams out.
fn others_may_be_down(variant: &Variant) -> bool {
    let topology = &variant.topology;
    topology.health_check.is_some()
        || matches!(topology.passive_health, PassiveHealth::On { .. })
        || empties_a_pool(variant)
}

/// Where an error has several of these words, the one that stands first here tells the reason.
pub(super) const SIGNS: &[Sign] = &[
    CLIENT_CLOSED,
    sign("no route", Reason::NoRoute, "no route fits the request (the template's own words)"),
    sign(
        "no upstreams available",
        Reason::NoLiveBackend,
        "no upstream of the pool is held to be up, or each has as many requests as it may",
    ),
    sign(
        "connection refused",
        Reason::ConnectRefused,
        "the connection to the upstream failed before a byte of the request was sent",
    ),
    sign("no route to host", Reason::ConnectRefused, "the network knows no way to the upstream"),
    DIAL_TIMED_OUT,
    sign(
        "timeout awaiting response headers",
        Reason::GatewayTimeout,
        "response_header_timeout ran out before the upstream's response had begun",
    ),
    sign(
        "connection reset by peer",
        Reason::BackendClosed,
        "the upstream reset the connection before its response's headers were complete",
    ),
    sign(
        "broken pipe",
        Reason::BackendClosed,
        "the upstream closed the connection while the request was being sent",
    ),
    sign(
        "server closed idle connection",
        Reason::BackendClosed,
        "the upstream closed a kept connection as the request was sent on it",
    ),
    sign(
        "response matched retry_match",
        Reason::ResponseWithheld,
        "the upstream's status is one to try again, and no tries were left: Caddy answers with that status itself",
    ),
    sign("malformed", Reason::BackendProtocol, "the upstream's response is not valid HTTP"),
    sign(
        "EOF",
        Reason::BackendClosed,
        "the upstream closed the connection before its response's headers were complete",
    ),
];

/// Reads a line of the access log.
fn read_log(line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
    // A template of the user's may log less; what it doesn't log is not known.
    #[derive(Deserialize)]
    struct Line {
        id: Option<String>,
        /// A number; of the response's end.
        ts: Value,
        status: u16,
        upstream: Option<String>,
        retries: Option<u8>,
        pool: Option<String>,
        error: Option<String>,
    }
    let line: Line = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
    let ts = line.ts.as_str().map_or_else(|| line.ts.to_string(), str::to_owned);
    // Caddy names the last upstream only; the attempts before it are counted, not named.
    let attempts = line.upstream.iter().flat_map(|last| {
        let unnamed = (0..line.retries.unwrap_or(0)).map(|_| Attempt { backend: None, status: None });
        unnamed.chain([Attempt { backend: Some(site.backend_at(last)), status: None }])
    });
    let attempts = attempts.collect();
    let error = line.error.unwrap_or_default();
    let found = match line.status {
        499 => Some(&CLIENT_CLOSED),
        _ => SIGNS.iter().find(|sign| error.contains(sign.word)),
    };
    Ok(Some(LogLine {
        id: logged_id(line.id.as_deref().unwrap_or_default())?,
        wall: wall_nanos(&ts, 0)?,
        status: line.status,
        pool: line.pool,
        attempts,
        queued: None,
        signs: found.map(|sign| sign.word.to_owned()).into_iter().collect(),
        reason: found.and_then(|sign| sign.reason),
        flags: error,
    }))
}

/// What Caddy's own log says about an upstream: `web-1: HTTP request failed` (of a probe), `web-1: host is up`.
fn read_notice(line: &str, site: &Site) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        msg: String,
        host: Option<String>,
        upstream: Option<String>,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    let host = line.host.or(line.upstream).filter(|host| host.contains(':'))?;
    Some(format!("{}: {}", site.backend_at(&host), line.msg))
}
