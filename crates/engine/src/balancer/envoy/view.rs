//! Envoy's view of its backends.

use super::*;

/// Reads `/clusters?format=json` (Envoy docs, "Administration interface").
pub(super) fn read_clusters(answer: &str, site: &Site) -> Result<View, ViewError> {
    #[derive(Deserialize)]
    struct Clusters {
        #[serde(default)]
        cluster_statuses: Vec<Cluster>,
    }
    #[derive(Deserialize)]
    struct Cluster {
        #[serde(default)]
        host_statuses: Vec<Host>,
    }
    #[derive(Deserialize)]
    struct Host {
        address: Address,
        #[serde(default)]
        stats: Vec<Statistic>,
        #[serde(default)]
        health_status: serde_json::Map<String, serde_json::Value>,
    }
    #[derive(Deserialize)]
    struct Address {
        /// A host may be a socket of a file as well, which is none of rig's backends.
        socket_address: Option<SocketAddress>,
    }
    #[derive(Deserialize)]
    struct SocketAddress {
        address: String,
        port_value: u16,
    }
    #[derive(Deserialize)]
    struct Statistic {
        name: String,
        #[serde(default)]
        value: String,
    }
    let clusters: Clusters = serde_json::from_str(answer).map_err(|error| ViewError(error.to_string()))?;
    let host = |host: Host| {
        let socket = host.address.socket_address?;
        let discovered = host.health_status.get("eds_health_status").and_then(|v| v.as_str()).unwrap_or("-");
        // Every other entry is a reason against the host: failed_active_health_check, pending_active_hc, …
        let against: Vec<&str> = host
            .health_status
            .iter()
            .filter(|(name, value)| *name != "eds_health_status" && value.as_bool() == Some(true))
            .map(|(name, _)| name.as_str())
            .collect();
        Some(BackendView {
            backend: site.backend_at(&format!("{}:{}", socket.address, socket.port_value)),
            up: discovered == "HEALTHY" && against.is_empty(),
            in_flight: host
                .stats
                .iter()
                .find(|s| s.name == "rq_active")
                .and_then(|s| s.value.parse().ok())
                .unwrap_or(0),
            words: std::iter::once(discovered).chain(against).collect::<Vec<_>>().join(" "),
        })
    };
    Ok(clusters
        .cluster_statuses
        .into_iter()
        .flat_map(|cluster| cluster.host_statuses)
        .filter_map(host)
        .collect())
}
