//! What a balancer says when the machine, or what rendered it, has no more of something for it. What it then refuses is
//! no fault of its own.

use super::Balancer;

/// What the C libraries call EMFILE, ENFILE, EADDRNOTAVAIL, ENOBUFS and ENOMEM: glibc's words, then musl's.
const SYSTEM: [&str; 7] = [
    "Too many open files",
    "Cannot assign requested address",
    "No buffer space available",
    "Cannot allocate memory",
    "No file descriptors available",
    "Address not available",
    "Out of memory",
];

/// The same in Go, which has words of its own for them.
pub(super) const IN_GO: [&str; 4] = [
    "too many open files",
    "cannot assign requested address",
    "no buffer space available",
    "cannot allocate memory",
];

/// Whether a line of what `balancer` wrote says so.
pub(crate) fn tells_of_shortage(balancer: &dyn Balancer, line: &str) -> bool {
    // Some write the system's words with an underscore for each blank.
    let blanks = line.replace('_', " ");
    SYSTEM.iter().any(|words| blanks.contains(words))
        || balancer.shortage_words().iter().any(|words| line.contains(words))
}

#[cfg(test)]
mod tests {
    use model::catalog::BalancerKind;

    use super::*;
    use crate::balancer::adapter;

    fn told(line: &str) -> Vec<BalancerKind> {
        BalancerKind::ALL.into_iter().filter(|kind| tells_of_shortage(adapter(*kind), line)).collect()
    }

    #[test]
    fn the_systems_own_words_are_known_whoever_repeats_them() {
        for line in [
            "2026/11/25 10:00:00 [crit] 7#7: accept4() failed (24: Too many open files)",
            "[crit] 7#7: *9 connect() to 127.1.0.2:20000 failed (99: Cannot assign requested address) while …",
            "[alert] 7#7: accept4() failed (24: No file descriptors available)",
            r#"{"id":"7","details":"upstream_reset_before_response_started{connection_failure|immediate_connect_error:_Cannot_assign_requested_address}"}"#,
        ] {
            assert_eq!(told(line), BalancerKind::ALL, "{line}");
        }
    }

    #[test]
    fn each_balancers_own_words_are_its_own() {
        for (line, kind) in [
            ("[alert] 7#7: 512 worker_connections are not enough while connecting to upstream", "nginx"),
            ("Connect() failed for backend web: no free ports.", "haproxy"),
            (
                "Proxy the_listener reached process FD limit (maxsock=128). Please check 'ulimit-n' and restart.",
                "haproxy",
            ),
            (
                "Proxy the_listener reached the configured maximum connection limit. Please check the global 'maxconn' value.",
                "haproxy",
            ),
            (r#"{"id":"7","ts":"1.0","status":503,"flags":"RC--","retries":"0"}"#, "haproxy"),
        ] {
            assert_eq!(told(line).iter().map(|kind| kind.name()).collect::<Vec<_>>(), [kind], "{line}");
        }
    }

    #[test]
    fn a_backend_that_is_gone_is_no_shortage() {
        for line in [
            "[error] 7#7: *9 connect() failed (111: Connection refused) while connecting to upstream",
            "[error] 7#7: *9 upstream timed out (110: Connection timed out)",
            r#"{"id":"7","ts":"1.0","status":503,"flags":"SC--","retries":"0"}"#,
            "Server web/web-1 is DOWN, reason: Layer4 connection problem",
            "backend web has no server available!",
        ] {
            assert_eq!(told(line), [], "{line}");
        }
    }
}
