//! How people operate HAProxy through its runtime socket.

use model::operations::{LookedAt, Operations, Whereabouts};

use super::Haproxy;
use crate::balancer::{Operated, meanings};

/// Columns are those of `show stat` (management guide, "CSV format").
impl Operated for Haproxy {
    fn operations(&self, at: &Whereabouts) -> Operations {
        let Whereabouts { admin, pool, backend, .. } = at;
        let say = |line: &str| format!("echo \"{line}\" | curl -s --unix-socket {admin} telnet://haproxy");
        let servers = |columns: &str| format!("{} | cut -d, -f{columns}", say("show stat -1 4 -1"));
        Operations {
            names: "ADMIN: the file of `stats socket` (for `ipv4@HOST:PORT`: `telnet://HOST:PORT`, without --unix-socket); POOL and BACKEND: the names after `backend` and `server` in `haproxy.cfg`.",
            distribution: LookedAt {
                command: servers("1,2,8"),
                reading: "`stot`: requests given to each server since the start. Read it twice: the difference is the share now.",
            },
            health: LookedAt {
                command: servers("1,2,18,22,24,37"),
                reading: "`status`: UP, DOWN, DRAIN, MAINT; `UP 1/2` has begun to fail, `DOWN 1/2` to recover. `chkfail`: failed \
                          probes; `lastchg`: seconds since the last change; `check_status`: what the last probe met (L4CON: \
                          refused, L4TOUT and L7TOUT: silence, L7STS: a wrong status).",
            },
            drain: LookedAt {
                command: servers("1,2,5,18"),
                reading: "`status` DRAIN: no new request. `scur`: requests in flight there; it is drained when that is 0 twice, \
                          100 ms apart. DRAIN that never reaches 0: sticky sessions, or a request that hangs.",
            },
            errors: LookedAt {
                command: format!("{} | cut -d, -f2,8,44", say("show stat -1 3 -1")),
                reading: "`hrsp_5xx` of `stot`, for the listener (FRONTEND) and each pool (BACKEND), since the start: read it twice. \
                          It is not all of the loss: a request lost on a connection that has carried one before is closed \
                          without a status and without a log line.",
            },
            take_out: say(&format!("set server {pool}/{backend} state drain")),
            put_back: say(&format!("set server {pool}/{backend} state ready")),
            log_words: meanings(super::access_log::SIGNS),
        }
    }
}
