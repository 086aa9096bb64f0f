//! What Caddy could not be run with.

use model::topology::Topology;

use super::syntax::{Directive, parse};
use super::{ACCESS_LOG, ConfigFile, Site};
use crate::balancer::misfit::{Misfit, leaves, unnamed};

/// What is wrong with its Caddyfile.
pub(super) fn misfits(file: &ConfigFile, site: &Site, topology: &Topology) -> Vec<Misfit> {
    let tree = match parse(&file.text) {
        Ok(tree) => tree,
        Err(broken) => return vec![Misfit::of(file, broken.line, broken.what, "correct it")],
    };
    let all: Vec<&Directive> = tree.iter().flat_map(Directive::all).collect();
    let outside = all.iter().filter(|it| {
        let path = it.words.get(2).map(String::as_str).unwrap_or_default();
        it.text().starts_with("output file") && leaves(path, site)
    });
    let mut found: Vec<Misfit> = outside
        .map(|it| {
            let what = "this log is outside the cell's directory";
            Misfit::of(file, it.line, what, "begin its path with {{ directory }}")
        })
        .collect();
    let mut needs = |is_there: bool, what: &str, fix: &str| {
        if !is_there {
            found.push(Misfit::lacks(file, what, fix));
        }
    };
    let has = |words: &str| all.iter().any(|it| it.text().starts_with(words));
    let port = format!(":{}", site.listener.port());
    needs(
        has(&format!("bind {}", site.listener.ip())) && tree.iter().any(|it| it.name().ends_with(&port)),
        "Caddy would not listen where the load arrives",
        "write `http://:{{ listener.port }} { bind {{ listener.ip }} … }`",
    );
    needs(
        has(&format!("admin unix/{}", site.admin.display())),
        "rig could not ask Caddy anything",
        "write `admin \"unix/{{ admin }}|0600\"`",
    );
    needs(
        has(&format!("output file {}/{ACCESS_LOG}", site.directory.display())),
        "rig would have no access log to read",
        "write `output file \"{{ directory }}/access.log\"` in the site's `log`, and keep its `log_append`s",
    );
    let says = |text: &str| all.iter().any(|it| it.text() == text);
    let resolved = |address: &str| {
        let parts = address.split_once(':');
        parts.is_some_and(|(host, port)| says(&format!("name {host}")) && says(&format!("port {port}")))
    };
    let named =
        |address: &str| all.iter().any(|it| it.words.iter().any(|word| word == address)) || resolved(address);
    let lacking = unnamed(topology, site, named);
    if !lacking.is_empty() {
        let what = format!("no upstream has the address of {}", lacking.join(", "));
        found.push(Misfit::lacks(file, what, "build the upstreams from {{ pools }}"));
    }
    found
}
