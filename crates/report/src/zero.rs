//! The two sizes of a zero: what none shows, at 95 % confidence, beside what a control lost on the same arrivals, and over
//! so many replacements. Beside it stand its shadows: what retries hid, and what was executed twice.

use model::claim::Metric;
use serde::{Deserialize, Serialize};

use crate::books::Books;
use crate::figures::{NONE, percent_up};
use crate::summary::CellSummary;

/// How small "none lost" shows the true loss to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ZeroBound {
    /// The variant that lost some on the same arrivals; `None`: none shows that any could be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// How many it lost.
    #[serde(default)]
    pub lost: u64,
    /// Of requests such as these fewer than this part are lost: 3/N.
    pub per_request: Option<f64>,
    /// Replacements over which nothing was lost.
    pub replacements: u64,
    /// Fewer than this part of replacements lose anything: 1 − 0.05^(1/k).
    pub per_replacement: Option<f64>,
    /// `per_request` as tables say it: `< 1.1 %`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

impl ZeroBound {
    /// The bound of a zero over `replacements`, beside nothing as yet.
    pub fn over_replacements(replacements: u64) -> ZeroBound {
        ZeroBound {
            replacements,
            per_replacement: (replacements > 0).then(|| per_replacement(replacements)),
            ..ZeroBound::default()
        }
    }

    /// The same beside a `control` that lost so many.
    pub fn beside(self, control: &str, lost: u64) -> ZeroBound {
        let per_request = (lost > 0).then(|| per_request(lost));
        let says = per_request.map(|part| format!("< {}", percent_up(part)));
        ZeroBound { control: Some(control.to_owned()), lost, per_request, says, ..self }
    }

    /// The bound of a zero over all that `bounds` are over: repeats shrink both sizes.
    pub fn over<'a>(bounds: impl Iterator<Item = &'a ZeroBound>) -> ZeroBound {
        let (mut controls, mut lost, mut replacements) = (Vec::new(), 0, 0);
        for bound in bounds {
            controls.extend(bound.control.clone());
            lost += bound.lost;
            replacements += bound.replacements;
        }
        controls.sort();
        controls.dedup();
        let pooled = ZeroBound::over_replacements(replacements);
        if controls.is_empty() { pooled } else { pooled.beside(&controls.join(", "), lost) }
    }

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
            Metric::Harmed => ("requests", "lost", " by its fault"),
            Metric::Status => ("requests", "answered", " with that status"),
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
        None => {
            let (masked, twice) = books.fold((0, 0), |(m, t), b| (m + b.masked, t + b.duplicates));
            format!("{masked} masked, {twice} executed twice")
        }
    }
}

/// The same as cells of a table, of which nobody may know the figures.
pub(crate) fn shadow_cells(books: &Books) -> [String; 2] {
    let known = books.blind().is_none();
    [books.masked, books.duplicates].map(|n| if known { n.to_string() } else { NONE.to_owned() })
}

/// Fewer than this part of requests has the property that none of `n` had: the rule of three.
pub fn per_request(n: u64) -> f64 {
    (3.0 / n as f64).min(1.0)
}

/// Fewer than this part of replacements drops anything, if none of `k` did.
pub fn per_replacement(k: u64) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / k as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_over_few_replacements_proves_little_and_is_never_rounded_down() {
        assert_eq!([3, 15, 300].map(|k| percent_up(per_replacement(k))), ["64 %", "19 %", "1 %"]);
    }

    #[test]
    fn a_zero_beside_what_a_control_lost_follows_the_rule_of_three() {
        let zero = |lost| ZeroBound::default().beside("undrained", lost).says;
        assert_eq!(zero(298).as_deref(), Some("< 1.1 %"));
        assert_eq!(zero(300).as_deref(), Some("< 1 %"));
        assert_eq!(zero(49).as_deref(), Some("< 6.2 %"));
        assert_eq!(zero(8001).as_deref(), Some("< 0.04 %"));
        assert_eq!(zero(2).as_deref(), Some("< 100 %"));
        assert_eq!(zero(0), None);
    }

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
            "where nobody was replaced there is no bound"
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
