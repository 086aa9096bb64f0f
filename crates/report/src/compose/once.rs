//! Says once what several say alike: sentences that differ in numbers alone become one, with the range of each number.

use crate::compose::document::{Line, Mark};

/// A sentence, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remark {
    /// The cell that it is about; empty: it is about the whole run.
    pub(crate) of: String,
    pub(crate) mark: Mark,
    pub(crate) text: String,
}

/// Each sentence once, in the order of the first who says it; `whose` is what stands before it.
pub(crate) fn once(said: &[Remark], whose: impl Fn(&[&str]) -> String) -> Vec<Line> {
    let mut alike: Vec<(String, Vec<&Remark>)> = Vec::new();
    for it in said {
        let form: Vec<String> = it.text.split(' ').map(|word| Word::of(word).form()).collect();
        let form = form.join(" ");
        match alike.iter_mut().find(|(known, all)| *known == form && all[0].mark == it.mark) {
            Some((_, all)) => all.push(it),
            None => alike.push((form, vec![it])),
        }
    }
    let line = |(_, all): (String, Vec<&Remark>)| {
        let mut of: Vec<&str> = all.iter().map(|it| it.of.as_str()).collect();
        of.dedup();
        let texts: Vec<&str> = all.iter().map(|it| it.text.as_str()).collect();
        Line::new(all[0].mark, whose(&of) + &merged(&texts))
    };
    alike.into_iter().map(line).collect()
}

/// Sentences of one form as one.
fn merged(texts: &[&str]) -> String {
    let words: Vec<Vec<Word<'_>>> =
        texts.iter().map(|text| text.split(' ').map(Word::of).collect()).collect();
    let place = |n: usize| Word::merged(words.iter().map(|words| words[n]));
    (0..words[0].len()).map(place).collect::<Vec<_>>().join(" ")
}

/// A word, perhaps a number: what stands before it, the number or the two ends of a range, and what follows it.
#[derive(Clone, Copy)]
struct Word<'t> {
    before: &'t str,
    least: &'t str,
    most: &'t str,
    after: &'t str,
}

impl<'t> Word<'t> {
    fn of(text: &'t str) -> Word<'t> {
        let whole = Word { before: text, least: "", most: "", after: "" };
        let is_digit = |c: char| c.is_ascii_digit();
        let (Some(from), Some(to)) = (text.find(is_digit), text.rfind(is_digit)) else { return whole };
        let (before, number, after) = (&text[..from], &text[from..=to], &text[to + 1..]);
        let (least, most) = number.split_once('–').unwrap_or((number, number));
        let is_number = |text: &str| text.parse::<f64>().is_ok();
        let plain = before.chars().all(|c| "(<~".contains(c)) && !after.starts_with(char::is_alphanumeric);
        match plain && is_number(least) && is_number(most) {
            true => Word { before, least, most, after },
            false => whole,
        }
    }

    /// The word with any number for its own.
    fn form(self) -> String {
        let number = if self.least.is_empty() { "" } else { "0" };
        format!("{}{number}{}", self.before, self.after)
    }

    /// Words of one form as one, with the range of their numbers.
    fn merged(all: impl Iterator<Item = Word<'t>> + Clone) -> String {
        let value = |text: &str| text.parse::<f64>().unwrap_or_default();
        let least = all.clone().map(|word| word.least).min_by(|a, b| value(a).total_cmp(&value(b)));
        let most = all.clone().map(|word| word.most).max_by(|a, b| value(a).total_cmp(&value(b)));
        let (least, most) = (least.unwrap_or_default(), most.unwrap_or_default());
        let Some(Word { before, after, .. }) = all.last() else { return String::new() };
        match least == most {
            true => format!("{before}{least}{after}"),
            false => format!("{before}{least}–{most}{after}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Remark, once};
    use crate::compose::document::Mark;

    fn lines(said: &[(&str, &str)]) -> Vec<String> {
        let said = said.iter().map(|(of, text)| Remark {
            of: (*of).to_owned(),
            mark: Mark::None,
            text: (*text).to_owned(),
        });
        once(&said.collect::<Vec<_>>(), |of| format!("{}: ", of.join(", ")))
            .into_iter()
            .map(|line| line.text)
            .collect()
    }

    #[test]
    fn sentences_that_differ_in_numbers_become_one_with_their_range() {
        let said = [
            ("nginx", "Lost 298 (< 1.1 %) in 693 ms."),
            ("envoy", "Lost 9 (< 1 %) in 616 ms."),
            ("caddy", "Lost 215 (< 1.4 %) in 1.2 s."),
        ];
        assert_eq!(
            lines(&said),
            ["nginx, envoy: Lost 9–298 (< 1–1.1 %) in 616–693 ms.", "caddy: Lost 215 (< 1.4 %) in 1.2 s."]
        );
    }

    #[test]
    fn ranges_grow_and_names_are_no_numbers() {
        let said = [("a", "604 (575–670) µs at web-1."), ("b", "524 (502–553) µs at web-1.")];
        assert_eq!(lines(&said), ["a, b: 524–604 (502–670) µs at web-1."]);
        assert_eq!(lines(&[("a", "It was web-1/1."), ("b", "It was web-2/1.")]).len(), 2);
    }
}
