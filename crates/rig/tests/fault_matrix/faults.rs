//! The faults, and what clients see of them, as data.

use std::time::Duration;

use model::catalog::BalancerKind;
use model::traffic::Method;

use crate::fault_server::Reply;

/// A balancer in the version by which its column of the table was made; others may do otherwise.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) kind: BalancerKind,
    pub(crate) version: &'static str,
    /// Its executable where `make setup` puts it.
    pub(crate) executable: &'static str,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.version)
    }
}

const fn measured(kind: BalancerKind, version: &'static str, executable: &'static str) -> Measured {
    Measured { kind, version, executable }
}

/// The ways through a balancer, in the order of the columns.
pub(crate) const MEASURED: [Measured; 7] = [
    measured(BalancerKind::Nginx, "1.22.1", "nginx"),
    measured(BalancerKind::Nginx, "1.31.3", "nginx-1.31.3"),
    measured(BalancerKind::Haproxy, "2.6.12", "haproxy"),
    measured(BalancerKind::Haproxy, "3.2.26", "haproxy-3.2.26"),
    measured(BalancerKind::Envoy, "1.40.0", "envoy"),
    measured(BalancerKind::Caddy, "2.11.7", "caddy"),
    measured(BalancerKind::Traefik, "3.7.15", "traefik"),
];
/// Directly, and through each of these.
const WAYS: usize = MEASURED.len() + 1;

/// What the server does with a request, by its id.
pub(crate) type Script = fn(u64) -> Reply;

/// One way to do wrong, or right in an unusual way.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) method: Method,
    /// What the server does; `None`: nothing listens.
    pub(crate) reply: Option<Script>,
    /// What the client sees: directly, and through each of [`MEASURED`].
    pub(crate) expected: [&'static str; WAYS],
}

impl Fault {
    /// Whether that is what is expected on way `n`. `ok or 500`: each request may end in either way, by chance.
    pub(crate) fn is_seen(&self, n: usize, seen: &str) -> bool {
        let ends: Vec<&str> = self.expected[n].split(" or ").collect();
        let may = |end: &str| ends.contains(&end.split_once(" × ").map_or(end, |(_, end)| end));
        self.expected[n] == seen || (ends.len() > 1 && seen.split(", ").all(may))
    }

    /// Whether the requests of one connection end differently.
    pub(crate) fn depends_on_order(&self) -> bool {
        self.expected.iter().any(|ends| ends.contains(" × "))
    }
}

const OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-rig-backend: web-1/1\r\nx-rig-crc32: 3610a686\r\n\r\nhello";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-rig-backend: web-1/1\r\n\r\n5\r\nhello\r\n";
/// Shorter than any timeout here.
const A_WHILE: Duration = Duration::from_millis(60);
/// Longer than any.
const TOO_LONG: Duration = Duration::from_millis(3_500);

/// The complete answer.
pub(crate) fn well(_: u64) -> Reply {
    Reply::Say(OK.into())
}

/// A complete answer, then on the same connection none.
fn every_second(id: u64, none: fn(String) -> Reply) -> Reply {
    if id.is_multiple_of(2) { well(id) } else { none(String::new()) }
}

fn part_of_head() -> String {
    OK[..30].into()
}

fn part_of_body() -> String {
    OK[..OK.len() - 2].into()
}

fn with(from: &str, to: &str) -> String {
    OK.replace(from, to)
}

const fn get(name: &'static str, reply: Script, expected: [&'static str; WAYS]) -> Fault {
    Fault { name, method: Method::Get, reply: Some(reply), expected }
}

