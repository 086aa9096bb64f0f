//! The Markdown dialect, as GitHub reads it.

use crate::compose::document::{Block, Document, Line, Mark, Quote};
use crate::compose::page::{Page, Part};
use crate::compose::table::{Align, Cell, Emphasis, Table};

/// Lays out a document.
pub(crate) fn render(document: &Document) -> String {
    let headline = &document.headline;
    let mut out = format!("# {} {}\n\n", headline.mark.sign(), escape(&headline.text));
    out.push_str(&format!("> {}\n", escape(&document.question)));
    out.push_str(&format!("\nExperiment: {}\n", escape(&document.experiment)));
    for block in &document.blocks {
        match block {
            Block::Table(table) | Block::Method(table) => out.push_str(&self::table(table)),
            Block::List { topic, lines } => {
                out.push_str(&format!("\n## {}\n\n", topic.title()));
                lines.iter().for_each(|line| out.push_str(&item(line)));
            }
            Block::Quotes { topic, quotes } => {
                out.push_str(&format!("\n## {}\n", topic.title()));
                quotes.iter().for_each(|quote| out.push_str(&self::quote(quote)));
            }
        }
    }
    out
}

/// Lays out a page.
pub(crate) fn page(page: &Page) -> String {
    let mut out = format!("# {}\n", escape(&page.title));
    page.opening.iter().for_each(|part| out.push_str(&self::part(part)));
    for section in &page.sections {
        out.push_str(&format!("\n## {}\n", escape(&section.title)));
        section.parts.iter().for_each(|part| out.push_str(&self::part(part)));
    }
    out
}

fn part(part: &Part) -> String {
    match part {
        Part::Text(text) => format!("\n{}\n", prose(text)),
        Part::Steps(steps) => {
            let step = |(n, step): (usize, &String)| format!("{}. {}\n", n + 1, prose(step));
            format!("\n{}", steps.iter().enumerate().map(step).collect::<String>())
        }
        Part::Lines(lines) if lines.is_empty() => String::new(),
        Part::Lines(lines) => format!("\n{}", lines.iter().map(told).collect::<String>()),
        Part::Table(table) => format!("\n{}:\n\n{}", escape(&table.title), grid(table)),
        Part::Quote(quote) => self::quote(quote),
        Part::Command(command) => format!("\n```sh\n{command}\n```\n"),
    }
}

/// An item of a page's list.
fn told(line: &Line) -> String {
    match line.mark {
        Mark::None => format!("- {}\n", prose(&line.text)),
        mark => format!("- {} {}\n", mark.sign(), prose(&line.text)),
    }
}

/// Escapes all but what stands between two backticks: a page's texts are rig's own, and quote words of code so.
fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) || text.contains("``") {
        return escape(text);
    }
    let piece =
        |(n, piece): (usize, &&str)| if n.is_multiple_of(2) { escape(piece) } else { format!("`{piece}`") };
    pieces.iter().enumerate().map(piece).collect()
}

/// A fenced block, with a fence that the text doesn't contain.
fn quote(quote: &Quote) -> String {
    let mut fence = "```".to_owned();
    while quote.text.contains(&fence) {
        fence.push('`');
    }
    format!("\n{}:\n\n{fence}text\n{}\n{fence}\n", escape(&quote.from), quote.text.trim_end())
}

fn item(line: &Line) -> String {
    match line.mark {
        Mark::None => format!("- {}\n", escape(&line.text)),
        mark => format!("- {} {}\n", mark.sign(), escape(&line.text)),
    }
}

pub(crate) fn table(table: &Table) -> String {
    format!("\n## {}\n\n{}", escape(&table.title), grid(table))
}

/// A table without its title.
fn grid(table: &Table) -> String {
    let mut out = String::new();
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    out.push_str(&row(table.columns.iter().map(|c| escape(&c.name)).collect()));
    let rule = |align| match align {
        Align::Left => "---".to_owned(),
        Align::Right => "---:".to_owned(),
    };
    out.push_str(&row(table.columns.iter().map(|c| rule(c.align)).collect()));
    for cells in &table.rows {
        out.push_str(&row(cells.iter().map(cell).collect()));
    }
    for note in &table.notes {
        out.push_str(&format!("\n{}\n", escape(note)));
    }
    out
}

fn cell(cell: &Cell) -> String {
    let text = escape(&cell.text);
    match cell.emphasis {
        Emphasis::Plain | Emphasis::Good => text,
        Emphasis::Bad => format!("**{text}**"),
        Emphasis::Struck => format!("~~{text}~~"),
    }
}

/// Keeps text from being read as markup.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A line break would end a row or an item.
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
