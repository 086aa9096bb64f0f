//! The table as a page.

use std::fmt::Write;
use std::path::Path;

use crate::faults::{FAULTS, MEASURED};
use crate::kernel::UNREACHABLE;

/// What other load generators say, by `peers.rs`: a fault, then what each says of it, separated by tabs.
const PEERS: &str = include_str!("peers.tsv");

const HEAD: &str = "# What a client sees of each fault

One server misbehaves on purpose. rig's generator meets it directly, and through each balancer as rig sets it up: no
retries, no probes, `response_timeout: 1s`. The client's timeout is 1 s without a balancer and 2.5 s with one. Each cell says
how all requests ended, or how many ended in which way. A number is a status; 502, 503 and 504 are the balancer's own, except
in the row *503*. *Before byte*, *in head* and *in body* say how much of a response had arrived.

`crates/rig/tests/fault_matrix` measures this in every test run: it fails if anything differs from this page, if the server
received a request twice or not at all, or if the generator, without a balancer, counts other connections than the server.
A balancer of another version than here is held against the server's counts only, and the test says so.
";

/// How the others were asked.
const PEERS_ARE: &str = "\
Measured on 2026-11-26 by the ignored test in `crates/rig/tests/fault_matrix/peers.rs`, without a balancer, each over one
connection: wrk for 1 s, h2load with 6 requests and timeouts of 2 s. wrk counts nothing for a request that has not ended,
and h2load fails every request that remains once its connection is gone. HEAD is left out: neither was told to send it. oha
is missing: it was not at hand.

";

/// What needs an explanation.
const NOTES: &str = "
What may surprise:

- **HAProxy closes without a response** if the server breaks off before the response's head is complete, so that the client
  tries again. HAProxy 2.6 does that where the client's connection has carried a request before. The first request on a
  connection gets a 502, which leaves the connection open: hence three of each. HAProxy 3.2 does it where its own connection
  to the server has carried one. Such a close has no line in HAProxy's log.
- **nginx 1.22 takes a 1xx for the response** and passes it on. The client waits for the one that must follow, until nginx
  closes. nginx 1.31 knows 103, and still does so with 100.
- **Caddy and Traefik do not time a body**: after the head, the client's own timeout is all there is.
- **Caddy and Traefik send a GET again** for each kept connection that ends before a byte of the response, and log one attempt.
- **Surplus bytes that arrive after Traefik has put the connection away** end the next request with a 500, if it takes that
  connection just then.
- **Traefik answers 500** where the head breaks off, and closes before a byte where a short body does.
- **nginx takes what is not HTTP for HTTP/0.9**, a body without a head. It still holds that back when the server falls silent,
  and closes.
- **A broken chunk that arrives with the head** makes HAProxy answer 502. nginx still holds the head back and closes; Envoy has
  sent it.
- **Envoy closes a second late.** When the server breaks off in the body, the client learns of it after Envoy's
  `delayed_close_timeout`, by default 1 s.
- **A wrong checksum passes through all of them**: no balancer looks at bodies.
- **Surplus bytes** belong to no response, and the response before them is complete. rig's generator closes the connection and
  reports how many there were; the balancers do not pass them on.
";

/// The page.
fn page() -> String {
    let mut page = HEAD.to_owned();
    let names = MEASURED.map(|it| it.to_string()).join(" | ");
    writeln!(page, "\n| the server | directly | {names} |\n|{}", "---|".repeat(MEASURED.len() + 2)).unwrap();
    for fault in &FAULTS {
        writeln!(page, "| {} | {} |", fault.name, fault.expected.join(" | ")).unwrap();
    }
    page.push_str(NOTES);
    page.push_str("\n## No way to the server\n\nWhat the kernel answers to a connection, in a network namespace that the test makes (as root).\n");
    page.push_str("\n| the way | directly |\n|---|---|\n");
    for (name, _, expected) in UNREACHABLE {
        writeln!(page, "| {name} | {expected} |").unwrap();
    }
    let mut peers = PEERS.lines().filter(|line| !line.is_empty());
    if let Some(head) = peers.next() {
        let cells = |line: &str| format!("| {} |\n", line.split('\t').collect::<Vec<_>>().join(" | "));
        page.push_str("\n## What other load generators say of the same faults\n\n");
        page.push_str(PEERS_ARE);
        page.push_str(&cells(head));
        page.push_str(&format!("|{}\n", "---|".repeat(head.split('\t').count())));
        peers.for_each(|line| page.push_str(&cells(line)));
    }
    page
}

#[test]
fn the_page_is_what_is_measured() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fault-matrix.md");
    if std::env::var_os("RIG_WRITE_FAULT_MATRIX").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/fault-matrix.md is not current: RIG_WRITE_FAULT_MATRIX=1 cargo test -p rig-lab --test fault_matrix"
    );
}
