//! What Envoy could not be run with.

use model::topology::Topology;
use serde_json::Value;

use crate::balancer::misfit::{Misfit, unnamed};
use crate::balancer::{ConfigFile, Site};

/// What is wrong with its files.
pub(super) fn misfits(files: &[ConfigFile], site: &Site, topology: &Topology) -> Vec<Misfit> {
    let (mut found, mut addresses, mut text) = (Vec::new(), Vec::new(), String::new());
    for file in files {
        text.push_str(&file.text);
        match serde_saphyr::from_str::<Value>(&file.text) {
            Ok(value) => gather(&value, &mut addresses),
            Err(error) => {
                let reason = error.to_string();
                let what = format!("it is no YAML: {}", reason.lines().next().unwrap_or_default());
                found.push(Misfit::lacks(file, what, "correct it"));
            }
        }
    }
    let Some(main) = files.first().filter(|_| found.is_empty()) else { return found };
    let is_known = |address: &str| addresses.iter().any(|known| known == address);
    if !is_known(&site.listener.to_string()) {
        let fix = "use {{ listener.ip }} and {{ listener.port }}";
        found.push(Misfit::lacks(main, "Envoy would not listen where the load arrives", fix));
    }
    if !text.contains(&format!("{}/access.log", site.directory.display())) {
        let fix = "write it to \"{{ directory }}/access.log\", in the built-in format";
        found.push(Misfit::lacks(main, "rig would have no access log to read", fix));
    }
    if !text.contains(&site.admin.display().to_string()) {
        found.push(Misfit::lacks(
            main,
            "rig could not ask Envoy anything",
            "let `admin` listen on {{ admin }}",
        ));
    }
    let lacking = unnamed(topology, site, is_known);
    if !lacking.is_empty() {
        let what = format!("no endpoint has the address of {}", lacking.join(", "));
        let fix = "build the endpoints from {{ hosts }} in envoy/endpoints.yaml";
        found.push(Misfit::lacks(main, what, fix));
    }
    found
}

/// Every `socket_address` in `value`, as `address:port`.
fn gather(value: &Value, addresses: &mut Vec<String>) {
    if let (Some(host), Some(port)) = (value["address"].as_str(), value["port_value"].as_u64()) {
        addresses.push(format!("{host}:{port}"));
    }
    match value {
        Value::Object(fields) => fields.values().for_each(|it| gather(it, addresses)),
        Value::Array(items) => items.iter().for_each(|it| gather(it, addresses)),
        _ => {}
    }
}
