//! The `reading` of a scenario: what its numbers mean, with the numbers left open. `{with-drain.dropped}` stands for
//! what that run measured, `{tls.p99 against plain.p99}` for two numbers and whether they differ by more than repeats of
//! either do; braces that are meant as such are doubled.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::claim::{ClaimError, Reading};

/// A text with figures in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prose {
    /// Its pieces, in order.
    pub pieces: Vec<Piece>,
}

/// A piece of prose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Words.
    Words(String),
    /// A measured number.
    Figure(Reading),
    /// Two measured numbers of one metric, and whether they differ.
    Against(Reading, Reading),
}

impl Prose {
    /// The numbers that it needs.
    pub fn figures(&self) -> impl Iterator<Item = &Reading> {
        self.pieces.iter().flat_map(|piece| match piece {
            Piece::Words(_) => vec![],
            Piece::Figure(figure) => vec![figure],
            Piece::Against(left, right) => vec![left, right],
        })
    }
}

impl FromStr for Prose {
    type Err = ClaimError;

    /// Reads words and figures. Whether a variant or a backend exists is the scenario's to say.
    fn from_str(text: &str) -> Result<Prose, ClaimError> {
        let mut pieces = Vec::new();
        let mut words = String::new();
        let mut at = 0;
        while let Some(brace) = text[at..].find(['{', '}']).map(|found| at + found) {
            words.push_str(&text[at..brace]);
            let rest = &text[brace..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                words.push_str(&rest[..1]);
                at = brace + 2;
                continue;
            }
            let end = rest.find('}').filter(|_| rest.starts_with('{')).ok_or_else(|| ClaimError {
                message: "a brace without its other half".into(),
                bytes: brace..brace + 1,
                help: Some("a figure is `{variant.metric}`; a brace by itself is written twice".into()),
            })?;
            let piece = figure(&rest[1..end]).map_err(|error| ClaimError {
                bytes: error.bytes.start + brace + 1..error.bytes.end + brace + 1,
                ..error
            })?;
            if !words.is_empty() {
                pieces.push(Piece::Words(std::mem::take(&mut words)));
            }
            pieces.push(piece);
            at = brace + end + 1;
        }
        words.push_str(&text[at..]);
        if !words.is_empty() {
            pieces.push(Piece::Words(words));
        }
        Ok(Prose { pieces })
    }
}

/// What stands between two numbers that are compared.
const AGAINST: &str = " against ";

/// Reads what stands between braces.
fn figure(text: &str) -> Result<Piece, ClaimError> {
    let Some((left, right)) = text.split_once(AGAINST) else { return text.parse().map(Piece::Figure) };
    let start = left.len() + AGAINST.len();
    let moved =
        |error: ClaimError| ClaimError { bytes: error.bytes.start + start..error.bytes.end + start, ..error };
    let (left, right): (Reading, Reading) = (left.parse()?, right.parse().map_err(moved)?);
    if left.metric != right.metric {
        let message = format!("`{}` and `{}` are not the same metric", left.metric, right.metric);
        return Err(ClaimError { message, bytes: start..text.len(), help: None });
    }
    Ok(Piece::Against(left, right))
}

impl fmt::Display for Prose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => f.write_str(&words.replace('{', "{{").replace('}', "}}"))?,
                Piece::Figure(reading) => write!(f, "{{{reading}}}")?,
                Piece::Against(left, right) => write!(f, "{{{left}{AGAINST}{right}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Metric;

    #[test]
    fn figures_are_found_among_words_and_written_back() {
        let text = "Undrained, {a.dropped} were lost; {{so}} web-1 got {b.share[web-1]}.";
        let prose: Prose = text.parse().unwrap();
        assert_eq!(prose.to_string(), text);
        let metrics: Vec<Metric> = prose.figures().map(|figure| figure.metric).collect();
        assert_eq!(metrics, [Metric::Dropped, Metric::BackendShare]);
        assert_eq!(prose.pieces[2], Piece::Words(" were lost; {so} web-1 got ".into()));
    }

    #[test]
    fn two_figures_of_one_metric_are_compared() {
        let text = "A request cost {tls.cpu_per_request against plain.cpu_per_request}.";
        let prose: Prose = text.parse().unwrap();
        assert_eq!(prose.to_string(), text);
        assert_eq!(prose.figures().count(), 2);
        let wrong = "{a.p99 against b.p50}";
        assert_eq!(&wrong[wrong.parse::<Prose>().unwrap_err().bytes], "b.p50");
        let wrong = "{a.p99 against b.p9}";
        assert_eq!(&wrong[wrong.parse::<Prose>().unwrap_err().bytes], "p9");
    }

    #[test]
    fn what_is_no_figure_is_located() {
        let error = "lost: {a.droped}".parse::<Prose>().unwrap_err();
        assert_eq!(&"lost: {a.droped}"[error.bytes], "droped");
        assert_eq!("lost } here".parse::<Prose>().unwrap_err().bytes, 5..6);
        assert_eq!("{a.dropped".parse::<Prose>().unwrap_err().bytes, 0..1);
    }
}
