//! HAProxy's configuration syntax: sections of lines, lines of words (configuration manual, "Configuration file format").

use std::ops::Range;

/// A section: `global`, `defaults`, `frontend NAME`, `backend NAME`, `listen NAME`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigSection {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) lines: Vec<ConfigLine>,
    /// The line that begins it.
    pub(super) head: ConfigLine,
}

impl ConfigSection {
    /// Its lines that begin with the words of `keyword`.
    pub(super) fn named<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a ConfigLine> {
        self.lines.iter().filter(move |line| line.is(keyword))
    }
}

/// A line of a section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConfigLine {
    /// Its words, without quotes.
    pub(super) words: Vec<String>,
    /// Its place in the file, counted from 1.
    pub(super) number: usize,
    /// Where it stands, without its end.
    pub(super) at: Range<usize>,
    /// Where its words stand, with their quotes.
    pub(super) words_at: Vec<Range<usize>>,
}

impl ConfigLine {
    /// Whether it begins with the words of `keyword`.
    pub(super) fn is(&self, keyword: &str) -> bool {
        let mut words = self.words.iter();
        keyword.split(' ').all(|wanted| words.next().is_some_and(|word| word == wanted))
    }

    /// A word; empty if it has not so many.
    pub(super) fn word(&self, nth: usize) -> &str {
        self.words.get(nth).map_or("", String::as_str)
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
    let mut start = 0;
    for (at, whole) in text.split_inclusive('\n').enumerate() {
        let (words, words_at) = words(whole, start).into_iter().unzip();
        let end = start + whole.trim_end_matches(['\n', '\r']).len();
        let line = ConfigLine { words, number: at + 1, at: start..end, words_at };
        start += whole.len();
        let Some(first) = line.words.first() else { continue };
        if SECTIONS.contains(&first.as_str()) {
            let name = line.word(1).to_owned();
            sections.push(ConfigSection { kind: first.clone(), name, lines: Vec::new(), head: line });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line);
        }
    }
    sections
}

/// The words of a line that begins at byte `start`, up to its comment, each with its place.
fn words(line: &str, start: usize) -> Vec<(String, Range<usize>)> {
    let mut words = Vec::new();
    let mut word: Option<(String, usize)> = None;
    let mut quote = None;
    let mut rest = line.char_indices();
    while let Some((at, c)) = rest.next() {
        match (quote, c) {
            (None, '#') => {
                words.extend(word.take().map(|(word, from)| (word, from..start + at)));
                return words;
            }
            (None, c) if c.is_whitespace() => {
                words.extend(word.take().map(|(word, from)| (word, from..start + at)));
            }
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_with(|| (String::new(), start + at));
            }
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => {
                let escaped = rest.next().map(|(_, c)| c);
                word.get_or_insert_with(|| (String::new(), start + at)).0.extend(escaped);
            }
            (_, c) => word.get_or_insert_with(|| (String::new(), start + at)).0.push(c),
        }
    }
    words.extend(word.map(|(word, from)| (word, from..start + line.len())));
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_text_that_is_read_and_printed_is_the_same(text in "([a-z\"'# \\\\{}%é]{0,20}\n|global\n|backend x\n){0,12}") {
            let (mut printed, mut at) = (String::new(), 0);
            for section in parse(&text) {
                for line in std::iter::once(&section.head).chain(&section.lines) {
                    for (word, place) in line.words.iter().zip(&line.words_at) {
                        prop_assert!(place.len() >= word.len(), "{word:?} {place:?}");
                        printed.push_str(&text[at..place.start]);
                        printed.push_str(&text[place.clone()]);
                        at = place.end;
                    }
                }
            }
            printed.push_str(&text[at..]);
            prop_assert_eq!(printed, text);
        }
    }

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
