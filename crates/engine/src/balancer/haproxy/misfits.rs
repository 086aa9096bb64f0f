//! What HAProxy could not be run with. `daemon` is none of it: `-db` outweighs it.

use std::path::Path;

use model::topology::Topology;

use super::syntax::{ConfigLine, parse};
use crate::balancer::misfit::{Misfit, leaves, unnamed};
use crate::balancer::{ConfigFile, Site};

/// What is wrong with its configuration.
pub(super) fn misfits(file: &ConfigFile, site: &Site, topology: &Topology) -> Vec<Misfit> {
    let sections = parse(&file.text);
    let lines: Vec<&ConfigLine> = sections.iter().flat_map(|section| &section.lines).collect();
    // The `user` of a userlist is somebody else.
    let of_lists = |kind: &str| matches!(kind, "userlist" | "mailers" | "peers");
    let looked_at =
        sections.iter().filter(|section| !of_lists(&section.kind)).flat_map(|section| &section.lines);
    let mut found: Vec<Misfit> = looked_at.filter_map(|line| misfit(line, file, site)).collect();
    let any = |keyword: &str, word: &str| {
        lines.iter().any(|line| line.is(keyword) && line.words.iter().any(|known| known == word))
    };
    if !any("bind", &site.listener.to_string()) {
        let what = "HAProxy would not listen where the load arrives";
        found.push(Misfit::lacks(file, what, "write `bind {{ listener }}`"));
    }
    if !lines
        .iter()
        .any(|line| line.is("stats socket") && line.text().contains(&site.admin.display().to_string()))
    {
        let fix = "write `stats socket` as the built-in template does, with {{ admin }}";
        found.push(Misfit::lacks(file, "rig could not reach its runtime socket", fix));
    }
    if !any("log", "stdout") {
        let fix = "write `log stdout format raw daemon` and keep the log-format";
        found.push(Misfit::lacks(file, "rig would have no access log to read", fix));
    }
    let lacking =
        unnamed(topology, site, |address| any("server", address) || any("server-template", address));
    if !lacking.is_empty() {
        let what = format!("no server has the address of {}", lacking.join(", "));
        found.push(Misfit::lacks(file, what, "build the backends from {{ pools }}"));
    }
    found
}

fn misfit(line: &ConfigLine, file: &ConfigFile, site: &Site) -> Option<Misfit> {
    let first = line.words.get(1).map(String::as_str).unwrap_or_default();
    let remove = |what| Some(Misfit::of(file, line.number, what, "remove it"));
    let keyword = line.words.first().map(String::as_str).unwrap_or_default();
    match keyword {
        "user" | "group" | "uid" | "gid" => remove("HAProxy runs as rig's own user"),
        "chroot" => remove("the cell's directory would be out of its reach"),
        "pidfile" => remove("its pid file would be written outside the cell's directory"),
        "log" if !matches!(first, "stdout" | "global") => remove("rig could not read this log"),
        "stats" if first == "socket" => {
            let path = line.words.get(2).map_or("", String::as_str);
            let is_outside = leaves(path, site) && Path::new(path) != site.admin;
            is_outside.then(|| {
                Misfit::of(file, line.number, "this socket is outside the cell's directory", "remove it")
            })
        }
        _ => None,
    }
}
