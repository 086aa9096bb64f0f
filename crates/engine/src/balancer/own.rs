//! Running a configuration of the user's own: what its template may use, and the files that go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use minijinja::context;
use model::topology::Topology;

use super::{ConfigFile, RenderError, Rotation, Site, Standing, Templates, tls};

/// The template that takes the place of an adapter's own, rendered as the file `path`. A backend that isn't in `rotation` has
/// the word `down` after it.
pub(super) fn rendered(
    path: &str,
    name: &'static str,
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    down: &str,
    templates: &Templates,
) -> Result<ConfigFile, RenderError> {
    let all = || topology.pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.id.as_str());
    let out = |id: &str| *rotation != Rotation::default() && rotation.of(id) != Standing::In;
    let addresses: BTreeMap<&str, String> = all().map(|id| (id, site.address_of(id).to_string())).collect();
    let word = |id: &str| if out(id) { format!(" {down}") } else { String::new() };
    let downs: BTreeMap<&str, String> = all().map(|id| (id, word(id))).collect();
    let values = context! {
        directory => site.directory.display().to_string(),
        sockets => site.admin.parent().unwrap_or(Path::new("/")).display().to_string(),
        admin => site.admin.display().to_string(),
        listener => site.listener.to_string(),
        listener_ip => site.listener.ip().to_string(),
        listener_port => site.listener.port(),
        tls => tls::values(topology, site),
        backends => addresses,
        down => downs,
    };
    templates.render(path, name, values)
}

/// The files beside it, and one in each directory that `text` names below the cell's, so that it is there.
pub(super) fn beside(text: &str, site: &Site, templates: &Templates) -> Vec<ConfigFile> {
    let mut files: Vec<ConfigFile> = templates
        .companions()
        .map(|(path, text)| ConfigFile::new(path.trim_start_matches('/'), text))
        .collect();
    let directory = format!("{}/", site.directory.display());
    let ends = |c: char| c.is_whitespace() || "\"';,:{}()[]".contains(c);
    let named = text.match_indices(&directory).filter_map(|(at, _)| {
        let path = text[at + directory.len()..].split(ends).next()?;
        // A path with a variable is known when a request comes.
        let path = path.split('$').next()?;
        path.rsplit_once('/').map(|(folder, _)| folder.to_owned())
    });
    let folders: BTreeSet<String> = named.collect();
    files.extend(folders.into_iter().map(|folder| ConfigFile::new(format!("{folder}/.keep"), "")));
    files
}
