//! HAProxy's configuration syntax: sections of lines, lines of words (configuration manual, "Configuration file format").

/// A section: `global`, `defaults`, `frontend NAME`, `backend NAME`, `listen NAME`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigSection {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) lines: Vec<ConfigLine>,
}

/// A line of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigLine {
    /// Its words, without quotes.
    pub(super) words: Vec<String>,
    /// Its place in the file, counted from 1.
    pub(super) number: usize,
}

impl ConfigLine {
    /// Whether it begins with the words of `keyword`.
    pub(super) fn is(&self, keyword: &str) -> bool {
        let mut words = self.words.iter();
        keyword.split(' ').all(|wanted| words.next().is_some_and(|word| word == wanted))
    }

    /// As it stands in a configuration.
    pub(super) fn text(&self) -> String {
        self.words.join(" ")
    }
}

/// The keywords that begin a section.
const SECTIONS: [&str; 14] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "cache",
    "program",
    "http-errors",
    "ring",
    "fcgi-app",
];

/// Reads a whole file; what stands before the first section is in one without a kind.
pub(super) fn parse(text: &str) -> Vec<ConfigSection> {
    let mut sections = vec![ConfigSection::default()];
    for (at, line) in text.lines().enumerate() {
        let words = words(line);
        let Some(first) = words.first() else { continue };
        if SECTIONS.contains(&first.as_str()) {
            let name = words.get(1).cloned().unwrap_or_default();
            sections.push(ConfigSection { kind: first.clone(), name, lines: Vec::new() });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(ConfigLine { words, number: at + 1 });
        }
    }
    sections
}

/// The words of a line, up to its comment.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, '#') => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(rest.next()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_their_lines_and_lines_their_words() {
        let text = "global\n  log stdout format raw daemon  # a file\n\nbackend web\n  log-format '{\"a\": 1} # b'\n  server \
                    a\\ b 1.2.3.4:5 check\n";
        let sections = parse(text);
        assert_eq!(sections[1].lines[0].text(), "log stdout format raw daemon");
        assert!(sections[1].lines[0].is("log stdout") && !sections[1].lines[0].is("log std"));
        let web = &sections[2];
        assert_eq!((web.kind.as_str(), web.name.as_str(), web.lines[1].number), ("backend", "web", 6));
        assert_eq!(web.lines[0].words, ["log-format", "{\"a\": 1} # b"]);
        assert_eq!(web.lines[1].words, ["server", "a b", "1.2.3.4:5", "check"]);
    }
}
