//! What all balancers have in common where TLS is spoken: the run's certificates, and how it is told.

use agent::tls::SUITE;
use minijinja::{Value, context};
use model::history::Setting;
use model::plan::Variant;
use model::tls::{SERVER_NAME, Tls};
use model::topology::Topology;

use super::{Site, setting};
use crate::host::certificates::KEY;

/// What templates know of it.
pub(super) fn values(topology: &Topology, site: &Site) -> Value {
    let tls = topology.listener.tls;
    let file = |path: fn(&crate::host::certificates::Certificates) -> std::path::PathBuf| {
        site.certificates.as_ref().map(|certificates| path(certificates).display().to_string())
    };
    context! {
        ends_here => tls.at_balancer(),
        reencrypts => tls == Tls::Reencrypt,
        passes => tls == Tls::Passthrough,
        name => site.certificates.as_ref().map_or(SERVER_NAME, |it| it.name()),
        authority => file(crate::host::certificates::Certificates::authority),
        certificate => file(crate::host::certificates::Certificates::certificate),
        key => file(crate::host::certificates::Certificates::key),
    }
}

/// How it is told, in the balancer's words: at the listener, towards backends, and where it is passed through.
pub(super) fn settings(variant: &Variant, listener: &str, backends: &str, passed: &str) -> Vec<Setting> {
    let said = match variant.topology.listener.tls {
        Tls::Off => return Vec::new(),
        Tls::Terminate => vec![setting("tls", listener), setting("tls to backends", "none: plain HTTP")],
        Tls::Reencrypt => vec![setting("tls", listener), setting("tls to backends", backends)],
        Tls::Passthrough => vec![setting("tls", passed)],
    };
    let suite = match variant.traffic.host() {
        None => SUITE,
        Some(_) => "what the listener agrees to of TLS 1.2 and 1.3",
    };
    let ends = setting("tls of rig's ends", format!("{suite}; certificate: {KEY}"));
    said.into_iter().chain([ends]).collect()
}
