//! The documents say what is there, in the words that are in use.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{is_test, root};

/// A map is read before the work begins.
const LONGEST_MAP: usize = 1500;
/// A folder with more source files than this lists them in a README.
const MOST_UNLISTED: usize = 10;
/// Words with a plainer one: see the glossary. None of them stands in what people read.
const DENIED: [&str; 14] = [
    "time-out",
    "time-outs",
    "told by",
    "who came anew",
    "who comes anew",
    "lost were",
    "amiss",
    "mend",
    "mended",
    "so often",
    "his",
    "he",
    "him",
    "himself",
];

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

#[test]
fn folders_of_many_files_list_them() {
    let is_source = |path: &Path| {
        path.extension().is_some_and(|it| ["rs", "sh", "py"].iter().any(|wanted| it == *wanted))
    };
    let sources = files(&["rs", "sh", "py"]);
    let folders: BTreeSet<&Path> = sources.iter().filter_map(|path| path.parent()).collect();
    for folder in folders {
        let names: BTreeSet<&str> = sources
            .iter()
            .filter(|path| path.parent() == Some(folder))
            .filter_map(|path| path.file_name()?.to_str())
            .collect();
        let readme = std::fs::read_to_string(root().join(folder).join("README.md")).unwrap_or_default();
        // A file's row begins with its name, or with several names.
        let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
        let listed: BTreeSet<&str> =
            rows.flat_map(|row| row.split('`')).filter(|name| is_source(Path::new(name))).collect();
        if names.len() > MOST_UNLISTED || !listed.is_empty() {
            assert_eq!(listed, names, "{}/README.md must list the files of its folder", folder.display());
        }
    }
}

#[test]
fn the_words_of_the_glossary_are_in_use() {
    let used: String = files(&["md", "rs", "yaml"])
        .iter()
        .filter(|path| *path != Path::new("docs/glossary.md"))
        .map(|path| text(path).to_lowercase().replace(['_', '-', '\n'], " "))
        .collect();
    let glossary = text("docs/glossary.md");
    let words: Vec<&str> =
        glossary.lines().filter_map(|line| line.strip_prefix("| **")?.split("** |").next()).collect();
    assert!(words.len() > 50, "{} words: this looks for the wrong thing", words.len());
    for word in &words {
        let plain = word.to_lowercase().replace('-', " ");
        assert!(used.contains(&plain), "nothing uses `{word}`");
    }
    let once: BTreeSet<&&str> = words.iter().collect();
    assert_eq!(once.len(), words.len(), "a word of the glossary has two meanings");
}

#[test]
fn what_people_read_has_no_denied_word() {
    let mut found = Vec::new();
    for path in files(&["md", "yaml", "yml", "rs"]) {
        let whole = text(&path);
        let shown = match path.extension().and_then(|it| it.to_str()) {
            // Test data is not prose, and generated pages are held by what they are made of.
            _ if is_test(&path) => continue,
            // The command line's help is its doc comments.
            Some("rs") if path.starts_with("crates/rig/src/cli") || path.ends_with("cli.rs") => whole,
            Some("rs") => literals(&whole).join("\n"),
            _ => whole,
        };
        let shown = shown.to_lowercase();
        for word in DENIED.iter().filter(|word| has_word(&shown, word)) {
            found.push(format!("{}: {word}", path.display()));
        }
    }
    assert!(found.is_empty(), "plainer words are in docs/glossary.md:\n{}", found.join("\n"));
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let beside = [text[..at].chars().next_back(), text[at + word.len()..].chars().next()];
        beside.iter().flatten().all(|c| !c.is_alphanumeric() && *c != '_')
    })
}

/// The string literals of Rust source. Comments may have quotes in them, and a lifetime is no character.
fn literals(source: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, from) = rest.split_at(at);
        let hashes = before.len() - before.trim_end_matches('#').len();
        let is_raw = before.trim_end_matches('#').ends_with('r');
        rest = if let Some(comment) = from.strip_prefix("//") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(quoted) = from.strip_prefix('"') {
            let end = if is_raw {
                quoted.find(&format!("\"{}", "#".repeat(hashes)))
            } else {
                unescaped_quote(quoted)
            };
            let end = end.unwrap_or(quoted.len());
            found.push(&quoted[..end]);
            quoted.get(end + 1..).unwrap_or_default()
        } else {
            // A quote as a character literal begins no string.
            let characters = ["'\"'", "'\\\"'", "'\\''"];
            characters.iter().find_map(|it| from.strip_prefix(it)).unwrap_or(&from[1..])
        };
    }
    found
}

fn unescaped_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

#[test]
fn literals_are_found_and_words_are_whole() {
    let source = "// no \"comment\"\nlet a: &'static str = \"one \\\" two\"; let q = '\"'; let b = r#\"three \" four\"#;";
    assert_eq!(literals(source), ["one \\\" two", "three \" four"]);
    assert!(has_word("a fix to mend it", "mend") && !has_word("recommended", "mend"));
    assert!(has_word("told by: x", "told by") && !has_word("this", "his"));
}
