//! What nginx could not be run with.

use model::topology::Topology;

use super::syntax::{Directive, parse};
use crate::balancer::misfit::{Misfit, leaves, unnamed};
use crate::balancer::{ConfigFile, Site};

/// What is wrong with its main file.
pub(super) fn misfits(file: &ConfigFile, site: &Site, topology: &Topology) -> Vec<Misfit> {
    let tree = match parse(&file.text) {
        Ok(tree) => tree,
        Err(broken) => return vec![Misfit::of(file, broken.line, broken.what, "correct it")],
    };
    let all: Vec<&Directive> = tree.iter().flat_map(|it| std::iter::once(it).chain(it.below())).collect();
    let mut found: Vec<Misfit> = all.iter().filter_map(|it| misfit(it, file, site)).collect();
    let has = |name: &str, first: &str| {
        all.iter().any(|it| it.name == name && it.arguments.first().is_some_and(|word| word == first))
    };
    let directory = site.directory.display();
    if !has("listen", &site.listener.to_string()) {
        found.push(Misfit::lacks(
            file,
            "nginx would not listen where the load arrives",
            "write `listen {{ listener }};`",
        ));
    }
    if !all.iter().any(|it| it.name == "pid") {
        let fix = "write `pid \"{{ directory }}/nginx.pid\";`";
        found.push(Misfit::lacks(file, "its pid file would be written outside the cell's directory", fix));
    }
    if !has("access_log", &format!("{directory}/access.log")) {
        let fix = "write `access_log \"{{ directory }}/access.log\" rig;` and keep the log_format `rig`";
        found.push(Misfit::lacks(file, "rig would have no access log to read", fix));
    }
    // A `proxy_pass` of the user's may name an address itself, or a variable that has one.
    let passes = |address: &str| {
        let passing = all.iter().filter(|it| matches!(it.name.as_str(), "proxy_pass" | "set"));
        let mut words = passing.flat_map(|it| &it.arguments).flat_map(|word| word.split('/'));
        words.any(|part| part == address)
    };
    let lacking = unnamed(topology, site, |address| has("server", address) || passes(address));
    if !lacking.is_empty() {
        let what = format!("no server has the address of {}", lacking.join(", "));
        found.push(Misfit::lacks(
            file,
            what,
            "build the upstreams from {{ upstreams }}, or at layer 4 from {{ set }}",
        ));
    }
    found
}

/// Whether the file itself keeps nginx in the foreground.
pub(super) fn stays_in_the_foreground(text: &str) -> bool {
    parse(text).is_ok_and(|tree| tree.iter().any(|it| it.name == "daemon"))
}

fn misfit(it: &Directive, file: &ConfigFile, site: &Site) -> Option<Misfit> {
    let first = it.arguments.first().map(String::as_str).unwrap_or_default();
    let what = match it.name.as_str() {
        "daemon" if first == "on" => {
            return Some(Misfit::of(
                file,
                it.line,
                "nginx would leave rig's sight",
                "remove it: rig runs it in the foreground",
            ));
        }
        "user" if first != "root" => {
            let fix = "remove it, or write `{% if as_root %} user root; {% endif %}`";
            return Some(Misfit::of(
                file,
                it.line,
                "workers of another user can't write to the cell's directory",
                fix,
            ));
        }
        "pid" => "its pid file is outside the cell's directory",
        "access_log" | "error_log" => "this log is outside the cell's directory",
        _ => return None,
    };
    leaves(first, site).then(|| Misfit::of(file, it.line, what, "begin its path with {{ directory }}"))
}
