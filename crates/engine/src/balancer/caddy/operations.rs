//! How people operate Caddy: by its logs, its flag files and its admin interface, which changes nothing without a reload.

use model::operations::{LookedAt, Operations, Whereabouts};

use super::Caddy;
use crate::balancer::{Operated, meanings};

/// Fields of the log are those of rig's template.
impl Operated for Caddy {
    fn operations(&self, at: &Whereabouts) -> Operations {
        let Whereabouts { admin, directory, backend, .. } = at;
        let recent = |field: &str| {
            format!(
                "tail -n 1000 {directory}/access.log | grep -o '\"{field}[^,]*' | sort | uniq -c | sort -rn"
            )
        };
        Operations {
            names: "ADMIN: the path of `admin` in the Caddyfile; DIRECTORY: where `access.log` and `drain/` are, and Caddy's standard error as \
                    `stderr.log`; BACKEND: the name that the flag files use.",
            distribution: LookedAt {
                command: recent("upstream\":"),
                reading: "Of the last 1000 requests, how many went to each address at last; `null`: none was chosen. Caddy keeps \
                          no such count itself.",
            },
            health: LookedAt {
                command: format!(
                    "tail -n 1000 {directory}/stderr.log | grep health_checker | grep -o '\"msg\":\"[^\"]*\",.*\"host\":\"[^\"]*' | sort | uniq -c"
                ),
                reading: "`HTTP request failed` and `status code out of tolerances`: a probe of that address failed; `host is up`: it \
                          is used again. Caddy does not say that it stops using one, and a reload makes it forget.",
            },
            drain: LookedAt {
                command: format!(
                    "ls {directory}/drain; curl -s --unix-socket {admin} http://caddy/reverse_proxy/upstreams"
                ),
                reading: "A file named after a backend: every request avoids it. It is drained when `num_requests` of its address \
                          is 0 twice, 100 ms apart, or when the address is not listed.",
            },
            errors: LookedAt {
                command: recent("status\":"),
                reading: "Of the last 1000 requests, how many ended with each status. 502: refused or broken off; 503: no upstream is up; \
                          504: not answered within `response_header_timeout`; 499: the client gave up. Resets by a reload are in no log.",
            },
            take_out: format!("touch {directory}/drain/{backend}"),
            put_back: format!("rm {directory}/drain/{backend}"),
            log_words: meanings(super::access_log::SIGNS),
        }
    }
}
