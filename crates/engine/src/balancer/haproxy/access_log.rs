//! HAProxy's termination states (configuration manual, section 8.5, "Session state at disconnection"): who or what
//! ended the session, and in which phase.

use model::access_log::{Attempt, LogGap, Reason};
use model::plan::Variant;
use model::units::Span;
use serde::Deserialize;

use super::super::layer4::read_connection;
use super::super::{Ask, LogError, LogLine, LogsRequests, Sign, Site, UnwrittenQuery, logged_id, wall_nanos};
use super::{FRONTEND, Haproxy};

const fn sign(word: &'static str, reason: Option<Reason>, meaning: &'static str) -> Sign {
    Sign { word, reason, meaning }
}

/// What the log has instead of a server's name where none was chosen.
const NO_SERVER: &str = "<NOSRV>";
/// What the template's own rule says when it refuses a request.
const QUEUE_FULL: &str = "queue full";

impl LogsRequests for Haproxy {
    fn gaps(&self, _variant: &Variant) -> Vec<LogGap> {
        vec![LogGap::SilentClose]
    }

    /// "DroppedLogs" (management guide, `show info`).
    fn unwritten(&self) -> Option<UnwrittenQuery> {
        let read = |info: &str| {
            info.lines().find_map(|line| line.strip_prefix("DroppedLogs: ")?.trim().parse().ok())
        };
        Some(UnwrittenQuery { ask: Ask::Line("show info".into()), read })
    }

    fn read(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
        read_log(line, site)
    }

    fn signs(&self) -> &'static [Sign] {
        SIGNS
    }

    fn read_notice(&self, line: &str, _site: &Site) -> Option<String> {
        read_notice(line)
    }
}

pub(super) const SIGNS: &[Sign] = &[
    sign(
        QUEUE_FULL,
        Some(Reason::LimitReached),
        "no server had a free place, and as many requests waited as may (the template's own rule)",
    ),
    sign(NO_SERVER, Some(Reason::NoLiveBackend), "no server of the pool was up, so none was chosen"),
    sign(
        "CC",
        Some(Reason::ClientAbort),
        "the client left before the connection to the server was established",
    ),
    sign("CD", Some(Reason::ClientAbort), "the client left during the transfer of data"),
    sign("CH", Some(Reason::ClientAbort), "the client left while the server had not begun its response"),
    sign("CL", Some(Reason::ClientAbort), "the client left while the rest of the response was being sent"),
    sign("CQ", Some(Reason::ClientAbort), "the client left while its request waited in the queue"),
    sign("CR", Some(Reason::ClientAbort), "the client left before it had sent a whole request"),
    sign("CT", Some(Reason::ClientAbort), "the client left while it was tarpitted"),
    sign("cD", None, "timeout client ran out: the client neither sent nor took data"),
    sign("cH", None, "timeout client ran out while the body of the request was awaited"),
    sign("cL", None, "timeout client ran out while the rest of the response was being sent"),
    sign("cR", None, "timeout http-request ran out before a whole request had arrived"),
    sign("SC", Some(Reason::ConnectRefused), "the server, or the network before it, refused the connection"),
    sign("sC", Some(Reason::ConnectTimeout), "timeout connect ran out before the connection was established"),
    sign("SD", Some(Reason::BackendClosed), "the connection to the server died during the transfer of data"),
    sign("sD", Some(Reason::GatewayTimeout), "timeout server ran out during the transfer of data"),
    sign(
        "SH",
        Some(Reason::BackendClosed),
        "the server closed the connection before its response's headers were complete",
    ),
    sign(
        "sH",
        Some(Reason::GatewayTimeout),
        "timeout server ran out before the response's headers had arrived",
    ),
    sign(
        "SL",
        Some(Reason::BackendClosed),
        "the connection to the server died while the rest of the response was being sent",
    ),
    sign(
        "sL",
        Some(Reason::GatewayTimeout),
        "timeout server ran out while the rest of the response was being sent",
    ),
    sign(
        "SQ",
        Some(Reason::BackendClosed),
        "the server ended the session while the request waited in the queue",
    ),
    sign(
        "sQ",
        Some(Reason::QueueTimeout),
        "timeout queue ran out: the request waited too long for a free server",
    ),
    sign("PC", Some(Reason::BalancerExhausted), "HAProxy's own limit of sockets was reached"),
    sign("PD", Some(Reason::BackendProtocol), "HAProxy blocked a message whose chunks are wrong"),
    sign(
        "PH",
        Some(Reason::BackendProtocol),
        "HAProxy blocked the server's response: it was invalid or incomplete",
    ),
    sign(
        "PR",
        Some(Reason::BalancerEnded),
        "HAProxy refused the request: by a rule, or because it is invalid",
    ),
    sign("PT", Some(Reason::BalancerEnded), "HAProxy tarpitted the request and answered it itself"),
    sign("LR", Some(Reason::BalancerEnded), "HAProxy answered the request itself"),
    sign("LH", Some(Reason::BalancerEnded), "HAProxy answered in the server's place"),
    sign("LC", Some(Reason::BalancerEnded), "HAProxy answered the request itself"),
    sign(
        "RC",
        Some(Reason::BalancerExhausted),
        "the machine ran out of memory, sockets or ports for the connection",
    ),
    sign(
        "IC",
        Some(Reason::BalancerEnded),
        "an internal error of HAProxy before the connection was established",
    ),
    sign("IH", Some(Reason::BalancerEnded), "an internal error of HAProxy before the response's headers"),
    sign("ID", Some(Reason::BalancerEnded), "an internal error of HAProxy during the transfer of data"),
    sign("IR", Some(Reason::BalancerEnded), "an internal error of HAProxy while it read the request"),
    sign("DC", Some(Reason::BalancerEnded), "HAProxy ended the session because the server was marked down"),
    sign("DH", Some(Reason::BalancerEnded), "HAProxy ended the session because the server was marked down"),
    sign("DD", Some(Reason::BalancerEnded), "HAProxy ended the session because the server was marked down"),
    sign(
        "KC",
        Some(Reason::BalancerEnded),
        "ended by an operator, or because the grace of a reload was over (hard-stop-after)",
    ),
    sign(
        "KH",
        Some(Reason::BalancerEnded),
        "ended by an operator, or because the grace of a reload was over (hard-stop-after)",
    ),
    sign(
        "KD",
        Some(Reason::BalancerEnded),
        "ended by an operator, or because the grace of a reload was over (hard-stop-after)",
    ),
];

