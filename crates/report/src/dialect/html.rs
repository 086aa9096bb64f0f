//! The HTML dialect: one file for one or several runs, which needs no network. The verdict comes first, then pictures
//! drawn from the cells' series, all at one scale, then everything else that the other dialects say.

mod blocks;
mod cells;
mod page;

use model::visible::visible;

use super::pictures::Illustrated;

/// Lays out runs as one page; of several, an overview comes first.
pub(super) fn html(runs: &[Illustrated<'_>]) -> String {
    visible(&page::render(runs).into_string()).into_owned()
}
