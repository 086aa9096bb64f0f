//! How people operate Traefik: by its logs, and by the dynamic file that it watches.

use model::operations::{LookedAt, Operations, Whereabouts};

use super::Traefik;
use crate::balancer::{Operated, meanings};

/// Fields of the log are those of rig's template.
impl Operated for Traefik {
    fn operations(&self, at: &Whereabouts) -> Operations {
        let Whereabouts { directory, host, port, .. } = at;
        let recent = |field: &str| {
            format!(
                "tail -n 1000 {directory}/access.log | grep -o '\"{field}[^,]*' | sort | uniq -c | sort -rn"
            )
        };
        let file = format!("{directory}/dynamic/dynamic.yaml");
        // Traefik takes what is renamed to the file, whole.
        let edit =
            |expression: &str| format!("sed '{expression}' {file} > {file}.new && mv {file}.new {file}");
        let server = format!("- url: \"https*://{host}:{port}\"");
        Operations {
            names: "DIRECTORY: where `access.log` and `dynamic/` are, and Traefik's standard output as `stdout.log`; BACKEND_HOST and \
                    BACKEND_PORT: the backend's address.",
            distribution: LookedAt {
                command: recent("ServiceAddr\":"),
                reading: "Of the last 1000 requests, how many went to each address at last. Traefik keeps no such count itself.",
            },
            health: LookedAt {
                command: format!(
                    "tail -n 1000 {directory}/stdout.log | grep 'Health check failed' | grep -o '\"targetURL\":\"[^\"]*' | sort | uniq -c"
                ),
                reading: "Failed probes per server in the last 1000 notices; empty is well. The first failure takes a server out, and \
                          the first success brings it back; so does every new version of the dynamic file, until it is probed.",
            },
            drain: LookedAt {
                command: format!("sed -n '/# - url/p' {file}"),
                reading: "A server that is commented out gets no new request. Traefik does not say what it has in flight there: ask \
                          the backend, and call it drained when its own count is 0 for 250 ms.",
            },
            errors: LookedAt {
                command: recent("DownstreamStatus\":"),
                reading: "Of the last 1000 requests, how many ended with each status. 502: refused or broken off; 503: no server is \
                          up; 504: not answered within `responseHeaderTimeout`; 499: the client gave up.",
            },
            take_out: edit(&format!("s|{server}|# &|")),
            put_back: edit(&format!("s|# \\({server}\\)|\\1|")),
            log_words: meanings(super::access_log::SIGNS),
        }
    }
}
