//! The terminal dialect. Its own colours are escapes, so that texts are made visible before they are coloured.

use anstyle::AnsiColor;
use comfy_table::{
    Attribute, CellAlignment, Color, ColumnConstraint, ContentArrangement, LineStyle, TableStyle, Width,
};
use model::visible::visible;
use textwrap::{Options, WordSplitter};

use crate::compose::answer::ShortReport;
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

/// Lays out an answer, and below it where the rest is.
pub(crate) fn answer(answer: &ShortReport, rest: &[String], style: Style) -> String {
    let mut out = wrap(&answer.question, "  ", style);
    if !answer.experiment.is_empty() {
        out.push_str(&wrap(&format!("Experiment: {}", answer.experiment), "  ", style));
    }
    out.push('\n');
    if let Some(table) = &answer.table {
        out.push_str(&render_table(table, style));
        out.push('\n');
    }
    answer.lines.iter().for_each(|line| out.push_str(&self::line(line, style)));
    if !answer.lines.is_empty() {
        out.push('\n');
    }
    out.push_str(&line(&answer.verdict, style));
    // A command or a path is for copying: it stays one line.
    rest.iter().for_each(|rest| out.push_str(&format!("{}\n", visible(rest))));
    out
}

/// Lays out a table with its title and its notes.
pub(crate) fn render_table(table: &Table, style: Style) -> String {
    let mut out = wrap(&table.title, "  ", style);
    out.push_str(&format!("{}\n", self::table(table, style)));
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
/// A column of text has at least so many letters, if its texts do.
const PROSE: usize = 24;
/// Blanks to the right of each column.
const GAP: usize = 2;

/// A table if its words fit side by side; else several, each with some of the columns; else a card per row: half a word in
/// a narrow column helps no reader.
fn table(table: &Table, style: Style) -> String {
    let width = usize::from(style.width.max(NARROWEST));
    let fits = |bounds: &[usize]| bounds.iter().map(|bound| bound + GAP).sum::<usize>() <= width;
    let measured = [whole, longest_word].map(|measure| lower_bounds(table, style, measure));
    match measured.iter().find_map(|bounds| parts(table, bounds, &fits)) {
        Some(parts) => {
            let laid_out = parts.iter().map(|(part, bounds)| side_by_side(part, bounds, style));
            laid_out.collect::<Vec<_>>().join("\n\n")
        }
        None => cards(table, style),
    }
}

/// The table in parts that fit, each with the columns that say whose row it is; `None`: a column is too wide beside them.
fn parts(
    table: &Table,
    bounds: &[usize],
    fits: &impl Fn(&[usize]) -> bool,
) -> Option<Vec<(Table, Vec<usize>)>> {
    let keys: Vec<usize> = (0..table.keys()).collect();
    let of = |columns: &[usize]| columns.iter().map(|n| bounds[*n]).collect::<Vec<_>>();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    for n in keys.len()..table.columns.len() {
        match parts.last_mut() {
            Some(last) if fits(&of(&[last.as_slice(), &[n]].concat())) => last.push(n),
            _ => parts.push([keys.as_slice(), &[n]].concat()),
        }
    }
    if parts.is_empty() {
        parts.push(keys);
    }
    let all_fit = parts.iter().all(|columns| fits(&of(columns)));
    all_fit.then(|| parts.iter().map(|columns| (table.part(columns), of(columns))).collect())
}

fn whole(text: &str) -> usize {
    text.chars().count()
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(whole).max().unwrap_or(0)
}

/// Text in a column may be broken between words, but not into a column of single ones.
fn prose(text: &str) -> usize {
    longest_word(text).max(whole(text).min(PROSE))
}

/// The least width of each column. Headings and texts may break between words; `measure` says how numbers may.
fn lower_bounds(table: &Table, style: Style, measure: fn(&str) -> usize) -> Vec<usize> {
    let bound = |(n, column): (usize, &Column)| {
        let measure = match column.align {
            Align::Left => prose,
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

/// Each row as a card: whose it is, and below that a line for each of its figures.
fn cards(table: &Table, style: Style) -> String {
    let keys = table.keys();
    let card = |row: &Vec<Cell>| {
        let (whose, figures) = row.split_at(keys.min(row.len()));
        let whose: Vec<_> = whose.iter().map(|cell| text(cell, style)).collect();
        let mut out = wrap(&whose.join(" "), "  ", style);
        for (column, cell) in table.columns.iter().skip(keys).zip(figures) {
            out.push_str(&wrap(&format!("  {}: {}", column.name, text(cell, style)), "    ", style));
        }
        out
    };
    table.rows.iter().map(card).collect::<String>().trim_end().to_owned()
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
