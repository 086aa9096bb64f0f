//! Runs, or the balancers of one run, side by side.
//!
//! Two figures are told apart by their repeats: one is *better* only where an exact [`rank`] test says that chance alone
//! would part them so far in less than one of a hundred cases, over at least [`LEAST_REPEATS`] repeats on each side.

mod differences;
pub mod figures;
mod keys;
mod rank;

use std::collections::BTreeSet;

use model::catalog::{Catalog, Release};
use model::experiment::experiment;
use model::identity::BalancerName;
use model::plan::SavedPlan;
use serde::Serialize;

use crate::figure::catalogue::Figure;
use crate::figure::spread::spread;
use crate::judge::run::LabelledRun;
use crate::judge::verdict::Verdict;
use crate::measure::summary::CellSummary;
use crate::numbers::NONE;

pub use differences::{Absent, CapabilityDifference, SettingDifference};
pub use keys::KeyDifference;
pub use model::claim::Better;

/// Fewer repeats on a side mark nothing.
pub const LEAST_REPEATS: usize = 5;
/// The chance below which a difference is marked.
pub const LEVEL: f64 = 0.01;

/// Whether runs may be unlike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// What differs beside the balancer is an error.
    Alike,
    /// It is told beside the table, and nothing is marked.
    Forced,
}

/// Runs that are no two measurements of one thing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlike {
    /// Their plans, or where they ran, differ.
    #[error(
        "these runs are not comparable: a difference between them would say nothing about the balancer:\n  {}\n  \
         help: run the same scenario with the same settings, or add --force to see both all the same",
        .0.iter().map(KeyDifference::words).collect::<Vec<_>>().join("\n  ")
    )]
    Keys(Vec<KeyDifference>),
    /// They have no variant in common.
    #[error("{a} has the variants {} and {b} has {}: none in common", .of_a.join(", "), .of_b.join(", "))]
    NoVariant {
        /// The first run.
        a: String,
        /// The second run.
        b: String,
        /// The variants of the first.
        of_a: Vec<String>,
        /// The variants of the second.
        of_b: Vec<String>,
    },
    /// They have no balancer in common, and more than one each.
    #[error(
        "these runs have no balancer in common, and more than one each: compare runs of one balancer each"
    )]
    NoBalancer,
}

/// What is compared, with every figure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunComparison {
    /// The scenario.
    pub scenario: String,
    /// The question that it answers.
    pub question: String,
    /// What was done to find out, in one sentence; of unlike runs, in the first.
    pub experiment: String,
    /// Who is compared, in the order of columns.
    pub sides: Vec<Side>,
    /// Every figure of every variant that all sides ran.
    pub rows: Vec<Row>,
    /// Keys of the plans, and of where they ran, that differ.
    pub keys: Vec<KeyDifference>,
    /// Settings that decide about drops and were rendered differently.
    pub settings: Vec<SettingDifference>,
    /// What one side can do and the other can't.
    pub capabilities: Vec<CapabilityDifference>,
    /// Variants that not all sides ran.
    pub absent: Vec<Absent>,
    /// What can't be trusted, and why.
    pub doubts: Vec<String>,
    /// Whether the sides are cells of one run, in an order drawn from its seed.
    pub interleaved: bool,
}

/// One of those that are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The name of its column.
    pub name: String,
    /// What it is: the run's directory; empty where the name says it.
    pub label: String,
    /// The balancer.
    pub balancer: BalancerName,
    /// Its version.
    pub version: String,
    /// `process` or `docker`.
    pub runtime: String,
    /// When the run began.
    pub started: String,
    /// How the run went.
    pub verdict: Verdict,
}

/// One figure of one variant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The variant.
    pub variant: String,
    /// The figure, as claims call it.
    pub figure: String,
    /// Which end of it is better.
    pub better: Better,
    /// What each side showed.
    pub sides: Vec<ComparedFigure>,
    /// How often chance alone would part the sides at least as far, two-sided; of several sides, the best from the one that
    /// is nearest to it. `None`: too few repeats.
    pub chance: Option<f64>,
    /// The place of the side that is better than every other; `None`: none is.
    pub best: Option<usize>,
}

/// A figure of one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedFigure {
    /// The figure of each repeat that can be trusted; `null` in JSON is infinite: it never happened, or failed.
    pub repeats: Vec<f64>,
    /// Repeats that can't be trusted, left out.
    pub left_out: usize,
    /// The median, with the smallest and the largest.
    pub text: String,
}

/// The names of runs' columns.
const LETTERS: [&str; 2] = ["A", "B"];

/// What a side is made from.
struct ComparedRun<'a> {
    side: Side,
    run: LabelledRun<'a>,
}

