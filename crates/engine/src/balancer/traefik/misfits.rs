//! What Traefik could not be run with.

use model::topology::Topology;
use serde_json::Value;

use super::{ACCESS_LOG, ConfigFile, DYNAMIC, Site};
use crate::balancer::misfit::{Misfit, unnamed};

/// What is wrong with its files.
pub(super) fn misfits(files: &[ConfigFile], site: &Site, topology: &Topology) -> Vec<Misfit> {
    let mut found = Vec::new();
    let mut parsed = Vec::new();
    for file in files {
        match serde_saphyr::from_str::<Value>(&file.text) {
            Ok(value) => parsed.push(value),
            Err(error) => {
                let reason = error.to_string();
                let what = format!("it is no YAML: {}", reason.lines().next().unwrap_or_default());
                found.push(Misfit::lacks(file, what, "correct it"));
            }
        }
    }
    let ([main, dynamic], [read, _]) = (files, parsed.as_slice()) else { return found };
    let entry_points = read["entryPoints"].as_object().into_iter().flat_map(|it| it.values());
    let listens = |address: &str| entry_points.clone().any(|it| it["address"].as_str() == Some(address));
    let mut needs = |is_there: bool, what: &str, fix: &str| {
        if !is_there {
            found.push(Misfit::lacks(main, what, fix));
        }
    };
    needs(
        listens(&site.listener.to_string()),
        "Traefik would not listen where the load arrives",
        "let an entry point have `address: \"{{ listener }}\"`",
    );
    let below = |path: &str| site.directory.join(path).display().to_string();
    needs(
        read["providers"]["file"]["filename"].as_str() == Some(&below(DYNAMIC)),
        "Traefik would not read what rig changes while it runs",
        "let `providers.file.filename` be \"{{ directory }}/dynamic/dynamic.yaml\"",
    );
    needs(
        read["accessLog"]["filePath"].as_str() == Some(&below(ACCESS_LOG)),
        "rig would have no access log to read",
        "let `accessLog.filePath` be \"{{ directory }}/access.log\", in the built-in format",
    );
    needs(
        read["api"].is_null(),
        "everybody on this machine could ask Traefik's API",
        "remove `api`: it listens on TCP alone",
    );
    let lacking = unnamed(topology, site, |address| dynamic.text.contains(address));
    if !lacking.is_empty() {
        let what = format!("no server has the address of {}", lacking.join(", "));
        found.push(Misfit::lacks(
            dynamic,
            what,
            "build the services from {{ pools }}, or at layer 4 from {{ set }}",
        ));
    }
    found
}