/// Every fault, in the order of the table.
pub(crate) const FAULTS: [Fault; 32] = [
    get("a complete response", well, ["ok"; WAYS]),
    Fault {
        name: "nothing listens",
        method: Method::Get,
        reply: None,
        expected: ["refused", "502", "502", "503", "503", "503", "502", "502"],
    },
    get(
        "RST before a byte",
        |_| Reply::Reset(String::new()),
        [
            "reset before byte",
            "502",
            "502",
            "3 × 502, 3 × closed before byte",
            "5 × 502, 1 × closed before byte",
            "503",
            "502",
            "502",
        ],
    ),
    get(
        "RST in the head",
        |_| Reply::Reset(part_of_head()),
        ["reset in head", "502", "502", "3 × 502, 3 × closed before byte", "502", "502", "502", "500"],
    ),
    get(
        "RST in the body",
        |_| Reply::Reset(part_of_body()),
        [
            "reset in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed before byte",
        ],
    ),
    get(
        "FIN before a byte",
        |_| Reply::Fin(String::new()),
        ["closed before byte", "502", "502", "3 × 502, 3 × closed before byte", "502", "503", "502", "502"],
    ),
    get(
        "FIN in the head",
        |_| Reply::Fin(part_of_head()),
        ["closed in head", "502", "502", "3 × 502, 3 × closed before byte", "502", "502", "502", "500"],
    ),
    get(
        "FIN in the body: truncated",
        |_| Reply::Fin(part_of_body()),
        [
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed before byte",
        ],
    ),
    get("FIN between chunks: truncated", |_| Reply::Fin(CHUNKED.into()), ["closed in body"; WAYS]),
    get(
        "a broken chunk",
        |_| Reply::Hang(format!("{CHUNKED}zz\r\n")),
        [
            "protocol",
            "closed before byte",
            "closed before byte",
            "502",
            "502",
            "closed in body",
            "closed in body",
            "closed in body",
        ],
    ),
    get(
        "what is not HTTP",
        |_| Reply::Hang("SSH-2.0-OpenSSH_9.2\r\n".into()),
        ["protocol", "closed before byte", "closed before byte", "502", "502", "502", "502", "500"],
    ),
    get("a wrong checksum", |_| Reply::Say(with("hello", "hullo")), ["body mismatch"; WAYS]),
    get(
        "surplus bytes with the response",
        |_| Reply::Say(format!("{OK}surplus")),
        ["ok; each connection given up for surplus bytes", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
    ),
    get(
        "surplus bytes a while later",
        |_| Reply::Trickle(vec![OK.into(), "surplus".into()], Duration::from_millis(10)),
        ["ok; each connection given up for surplus bytes", "ok", "ok", "ok", "ok", "ok", "ok", "ok or 500"],
    ),
    get(
        "no answer",
        |_| Reply::Hang(String::new()),
        ["timeout", "504", "504", "504", "504", "504", "504", "504"],
    ),
    get(
        "silence in the head",
        |_| Reply::Hang(part_of_head()),
        ["timeout", "504", "504", "504", "504", "504", "504", "504"],
    ),
    get(
        "silence in the body",
        |_| Reply::Hang(part_of_body()),
        [
            "timeout",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "closed in body",
            "timeout",
            "timeout",
        ],
    ),
    get(
        "an answer after the timeout",
        |_| Reply::Trickle(vec![String::new(), OK.into()], TOO_LONG),
        ["timeout", "504", "504", "504", "504", "504", "504", "504"],
    ),
    get("a slow first byte", |_| Reply::Trickle(vec![String::new(), OK.into()], A_WHILE), ["ok"; WAYS]),
    get("a slow head", |_| Reply::Trickle(vec![part_of_head(), OK[30..].into()], A_WHILE), ["ok"; WAYS]),
    get(
        "a slow body",
        |_| Reply::Trickle(vec![part_of_body(), OK[OK.len() - 2..].into()], A_WHILE),
        ["ok"; WAYS],
    ),
    get(
        "a close with notice after each response",
        |_| Reply::Fin(with("\r\n\r\n", "\r\nConnection: close\r\n\r\n")),
        ["ok; each connection closed with notice", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
    ),
    get(
        "a close without notice after each response",
        |_| Reply::Fin(OK.into()),
        ["ok; each connection closed without notice", "ok", "ok", "ok", "ok", "ok", "ok", "ok"],
    ),
    get(
        "FIN instead of every second response",
        |id| every_second(id, Reply::Fin),
        [
            "3 × closed before byte, 3 × ok",
            "3 × 502, 3 × ok",
            "3 × 502, 3 × ok",
            "3 × closed before byte, 3 × ok",
            "3 × closed before byte, 3 × ok",
            "3 × 503, 3 × ok",
            "3 × 502, 3 × ok",
            "3 × 502, 3 × ok",
        ],
    ),
    get(
        "RST instead of every second response",
        |id| every_second(id, Reply::Reset),
        [
            "3 × ok, 3 × reset before byte",
            "3 × 502, 3 × ok",
            "3 × 502, 3 × ok",
            "3 × closed before byte, 3 × ok",
            "3 × closed before byte, 3 × ok",
            "3 × 503, 3 × ok",
            "3 × 502, 3 × ok",
            "3 × 502, 3 × ok",
        ],
    ),
    get(
        "a body that ends with the connection",
        |_| Reply::Fin(with("content-length: 5\r\n", "")),
        ["ok"; WAYS],
    ),
    get("503", |_| Reply::Say(with("200 OK", "503 Service Unavailable")), ["503"; WAYS]),
    get(
        "103 before the response",
        |_| Reply::Say(format!("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{OK}")),
        ["ok", "closed in head", "ok", "ok", "ok", "ok", "ok", "ok"],
    ),
    get(
        "100 before the response",
        |_| Reply::Say(format!("HTTP/1.1 100 Continue\r\n\r\n{OK}")),
        ["ok", "closed in head", "closed in head", "ok", "ok", "ok", "ok", "ok"],
    ),
    get(
        "204",
        |_| Reply::Say("HTTP/1.1 204 No Content\r\nx-rig-backend: web-1/1\r\n\r\n".into()),
        ["204"; WAYS],
    ),
    get(
        "304 with a length",
        |_| Reply::Say("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n".into()),
        ["304"; WAYS],
    ),
    Fault {
        name: "a response to HEAD, with a length",
        method: Method::Head,
        reply: Some(|_| Reply::Say(OK[..OK.len() - 5].into())),
        expected: ["ok"; WAYS],
    },
];