impl<'a> ComparedRun<'a> {
    fn new(name: &str, label: &str, run: LabelledRun<'a>, balancer: BalancerName) -> ComparedRun<'a> {
        let first = run.summary.cells.iter().find(|cell| cell.balancer == balancer);
        let side = Side {
            name: name.to_owned(),
            label: label.to_owned(),
            balancer,
            version: first.map_or_else(String::new, |cell| cell.balancer_version.clone()),
            runtime: first.map_or_else(String::new, |cell| cell.runtime.clone()),
            started: run.summary.environment.started.clone(),
            verdict: run.summary.verdict,
        };
        ComparedRun { side, run }
    }

    /// What its balancer is; `None`: rig did not launch it.
    fn release(&self) -> Option<Release> {
        self.run.plan.variants.iter().find_map(|variant| variant.release(self.side.balancer))
    }

    /// Its cells of `variant`.
    fn cells(&self, variant: &str) -> Vec<&'a CellSummary> {
        let own = |cell: &&CellSummary| cell.balancer == self.side.balancer && cell.variant == variant;
        self.run.summary.cells.iter().filter(own).collect()
    }
}

/// The balancers of one run. `whole` is the scenario's plan for them, of which the run may have left out what not all of
/// them can run.
pub fn balancers(
    run: LabelledRun<'_>,
    names: &[BalancerName],
    whole: &SavedPlan,
    catalog: &Catalog,
) -> RunComparison {
    let sources: Vec<_> = names.iter().map(|name| ComparedRun::new(name.as_str(), "", run, *name)).collect();
    compared(&sources, whole, Vec::new(), catalog, Strictness::Alike)
}

/// Two runs: of each balancer that both have, or of the one that each has.
///
/// # Errors
/// If they are unlike in anything but the balancer and its settings.
pub fn runs(
    a: LabelledRun<'_>,
    b: LabelledRun<'_>,
    strictness: Strictness,
    catalog: &Catalog,
) -> Result<Vec<RunComparison>, Unlike> {
    let names = |run: LabelledRun<'_>| run.plan.variants.iter().map(|v| v.name.clone()).collect::<Vec<_>>();
    if !names(a).iter().any(|name| b.plan.variant(name).is_some()) {
        let [a_label, b_label] = [a, b].map(|run| run.label.to_owned());
        return Err(Unlike::NoVariant { a: a_label, b: b_label, of_a: names(a), of_b: names(b) });
    }
    let mut keys = keys::differences(a.plan, b.plan);
    keys.extend(differences::places(a, b));
    keys.extend(differences::templates(a, b));
    let unlike: Vec<_> = keys.iter().filter(|key| !key.compared).cloned().collect();
    if strictness == Strictness::Alike && !unlike.is_empty() {
        return Err(Unlike::Keys(unlike));
    }
    let [of_a, of_b] = [a, b]
        .map(|run| run.summary.cells.iter().map(|cell| cell.balancer).collect::<BTreeSet<BalancerName>>());
    let shared: Vec<_> = of_a.intersection(&of_b).copied().collect();
    let pairs: Vec<[BalancerName; 2]> = match (shared.is_empty(), of_a.len(), of_b.len()) {
        (false, ..) => shared.into_iter().map(|kind| [kind, kind]).collect(),
        (true, 1, 1) => of_a.into_iter().zip(of_b).map(|(a, b)| [a, b]).collect(),
        _ => return Err(Unlike::NoBalancer),
    };
    let comparison = |[left, right]: [BalancerName; 2]| {
        let sources =
            [ComparedRun::new(LETTERS[0], a.label, a, left), ComparedRun::new(LETTERS[1], b.label, b, right)];
        compared(&sources, a.plan, keys.clone(), catalog, strictness)
    };
    Ok(pairs.into_iter().map(comparison).collect())
}

/// What differs between a run and the one before it, a line each: versions, rendered settings, keys of the plan, templates,
/// and where they ran.
pub(crate) fn changes(before: LabelledRun<'_>, after: LabelledRun<'_>) -> Vec<String> {
    let names = |run: LabelledRun<'_>| {
        run.summary.cells.iter().map(|cell| cell.balancer).collect::<BTreeSet<BalancerName>>()
    };
    let mut lines = Vec::new();
    for name in names(before).intersection(&names(after)) {
        let sides =
            [("before", before), ("after", after)].map(|(side, run)| ComparedRun::new(side, "", run, *name));
        if sides[0].side.version != sides[1].side.version {
            lines.push(format!("{name} {} → {}", sides[0].side.version, sides[1].side.version));
        }
        let settings = differences::settings(&sides);
        lines.extend(settings.iter().map(|setting| {
            let rendered = setting.rendered.iter().map(|text| text.as_deref().unwrap_or(NONE));
            format!("{name} {}: {}", setting.name, rendered.collect::<Vec<_>>().join(" → "))
        }));
    }
    let mut keys = keys::differences(before.plan, after.plan);
    keys.extend(differences::templates(before, after));
    keys.extend(differences::places(before, after));
    lines.extend(
        keys.iter().map(|difference| format!("{}: {}", difference.key, difference.values.join(" → "))),
    );
    let [old, new] = [before, after].map(|run| run.summary.environment.rig.as_str());
    if old != new {
        lines.push(format!("rig {old} → {new}"));
    }
    lines
}

