//! What a zero proves, in words: its two sizes, and beside it its shadows, which are what retries hid and what was
//! executed twice.

use model::claim::Metric;

use crate::analysis::books::{Books, NO_LEDGER};
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;
use crate::numbers::{NONE, percent_up};

impl ZeroBound {
    /// Both sizes in words, of a zero of `loss` by `who`; `None`: no control shows that any could be lost.
    pub fn words(&self, loss: Metric, who: &str) -> Option<String> {
        let (control, part) = (self.control.as_ref()?, self.per_request?);
        let Words { noun, verb, how } = Words::of(loss);
        let saved = match self.lost {
            // With so few the rule of three excludes nothing.
            ..=3 => "saved all, which is too few for a bound".to_owned(),
            _ => format!("saved all but at most {} (95 % confidence)", percent_up(part)),
        };
        let lost = self.lost;
        let mut text = format!("of the {lost} {noun} that the control {control} {verb}{how}, {who} {saved}");
        if let Some(part) = self.per_replacement {
            let noun = if self.replacements == 1 { "replacement" } else { "replacements" };
            let (k, part) = (self.replacements, percent_up(part));
            text.push_str(&format!("; {k} {noun} can't rule out a fault that hits up to {part} of them"));
        }
        Some(text)
    }
}

/// What a variant lost, in words: "executed twice", "lost by reset".
pub(crate) struct Words {
    noun: &'static str,
    pub(crate) verb: &'static str,
    pub(crate) how: &'static str,
}

impl Words {
    pub(crate) fn of(loss: Metric) -> Words {
        let (noun, verb, how) = match loss {
            Metric::Http5xx => ("requests", "lost", " by a 5xx"),
            Metric::Reset => ("requests", "lost", " by reset"),
            Metric::Closed => ("requests", "lost", " by close"),
            Metric::Refused => ("requests", "lost", " by refusal"),
            Metric::Timeout => ("requests", "lost", " by timeout"),
            Metric::NotSent => ("requests", "lost", " unsent"),
            Metric::FailedRequests => ("requests", "lost", " by its fault"),
            Metric::Status => ("requests", "answered", " with that status"),
            Metric::RefusedByLimit => ("requests", "refused", " because of a limit"),
            Metric::Flag => ("requests", "logged", " with that word"),
            Metric::Duplicates => ("requests", "executed", " twice"),
            Metric::Misrouted => ("responses", "misrouted", ""),
            Metric::SessionsLost => ("sessions", "lost", ""),
            Metric::UpdatesLost => ("updates", "lost", ""),
            Metric::UsersMoved => ("users", "moved", ""),
            _ => ("requests", "lost", ""),
        };
        Words { noun, verb, how }
    }
}

/// How many requests a cell dropped: `298`, or a zero with its bound: `0 (< 1.1 %)`.
pub(crate) fn dropped(cell: &CellSummary) -> String {
    match (cell.counts.dropped, &cell.zero.says) {
        (0, Some(bound)) => format!("0 ({bound})"),
        (n, _) => n.to_string(),
    }
}

/// What a zero of lost requests may owe its being one to, and what it cost.
pub(crate) fn shadows<'a>(books: impl Iterator<Item = &'a Books> + Clone) -> String {
    match books.clone().find(|books| books.blind().is_some()) {
        Some(blind) => format!("masked and executed twice not known ({} books)", blind.grade.name()),
        None if books.clone().any(|books| books.own_services) => {
            let masked: u64 = books.map(|books| books.masked).sum();
            format!("{masked} masked, executed twice not known ({NO_LEDGER})")
        }
        None if books.clone().any(|books| books.masked_unknown().is_some()) => {
            let why = books.clone().find_map(Books::masked_unknown).unwrap_or_default();
            let twice: u64 = books.map(|books| books.duplicates).sum();
            format!("masked not known ({why}), {twice} executed twice")
        }
        None => {
            let (masked, twice) = books.fold((0, 0), |(m, t), b| (m + b.masked, t + b.duplicates));
            format!("{masked} masked, {twice} executed twice")
        }
    }
}

/// The same as cells of a table; a figure may be unknown.
pub(crate) fn shadow_cells(books: &Books) -> [String; 2] {
    let figures = [(books.masked, books.masked_unknown()), (books.duplicates, books.unexecuted())];
    figures.map(|(n, unknown)| if unknown.is_none() { n.to_string() } else { NONE.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_shrink_both_sizes() {
        let repeat = ZeroBound::over_replacements(3).beside("undrained", 298);
        assert_eq!(
            repeat.words(Metric::Dropped, "drained").as_deref(),
            Some(
                "of the 298 requests that the control undrained lost, drained saved all but at most 1.1 % \
                 (95 % confidence); 3 replacements can't rule out a fault that hits up to 64 % of them"
            )
        );
        let five = ZeroBound::over(vec![repeat; 5].iter());
        assert_eq!((five.lost, five.says.as_deref(), five.replacements), (1490, Some("< 0.3 %"), 15));
        assert_eq!(ZeroBound::over([].iter()).words(Metric::Dropped, "drained"), None);
        assert_eq!(
            ZeroBound::over_replacements(0).per_replacement,
            None,
            "without a replacement there is no bound"
        );
    }

    #[test]
    fn every_loss_is_told_in_its_own_words() {
        let mut losses: Vec<Metric> = Metric::ALL.iter().copied().filter(|m| m.loss() == Some(*m)).collect();
        losses.retain(|loss| *loss != Metric::Dropped);
        let mut words: Vec<_> = losses.iter().map(|loss| Words::of(*loss)).collect();
        words.sort_by_key(|words| (words.noun, words.verb, words.how));
        words.dedup_by_key(|words| (words.noun, words.verb, words.how));
        assert_eq!(words.len(), losses.len(), "two losses are told in the same words");
        assert!(words.iter().all(|words| (words.noun, words.verb, words.how) != ("requests", "lost", "")));
        let reload = ZeroBound::default().beside("cut-off", 2);
        assert_eq!(
            reload.words(Metric::Duplicates, "post").as_deref(),
            Some(
                "of the 2 requests that the control cut-off executed twice, post saved all, which is too few for a bound"
            )
        );
    }
}
