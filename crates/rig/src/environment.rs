//! The machine on which a run is measured.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use model::records::{BalancerBuild, ContainerEngine, Environment};

/// Kernel settings that can cause dropped connections.
const SYSCTLS: [&str; 9] = [
    "net.core.somaxconn",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_migrate_req",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_tw_reuse",
    "net.netfilter.nf_conntrack_max",
];

/// Reads it. What the system doesn't say stays empty.
pub(crate) fn gather(
    balancers: BTreeMap<String, BalancerBuild>,
    engine: Option<ContainerEngine>,
) -> Environment {
    let line = |path: &str| read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    Environment {
        rig: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("RIG_COMMIT").map(str::to_owned),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        kernel: line("/proc/sys/kernel/osrelease"),
        cpu: processor(),
        cpus: std::thread::available_parallelism().map_or(0, |n| n.get() as u64),
        load_average: line("/proc/loadavg").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
        open_files: limit.current.unwrap_or(u64::MAX),
        sysctls: SYSCTLS
            .iter()
            .map(|name| (*name, line(&format!("/proc/sys/{}", name.replace('.', "/")))))
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.replace('\t', " ")))
            .collect(),
        balancers,
        engine,
        ..Environment::default()
    }
}

fn processor() -> String {
    let info = read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    model.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned()).unwrap_or_default()
}

/// Raises the limit of open files to what the system allows, for this process and its children: the common soft limit of
/// 1024 would stop a load long before the balancer does. If that fails, the limit stays as it is and is recorded.
pub(crate) fn raise_open_files() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}
