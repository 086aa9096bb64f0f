//! The text of a configuration, of several files: which line of which file each byte comes from, and where the files lie
//! that it names.

use std::path::{Path, PathBuf};

use super::AdoptError;

/// The most bytes of all files together.
const LARGEST: usize = 4 << 20;
/// The largest file that is copied.
const LARGEST_COMPANION: u64 = 1 << 20;

/// A configuration's text.
#[derive(Clone, Debug)]
pub(in crate::balancer) struct Source {
    pub(in crate::balancer) file: PathBuf,
    pub(in crate::balancer) text: String,
    /// From which byte on the text is of which file, from which of its lines on.
    origins: Vec<(usize, PathBuf, usize)>,
}

impl Source {
    /// The file at `path`.
    pub(in crate::balancer) fn read(path: &Path) -> Result<Source, AdoptError> {
        let text = read(path).map_err(|reason| AdoptError::Unreadable { path: path.to_owned(), reason })?;
        // Editors of other systems end lines with two characters.
        let text = text.replace("\r\n", "\n");
        Ok(Source { file: path.to_owned(), text, origins: vec![(0, path.to_owned(), 1)] })
    }

    /// The same file with another text, whose lines are none of its own.
    pub(in crate::balancer) fn with_text(&self, text: String) -> Source {
        Source { text, origins: vec![(0, self.file.clone(), 0)], file: self.file.clone() }
    }

    /// `nginx.conf:12`; without a line where the text is not the file's.
    pub(in crate::balancer) fn place(&self, at: usize) -> String {
        match self.line(at) {
            (file, 0) => file.display().to_string(),
            (file, line) => format!("{}:{line}", file.display()),
        }
    }

    /// The file that the text at byte `at` is from.
    pub(in crate::balancer) fn file_at(&self, at: usize) -> &Path {
        self.line(at).0
    }

    fn line(&self, at: usize) -> (&Path, usize) {
        let index = self.origins.partition_point(|(from, ..)| *from <= at).max(1) - 1;
        let (from, file, first) = &self.origins[index];
        let at = at.min(self.text.len());
        (file, first + self.text[*from..at].matches('\n').count())
    }

    /// Puts the text of a file in the place of `range`, within the same line. False: all together would be too much.
    pub(in crate::balancer) fn splice(
        &mut self,
        range: std::ops::Range<usize>,
        parts: Vec<(PathBuf, String)>,
    ) -> bool {
        let (file, line) = (self.file_at(range.start).to_owned(), self.line(range.start).1);
        let added: usize = parts.iter().map(|(_, text)| text.len() + 1).sum();
        if self.text.len() + added > LARGEST {
            return false;
        }
        let (mut text, mut origins) = (String::new(), Vec::new());
        for (path, part) in parts {
            origins.push((range.start + text.len(), path, 1));
            text.push_str(&part);
            if !part.ends_with('\n') {
                text.push('\n');
            }
        }
        let end = range.start + text.len();
        let after = line + self.text[range.clone()].matches('\n').count();
        let grown = text.len() as isize - range.len() as isize;
        self.text.replace_range(range.clone(), &text);
        for origin in &mut self.origins {
            if origin.0 >= range.end {
                origin.0 = origin.0.saturating_add_signed(grown);
            }
        }
        self.origins.extend(origins);
        self.origins.push((end, file, after));
        self.origins.sort_by_key(|(from, ..)| *from);
        true
    }
}

fn read(path: &Path) -> Result<String, String> {
    let meta = std::fs::metadata(path).map_err(|error| format!("can't be read: {error}"))?;
    if !meta.is_file() {
        return Err("is no regular file".to_owned());
    }
    if meta.len() > LARGEST_COMPANION {
        return Err(format!("has more than {LARGEST_COMPANION} bytes"));
    }
    let bytes = std::fs::read(path).map_err(|error| format!("can't be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is no text".to_owned())
}

/// Finds the files that a configuration names: beside it, as they lie below the balancer's home, else where it says.
#[derive(Clone, Debug)]
pub(in crate::balancer) struct Finder<'s> {
    /// Where the configuration is.
    beside: PathBuf,
    /// `/etc/nginx`: relative paths begin there.
    home: &'s str,
}

