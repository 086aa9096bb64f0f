//! A comparison as a document.

use crate::compose::document::{Block, Document, Line, Mark, Topic};
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::judge::compare::{Better, LEAST_REPEATS, RunComparison, Side};
use crate::judge::verdict::Verdict;
use crate::numbers::{NONE, percent};

/// Composes the report of a comparison.
pub fn compose(comparison: &RunComparison) -> Document {
    let mut blocks = vec![Block::Table(figures(comparison))];
    let lists = [
        (Topic::Sides, sides(comparison)),
        (Topic::Differences, comparison.keys.iter().map(|key| key.words()).collect()),
        (Topic::Capabilities, capabilities(comparison)),
        (Topic::NotCompared, absent(comparison)),
    ];
    blocks.extend(settings(comparison).map(Block::Method));
    blocks.extend(lists.into_iter().filter_map(|(topic, lines)| list(topic, Mark::None, lines)));
    blocks.extend(list(Topic::Trust, Mark::Unknown, comparison.doubts.clone()));
    let (question, experiment) = (comparison.question.clone(), comparison.experiment.clone());
    Document { headline: headline(comparison), question, experiment, blocks }
}

fn list(topic: Topic, mark: Mark, lines: Vec<String>) -> Option<Block> {
    let lines: Vec<_> = lines.into_iter().map(|text| Line::new(mark, text)).collect();
    (!lines.is_empty()).then_some(Block::List { topic, lines })
}

fn headline(comparison: &RunComparison) -> Line {
    let name = |side: &Side| match side.label.as_str() {
        "" => format!("{} {}", side.balancer, side.version),
        _ => format!("{} ({} {})", side.name, side.balancer, side.version),
    };
    let names: Vec<_> = comparison.sides.iter().map(name).collect();
    Line::plain(format!("{}: {}", comparison.scenario, names.join(" against ")))
}

/// The table: a row per figure, a column per side.
fn figures(comparison: &RunComparison) -> Table {
    let mut columns = Vec::from(Column::left(["variant", "figure"]));
    columns.extend(comparison.sides.iter().flat_map(|side| Column::right([side.name.as_str()])));
    columns.extend(Column::right(["by chance"]));
    let mut rows = Vec::new();
    let mut last = "";
    for row in &comparison.rows {
        // A variant is named once.
        let name = if std::mem::replace(&mut last, &row.variant) == row.variant { "" } else { &row.variant };
        let sides = row.sides.iter().enumerate().map(|(place, side)| match row.best == Some(place) {
            _ if side.repeats.is_empty() && side.left_out > 0 => Cell::with(Emphasis::Struck, &side.text),
            true => Cell::with(Emphasis::Good, format!("{} ✓", side.text)),
            false => Cell::plain(&side.text),
        });
        let chance = match (row.better, row.chance) {
            (Better::Lower | Better::Higher, Some(chance)) => percent(chance),
            (Better::Neither, _) | (_, None) => NONE.to_owned(),
        };
        let names = [Cell::plain(name), Cell::plain(&row.figure)];
        rows.push(names.into_iter().chain(sides).chain([Cell::plain(chance)]).collect());
    }
    Table { title: "Side by side".to_owned(), columns, rows, notes: notes(comparison) }
}

fn notes(comparison: &RunComparison) -> Vec<String> {
    let repeats =
        comparison.rows.iter().flat_map(|row| &row.sides).map(|side| side.repeats.len() + side.left_out);
    let most = repeats.max().unwrap_or(0);
    let mut notes = vec![
        "Of three and more repeats the median, with the smallest and the largest. Lower is better, except where nothing \
         says which is: there `by chance` is –."
            .to_owned(),
    ];
    let mut higher: Vec<&str> = comparison
        .rows
        .iter()
        .filter(|row| row.better == Better::Higher)
        .map(|row| row.figure.as_str())
        .collect();
    higher.dedup();
    if !higher.is_empty() {
        notes.push(format!("Higher is better for {}.", higher.join(", ")));
    }
    if comparison.keys.iter().any(|key| !key.compared) {
        notes.push("Nothing is marked: these runs are not comparable.".to_owned());
    } else if most < LEAST_REPEATS {
        notes.push(format!(
            "Nothing is marked better with fewer than {LEAST_REPEATS} repeats on each side; here there {}. \
             --repeat {LEAST_REPEATS} gives them.",
            if most == 1 { "is 1".to_owned() } else { format!("are {most}") }
        ));
    } else {
        notes.push(
            "✓: better. By chance: how often two equal sides would differ as much (exact rank test of Wilcoxon, \
             Mann and Whitney over the repeats, two-sided; among several, against the nearest); marked up to 1 %. Each \
             row is judged alone: of 100 without a difference one is marked all the same."
                .to_owned(),
        );
    }
    if comparison.rows.iter().flat_map(|row| &row.sides).any(|side| side.left_out > 0) {
        notes.push(
            "Repeats that can't be trusted are left out; if there is no other, they are shown struck out. CPU time can't be trusted if it was read over less than 5 s, or if the hypervisor took processor time (steal)."
                .to_owned(),
        );
    }
    notes.push(match comparison.interleaved {
        true => "The same arrivals and service times on every side, cells in an order drawn from the seed."
            .to_owned(),
        false => {
            "The same arrivals and service times on every side, but measured one run after the other: what \
                  changed on the machine in between shows as well."
                .to_owned()
        }
    });
    notes
}

fn sides(comparison: &RunComparison) -> Vec<String> {
    let line = |side: &Side| {
        let verdict = match side.verdict {
            Verdict::Passed => "PASSED",
            Verdict::Failed => "FAILED",
            Verdict::Invalid => "INVALID",
            Verdict::Interrupted => "INTERRUPTED",
        };
        let label = if side.label.is_empty() { String::new() } else { format!(" {}", side.label) };
        format!(
            "{}:{label} {} {}, {} runtime, run of {}, {verdict} by its own claims",
            side.name, side.balancer, side.version, side.runtime, side.started
        )
    };
    comparison.sides.iter().map(line).collect()
}

fn settings(comparison: &RunComparison) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["setting"]));
    columns.extend(comparison.sides.iter().flat_map(|side| Column::left([side.name.as_str()])));
    let rows: Vec<_> = comparison
        .settings
        .iter()
        .map(|setting| {
            let name = match setting.variants.as_slice() {
                [] => setting.name.clone(),
                variants => format!("{} ({})", setting.name, variants.join(", ")),
            };
            let rendered = setting.rendered.iter().map(|text| text.as_deref().unwrap_or(NONE));
            std::iter::once(name.as_str()).chain(rendered).map(Cell::plain).collect()
        })
        .collect();
    (!rows.is_empty()).then(|| Table {
        title: "Settings that differ, as rendered".to_owned(),
        columns,
        rows,
        notes: vec![],
    })
}

fn capabilities(comparison: &RunComparison) -> Vec<String> {
    let names: Vec<_> = comparison.sides.iter().map(|side| side.balancer.as_str()).collect();
    comparison.capabilities.iter().map(|it| it.line(&names)).collect()
}

fn absent(comparison: &RunComparison) -> Vec<String> {
    comparison.absent.iter().map(|it| format!("{}: n/a ({})", it.variant, it.reason)).collect()
}
