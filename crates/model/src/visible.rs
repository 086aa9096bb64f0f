//! Texts of others (scenarios, records, logs, headers) as they may be shown. A control character could drive a terminal, a
//! bidirectional one could make text read as something else, and one without width could hide in it: each is shown by its
//! number, as `\u{202e}`.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with everything shown that could not be seen. Ends of lines and tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    replaced(text, |c, out| {
        let _ = write!(out, "{}", c.escape_unicode());
    })
}

/// A JSON text whose strings say the same, with everything escaped that could not be seen.
pub fn visible_json(json: &str) -> Cow<'_, str> {
    replaced(json, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

/// The first character of `text` that could not be seen.
pub fn first_unseen(text: &str) -> Option<char> {
    unseen(text).next().map(|(_, c)| c)
}

/// What [`visible`] makes of `text`, and where the byte `at` is in it.
pub(crate) fn visible_at(text: &str, at: usize) -> usize {
    text.get(..at).map_or(at, |before| visible(before).len())
}

fn replaced(text: &str, show: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    for (at, c) in unseen(text) {
        out.push_str(&text[copied..at]);
        show(c, &mut out);
        copied = at + c.len_utf8();
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

fn unseen(text: &str) -> impl Iterator<Item = (usize, char)> {
    let before_an_end = |at: usize| matches!(text.as_bytes().get(at + 1), None | Some(b'\n'));
    text.char_indices().filter(move |(at, c)| match c {
        '\n' | '\t' => false,
        '\r' => !before_an_end(*at),
        c => is_unseen(*c),
    })
}

/// Controls, and what Unicode calls format characters, default-ignorable ones included (Unicode 17, categories Cc, Cf, Zl,
/// Zp, and fillers that have no ink). Selectors of a glyph's variant are spared: emoji have them.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays_as_it_is() {
        for text in
            ["", "plain", "naïve – ≥ 95 %, 日本語, עברית, ❤\u{fe0f}", "two\nlines\tand a tab\r\nCRLF\r\n"]
        {
            assert!(matches!(visible(text), Cow::Borrowed(shown) if shown == text), "{text:?}");
            assert_eq!(first_unseen(text), None);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_shown_by_its_number() {
        for (text, shown) in [
            ("a\u{1b}[31mred", r"a\u{1b}[31mred"),
            ("\u{9b}2J", r"\u{9b}2J"),
            ("over\rwritten", r"over\u{d}written"),
            ("bell\u{7}\u{0}\u{7f}", r"bell\u{7}\u{0}\u{7f}"),
            ("abc\u{202e}cba\u{2066}x\u{2069}\u{200f}", r"abc\u{202e}cba\u{2066}x\u{2069}\u{200f}"),
            (
                "pass\u{200b}word\u{feff}\u{2060}\u{ad}\u{e0041}",
                r"pass\u{200b}word\u{feff}\u{2060}\u{ad}\u{e0041}",
            ),
            ("line\u{2028}line\u{85}", r"line\u{2028}line\u{85}"),
        ] {
            assert_eq!(visible(text), shown);
            assert_eq!(visible(shown), shown);
        }
    }

    #[test]
    fn places_move_with_what_stands_before_them() {
        let text = "a\u{202e}b";
        assert_eq!(visible_at(text, 4), r"a\u{202e}".len());
        assert_eq!(visible_at(text, 0), 0);
    }

    #[test]
    fn json_says_the_same_without_what_cannot_be_seen() {
        let json = "{\"a\": \"x\u{202e}\u{e0041}y\u{9b}\"}\n";
        assert_eq!(visible_json(json), "{\"a\": \"x\\u202e\\udb40\\udc41y\\u009b\"}\n");
    }
}