fn compared(
    sources: &[ComparedRun<'_>],
    whole: &SavedPlan,
    keys: Vec<KeyDifference>,
    catalog: &Catalog,
    strictness: Strictness,
) -> RunComparison {
    let mut rows = Vec::new();
    for variant in &whole.variants {
        let cells: Vec<_> = sources.iter().map(|source| source.cells(&variant.name)).collect();
        if cells.iter().all(|cells| !cells.is_empty()) {
            let all: Vec<_> = cells.iter().flatten().copied().collect();
            rows.extend(figures::figures(&all).iter().filter_map(|f| row(&variant.name, f, &cells)));
        }
    }
    // Who is better can't be said of two that were not given the same to do.
    if strictness == Strictness::Forced && keys.iter().any(|key| !key.compared) {
        rows.iter_mut().for_each(|row| row.best = None);
    }
    let first = sources.first().map(|source| source.run);
    let one_run =
        sources.iter().all(|source| first.is_some_and(|f| std::ptr::eq(f.summary, source.run.summary)));
    RunComparison {
        scenario: whole.scenario.clone(),
        question: whole.question.clone(),
        experiment: experiment(whole),
        rows,
        settings: differences::settings(sources),
        capabilities: differences::capabilities(sources, catalog),
        absent: differences::absent(sources, whole),
        doubts: differences::doubts(sources),
        sides: sources.iter().map(|source| source.side.clone()).collect(),
        keys,
        interleaved: one_run,
    }
}

/// A figure of a variant; `None`: no side has it, or there is nothing to tell.
fn row(variant: &str, figure: &Figure, cells: &[Vec<&CellSummary>]) -> Option<Row> {
    let sides: Vec<ComparedFigure> = cells.iter().map(|cells| measured(figure, cells)).collect();
    let numbers = || sides.iter().flat_map(|side| &side.repeats);
    let known = sides.iter().any(|side| !side.repeats.is_empty() || side.left_out > 0);
    if !known || (!figures::always(figure) && numbers().all(|number| *number == 0.0)) {
        return None;
    }
    let enough = sides.iter().all(|side| side.repeats.len() >= LEAST_REPEATS);
    let (best, chance) = if enough { best(&sides, figure.better()) } else { (None, 1.0) };
    let marked = chance <= LEVEL && figure.better() != Better::Neither;
    Some(Row {
        variant: variant.to_owned(),
        figure: figure.name(),
        better: figure.better(),
        chance: enough.then_some(chance),
        best: best.filter(|_| marked),
        sides,
    })
}

/// The numbers of some repeats. Those that can't be trusted are left out; if that is all of them, they are shown.
pub(crate) fn measured(figure: &Figure, cells: &[&CellSummary]) -> ComparedFigure {
    let read = |cell: &&'_ CellSummary| figure.read(cell);
    let known: Vec<_> = cells.iter().copied().filter(|cell| read(cell).is_some()).collect();
    let (usable, doubtful): (Vec<_>, Vec<_>) = known.into_iter().partition(|cell| figure.is_usable(cell));
    let numbers = |cells: &[&CellSummary]| cells.iter().filter_map(read).collect::<Vec<f64>>();
    let shown = if usable.is_empty() { &doubtful } else { &usable };
    let pairs: Vec<(f64, &CellSummary)> = numbers(shown).into_iter().zip(shown.iter().copied()).collect();
    let mut text = if pairs.is_empty() {
        NONE.to_owned()
    } else {
        spread(pairs, |cell, value| figure.show(cell, value))
    };
    if !usable.is_empty() && !doubtful.is_empty() {
        text.push_str(&format!(" [{} of {} repeats]", usable.len(), cells.len()));
    }
    ComparedFigure { repeats: numbers(&usable), left_out: doubtful.len(), text }
}

/// The side whose numbers rank at the better end, and the chance that it isn't better than the one nearest to it.
fn best(sides: &[ComparedFigure], better: Better) -> (Option<usize>, f64) {
    let ahead = |a: &[f64], b: &[f64]| {
        let wins = |x: &f64| b.iter().map(|y| f64::from(x.total_cmp(y) as i8)).sum::<f64>();
        let wins = a.iter().map(wins).sum::<f64>();
        if better == Better::Higher { wins > 0.0 } else { wins < 0.0 }
    };
    let beats_all = |place: &usize| {
        sides
            .iter()
            .enumerate()
            .all(|(other, side)| other == *place || ahead(&sides[*place].repeats, &side.repeats))
    };
    // Where no side is ahead of all others, two are level.
    let Some(place) = (0..sides.len()).find(beats_all) else { return (None, 1.0) };
    let others = sides.iter().enumerate().filter(|(other, _)| *other != place);
    let chances = others.map(|(_, side)| rank::chance(&sides[place].repeats, &side.repeats));
    (Some(place), chances.max_by(f64::total_cmp).unwrap_or(1.0))
}
