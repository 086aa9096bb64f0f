//! The parts that every dialect has: tables, lists, quotes.

use maud::{Markup, html};

use crate::compose::document::{Block, Line, Mark, Quote};
use crate::compose::table::{Align, Cell, Emphasis, Table};

pub(super) fn block(block: &Block) -> Markup {
    match block {
        Block::Table(table) | Block::Method(table) => {
            html! { section { h2 { (table.title) } (self::table(table)) } }
        }
        Block::List { topic, lines } => html! {
            section { h2 { (topic.title()) } ul.marked { @for line in lines { (claim_line(line)) } } }
        },
        Block::Quotes { topic, quotes } => html! {
            section { h2 { (topic.title()) } @for quote in quotes { (self::quote(quote)) } }
        },
    }
}

/// A line with its mark.
pub(super) fn claim_line(line: &Line) -> Markup {
    let tone = match line.mark {
        Mark::Good => "good",
        Mark::Bad => "bad",
        Mark::Unknown => "unknown",
        Mark::None => "plain",
    };
    html! { li.(tone) { span.sign { (line.mark.sign()) } " " (line.text) } }
}

/// A table that scrolls by itself where it is too wide.
pub(super) fn table(table: &Table) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table {
                thead { tr { @for column in &table.columns { th class=[align(column.align)] scope="col" { (column.name) } } } }
                tbody {
                    @for row in &table.rows {
                        tr { @for (cell, column) in row.iter().zip(&table.columns) { td class=[align(column.align)] { (self::cell(cell)) } } }
                    }
                }
            }
        }
        @for note in &table.notes { p.note { (note) } }
    }
}

/// The class of a column of numbers; text has none.
fn align(align: Align) -> Option<&'static str> {
    match align {
        Align::Left => None,
        Align::Right => Some("n"),
    }
}

fn cell(cell: &Cell) -> Markup {
    match cell.emphasis {
        Emphasis::Plain => html! { (cell.text) },
        Emphasis::Good => html! { span.good { (cell.text) } },
        Emphasis::Bad => html! { strong.bad { (cell.text) } },
        Emphasis::Struck => html! { s { (cell.text) } },
    }
}

fn quote(quote: &Quote) -> Markup {
    html! { figure.quote { figcaption { (quote.from) } pre { (quote.text.trim_end()) } } }
}
