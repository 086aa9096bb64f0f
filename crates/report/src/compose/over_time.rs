//! Saved runs, one after another: how each went, or one figure over all of them with what changed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use model::claim::{ClaimError, Reading};
use model::identity::BalancerName;
use serde::Serialize;

use crate::compose::overview::verdict;
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::figure::catalogue::Figure;
use crate::figure::spread::median;
use crate::judge::compare::{ComparedFigure, changes, measured};
use crate::judge::run::LabelledRun;
use crate::judge::verdict::{Holding, RunSummary, Verdict};
use crate::measure::summary::CellSummary;
use crate::numbers::NONE;

/// A figure that is to be followed: of one variant, or of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed {
    variant: Option<String>,
    figure: Figure,
}

impl FromStr for Followed {
    type Err = ClaimError;

    /// Reads `metric`, `metric[facet]` or `variant.metric[facet]`.
    fn from_str(text: &str) -> Result<Followed, ClaimError> {
        // A part may have dots in its name.
        let has_variant = text.split('[').next().is_some_and(|name| name.contains('.'));
        let (variant, metric, facet) = if has_variant {
            let Reading { variant, metric, facet } = text.parse()?;
            (Some(variant), metric, facet)
        } else {
            let (metric, facet) = Reading::of_any_variant(text)?;
            (None, metric, facet)
        };
        Ok(Followed { variant, figure: Figure { metric, facet } })
    }
}

/// A run in a list of runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ListedRun {
    /// Its directory.
    pub run: String,
    /// The scenario.
    pub scenario: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// How it went.
    pub verdict: Verdict,
    /// How many claims held.
    pub held: usize,
    /// How many claims apply.
    pub claims: usize,
    /// The version of each balancer.
    pub balancers: BTreeMap<String, String>,
    /// The seed.
    pub seed: u64,
    /// How often each cell was run.
    pub repeats: u32,
    /// rig's version.
    pub rig: String,
}

/// The runs in the order in which they began.
pub fn list(runs: &[LabelledRun<'_>]) -> Vec<ListedRun> {
    in_order(runs).into_iter().map(listed).collect()
}

fn listed(run: LabelledRun<'_>) -> ListedRun {
    let LabelledRun { label, summary, .. } = run;
    let applies = summary.claims.iter().filter(|claim| !matches!(claim.holding, Holding::NotApplicable(_)));
    let builds = summary.environment.balancers.iter();
    ListedRun {
        run: label.to_owned(),
        scenario: summary.scenario.clone(),
        started: summary.environment.started.clone(),
        verdict: summary.verdict,
        held: applies.clone().filter(|claim| claim.holding == Holding::Held).count(),
        claims: applies.count(),
        balancers: builds.map(|(name, build)| (name.clone(), build.version.clone())).collect(),
        seed: summary.seed,
        repeats: summary.repeats,
        rig: summary.environment.rig.clone(),
    }
}

/// A row per run.
pub fn listing(runs: &[ListedRun]) -> Table {
    let mut columns = Vec::from(Column::left(["began", "scenario", "verdict"]));
    columns.extend(Column::right(["claims held"]));
    columns.extend(Column::left(["balancers", "run"]));
    let row = |run: &ListedRun| {
        let balancers = run.balancers.iter().map(|(name, version)| format!("{name} {version}"));
        vec![
            Cell::plain(&run.started),
            Cell::plain(&run.scenario),
            verdict(run.verdict),
            Cell::plain(format!("{} of {}", run.held, run.claims)),
            Cell::plain(balancers.collect::<Vec<_>>().join(", ")),
            Cell::plain(&run.run),
        ]
    };
    Table {
        title: "Saved runs".into(),
        columns,
        rows: runs.iter().map(row).collect(),
        notes: vec![
            "As each was judged when it ended; `rig report RUN` judges it again, from its records.".into(),
        ],
    }
}

/// A figure of one variant of a scenario, run by run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// The scenario.
    pub scenario: String,
    /// The variant.
    pub variant: String,
    /// The figure, as claims call it.
    pub figure: String,
    /// One for each run that measured it, in the order in which they began.
    pub points: Vec<Point>,
}

/// What one run showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Point {
    /// The run's directory.
    pub run: String,
    /// When it began (RFC 3339, UTC).
    pub started: String,
    /// How it went.
    pub verdict: Verdict,
    /// What each balancer showed.
    pub balancers: Vec<OfBalancer>,
    /// What differs from the run before: versions, keys of the plan, templates, and where it ran.
    pub changes: Vec<String>,
}

/// The figure of a balancer in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OfBalancer {
    /// The balancer.
    pub balancer: BalancerName,
    /// Its version.
    pub version: String,
    /// Its repeats: a count, a number, milliseconds, or a share from 0 to 1.
    #[serde(flatten)]
    pub figure: ComparedFigure,
}

