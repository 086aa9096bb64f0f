//! The terminal dialect. Its own colours are escapes, so that texts are made visible before they are coloured.

use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width,
};

use model::visible::visible;

use crate::compose::document::{Block, Document, Line, Mark, Quote};
use crate::compose::table::{Align, Cell, Column, Emphasis, Table};
use crate::dialect::render::{Colour, Style};

/// Below this nothing can be laid out; a terminal that says so is not believed.
const NARROWEST: u16 = 40;

/// Lays out a document.
pub(crate) fn render(document: &Document, style: Style) -> String {
    let mut out = line(&document.headline, style);
    out.push_str(&wrap(&document.question, "  ", style));
    out.push_str(&wrap(&format!("Experiment: {}", document.experiment), "  ", style));
    for block in &document.blocks {
        out.push('\n');
        match block {
            Block::Table(table) => out.push_str(&render_table(table, style)),
            Block::List { title, lines } => {
                out.push_str(&format!("{title}\n"));
                lines.iter().for_each(|line| out.push_str(&self::line(line, style)));
            }
            Block::Quotes { title, quotes } => {
                out.push_str(&format!("{title}\n"));
                quotes.iter().for_each(|quote| out.push_str(&self::quote(quote, style)));
            }
        }
    }
    out
}

/// Lays out a table with its title and its notes.
pub(crate) fn render_table(table: &Table, style: Style) -> String {
    let mut out = format!("{}\n{}\n", visible(&table.title), self::table(table, style));
    table.notes.iter().for_each(|note| out.push_str(&wrap(note, "  ", style)));
    out
}

fn line(line: &Line, style: Style) -> String {
    let text = wrap(&format!("{} {}", line.mark.sign(), line.text), "  ", style);
    let code = match line.mark {
        Mark::Good => "32",
        Mark::Bad => "31",
        Mark::Unknown => "33",
        Mark::None => return text,
    };
    match style.colour {
        Colour::Never => text,
        // The sign alone is coloured: a whole coloured line is hard to read.
        Colour::Always => {
            text.replacen(line.mark.sign(), &format!("\x1b[{code}m{}\x1b[0m", line.mark.sign()), 1)
        }
    }
}

/// Line by line as it came, however long: a configuration's error points at columns.
fn quote(quote: &Quote, style: Style) -> String {
    let lines = visible(&quote.text);
    let lines = lines.lines().map(|line| format!("    {line}\n"));
    wrap(&format!("{}:", quote.from), "  ", style) + &lines.collect::<String>()
}

/// No lines between rows or columns: they cost width and say nothing.
const RULED_HEADER: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─'));
/// Blanks to the right of each column.
const GAP: usize = 2;

/// A table if its words fit side by side, else a block per row: half a word in a narrow column helps nobody.
fn table(table: &Table, style: Style) -> String {
    let width = usize::from(style.width.max(NARROWEST));
    let bounds = [whole, longest_word]
        .map(|measure| lower_bounds(table, style, measure))
        .into_iter()
        .find(|bounds| bounds.iter().map(|bound| bound + GAP).sum::<usize>() <= width);
    match bounds {
        Some(bounds) => side_by_side(table, &bounds, style),
        None => stacked(table, style),
    }
}

fn whole(text: &str) -> usize {
    text.chars().count()
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(whole).max().unwrap_or(0)
}

/// The least width of each column. Headings and texts may break between words; `measure` says how numbers may.
fn lower_bounds(table: &Table, style: Style, measure: fn(&str) -> usize) -> Vec<usize> {
    let bound = |(n, column): (usize, &Column)| {
        let measure = match column.align {
            Align::Left => longest_word,
            Align::Right => measure,
        };
        let cells = table.rows.iter().filter_map(|row| row.get(n));
        let widest = cells.map(|cell| measure(&text(cell, style))).max().unwrap_or(0);
        widest.max(longest_word(&column.name))
    };
    table.columns.iter().enumerate().map(bound).collect()
}

fn side_by_side(table: &Table, bounds: &[usize], style: Style) -> String {
    let mut laid_out = comfy_table::Table::new();
    laid_out
        .load_style(RULED_HEADER)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(style.width.max(NARROWEST))
        .set_header(table.columns.iter().map(|column| &column.name));
    match style.colour {
        Colour::Never => laid_out.force_no_tty(),
        Colour::Always => laid_out.enforce_styling(),
    };
    laid_out.style_text_only();
    for row in &table.rows {
        laid_out.add_row(row.iter().map(|cell| self::cell(cell, style)));
    }
    for ((column, bound), laid_out) in table.columns.iter().zip(bounds).zip(laid_out.column_iter_mut()) {
        let bound = u16::try_from(bound + GAP).unwrap_or(style.width);
        laid_out
            .set_padding((0, GAP as u16))
            .set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(bound)))
            .set_cell_alignment(match column.align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
    }
    laid_out.trim_fmt()
}

/// Each row as `heading text` pairs.
fn stacked(table: &Table, style: Style) -> String {
    let block = |row: &Vec<Cell>| {
        let pairs: Vec<_> = table
            .columns
            .iter()
            .zip(row)
            .map(|(column, cell)| format!("{} {}", column.name, text(cell, style)))
            .collect();
        wrap(&pairs.join(" · "), "  ", style)
    };
    table.rows.iter().map(block).collect::<String>().trim_end().to_owned()
}

/// What a cell says; where it can't be shown as struck out, tildes say so.
fn text(cell: &Cell, style: Style) -> String {
    let text = visible(&cell.text);
    match (cell.emphasis, style.colour) {
        (Emphasis::Struck, Colour::Never) => format!("~{text}~"),
        _ => text.into_owned(),
    }
}

fn cell(cell: &Cell, style: Style) -> comfy_table::Cell {
    let plain = comfy_table::Cell::new(text(cell, style));
    match (cell.emphasis, style.colour) {
        (Emphasis::Plain, _) | (_, Colour::Never) => plain,
        (Emphasis::Good, _) => plain.fg(Color::Green),
        (Emphasis::Bad, _) => plain.fg(Color::Red),
        (Emphasis::Struck, _) => plain.add_attribute(Attribute::CrossedOut),
    }
}

/// Units that stay beside their number.
const UNITS: [&str; 3] = ["%", "ms", "s"];

/// Breaks `text` between words, and nowhere else; the lines after the first begin with `indent`.
fn wrap(text: &str, indent: &str, style: Style) -> String {
    let width = usize::from(style.width.max(NARROWEST));
    let mut out = String::new();
    let mut column = 0;
    let text = visible(text);
    let mut words = text.split([' ', '\n']).peekable();
    while let Some(word) = words.next() {
        let unit = words.peek().filter(|next| UNITS.contains(&next.trim_end_matches([')', ';', ','])));
        let length = whole(word);
        let needed = length + unit.map_or(0, |unit| 1 + whole(unit));
        if column > 0 && column + 1 + needed > width {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}
