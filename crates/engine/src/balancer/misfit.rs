//! What in a rendered configuration keeps rig from using it: an address that isn't the cell's, a file outside the cell's
//! directory, a process that leaves. Told before anything is launched, in the words of the template.

use std::path::Path;

use model::topology::{Pool, Topology};

use super::{ConfigFile, Site};

/// Something in a template that rig can't work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The template.
    pub template: &'static str,
    /// The line as it is rendered; `None`: something is missing.
    pub line: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub fix: String,
}

impl Misfit {
    /// A line that can't stay.
    pub(super) fn of(file: &ConfigFile, number: usize, what: impl Into<String>, fix: &str) -> Misfit {
        let line = file.text.lines().nth(number.saturating_sub(1)).map(|line| line.trim().to_owned());
        Misfit { template: file.template.unwrap_or_default(), line, what: what.into(), fix: fix.to_owned() }
    }

    /// Something that isn't there.
    pub(super) fn lacks(file: &ConfigFile, what: impl Into<String>, fix: &str) -> Misfit {
        let template = file.template.unwrap_or_default();
        Misfit { template, line: None, what: what.into(), fix: fix.to_owned() }
    }
}

/// Whether `path` leads out of the balancer's directory.
pub(super) fn leaves(path: &str, site: &Site) -> bool {
    Path::new(path).is_absolute() && !Path::new(path).starts_with(&site.directory)
}

/// The backends that serve from the start and that `named` doesn't know by their address, or by the name of their pool, with
/// its port.
pub(super) fn unnamed<'a>(topology: &'a Topology, site: &Site, named: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let address = |pool: &Pool, id: &str| match site.discovered(pool) {
        Some(found) => format!("{}:{}", found.name, found.port),
        None => site.address_of(id).to_string(),
    };
    let serving = topology.pools.iter().flat_map(|pool| pool.serving().map(move |backend| (pool, backend)));
    let unnamed = serving.filter(|(pool, backend)| !named(&address(pool, &backend.id)));
    unnamed.map(|(_, backend)| backend.id.as_str()).collect()
}
