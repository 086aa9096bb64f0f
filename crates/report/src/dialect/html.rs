//! The HTML dialect: one file for one or several runs, which needs no network. The verdict comes first, then the
//! picture of the answer, findings and one table. The evidence is folded away: pictures drawn from the cells' series, all at
//! one scale, and everything else that the other dialects say.

mod blocks;
mod cells;
mod lead;
mod page;

use model::visible::visible;

use super::pictures::Illustrated;

/// Lays out runs as one page; of several, an overview comes first.
pub(super) fn html(runs: &[Illustrated<'_>]) -> String {
    let page = page::render(runs).into_string();
    // HTML needs no end of these: the next begins, or what they are in ends. A page has tens of thousands of them.
    let page = ["</td>", "</th>", "</tr>", "</li>"].iter().fold(page, |page, end| page.replace(end, ""));
    let page = ["></use>", "></path>", "></rect>"].iter().fold(page, |page, end| page.replace(end, "/>"));
    visible(&page).into_owned()
}
