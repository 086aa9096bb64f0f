//! The HTML dialect: one file for one or several runs, which needs no network. The verdict comes first, then pictures
//! drawn from the cells' series, all at one scale, then everything else that the other dialects say.

mod blocks;
mod canvas;
mod cells;
mod ink;
mod latency;
mod outcomes;
mod page;
mod scale;
mod shares;
mod states;
mod words;

use model::visible::visible;

use crate::judge::verdict::RunSummary;
use crate::measure::series::Series;

/// A run, with what its pictures are drawn from.
#[derive(Clone, Copy, Debug)]
pub struct Illustrated<'a> {
    /// The run.
    pub run: &'a RunSummary,
    /// Of each cell whose load began.
    pub series: &'a [Series],
}

/// Lays out runs as one page; of several, an overview comes first.
pub fn html(runs: &[Illustrated<'_>]) -> String {
    visible(&page::render(runs).into_string()).into_owned()
}
