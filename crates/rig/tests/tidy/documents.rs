//! The documents say what is there.

use std::path::{Path, PathBuf};

use super::root;

/// A map is read before the work begins.
const LONGEST_MAP: usize = 1500;

/// Every file below the repository's root whose name ends with one of `extensions`, by its path from there. What is built,
/// downloaded or measured is left out.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let left_out = ["target", ".git", "results", "tools/bin", "tools/venv"];
    let (mut found, mut folders) = (vec![PathBuf::from("results/README.md")], vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap().flatten() {
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if !left_out.iter().any(|out| path == Path::new(out)) {
                    folders.push(path);
                }
            } else {
                found.push(path);
            }
        }
    }
    found.retain(|path| path.extension().is_some_and(|it| extensions.iter().any(|wanted| it == *wanted)));
    found.sort();
    found
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// What stands between each pair of backticks of a line.
fn quoted(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    for page in files(&["md"]) {
        let folder = root().join(page.parent().unwrap());
        for target in text(&page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap();
            if path.is_empty() || path.contains("://") || path.contains(' ') {
                continue;
            }
            links += 1;
            assert!(folder.join(path).exists(), "{}: {target} is not there", page.display());
        }
    }
    assert!(links > 50, "{links} links: this looks for the wrong thing");
}

#[test]
fn the_map_is_short_and_what_it_names_is_there() {
    let map = text("ARCHITECTURE.md");
    let words = map.split_whitespace().count();
    assert!(words <= LONGEST_MAP, "{words} words: decisions belong into docs/decisions");
    let mut last_file = String::new();
    for name in map.lines().flat_map(quoted) {
        let is_path =
            name.contains('/') && !name.contains(' ') && (name.ends_with('/') || name.contains('.'));
        if is_path && !name.starts_with(['.', '<']) && name != "results/" {
            let there = [PathBuf::from("crates").join(name), PathBuf::from(name)];
            assert!(there.iter().any(|path| root().join(path).exists()), "{name} is not there");
            last_file = name.to_owned();
        }
        // A test is named in parentheses after its file.
        if map.contains(&format!("(`{name}`)")) && name.contains('_') {
            let file = text(Path::new("crates").join(&last_file));
            let is_there = [format!("fn {name}("), format!("fn {name}<")].iter().any(|it| file.contains(it));
            assert!(is_there, "{last_file} has no test `{name}`");
        }
    }
}

#[test]
fn decisions_are_dated_and_indexed() {
    let index = text("docs/decisions/README.md");
    for path in files(&["md"]).iter().filter(|path| path.starts_with("docs/decisions")) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "README.md" || index.contains(&format!("({name})")), "the index lacks {name}");
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            let text = text(path);
            let stamp = text.lines().nth(2).unwrap();
            assert!(stamp.starts_with("20") && stamp.contains(" · "), "{name}: date · status, not {stamp}");
            for part in ["## Context", "## Decision", "## Consequences"] {
                assert!(text.contains(part), "{name} lacks {part}");
            }
        }
    }
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = text("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let reasons = text("docs/decisions/dependencies.md");
    for line in section.lines().filter(|line| line.contains(" = ") && !line.contains("path = ")) {
        let name = line.split(" = ").next().unwrap();
        assert!(reasons.contains(&format!("`{name}`")), "docs/decisions/dependencies.md lacks {name}");
    }
}
