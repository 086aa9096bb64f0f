//! How people operate nginx OSS: by its logs and its flag files, as it has no runtime API.

use model::operations::{LookedAt, Operations, Whereabouts};

use super::Nginx;
use crate::balancer::{Operated, meanings};

/// Fields of the log are those of rig's template.
impl Operated for Nginx {
    fn operations(&self, at: &Whereabouts) -> Operations {
        let Whereabouts { directory, backend, .. } = at;
        let recent = |field: &str| {
            format!(
                "tail -n 1000 {directory}/access.log | grep -o '\"{field}[^,]*' | sort | uniq -c | sort -rn"
            )
        };
        Operations {
            names: "DIRECTORY: where `access.log`, `error.log` and `drain/` are (the log's fields: `proxy-configs/nginx/nginx.conf`); \
                    BACKEND: the name that the flag files use.",
            distribution: LookedAt {
                command: recent("upstream\":"),
                reading: "Of the last 1000 requests, how many went to each address; two addresses in one line: tried again \
                          elsewhere. nginx OSS keeps no such count itself.",
            },
            health: LookedAt {
                command: format!(
                    "tail -n 1000 {directory}/error.log | grep -o 'no live upstreams\\|upstream: \"[^\"]*\"' | sort | uniq -c"
                ),
                reading: "Failures per backend's address in the last 1000 notices; empty is well. nginx OSS does not probe: a \
                          dead backend is found out by requests, each time `fail_timeout` has passed, and with `max_fails=0` \
                          never. `no live upstreams`: all of them are ejected.",
            },
            drain: LookedAt {
                command: format!("ls {directory}/drain"),
                reading: "A file named after a backend: every request avoids it. nginx does not say what it has in flight \
                          there: ask the backend, and call it drained when its own count is 0 for 250 ms.",
            },
            errors: LookedAt {
                command: recent("status\":"),
                reading: "Of the last 1000 requests, how many ended with each status. 502: refused or broken off; 504: not \
                          answered within `proxy_read_timeout`; 499: the client gave up. Resets by a reload are in no log.",
            },
            take_out: format!("touch {directory}/drain/{backend}"),
            put_back: format!("rm {directory}/drain/{backend}"),
            log_words: meanings(super::access_log::SIGNS),
        }
    }
}
