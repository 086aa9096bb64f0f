//! The scenario's `reading`, with the measured numbers filled in.

use model::catalog::BalancerKind;
use model::claim::Reading;
use model::prose::Piece;
use serde::{Deserialize, Serialize};

use super::Judge;
use crate::reading::inputs;
use crate::summary::CellSummary;
use crate::validity::Trust;

/// What the numbers of one balancer mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The balancer.
    pub balancer: BalancerKind,
    /// The scenario's words, with its numbers.
    pub text: String,
}

impl Judge<'_> {
    /// The scenario's reading for each balancer that ran.
    pub(super) fn readings(&self) -> Vec<Told> {
        let Some(prose) = &self.plan.reading else { return Vec::new() };
        let ran = |kind: &BalancerKind| self.cells.iter().any(|cell| cell.balancer == *kind);
        let tell = |balancer| {
            let words = prose.pieces.iter().map(|piece| match piece {
                Piece::Words(words) => words.clone(),
                Piece::Figure(figure) => self.figure(figure, balancer),
            });
            Told {
                balancer,
                text: words.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" "),
            }
        };
        BalancerKind::ALL.into_iter().filter(ran).map(tell).collect()
    }

    /// A number, or the range of it over the repeats; why there is none where it wasn't measured, or can't be
    /// trusted.
    fn figure(&self, figure: &Reading, balancer: BalancerKind) -> String {
        let repeats: Vec<u32> = (1..=self.plan.repeats).collect();
        let cells: Vec<_> =
            repeats.iter().filter_map(|repeat| self.cell(&figure.variant, balancer, *repeat)).collect();
        if cells.is_empty() {
            return format!("(not run: {})", figure.variant);
        }
        let untrusted = |cell: &&CellSummary| {
            inputs(cell, figure.metric).iter().any(|input| input.verdict == Trust::Invalid)
        };
        if cells.iter().any(untrusted) {
            return format!("(not trusted: {figure})");
        }
        match self.spread(figure, balancer, &repeats) {
            none if none.is_empty() => format!("(not measured: {figure})"),
            number => number,
        }
    }
}
