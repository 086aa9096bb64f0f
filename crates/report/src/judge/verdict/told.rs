//! The scenario's `reading`, with the measured numbers filled in. A sentence about what has no number is left out: a variant
//! that did not run, or something that this balancer does not show.

use std::collections::BTreeSet;

use model::claim::{Metric, Reading, Unit};
use model::identity::BalancerName;
use model::prose::Piece;
use serde::{Deserialize, Serialize};

use super::Judge;
use crate::figure::reading::{inputs, is_blind, is_cpu, is_latency, read, show};
use crate::figure::spread::{INTERVAL_FROM, spread};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Trust;

/// What the numbers of one balancer mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The balancer.
    pub balancer: BalancerName,
    /// The scenario's words, with its numbers.
    pub text: String,
}

fn is_untrusted(cell: &CellSummary, figure: &Reading) -> bool {
    inputs(cell, figure.metric).iter().any(|input| input.verdict == Trust::Invalid)
}

/// A text that is put together sentence by sentence. A sentence about what has no number is left out.
#[derive(Default)]
struct Sentences {
    text: String,
    open: String,
    left_out: bool,
}

impl Sentences {
    fn words(&mut self, words: &str) {
        for word in words.split_inclusive(char::is_whitespace) {
            self.open.push_str(word);
            if word.ends_with(char::is_whitespace) && word.trim_end().ends_with(['.', '?', '!']) {
                self.end();
            }
        }
    }

    /// `None`: there is no number.
    fn figure(&mut self, figure: Option<&str>) {
        match figure {
            Some(figure) => self.open.push_str(figure),
            None => self.left_out = true,
        }
    }

    fn end(&mut self) {
        let words = std::mem::take(&mut self.open);
        if !std::mem::take(&mut self.left_out) {
            for word in words.split_whitespace() {
                if !self.text.is_empty() {
                    self.text.push(' ');
                }
                self.text.push_str(word);
            }
        }
    }
}

impl Judge<'_> {
    /// The scenario's reading for each balancer that ran.
    pub(super) fn readings(&self) -> Vec<Told> {
        let Some(prose) = &self.plan.reading else { return Vec::new() };
        let ran: BTreeSet<BalancerName> = self.cells.iter().map(|cell| cell.balancer).collect();
        let tell = |balancer| {
            let mut sentences = Sentences::default();
            for piece in &prose.pieces {
                match piece {
                    Piece::Words(words) => sentences.words(words),
                    Piece::Figure(figure) => sentences.figure(self.figure(figure, balancer).as_deref()),
                    Piece::Against(left, right) => {
                        sentences.figure(self.figure(left, balancer).as_deref());
                        sentences.words(" against ");
                        sentences.figure(self.figure(right, balancer).as_deref());
                        sentences.words(self.difference(left, right, balancer));
                    }
                }
            }
            sentences.end();
            Told { balancer, text: sentences.text }
        };
        ran.into_iter().map(tell).filter(|told| !told.text.is_empty()).collect()
    }

    /// What repeats say of the difference of two figures that vary from run to run by themselves: nothing if their ranges
    /// don't overlap.
    fn difference(&self, left: &Reading, right: &Reading, balancer: BalancerName) -> &'static str {
        if !is_latency(left.metric) && !is_cpu(left.metric) {
            return "";
        }
        let cells = |figure: &Reading| -> Vec<&CellSummary> {
            (1..=self.plan.repeats).filter_map(|n| self.cell(&figure.variant, balancer, n)).collect()
        };
        if [left, right].iter().any(|figure| cells(figure).iter().any(|cell| is_untrusted(cell, figure))) {
            return "";
        }
        let range = |figure: &Reading| {
            let values: Vec<f64> = cells(figure)
                .iter()
                .filter_map(|cell| read(cell, figure.metric, figure.facet.as_deref()).ok())
                .collect();
            let (least, most) = values
                .iter()
                .fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), v| (least.min(*v), most.max(*v)));
            (values.len() >= INTERVAL_FROM).then_some((least, most))
        };
        match (range(left), range(right)) {
            (Some(left), Some(right)) if left.0 <= right.1 && right.0 <= left.1 => {
                " (no difference: the repeats overlap)"
            }
            (Some(_), Some(_)) => "",
            _ => " (fewer than 3 repeats: noise is not known)",
        }
    }

    /// A number, or the range of it over the repeats; or that it can't be trusted. `None`: there is none.
    fn figure(&self, figure: &Reading, balancer: BalancerName) -> Option<String> {
        let repeats: Vec<u32> = (1..=self.plan.repeats).collect();
        let cells: Vec<_> =
            repeats.iter().filter_map(|repeat| self.cell(&figure.variant, balancer, *repeat)).collect();
        if cells.is_empty() {
            return None;
        }
        if cells.iter().any(|cell| is_untrusted(cell, figure)) {
            return Some(format!("(not trusted: {figure})"));
        }
        let value = |cell: &&CellSummary| read(cell, figure.metric, figure.facet.as_deref()).ok();
        let shows = |cell: &&&CellSummary| figure.metric != Metric::Detection || !is_blind(cell);
        let known = cells.iter().filter(shows);
        let numbers: Vec<_> = known.filter_map(|cell| Some((value(cell)?, *cell))).collect();
        if numbers.is_empty() {
            return None;
        }
        // The sentence says what is counted.
        Some(spread(numbers, |cell, value| match figure.metric.unit() {
            Unit::Count => value.to_string(),
            _ => show(cell, figure.metric, value),
        }))
    }
}