/// Follows a figure through runs: one trend for each scenario and variant that has it.
pub fn follow(runs: &[LabelledRun<'_>], followed: &Followed) -> Vec<Trend> {
    let mut trends: Vec<(Trend, LabelledRun<'_>)> = Vec::new();
    let mut places: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for run in in_order(runs) {
        let scenario = run.summary.scenario.as_str();
        let wanted = |name: &&str| followed.variant.as_deref().is_none_or(|variant| variant == *name);
        for variant in run.plan.variants.iter().map(|variant| variant.name.as_str()).filter(wanted) {
            let balancers = of_balancers(run.summary, variant, &followed.figure);
            if balancers.is_empty() {
                continue;
            }
            let place = *places.entry((scenario, variant)).or_insert_with(|| {
                trends.push((Trend::new(scenario, variant, &followed.figure), run));
                trends.len() - 1
            });
            let (trend, before) = &mut trends[place];
            let is_first = trend.points.is_empty();
            trend.points.push(Point {
                run: run.label.to_owned(),
                started: run.summary.environment.started.clone(),
                verdict: run.summary.verdict,
                balancers,
                changes: if is_first { Vec::new() } else { changes(*before, run) },
            });
            *before = run;
        }
    }
    trends.into_iter().map(|(trend, _)| trend).collect()
}

impl Trend {
    fn new(scenario: &str, variant: &str, figure: &Figure) -> Trend {
        let [scenario, variant] = [scenario, variant].map(str::to_owned);
        Trend { scenario, variant, figure: figure.name(), points: Vec::new() }
    }
}

/// The balancers that have the figure.
fn of_balancers(run: &RunSummary, variant: &str, figure: &Figure) -> Vec<OfBalancer> {
    let cells: Vec<&CellSummary> = run.cells.iter().filter(|cell| cell.variant == variant).collect();
    let names: BTreeSet<BalancerName> = cells.iter().map(|cell| cell.balancer).collect();
    let each = names.into_iter().filter_map(|balancer| {
        let own: Vec<&CellSummary> = cells.iter().copied().filter(|cell| cell.balancer == balancer).collect();
        let version = own.first().map_or_else(String::new, |cell| cell.balancer_version.clone());
        let measured = measured(figure, &own);
        let has_it = !measured.repeats.is_empty() || measured.left_out > 0;
        has_it.then_some(OfBalancer { balancer, version, figure: measured })
    });
    each.collect()
}

/// A row per run, a column per balancer, each number with a bar.
pub fn table(trend: &Trend) -> Table {
    let names: BTreeSet<BalancerName> =
        trend.points.iter().flat_map(|point| &point.balancers).map(|of| of.balancer).collect();
    let mut columns = Vec::from(Column::left(["began"]));
    columns.extend(names.iter().flat_map(|name| Column::right([name.as_str()])));
    columns.extend(Column::left(["verdict", "changed since the run before"]));
    let greatest = |name: BalancerName| {
        let all = trend.points.iter().flat_map(|point| &point.balancers).filter(|of| of.balancer == name);
        all.filter_map(|of| middle(&of.figure)).filter(|value| value.is_finite()).fold(0.0, f64::max)
    };
    let row = |point: &Point| {
        let mut cells = vec![Cell::plain(&point.started)];
        for name in &names {
            let of = point.balancers.iter().find(|of| of.balancer == *name);
            cells.push(of.map_or_else(|| Cell::plain(NONE), |of| number(&of.figure, greatest(*name))));
        }
        cells.push(verdict(point.verdict));
        cells.push(Cell::plain(point.changes.join("; ")));
        cells
    };
    let Trend { scenario, variant, figure, .. } = trend;
    Table {
        title: format!("{scenario}, {variant}: {figure}"),
        columns,
        rows: trend.points.iter().map(row).collect(),
        notes: vec![
            "Of repeats, the median with the smallest and the largest. A bar is full at the greatest of its column.".into(),
        ],
    }
}

/// What stands for the repeats where one number is drawn; `None`: none of them can be trusted.
fn middle(figure: &ComparedFigure) -> Option<f64> {
    let mut repeats = figure.repeats.clone();
    repeats.sort_by(f64::total_cmp);
    median(&repeats)
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

fn number(figure: &ComparedFigure, greatest: f64) -> Cell {
    let Some(value) = middle(figure) else { return Cell::with(Emphasis::Struck, &figure.text) };
    let part = if greatest > 0.0 { value / greatest } else { 0.0 };
    let height = (part * (BARS.len() - 1) as f64).round().clamp(0.0, (BARS.len() - 1) as f64);
    Cell::plain(format!("{} {}", figure.text, BARS[height as usize]))
}

fn in_order<'a>(runs: &[LabelledRun<'a>]) -> Vec<LabelledRun<'a>> {
    let mut runs = runs.to_vec();
    runs.sort_by(|a, b| {
        (&a.summary.environment.started, a.label).cmp(&(&b.summary.environment.started, b.label))
    });
    runs
}
