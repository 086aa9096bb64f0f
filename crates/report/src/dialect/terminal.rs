//! The terminal dialect. Its own colours are escapes, so that texts are made visible before they are coloured.

use anstyle::AnsiColor;
use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width,
};
use model::visible::visible;
use textwrap::{Options, WordSplitter};

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
            Block::Table(table) | Block::Method(table) => out.push_str(&render_table(table, style)),
            Block::List { topic, lines } => {
                out.push_str(&format!("{}\n", topic.title()));
                lines.iter().for_each(|line| out.push_str(&self::line(line, style)));
            }
            Block::Quotes { topic, quotes } => {
                out.push_str(&format!("{}\n", topic.title()));
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
    let colour = match line.mark {
        Mark::Good => AnsiColor::Green,
        Mark::Bad => AnsiColor::Red,
        Mark::Unknown => AnsiColor::Yellow,
        Mark::None => return text,
    };
    // The sign alone is coloured: a whole coloured line is hard to read.
    let sign = line.mark.sign();
    text.replacen(sign, &style.paint(sign, colour.on_default()), 1)
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
/// A blank at which no line is broken.
const NO_BREAK: &str = "\u{a0}";

/// Breaks `text` between words, and nowhere else; the lines after the first begin with `indent`.
fn wrap(text: &str, indent: &str, style: Style) -> String {
    let width = usize::from(style.width.max(NARROWEST));
    let mut joined = String::new();
    for (n, word) in visible(text).split([' ', '\n']).enumerate() {
        let is_unit = UNITS.contains(&word.trim_end_matches([')', ';', ',']));
        joined.push_str(if n == 0 {
            ""
        } else if is_unit {
            NO_BREAK
        } else {
            " "
        });
        joined.push_str(word);
    }
    let options = Options::new(width).subsequent_indent(indent).break_words(false);
    let options = options.word_splitter(WordSplitter::NoHyphenation);
    textwrap::fill(&joined, options).replace(NO_BREAK, " ") + "\n"
}
