//! Which parts of a crate use which, read from the paths in its sources. A part is a folder or a file beside others; what
//! is in the same folder may depend on each other in one direction only.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Part → the parts of the same folder that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// Folders of a crate in which there is a circle, each with one. `sources` are its files below `src`, with their text.
pub(crate) fn circles(sources: &[(&Path, &str)]) -> Vec<(String, String)> {
    let modules: Vec<(Vec<String>, &str)> =
        sources.iter().map(|(path, text)| (module_of(path), before_tests(text))).collect();
    let known: BTreeSet<&[String]> = modules.iter().map(|(path, _)| path.as_slice()).collect();
    let mut folders: BTreeMap<Vec<String>, Uses> = BTreeMap::new();
    for (from, text) in &modules {
        for to in paths(text).iter().filter_map(|path| absolute(path, from)) {
            let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
            let (Some(user), Some(used)) = (from.get(common), to.get(common)) else { continue };
            // A name that is no file is an item of the folder's own `mod.rs`.
            if known.contains(&to[..=common]) {
                let folder = folders.entry(from[..common].to_vec()).or_default();
                folder.entry(user.clone()).or_default().insert(used.clone());
            }
        }
    }
    let circular = folders.iter().filter_map(|(folder, uses)| Some((folder, circle_in(uses)?)));
    let named = circular.map(|(folder, circle)| {
        let folder: Vec<&str> = ["src"].into_iter().chain(folder.iter().map(String::as_str)).collect();
        (folder.join("/"), circle.join(" → "))
    });
    named.collect()
}

/// `a/b.rs` and `a/b/mod.rs` are `a::b`; the root is nothing.
fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Tests may look at everything. Those within a file stand last.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The paths that begin with `crate::`, `super::` or `self::`, with the alternatives of `{…}` written out.
fn paths(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default().trim()).collect();
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let inside = code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if !inside {
                found.extend(written_out(&code[at..]).0);
            }
        }
    }
    found
}

/// The paths at the beginning of `code`, and how many bytes they take.
fn written_out(code: &str) -> (Vec<String>, usize) {
    let plain = code.find(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).unwrap_or(code.len());
    let prefix = &code[..plain];
    if !(prefix.ends_with("::") && code[plain..].starts_with('{')) {
        return (vec![prefix.to_owned()], plain);
    }
    let (mut all, mut at) = (Vec::new(), plain + 1);
    loop {
        at += code[at..].len() - code[at..].trim_start_matches([' ', ',']).len();
        let rest = &code[at..];
        if rest.is_empty() || rest.starts_with('}') {
            return (all, (at + 1).min(code.len()));
        }
        let (paths, taken) = written_out(rest);
        all.extend(paths.into_iter().map(|path| format!("{prefix}{path}")));
        // `self as x`, `*`: what is no path is passed over.
        let taken = if taken == 0 { rest.chars().next().map_or(1, char::len_utf8) } else { taken };
        at += taken;
    }
}

/// The path from the crate's root; `None`: it leads nowhere.
fn absolute(path: &str, from: &[String]) -> Option<Vec<String>> {
    let mut parts = path.split("::").filter(|part| !part.is_empty()).peekable();
    let mut module: Vec<String> = match parts.next()? {
        "crate" => Vec::new(),
        "self" => from.to_vec(),
        _ => from.split_last()?.1.to_vec(),
    };
    while parts.next_if_eq(&"super").is_some() {
        module.pop()?;
    }
    module.extend(parts.map(str::to_owned));
    Some(module)
}

/// A way from a part back to itself, if there is one.
fn circle_in(uses: &Uses) -> Option<Vec<String>> {
    fn follow(uses: &Uses, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> Option<Vec<String>> {
        let here = way.last()?.clone();
        for next in uses.get(&here).into_iter().flatten() {
            if let Some(at) = way.iter().position(|part| part == next) {
                return Some(way[at..].iter().chain([next]).cloned().collect());
            }
            if !done.contains(next) {
                way.push(next.clone());
                let found = follow(uses, way, done);
                if found.is_some() {
                    return found;
                }
                way.pop();
            }
        }
        done.insert(here);
        None
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|part| follow(uses, &mut vec![part.clone()], &mut done))
}

#[test]
fn a_circle_is_found_through_groups_parents_and_folders_and_not_in_comments_or_tests() {
    let found = |sources: &[(&str, &str)]| {
        let sources: Vec<_> = sources.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
        let told = circles(&sources).into_iter().map(|(folder, circle)| format!("{folder}: {circle}"));
        told.collect::<Vec<_>>()
    };
    let up = ("low/mod.rs", "mod a;\nuse crate::{\n    high::{Thing, other},\n    third,\n};");
    let down = ("high.rs", "fn f() -> crate::low::a::B { super::low::a::b() }");
    let rest = [("low/a.rs", "use super::Own;"), ("third.rs", "")];
    assert_eq!(found(&[up, down, rest[0], rest[1]]), ["src: high → low → high"]);
    assert_eq!(found(&[("low/mod.rs", "// crate::high"), down, rest[0], rest[1]]), [""; 0]);
    let tests = ("low/mod.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use crate::high; }");
    assert_eq!(found(&[tests, down, rest[0], rest[1]]), [""; 0]);
    let a = ("x/a.rs", "use super::b::B;");
    let nested = [("x/mod.rs", "mod a; mod b;"), a, ("x/b.rs", "use super::a::{self, A};")];
    assert_eq!(found(&nested), ["src/x: a → b → a"]);
}
