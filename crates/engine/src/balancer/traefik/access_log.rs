//! What Traefik says about requests that it could not deliver: their status, and nothing else. Its errors are in its own log
//! at level DEBUG only, without the request.

use model::access_log::{Attempt, LogGap, Reason};
use model::plan::Variant;
use model::topology::Retries;
use serde::Deserialize;

use super::super::{LogError, LogLine, LogsRequests, Sign, Site, logged_id, wall_nanos};
use super::Traefik;

const CLIENT_CLOSED: Sign = Sign {
    word: "499",
    reason: Some(Reason::ClientAbort),
    meaning: "the client closed the connection first",
};
const NO_ROUTE: Sign = Sign {
    word: "404 without a service",
    reason: Some(Reason::NoRoute),
    meaning: "no router fits the request",
};
const NO_SERVER: Sign = Sign {
    word: "503 without a server",
    reason: Some(Reason::NoLiveBackend),
    meaning: "no server of the service is held to be up",
};
const BAD_GATEWAY: Sign = Sign {
    word: "502",
    reason: None,
    meaning: "the server refused, or closed before its response's headers were complete, or answered 502 itself: the log \
              does not say which",
};
const TIMED_OUT: Sign = Sign {
    word: "504",
    reason: None,
    meaning: "dialTimeout or responseHeaderTimeout ran out, or the server answered 504 itself: the log does not say which",
};

impl LogsRequests for Traefik {
    /// Its `RetryAttempts` is 0 whatever the middleware did.
    fn gaps(&self, variant: &Variant) -> Vec<LogGap> {
        let retries = matches!(variant.topology.retries, Retries::On(_));
        [LogGap::Resend].into_iter().chain(retries.then_some(LogGap::RetriesUntold)).collect()
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

pub(super) const SIGNS: &[Sign] = &[CLIENT_CLOSED, NO_ROUTE, NO_SERVER, BAD_GATEWAY, TIMED_OUT];

/// Reads a line of the access log.
fn read_log(line: &str, site: &Site) -> Result<Option<LogLine>, LogError> {
    // A template of the user's may log less; what it doesn't log is not known.
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Line {
        #[serde(rename = "request_X-Rig-Seq")]
        id: Option<String>,
        #[serde(rename = "StartUTC")]
        start: String,
        /// Nanoseconds.
        #[serde(default)]
        duration: i64,
        downstream_status: u16,
        service_name: Option<String>,
        service_addr: Option<String>,
        retry_attempts: Option<u8>,
    }
    let line: Line = serde_json::from_str(line).map_err(|error| LogError(error.to_string()))?;
    // Traefik names the last server only; the attempts before it are counted, not named.
    let last = line.service_addr.as_deref().filter(|address| !address.is_empty());
    let attempts = last.into_iter().flat_map(|last| {
        let unnamed = (0..line.retry_attempts.unwrap_or(0)).map(|_| Attempt { backend: None, status: None });
        unnamed.chain([Attempt { backend: Some(site.backend_at(last)), status: None }])
    });
    let attempts: Vec<Attempt> = attempts.collect();
    let found = match line.downstream_status {
        499 => Some(&CLIENT_CLOSED),
        404 if line.service_name.is_none() => Some(&NO_ROUTE),
        503 if attempts.is_empty() => Some(&NO_SERVER),
        502 => Some(&BAD_GATEWAY),
        504 => Some(&TIMED_OUT),
        _ => None,
    };
    let word = found.map_or("", |sign| sign.word);
    Ok(Some(LogLine {
        id: logged_id(line.id.as_deref().unwrap_or_default())?,
        wall: wall_of(&line.start)?.checked_add(line.duration).ok_or_else(|| no_time(&line.start))?,
        status: line.downstream_status,
        pool: line.service_name.map(|name| name.split('@').next().unwrap_or_default().to_owned()),
        attempts,
        flags: word.to_owned(),
        queued: None,
        signs: found.map(|sign| sign.word.to_owned()).into_iter().collect(),
        reason: found.and_then(|sign| sign.reason),
    }))
}

fn no_time(text: &str) -> LogError {
    LogError(format!("`{text}` is no time"))
}

/// Nanoseconds since the epoch of a time as RFC 3339 writes it, `2026-11-26T21:11:18.362089014Z`, or of seconds.
fn wall_of(text: &str) -> Result<i64, LogError> {
    if !text.contains('T') {
        return wall_nanos(text, 0);
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| no_time(text))?;
    i64::try_from(time.as_nanosecond()).map_err(|_| no_time(text))
}

/// What Traefik's own log says about a server: `web-1: Health check failed.`
fn read_notice(line: &str, site: &Site) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        message: String,
        #[serde(rename = "targetURL")]
        target: String,
    }
    let line: Line = serde_json::from_str(line).ok()?;
    let host = line.target.split("://").nth(1)?;
    Some(format!("{}: {}", site.backend_at(host.trim_end_matches('/')), line.message))
}

#[cfg(test)]
mod tests {
    use super::wall_of;

    #[test]
    fn times_are_counted_from_the_epoch() {
        let seconds = |text: &str| wall_of(text).map(|nanos| nanos / 1_000_000_000);
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Ok(0));
        assert_eq!(seconds("2000-02-29T23:59:59Z"), Ok(951_868_799));
        assert_eq!(seconds("2000-03-01T00:00:00Z"), Ok(951_868_800));
        assert_eq!(wall_of("2026-11-26T21:11:18.362089014Z"), Ok(1_795_727_478_362_089_014));
        for broken in ["2026-11-26T21:11:18", "2026-13-26T21:11:18Z", "2026-11T21:11:18Z", "T", "T.Z"] {
            assert!(wall_of(broken).is_err(), "{broken}");
        }
    }
}
