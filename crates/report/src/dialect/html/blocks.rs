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
        Mark::Good => Some("good"),
        Mark::Bad => Some("bad"),
        Mark::Unknown => Some("unknown"),
        Mark::None => None,
    };
    html! { li class=[tone] { i { (line.mark.sign()) } (line.text) } }
}

/// Of a table with more rows than these, what all rows say alike is said once.
const ROWS: usize = 12;

/// A table that scrolls by itself where it is too wide.
pub(super) fn table(table: &Table) -> Markup {
    let (shown, alike): (Vec<usize>, Vec<usize>) =
        (0..table.columns.len()).partition(|place| table.rows.len() <= ROWS || !is_alike(table, *place));
    let said = |place: &usize| format!("{} {}", table.columns[*place].name, table.rows[0][*place].text);
    let alike: Vec<String> = alike.iter().map(said).collect();
    // Which columns are numbers, the style sheet is told once, and not by each cell.
    let numbers = |(n, place): (usize, &usize)| {
        (table.columns[*place].align == Align::Right).then(|| format!("n{}", n + 1))
    };
    let numbers: Vec<String> = shown.iter().enumerate().filter_map(numbers).collect();
    html! {
        div.scroll tabindex="0" role="region" aria-label=(table.title) {
            table class=[(!numbers.is_empty()).then(|| numbers.join(" "))] {
                thead { tr { @for place in &shown { th { (table.columns[*place].name) } } } }
                tbody {
                    @for (n, row) in table.rows.iter().enumerate() {
                        tr { @for place in &shown { td { @if !is_said_above(table, n, *place) { (cell(&row[*place])) } } } }
                    }
                }
            }
        }
        @if !alike.is_empty() { p.note { "In every row: " (alike.join(", ")) "." } }
        @for note in &table.notes { p.note { (note) } }
    }
}

/// Whether a long table says a name where the row above has it: whose row it is stands in its first columns.
fn is_said_above(table: &Table, row: usize, place: usize) -> bool {
    let names = table.columns.iter().take(NAMES).take_while(|column| column.align == Align::Left).count();
    let same = |row: usize| table.rows[row][..=place] == table.rows[row - 1][..=place];
    table.rows.len() > ROWS && row > 0 && place < names && same(row)
}

/// Balancer and variant.
const NAMES: usize = 2;

/// What the style sheet says of columns of numbers, whichever they are.
pub(super) fn columns_of_numbers() -> String {
    let each = |element: &str| {
        let column = |n: usize| format!(".n{n} {element}:nth-child({n})");
        (1..=COLUMNS).map(column).collect::<Vec<_>>().join(",")
    };
    format!("{}{{text-align:right}}{}{{white-space:nowrap}}", each(":is(th,td)"), each("td"))
}

/// Columns beyond these are not aligned.
const COLUMNS: usize = 24;

/// Whether a column says the same in every row, and nothing of it is struck.
fn is_alike(table: &Table, place: usize) -> bool {
    let cells: Vec<&Cell> = table.rows.iter().filter_map(|row| row.get(place)).collect();
    cells.windows(2).all(|two| two[0] == two[1]) && cells.iter().all(|cell| cell.emphasis != Emphasis::Struck)
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