/// Reads a line of the access log.
fn read_log(line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
    // A configuration of the user's own may log less; what it doesn't log is not known.
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(default)]
        id: &'a str,
        ts: &'a str,
        status: i32,
        #[serde(default)]
        active: i64,
        #[serde(default)]
        server: &'a str,
        #[serde(default)]
        flags: &'a str,
        #[serde(default)]
        retries: &'a str,
        #[serde(default)]
        pool: &'a str,
        /// Milliseconds in queues; -1 if it came into none.
        #[serde(default = "unknown")]
        queue: i64,
        /// The template's own word for a rule that refused the request.
        #[serde(default)]
        refused: &'a str,
        /// Of a configuration of the user's, which has names of its own: the server's address, and what the request was
        /// routed to by whom.
        #[serde(default)]
        address: &'a str,
        #[serde(default)]
        backend: &'a str,
        #[serde(default)]
        frontend: &'a str,
    }
    // Its own notices (a server is down, a proxy stopped) share the file.
    if !line.starts_with('{') {
        return Ok(None);
    }
    if let Some(connection) = read_connection(line, site) {
        return connection.map(Some);
    }
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
    // The last server is named; the attempts before it are counted, with a `+` if they were at other servers.
    let retries = line.retries.strip_prefix('+').unwrap_or(line.retries);
    let retries: u8 = if retries.is_empty() { "0" } else { retries }
        .parse()
        .map_err(|_| LogError(format!("`{}` is no count of retries", line.retries)))?;
    let unnamed = (0..retries).map(|_| Attempt { backend: None, status: None });
    let last = Some(line.server).filter(|server| !matches!(*server, NO_SERVER | ""));
    let last =
        last.map(
            |server| if line.address.is_empty() { server.to_owned() } else { site.backend_at(line.address) },
        );
    let last = last.map(|backend| Attempt { backend: Some(backend), status: None });
    let attempts = unnamed.chain(last).collect();
    // Where none was chosen, HAProxy names the frontend.
    let pool = Some(line.pool).filter(|pool| !matches!(*pool, FRONTEND | ""));
    let routed = pool.is_some() || (!line.backend.is_empty() && line.backend != line.frontend);
    let (mut signs, mut reason) = read(line.flags, line.server, routed);
    if line.refused == QUEUE_FULL {
        signs.push(QUEUE_FULL.to_owned());
        reason = Some(Reason::LimitReached);
    }
    Ok(Some(LogLine {
        id: logged_id(line.id)?,
        wall: wall_nanos(line.ts, line.active.max(0))?,
        // -1: nothing was sent to the client.
        status: u16::try_from(line.status).unwrap_or(0),
        pool: pool.map(str::to_owned),
        attempts,
        flags: line.flags.to_owned(),
        queued: u64::try_from(line.queue).ok().map(Span::millis),
        signs,
        reason,
    }))
}

fn unknown() -> i64 {
    -1
}

/// The words of a line: the first two letters of its termination state, and whether a server had been chosen.
/// Where there was no route to any pool, `routed` is false.
fn read(flags: &str, server: &str, routed: bool) -> (Vec<String>, Option<Reason>) {
    let state = flags.get(..2).unwrap_or_default();
    if matches!(state, "" | "--") {
        return (Vec::new(), None);
    }
    let unserved = state == "SC" && server == NO_SERVER;
    let mut words = vec![state.to_owned()];
    if unserved && !routed {
        return (words, Some(Reason::NoRoute));
    }
    words.extend(unserved.then(|| NO_SERVER.to_owned()));
    let reason = words.last().and_then(|word| SIGNS.iter().find(|sign| sign.word == word));
    let reason = reason.and_then(|sign| sign.reason);
    (words, reason)
}

/// What HAProxy says about its servers: `web-1: DOWN`, `web: no server available`.
fn read_notice(line: &str) -> Option<String> {
    let of = |words: &str| line.split_once(words).map(|(_, rest)| rest);
    if let Some(rest) = of("Server ") {
        let name = rest.split_once('/')?.1.split(' ').next()?;
        let state = ["is DOWN", "is UP"].into_iter().find(|state| rest.contains(state))?;
        return Some(format!("{name}: {}", state.trim_start_matches("is ")));
    }
    let pool = of("backend ")?.strip_suffix(" has no server available!")?;
    Some(format!("{pool}: no server available"))
}