impl<'s> Finder<'s> {
    pub(in crate::balancer) fn of(source: &Source, home: &'s str) -> Finder<'s> {
        Finder { beside: source.file.parent().unwrap_or(Path::new("")).to_owned(), home }
    }

    /// The absolute path that `path` means where the balancer runs.
    pub(in crate::balancer) fn target(&self, path: &str) -> String {
        let whole = Path::new(self.home).join(path);
        // No part of it leads out of the cell's directory.
        let parts = whole.components().filter_map(|part| match part {
            std::path::Component::Normal(name) => Some(name.to_string_lossy()),
            _ => None,
        });
        parts.map(|name| format!("/{name}")).collect()
    }

    /// Where `path` may lie, the likeliest first.
    fn places(&self, path: &str) -> Vec<PathBuf> {
        let target = self.target(path);
        let below = target.strip_prefix(self.home).map(|rest| rest.trim_start_matches('/').to_owned());
        let below = below.into_iter().map(|rest| self.beside.join(rest));
        let base = Path::new(&target).file_name().map(|name| self.beside.join(name));
        below.chain(base).chain([PathBuf::from(target)]).collect()
    }

    /// The text of the file.
    pub(in crate::balancer) fn read(&self, path: &str) -> Result<String, String> {
        let found = self.places(path).into_iter().find(|place| place.is_file());
        found.map_or_else(
            || Err("is neither beside the file nor on this machine".to_owned()),
            |found| read(&found),
        )
    }

    /// The files that match a pattern, whose last part may have `*` and `?`, in the order of their names. A pattern is looked
    /// for beside the configuration, and at its path only if that is this machine's own.
    pub(in crate::balancer) fn matching(&self, pattern: &str) -> Vec<PathBuf> {
        if !pattern.contains(['*', '?']) {
            return self.places(pattern).into_iter().find(|place| place.is_file()).into_iter().collect();
        }
        let (folder, name) = pattern.rsplit_once('/').unwrap_or(("", pattern));
        let mut folders = self.places(if folder.is_empty() { "." } else { folder });
        // What this machine serves itself is no part of a configuration of another one.
        if !self.beside.starts_with(self.home) {
            folders.pop();
        }
        let Some(folder) = folders.into_iter().find(|place| place.is_dir()) else { return Vec::new() };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let fits = |path: &PathBuf| {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            // As the shell does: a hidden one does not count.
            !file.starts_with('.') && path.is_file() && glob(name.as_bytes(), file.as_bytes())
        };
        let mut found: Vec<PathBuf> = entries.filter(fits).collect();
        found.sort();
        found
    }
}

/// Whether `name` fits `pattern`, which may have `*` and `?`.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    (p, n) = (at + 1, from + 1);
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, fits) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a?c*", "abcd", true),
            ("*", "", true),
            ("**x", "axbx", true),
        ] {
            assert_eq!(glob(pattern.as_bytes(), name.as_bytes()), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_line_keeps_its_file_and_its_number_when_files_are_put_in() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("main");
        std::fs::write(&main, "one\ninclude x;\nthree\n").unwrap();
        let mut source = Source::read(&main).unwrap();
        assert!(source.splice(4..14, vec![("x".into(), "a\nb\n".into()), ("y".into(), "c".into())]));
        assert_eq!(source.text, "one\na\nb\nc\n\nthree\n");
        let place = |word: &str| source.place(source.text.find(word).unwrap());
        let main = main.display();
        assert_eq!(place("one"), format!("{main}:1"));
        assert_eq!((place("b\n").as_str(), place("c\n").as_str()), ("x:2", "y:1"));
        assert_eq!(place("three"), format!("{main}:3"));
    }

    #[test]
    fn a_path_leads_nowhere_out_of_the_directory() {
        let source = Source { file: "/srv/copy/nginx.conf".into(), text: String::new(), origins: vec![] };
        let finder = Finder::of(&source, "/etc/nginx");
        assert_eq!(finder.target("../../secret/key"), "/etc/nginx/secret/key");
        assert_eq!(finder.target("conf.d/a.conf"), "/etc/nginx/conf.d/a.conf");
        assert_eq!(finder.places("conf.d/a.conf")[0], PathBuf::from("/srv/copy/conf.d/a.conf"));
    }
}
