//! What nginx says about requests that it could not deliver. Its access log has no field for that: the adapter reads it
//! from the variables about upstreams (ngx_http_upstream_module), in the words of nginx's own error log.

use model::access_log::{Attempt, LogGap, Reason};
use model::plan::Variant;
use model::topology::PassiveHealth;
use serde::Deserialize;

use super::super::layer4::read_connection;
use super::super::limited::{empties_a_pool, is_limited};
use super::super::{LogError, LogLine, LogsRequests, Sign, Site, logged_id, wall_nanos};
use super::Nginx;

const NO_LIVE: Sign = Sign {
    word: "no live upstreams",
    reason: Some(Reason::NoLiveBackend),
    meaning: "nginx would use no server of the pool: each was ejected by max_fails, is down, or has \
              max_conns requests",
};
const CONNECT_FAILED: Sign = Sign {
    word: "connect failed",
    reason: Some(Reason::ConnectRefused),
    meaning: "the connection to the server failed before a byte of the request was sent",
};
const CONNECT_TIMED_OUT: Sign = Sign {
    word: "connect timed out",
    reason: Some(Reason::ConnectTimeout),
    meaning: "proxy_connect_timeout ran out before the connection to the server was established",
};
const TIMED_OUT: Sign = Sign {
    word: "upstream timed out",
    reason: Some(Reason::GatewayTimeout),
    meaning: "proxy_read_timeout ran out before the server had begun its response",
};
const CLOSED: Sign = Sign {
    word: "upstream prematurely closed",
    reason: Some(Reason::BackendClosed),
    meaning: "the server closed or reset the connection before it had sent a valid response header",
};
const CLIENT_CLOSED: Sign = Sign {
    word: "client closed",
    reason: Some(Reason::ClientAbort),
    meaning: "the client closed the connection first (nginx's status 499)",
};

impl LogsRequests for Nginx {
    fn gaps(&self, variant: &Variant) -> Vec<LogGap> {
        let untold = is_limited(variant) && others_may_be_down(variant);
        untold.then_some(LogGap::LimitUntold).into_iter().collect()
    }

    /// A server at its `max_conns` is passed over like one that is down.
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

pub(super) const SIGNS: &[Sign] =
    &[NO_LIVE, CONNECT_FAILED, CONNECT_TIMED_OUT, TIMED_OUT, CLOSED, CLIENT_CLOSED];

/// Whether anything but a limit takes servers out.
fn others_may_be_down(variant: &Variant) -> bool {
    variant.topology.passive_health != PassiveHealth::Off || empties_a_pool(variant)
}

/// What the log says of the last attempt: `$upstream_addr`, `$upstream_status`, `$upstream_header_time` and
/// `$upstream_bytes_sent`. A log without the last two says less.
struct LastAttempt<'a> {
    address: &'a str,
    status: &'a str,
    header: &'a str,
    sent: &'a str,
}

/// Reads a line of the access log.
fn read_log(line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
    // A configuration of the user's own may log less; what it doesn't log is not known.
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(default)]
        id: &'a str,
        ts: &'a str,
        status: u16,
        #[serde(default)]
        upstream: &'a str,
        #[serde(default)]
        upstream_status: &'a str,
        #[serde(default)]
        upstream_header: &'a str,
        #[serde(default)]
        upstream_sent: &'a str,
        #[serde(default)]
        pool: &'a str,
    }
    if let Some(connection) = read_connection(line, site) {
        return connection.map(Some);
    }
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
    // Several attempts are separated by `, ` ($upstream_addr, $upstream_status).
    let attempts = line
        .upstream
        .split(", ")
        .zip(line.upstream_status.split(", "))
        .filter(|(address, _)| is_address(address))
        .map(|(address, status)| Attempt {
            backend: Some(site.backend_at(address)),
            status: status.parse().ok(),
        })
        .collect();
    let sign = sign(
        line.status,
        &LastAttempt {
            address: last_of(line.upstream),
            status: last_of(line.upstream_status),
            header: last_of(line.upstream_header),
            sent: last_of(line.upstream_sent),
        },
    );
    Ok(Some(LogLine {
        id: logged_id(line.id)?,
        wall: wall_nanos(line.ts, 0)?,
        status: line.status,
        pool: line.pool.split("_without_").next().filter(|pool| !pool.is_empty()).map(str::to_owned),
        attempts,
        flags: sign.map_or(String::new(), |sign| sign.word.to_owned()),
        queued: None,
        signs: sign.map(|sign| sign.word.to_owned()).into_iter().collect(),
        reason: sign.and_then(|sign| sign.reason),
    }))
}

/// Of values that nginx logs for each attempt, the last.
fn last_of(values: &str) -> &str {
    values.rsplit(", ").next().unwrap_or_default()
}

/// What went wrong; `None`: nothing did, or the log does not tell.
fn sign(status: u16, last: &LastAttempt<'_>) -> Option<&'static Sign> {
    let unsent = last.sent == "0" || last.sent == "-";
    Some(match (status, last.status) {
        (499, _) => &CLIENT_CLOSED,
        // With no live server nginx logs the name of the upstream block instead of an address.
        _ if !matches!(last.address, "" | "-") && !is_address(last.address) => &NO_LIVE,
        // A header that arrived is the server's own answer; without the field it is not known.
        _ if last.header != "-" => return None,
        (_, "504") if unsent => &CONNECT_TIMED_OUT,
        (_, "504") => &TIMED_OUT,
        (_, "502") if unsent => &CONNECT_FAILED,
        (_, "502") => &CLOSED,
        _ => return None,
    })
}

/// Whether `$upstream_addr` names a server, and not an upstream block.
fn is_address(upstream: &str) -> bool {
    upstream.contains(':')
}

/// What nginx's error log says about its servers.
const NOTICES: [&str; 7] = [
    "upstream server temporarily disabled",
    "no live upstreams",
    "upstream timed out",
    "connect() failed",
    "upstream prematurely closed connection",
    "recv() failed",
    "upstream sent invalid header",
];

/// A notice of the error log about a server, or about all of a pool's: `web-1: upstream server temporarily disabled`.
fn read_notice(line: &str, site: &Site) -> Option<String> {
    let said = NOTICES.into_iter().find(|words| line.contains(words))?;
    let upstream = line.split_once("upstream: \"").map(|(_, rest)| rest)?;
    let host = upstream.split("://").nth(1)?.split(['/', '"']).next()?;
    Some(if is_address(host) { format!("{}: {said}", site.backend_at(host)) } else { said.to_owned() })
}
