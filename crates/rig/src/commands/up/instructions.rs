//! The instructions for a running topology: how to send it requests, and where to look.

use std::fmt::Write;

use engine::cell::Serving;
use model::catalog::BalancerKind;
use model::discovery::name_of;
use model::operations::Operations;
use model::plan::Variant;
use model::tls::SERVER_NAME;
use model::topology::Layer;

use super::deploys::Deploys;
use super::keys;

/// All instructions.
pub(super) fn instructions(
    variant: &Variant,
    balancer: BalancerKind,
    standing: &Serving,
    deploys: &Deploys<'_>,
) -> String {
    let mut out = String::new();
    write_instructions(&mut out, variant, balancer, standing, deploys).expect("a String takes any text");
    out
}

fn write_instructions(
    out: &mut String,
    variant: &Variant,
    balancer: BalancerKind,
    standing: &Serving,
    deploys: &Deploys<'_>,
) -> std::fmt::Result {
    let Serving { listener, directory, operations, .. } = standing;
    let (curl, url) = asking(standing);
    writeln!(out, "\n{balancer} listens on {listener}\n")?;
    match variant.topology.listener.layer {
        Layer::Four => writeln!(out, "  {curl} {url}/   # any backend: routes do not apply at layer 4")?,
        Layer::Seven => {
            for route in &variant.topology.routes {
                let header = route.header.as_ref();
                let header = header.map_or_else(String::new, |it| format!(" -H '{}: {}'", it.name, it.value));
                writeln!(out, "  {curl}{header} '{url}{}'   # {}: to {}", route.path, route.name, route.to)?;
            }
        }
    }
    writeln!(out, "\nconfiguration and logs: {}", directory.display())?;
    if let Some(operations) = operations {
        for (what, signal) in operations.signals() {
            writeln!(out, "\n{what}: {}\n  {}", signal.reading, signal.command)?;
        }
        let Operations { take_out, put_back, .. } = operations;
        if standing.names.is_none() {
            writeln!(out, "\ntake a backend out by hand, and put it back:\n  {take_out}\n  {put_back}")?;
        }
    }
    if let Some(server) = standing.names {
        let (ip, port) = (server.ip(), server.port());
        writeln!(out, "\nthe balancer finds these by DNS:")?;
        for pool in variant.topology.pools.iter().filter(|pool| pool.discovery.is_some()) {
            writeln!(out, "  dig @{ip} -p {port} {}", name_of(&pool.name))?;
        }
    }
    let pools = deploys.pools();
    writeln!(out, "\nfrom another shell: rig up --deploy {} [--drain off|auto|300ms]", pools.join("|"))?;
    if keys::has_keyboard() {
        writeln!(out, "keys: {}", keys::help(&pools))?;
    }
    writeln!(out, "Ctrl-C stops it")
}

/// The curl command with what it needs to trust the listener, and the URL.
fn asking(standing: &Serving) -> (String, String) {
    let listener = standing.listener;
    let Some(authority) = &standing.authority else {
        let host = standing.host.as_ref().map_or(String::new(), |host| format!(" -H 'Host: {host}'"));
        return (format!("curl -i{host}"), format!("http://{listener}"));
    };
    let (name, port) = (standing.host.as_deref().unwrap_or(SERVER_NAME), listener.port());
    let curl =
        format!("curl -i --cacert '{}' --resolve {name}:{port}:{}", authority.display(), listener.ip());
    (curl, format!("https://{name}:{port}"))
}
