//! Envoy's response flags (access log documentation, `%RESPONSE_FLAGS%`).

use model::access_log::{Attempt, Reason};
use model::plan::Variant;
use model::topology::Limits;
use model::units::Span;
use serde::Deserialize;

use super::super::layer4::read_connection;
use super::super::{LogError, LogLine, LogsRequests, Sign, Site, logged_id, wall_nanos};
use super::Envoy;

const fn sign(word: &'static str, reason: Option<Reason>, meaning: &'static str) -> Sign {
    Sign { word, reason, meaning }
}

impl LogsRequests for Envoy {
    fn read(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
        #[derive(Deserialize)]
        struct Line {
            id: Option<String>,
            ts: String,
            status: u16,
            #[serde(default)]
            ms: i64,
            upstream: Option<String>,
            #[serde(default)]
            flags: String,
            details: Option<String>,
            attempts: Option<u8>,
            pool: Option<String>,
            #[serde(default)]
            ready: ConnectionWait,
        }
        if let Some(connection) = read_connection(line, site) {
            return connection.map(Some);
        }
        let line: Line = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
        let (signs, reason) = read(&line.flags, line.details.as_deref().unwrap_or_default());
        let whole = || u64::try_from(line.ms).ok();
        let (reason, queued) = match (reason, line.ready) {
            (Some(Reason::LimitReached), _) => (reason, None),
            // Its time ran out before it had a connection.
            (Some(Reason::GatewayTimeout), ConnectionWait::Never(())) => {
                (Some(Reason::QueueTimeout), whole())
            }
            (_, ConnectionWait::Took(ms)) => (reason, Some(ms)),
            (_, ConnectionWait::Never(()) | ConnectionWait::NotLogged) => (reason, None),
        };
        // Envoy names the last host only; the attempts before it are counted, not named.
        let last = line.upstream.filter(|host| host != "-").map(|host| site.backend_at(&host));
        let attempts = match last {
            None => Vec::new(),
            Some(last) => {
                let earlier = line.attempts.unwrap_or(1).saturating_sub(1);
                let unnamed = (0..earlier).map(|_| Attempt { backend: None, status: None });
                // A host at its limit was chosen, and not tried.
                let tried = !reason.is_some_and(|reason| reason.is_limit());
                unnamed.chain(tried.then_some(Attempt { backend: Some(last), status: None })).collect()
            }
        };
        Ok(Some(LogLine {
            id: logged_id(line.id.as_deref().unwrap_or("-"))?,
            wall: wall_nanos(&line.ts, line.ms)?,
            status: line.status,
            pool: line.pool.filter(|pool| pool != "-"),
            attempts,
            flags: line.flags,
            queued: queued.map(Span::millis),
            signs,
            reason,
        }))
    }

    fn signs(&self) -> &'static [Sign] {
        SIGNS
    }

    /// Where nothing limits connections, it was the host that did not accept one in time.
    fn means(&self, reason: Reason, variant: &Variant) -> Reason {
        match (reason, variant.topology.limits) {
            (Reason::QueueTimeout, Limits::Off) => Reason::GatewayTimeout,
            (other, _) => other,
        }
    }
}

/// How long a request waited for a connection to a host, one that is opened for it included
/// (`%UPSTREAM_CONNECTION_POOL_READY_DURATION%`).
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(untagged)]
enum ConnectionWait {
    /// So many milliseconds.
    Took(u64),
    /// It never had one.
    Never(()),
    /// It is not logged.
    #[default]
    #[serde(skip)]
    NotLogged,
}

/// Where a line has several flags, the one that stands first here tells the reason.
pub(super) const SIGNS: &[Sign] = &[
    sign("DC", Some(Reason::ClientAbort), "the client closed the connection"),
    sign("DR", Some(Reason::ClientAbort), "the client reset the stream"),
    sign("UH", Some(Reason::NoLiveBackend), "the cluster has no healthy host"),
    sign(
        "UO",
        Some(Reason::LimitReached),
        "a circuit breaker is open: a limit of the cluster was reached (overflow)",
    ),
    sign("DO", Some(Reason::LimitReached), "dropped by the cluster's drop_overload policy"),
    sign(
        "UDO",
        Some(Reason::LimitReached),
        "dropped by the cluster's drop_overload policy, without a status",
    ),
    sign("OM", Some(Reason::LimitReached), "the overload manager ended the request"),
    sign("UF", Some(Reason::ConnectRefused), "the connection to the host failed"),
    sign("UC", Some(Reason::BackendClosed), "the host closed the connection"),
    sign("UR", Some(Reason::BackendClosed), "the host reset the stream"),
    sign("UT", Some(Reason::GatewayTimeout), "the host did not respond within the route's timeout"),
    sign("UPE", Some(Reason::BackendProtocol), "the host's response is not valid HTTP"),
    sign("NR", Some(Reason::NoRoute), "no route fits the request"),
    sign("NC", Some(Reason::NoRoute), "the route's cluster does not exist"),
    sign("LR", Some(Reason::BalancerEnded), "Envoy reset the stream itself"),
    sign("LH", Some(Reason::BalancerEnded), "Envoy's own health check fails, so that it takes no requests"),
    sign("SI", Some(Reason::BalancerEnded), "the stream was idle for too long"),
    sign("DT", Some(Reason::BalancerEnded), "the connection or request lasted longer than it may"),
    sign("UMSDR", Some(Reason::BalancerEnded), "the request lasted longer than a stream may"),
    sign("RL", Some(Reason::BalancerEnded), "the rate limit refused the request"),
    sign("RLSE", Some(Reason::BalancerEnded), "the rate limit's service failed"),
    sign("UAEX", Some(Reason::BalancerEnded), "the external authorisation refused the request"),
    sign("IH", Some(Reason::BalancerEnded), "a header of the request is not allowed"),
    sign("FI", Some(Reason::BalancerEnded), "a fault was injected that ends the request"),
    sign("DPE", Some(Reason::BalancerEnded), "the client's request is not valid HTTP"),
    sign("NFCF", Some(Reason::BalancerEnded), "the configuration of a filter is missing"),
    sign("RFCF", Some(Reason::BalancerEnded), "the configuration of a filter was not received"),
    sign("DF", Some(Reason::NoLiveBackend), "the host's name could not be resolved"),
    sign("DI", None, "a fault was injected that delays the request"),
    sign("URX", None, "no attempt was left (retries or connects)"),
];

/// The flags of a line, and why it ended so. `details` is `%RESPONSE_CODE_DETAILS%`.
fn read(flags: &str, details: &str) -> (Vec<String>, Option<Reason>) {
    let words: Vec<String> =
        flags.split(',').filter(|flag| !matches!(*flag, "" | "-")).map(str::to_owned).collect();
    let known = SIGNS.iter().find(|sign| sign.reason.is_some() && words.iter().any(|word| word == sign.word));
    let reason = match known.and_then(|sign| sign.reason) {
        Some(Reason::ConnectRefused) if details.contains("timeout") => Some(Reason::ConnectTimeout),
        reason => reason,
    };
    (words, reason)
}
