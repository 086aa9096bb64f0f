//! Changes of a text, by their places in it. What isn't changed stays byte for byte, escaped for the template engine.

use std::ops::Range;

/// Changes, in any order.
#[derive(Clone, Debug, Default)]
pub(in crate::balancer) struct Edits(Vec<(Range<usize>, String)>);

impl Edits {
    /// Puts `template` in the place of `range`.
    pub(in crate::balancer) fn replace(&mut self, range: Range<usize>, template: impl Into<String>) {
        self.0.push((range, template.into()));
    }

    /// Puts `template` at byte `at`.
    pub(in crate::balancer) fn insert(&mut self, at: usize, template: impl Into<String>) {
        self.replace(at..at, template);
    }

    /// Removes `range` of `text`, and its lines where nothing else stands on them.
    pub(in crate::balancer) fn remove(&mut self, text: &str, range: Range<usize>) {
        let start = text[..range.start].trim_end_matches([' ', '\t']).len();
        let end =
            range.end + (text[range.end..].len() - text[range.end..].trim_start_matches([' ', '\t']).len());
        let begins = start == 0 || text[..start].ends_with('\n');
        let range = match text[end..].strip_prefix('\n') {
            Some(_) if begins => start..end + 1,
            _ => range,
        };
        self.replace(range, "");
    }

    /// Whether the text there is replaced already.
    pub(in crate::balancer) fn covers(&self, range: &Range<usize>) -> bool {
        self.0
            .iter()
            .any(|(known, _)| known.start <= range.start && range.end <= known.end && !known.is_empty())
    }

    /// The template that comes of `text`. A change inside of a larger one is lost with it.
    pub(in crate::balancer) fn applied(self, text: &str) -> String {
        self.pieces(text).into_iter().map(|(piece, _)| piece).collect()
    }

    /// The first byte of `text` that stands within `range` of what comes of it.
    pub(in crate::balancer) fn origin(&self, text: &str, range: Range<usize>) -> Option<usize> {
        let mut at = 0;
        for (piece, from) in self.clone().pieces(text) {
            let end = at + piece.len();
            if let Some(from) = from.filter(|_| end > range.start && at < range.end) {
                // Escapes make a piece longer than its text; they are rare, and so is a line after one in it.
                let into = range.start.saturating_sub(at);
                let skipped =
                    piece[..into].matches("{{ '{' }}").count() * "{{ '{' }}".len().saturating_sub(1);
                let word = from + into - skipped;
                return Some(
                    word + (text[word..].len() - text[word..].trim_start_matches([' ', '\t']).len()),
                );
            }
            at = end;
        }
        None
    }

    /// What comes of `text`, piece by piece, each with where it stands in the text if it is of it.
    fn pieces(mut self, text: &str) -> Vec<(String, Option<usize>)> {
        // The larger one first, and what is inserted at a place in the order in which it was.
        self.0.sort_by(|(a, _), (b, _)| {
            a.start.cmp(&b.start).then(b.is_empty().cmp(&a.is_empty())).then(b.end.cmp(&a.end))
        });
        let (mut pieces, mut at) = (Vec::new(), 0);
        for (range, template) in self.0 {
            if range.start < at {
                continue;
            }
            pieces.push((escaped(&text[at..range.start]), Some(at)));
            pieces.push((template, None));
            at = range.end;
        }
        pieces.push((escaped(&text[at..]), Some(at)));
        pieces
    }
}

/// What the template engine renders as `text`.
pub(in crate::balancer) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["{{", "{%", "{#"].iter().filter_map(|mark| rest.find(mark)).min() {
        out.push_str(&rest[..at]);
        out.push_str("{{ '{' }}");
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_apply_in_their_places_and_lines_that_get_empty_go() {
        let text = "a 1;\n  b 2;\nc 3; d 4;\n";
        let mut edits = Edits::default();
        edits.remove(text, 7..11);
        edits.replace(2..3, "{{ x }}");
        edits.remove(text, 12..16);
        edits.insert(text.len(), "e;\n");
        assert_eq!(edits.applied(text), "a {{ x }};\n d 4;\ne;\n");
    }

    #[test]
    fn what_the_engine_would_take_for_its_own_is_escaped() {
        let text = "log-format {%[src]} {{x}} {#1}\n location / {# comment\n {{{";
        let rendered = minijinja::Environment::new().render_str(&escaped(text), ()).unwrap();
        assert_eq!(rendered, text);
        assert_eq!(Edits::default().applied("plain { text }\n"), "plain { text }\n");
    }
}
