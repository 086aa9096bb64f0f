//! How people operate Envoy: by its admin interface, and by the endpoints file that it watches.

use model::operations::{LookedAt, Operations, Whereabouts};

use super::Envoy;
use crate::balancer::{Operated, meanings};

impl Operated for Envoy {
    fn operations(&self, at: &Whereabouts) -> Operations {
        let Whereabouts { admin, directory, pool, host, port, .. } = at;
        let clusters = |what: &str| {
            format!("curl -s --unix-socket {admin} http://envoy/clusters | grep -E '::({what})::'")
        };
        let file = format!("{directory}/endpoints/{pool}/endpoints.yaml");
        // Envoy takes what is renamed into the directory that it watches, and nothing else.
        let mark = |from: &str, to: &str| {
            format!(
                "sed '/address: {host}, port_value: {port}}}/s/{from}/{to}/' {file} > {file}.new && mv {file}.new {file}"
            )
        };
        Operations {
            names: "ADMIN: the path of `admin` in `envoy.yaml` (for an address: `http://HOST:PORT`, without --unix-socket); DIRECTORY: where `endpoints/` is; POOL: the cluster; \
                    BACKEND_HOST and BACKEND_PORT: the backend's address.",
            distribution: LookedAt {
                command: clusters("rq_total"),
                reading: "`cluster::address::rq_total::`requests since the start. Read it twice: the difference is the share now.",
            },
            health: LookedAt {
                command: clusters("health_flags"),
                reading: "healthy, or why not: `/failed_active_hc` (probes), `/failed_outlier_check` (ejected by failed traffic), \
                          `/eds_status_draining` (taken out by a deploy), `/pending_active_hc` (not probed yet).",
            },
            drain: LookedAt {
                command: clusters("health_flags|rq_active"),
                reading: "`/eds_status_draining`: no new request. `rq_active`: requests in flight there; it is drained when that is 0 \
                          twice, 100 ms apart. An endpoint that was removed from the file is no longer listed, drained or not.",
            },
            errors: LookedAt {
                command: format!(
                    "curl -s --unix-socket {admin} http://envoy/stats | grep -E '(down|up)stream_rq_(5xx|total|completed):'"
                ),
                reading: "`http.….downstream_rq_5xx` of `…downstream_rq_completed` is what clients got, `cluster.….upstream_rq_5xx` what each \
                          pool answered or failed to, since the start: read it twice.",
            },
            take_out: mark("HEALTHY", "DRAINING"),
            put_back: mark("DRAINING", "HEALTHY"),
            log_words: meanings(super::access_log::SIGNS),
        }
    }
}
