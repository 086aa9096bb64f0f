//! Puts the text of included files in the place of their `include`.

use std::path::Path;

use super::{AdoptError, Directive, HOME, Note, Source, note, parsed};
use crate::balancer::adoption::Finder;

/// More than anybody includes; a file that includes itself would go on for ever.
const MOST: usize = 500;

/// The whole text, and what is to be said of the files; with each, whether it is missing.
pub(super) fn expanded(file: &Path) -> Result<(Source, Vec<(Note, bool)>), AdoptError> {
    let mut source = Source::read(file)?;
    let mut notes = Vec::new();
    let mut number = 0;
    loop {
        let tree = parsed(&source)?;
        let Some(include) = next(&tree) else { return Ok((source, notes)) };
        number += 1;
        let at = include.at.start;
        let too_much = || AdoptError::Unfit {
            place: source.place(at),
            what: "includes lead to too much text: does a file include itself?".to_owned(),
        };
        if number > MOST {
            return Err(too_much());
        }
        let pattern = include.first().to_owned();
        let found = Finder::of(&source, HOME).matching(&pattern);
        let mut parts = Vec::new();
        for path in &found {
            let part = Source::read(path)?;
            parts.push((path.clone(), part.text));
        }
        let (what, is_missing) = match found.as_slice() {
            [] if pattern.contains('*') => {
                (format!("`include {pattern}`: no file beside this one matches"), false)
            }
            [] => (
                format!("`include {pattern}` is neither beside the file nor on this machine: left out"),
                true,
            ),
            files => {
                let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
                (format!("`include {pattern}`: the text of {} stands in its place", names.join(", ")), false)
            }
        };
        notes.push((
            note(&source, at, what, if is_missing { "copy it beside the file" } else { "" }),
            is_missing,
        ));
        let range = include.at.clone();
        if !source.clone().splice(range.clone(), parts.clone()) {
            return Err(too_much());
        }
        source.splice(range, parts);
    }
}

/// The next one to put in. Plain lists stay files of their own: they name nothing that a cell changes.
fn next(tree: &[Directive]) -> Option<&Directive> {
    tree.iter().find_map(|it| match it.name.as_str() {
        "include" if !is_list(it.first()) => Some(it),
        "types" | "map" | "geo" | "split_clients" => None,
        _ => next(&it.block),
    })
}

/// Whether the file is one of nginx's own lists.
pub(super) fn is_list(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name == "mime.types" || name.ends_with("_params") || name == "fastcgi.conf"
}
