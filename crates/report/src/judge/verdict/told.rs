//! The scenario's `reading`, with the measured numbers filled in. A sentence about a variant that did not run is left out.

use std::collections::BTreeSet;

use model::claim::{Reading, Unit};
use model::identity::BalancerName;
use model::prose::Piece;
use serde::{Deserialize, Serialize};

use super::Judge;
use crate::figure::reading::{inputs, is_cpu, is_latency, read, show};
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

/// Stands where a figure of a variant would stand that did not run. No text has it.
const NOT_RUN: &str = "\0";

/// The sentences of `text` in which every variant ran.
fn sentences(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let sentences = words.split_inclusive(|word| word.ends_with(['.', '?', '!']));
    let told = sentences.filter(|sentence| !sentence.iter().any(|word| word.contains(NOT_RUN)));
    told.map(|sentence| sentence.join(" ")).collect::<Vec<_>>().join(" ")
}

impl Judge<'_> {
    /// The scenario's reading for each balancer that ran.
    pub(super) fn readings(&self) -> Vec<Told> {
        let Some(prose) = &self.plan.reading else { return Vec::new() };
        let ran: BTreeSet<BalancerName> = self.cells.iter().map(|cell| cell.balancer).collect();
        let tell = |balancer| {
            let words = prose.pieces.iter().map(|piece| match piece {
                Piece::Words(words) => words.clone(),
                Piece::Figure(figure) => self.figure(figure, balancer),
                Piece::Against(left, right) => {
                    let figures = [left, right].map(|figure| self.figure(figure, balancer));
                    let difference = self.difference(left, right, balancer);
                    format!("{} against {}{difference}", figures[0], figures[1])
                }
            });
            Told { balancer, text: sentences(&words.collect::<String>()) }
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

    /// A number, or the range of it over the repeats; why there is none where it wasn't measured, or can't be
    /// trusted.
    fn figure(&self, figure: &Reading, balancer: BalancerName) -> String {
        let repeats: Vec<u32> = (1..=self.plan.repeats).collect();
        let cells: Vec<_> =
            repeats.iter().filter_map(|repeat| self.cell(&figure.variant, balancer, *repeat)).collect();
        if cells.is_empty() {
            return NOT_RUN.to_owned();
        }
        if cells.iter().any(|cell| is_untrusted(cell, figure)) {
            return format!("(not trusted: {figure})");
        }
        let value = |cell: &&CellSummary| read(cell, figure.metric, figure.facet.as_deref()).ok();
        let numbers: Vec<_> = cells.iter().filter_map(|cell| Some((value(cell)?, *cell))).collect();
        if numbers.is_empty() {
            return format!("(not measured: {figure})");
        }
        // The sentence says what is counted.
        spread(numbers, |cell, value| match figure.metric.unit() {
            Unit::Count => value.to_string(),
            _ => show(cell, figure.metric, value),
        })
    }
}
