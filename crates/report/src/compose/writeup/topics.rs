//! What a write-up can be about, and how a plan shows that it is.

use std::collections::BTreeSet;

use model::plan::{SavedPlan, Variant};
use model::timeline::{Action, Deploy, Drain};
use model::tls::Tls;
use model::topology::{Layer, Topology};

use super::{brief, drain};
use crate::compose::document::{self, Detail, Mark, Quote};
use crate::compose::page::Part;
use crate::compose::table::{Cell, Column, Table};
use crate::figure::spread::spread_of;
use crate::judge::run::LabelledRun;
use crate::measure::routing::Routing;
use crate::measure::summary::CellSummary;
use crate::numbers::{number, percent};

/// A section that a run can fill.
pub(super) struct WriteupTopic {
    /// Its title.
    pub(super) title: &'static str,
    /// What a run must have.
    pub(super) what: &'static str,
    /// Whether a plan has it.
    pub(super) is_in: fn(&SavedPlan) -> bool,
    /// The section, from a run whose plan has it.
    pub(super) tell: fn(&LabelledRun<'_>) -> Vec<Part>,
    /// The same for the one page; `None`: it is not on it.
    pub(super) in_short: Option<fn(&LabelledRun<'_>) -> Vec<Part>>,
}

pub(super) const TOPICS: &[WriteupTopic] = &[
    WriteupTopic {
        title: "Which layer, and why",
        what: "the same routes at layer 4 and at layer 7, and requests that say which pool should answer",
        is_in: has_both_layers,
        tell: layers,
        in_short: Some(|run| vec![Part::Text(layer_answer(run))]),
    },
    WriteupTopic {
        title: "The drain window, and where it comes from",
        what: "a deploy whose drain window is derived",
        is_in: |plan| deploys(plan).any(|drain| drain == Drain::Auto),
        tell: drain::window,
        in_short: Some(brief::window),
    },
    WriteupTopic {
        title: "The deploy sequence, as it was timed",
        what: "a deploy that drains",
        is_in: |plan| deploys(plan).any(|drain| drain != Drain::Off),
        tell: drain::sequence,
        in_short: Some(brief::sequence),
    },
    WriteupTopic {
        title: "Without and with draining",
        what: "one deploy without draining and one with it",
        is_in: |plan| {
            deploys(plan).any(|drain| drain == Drain::Off) && deploys(plan).any(|drain| drain != Drain::Off)
        },
        tell: drain::side_by_side,
        in_short: Some(brief::side_by_side),
    },
    WriteupTopic {
        title: "Scaling out and in",
        what: "a backend that is removed or added under load",
        is_in: |plan| plan.variants.iter().any(|variant| variant.rollouts() > variant.deploys().count()),
        tell: |run| tables(run, document::deploys_table(run.summary)),
        in_short: None,
    },
    WriteupTopic {
        title: "Health checks: when a dead backend is noticed",
        what: "a backend that is killed, stopped or cut off",
        is_in: |plan| plan.variants.iter().any(|variant| variant.faults().next().is_some()),
        tell: |run| tables(run, document::faults_table(run.summary)),
        in_short: None,
    },
    WriteupTopic {
        title: "Half-dead backends",
        what: "a backend that runs and does not work",
        is_in: |plan| {
            let mut entries = plan.variants.iter().flat_map(|variant| &variant.timeline);
            entries.any(|entry| matches!(entry.action, Action::Degrade(_)))
        },
        tell: |run| tables(run, document::faults_table(run.summary)),
        in_short: None,
    },
    WriteupTopic {
        title: "Round robin against least connections",
        what: "variants that differ in how a backend is chosen",
        is_in: |plan| {
            plan.variants
                .iter()
                .any(|a| plan.variants.iter().any(|b| b.topology.balance != a.topology.balance))
        },
        tell: algorithms,
        in_short: None,
    },
    WriteupTopic {
        title: "The canary's split",
        what: "a route that is split between pools",
        is_in: |plan| {
            let mut routes = plan.variants.iter().flat_map(|variant| &variant.topology.routes);
            routes.any(|route| route.to.only().is_none())
        },
        tell: |run| tables(run, document::routing_tables(run.summary)),
        in_short: None,
    },
    WriteupTopic {
        title: "Sessions",
        what: "sessions that stick to a backend, or that backends share",
        is_in: |plan| plan.variants.iter().any(|variant| has_sessions(&variant.topology)),
        tell: everything,
        in_short: None,
    },
    WriteupTopic {
        title: "What TLS costs",
        what: "a listener with TLS",
        is_in: |plan| plan.variants.iter().any(|variant| variant.topology.listener.tls != Tls::Off),
        tell: everything,
        in_short: None,
    },
    WriteupTopic {
        title: "Reloading the balancer",
        what: "reloads of the balancer under load",
        is_in: |plan| plan.variants.iter().any(|variant| variant.reloads().next().is_some()),
        tell: |run| tables(run, document::reloads_table(run.summary)),
        in_short: None,
    },
];

fn deploys(plan: &SavedPlan) -> impl Iterator<Item = Drain> {
    let drained_or_not = |deploy: &&Deploy| deploy.leaving.termination.is_none();
    plan.variants.iter().flat_map(Variant::deploys).filter(drained_or_not).map(|deploy| deploy.leaving.drain)
}

fn layer_of(plan: &SavedPlan, cell: &CellSummary) -> Option<Layer> {
    plan.variant(&cell.variant).map(|variant| variant.topology.listener.layer)
}

fn has_both_layers(plan: &SavedPlan) -> bool {
    let expects = |v: &&Variant| v.traffic.mix.iter().any(|class| class.expected_pool.is_some());
    let layers: BTreeSet<bool> =
        plan.variants.iter().filter(expects).map(|v| v.topology.listener.layer == Layer::Four).collect();
    layers.len() == 2
}

fn has_sessions(topology: &Topology) -> bool {
    topology.routes.iter().any(|route| route.sticky.is_some())
        || topology.pools.iter().any(|pool| pool.sessions.is_some())
}

/// Tables, and then what the scenario says that they mean.
fn tables(run: &LabelledRun<'_>, tables: Vec<Table>) -> Vec<Part> {
    tables.into_iter().map(Part::Table).chain(meaning(run)).collect()
}

/// The scenario's own words, with its figures, and how its claims stand.
pub(super) fn meaning(run: &LabelledRun<'_>) -> Vec<Part> {
    let readings = document::reading_lines(run.summary);
    let claims = document::claim_lines(run.summary);
    let held = claims.iter().filter(|line| line.mark == Mark::Good).count();
    let judged = claims.iter().filter(|line| line.mark != Mark::None).count();
    let mut parts = Vec::new();
    if !readings.is_empty() {
        parts.push(Part::Lines(readings));
    }
    let not: Vec<_> =
        claims.into_iter().filter(|line| matches!(line.mark, Mark::Bad | Mark::Unknown)).collect();
    if judged > 0 && held == judged {
        parts.push(Part::Text(format!("All {judged} claims of the scenario held.")));
    } else if judged > 0 {
        parts.push(Part::Text(format!("{held} of {judged} claims of the scenario held. The others:")));
    }
    if !not.is_empty() {
        parts.push(Part::Lines(not));
    }
    parts
}

/// What is known of a run, for what has no tables of its own here.
fn everything(run: &LabelledRun<'_>) -> Vec<Part> {
    let found = document::compose(run.summary, Detail::Brief).blocks.into_iter();
    let found = found.filter_map(|block| match block {
        document::Block::Table(table) => Some(table),
        _ => None,
    });
    tables(run, found.collect())
}

/// What each layer did to the same requests.
fn layers(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut columns = Vec::from(Column::left(["balancer", "layer"]));
    columns.extend(Column::right(["responses", "from the wrong pool", "log names another pool", "dropped"]));
    let row = |LayerCell { cell, layer, routing, expected }: LayerCell<'_>| {
        let disagreements = match routing.compared {
            Some(_) => routing.disagreements.to_string(),
            None => "n/a (no ids)".to_owned(),
        };
        let figures = [
            expected.to_string(),
            routing.misrouted.to_string(),
            disagreements,
            cell.counts.dropped.to_string(),
        ];
        let figures = figures.map(Cell::plain).map(document::struck_unless(cell.is_usable()));
        let names = [cell.balancer.as_str(), if layer == Layer::Four { "4" } else { "7" }].map(Cell::plain);
        names.into_iter().chain(figures).collect()
    };
    let title = "The same requests at both layers".to_owned();
    let table = Table { title, columns, rows: layer_cells(run).map(row).collect(), notes: vec![] };
    let mut parts = vec![Part::Text(layer_answer(run)), Part::Table(table)];
    parts.extend(transcripts(run));
    parts.extend(meaning(run));
    parts
}

/// A cell whose requests say which pool should answer.
struct LayerCell<'a> {
    cell: &'a CellSummary,
    layer: Layer,
    routing: &'a Routing,
    expected: u64,
}

fn layer_cells<'a>(run: &'a LabelledRun<'_>) -> impl Iterator<Item = LayerCell<'a>> {
    run.summary.cells.iter().filter_map(|cell| {
        let (layer, routing) = layer_of(run.plan, cell).zip(cell.routing.as_ref())?;
        Some(LayerCell { cell, layer, routing, expected: routing.expected? })
    })
}

/// Which layer, and why.
fn layer_answer(run: &LabelledRun<'_>) -> String {
    let mut totals = [(0, 0); 2];
    for LayerCell { layer, routing, expected, .. } in layer_cells(run) {
        let total = &mut totals[usize::from(layer == Layer::Four)];
        *total = (total.0 + expected, total.1 + routing.misrouted);
    }
    let [seven, four] = totals;
    if layer_cells(run).all(|it| it.cell.is_usable()) && seven.0 > 0 && seven.1 == 0 && four.1 > 0 {
        format!(
            "Layer 7, because requests are routed by what they say. Of {} responses at layer 7 none came from the wrong \
             pool. At layer 4 the same balancers, load and routes sent {} of {} to the wrong one: there a balancer \
             forwards connections and reads no path. No error rate tells: these responses were delivered.",
            seven.0, four.1, four.0
        )
    } else {
        format!(
            "The run does not settle it: {} of {} responses came from the wrong pool at layer 7, {} of {} at layer 4.",
            seven.1, seven.0, four.1, four.0
        )
    }
}

/// The curl transcripts of the first balancer, once per layer.
fn transcripts(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut seen = BTreeSet::new();
    let cells = run.summary.cells.iter().filter(|cell| !cell.curls.is_empty());
    let first = cells.filter(|cell| seen.insert(layer_of(run.plan, cell) == Some(Layer::Four)));
    let quotes = first.flat_map(|cell| document::transcripts(run.summary, cell));
    quotes.map(|quote| Part::Quote(Quote { text: first_of_body(&quote.text), ..quote })).collect()
}

/// A transcript with the first line of the response's body: the head says who answered.
fn first_of_body(text: &str) -> String {
    let head =
        text.lines().enumerate().filter(|(_, line)| line.starts_with(['>', '<'])).map(|(n, _)| n).last();
    text.lines().take(head.map_or(usize::MAX, |last| last + 2)).collect::<Vec<_>>().join("\n")
}

/// Latency and share, beside how backends were chosen.
fn algorithms(run: &LabelledRun<'_>) -> Vec<Part> {
    let mut columns = Vec::from(Column::left(["balancer", "variant", "balance"]));
    columns.extend(Column::right(["p50", "p90", "p99", "p99.9", "dropped"]));
    columns.extend(Column::left(["share per backend"]));
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let row = |cells: &[CellSummary]| {
        let first = &cells[0];
        let balance = run.plan.variant(&first.variant).map(|v| crate::numbers::words(v.topology.balance));
        let usable = cells.iter().all(|cell| cell.validity.latency.is_usable());
        let quantiles = document::quantiles(cells).map(Cell::plain).map(document::struck_unless(usable));
        let dropped = spread_of(cells.iter().map(|cell| cell.counts.dropped as f64), number);
        let share = |id: &String| {
            let shares = cells.iter().filter_map(|c| c.backends.get(id)).map(|b| b.share);
            format!("{id} {}", spread_of(shares, percent))
        };
        let shares: Vec<_> = first.backends.keys().map(share).collect();
        let counted = cells.iter().all(|cell| cell.is_usable());
        let counted = [dropped, shares.join(", ")].map(Cell::plain).map(document::struck_unless(counted));
        [first.balancer.as_str(), &first.variant, &balance.unwrap_or_default()]
            .map(Cell::plain)
            .into_iter()
            .chain(quantiles)
            .chain(counted)
            .collect()
    };
    let table = Table {
        title: "Latency from the intended start, and share per backend".into(),
        columns,
        rows: run.summary.cells.chunk_by(same).map(row).collect(),
        notes: vec!["A failed request counts as slower than any other.".into()],
    };
    tables(run, vec![table])
}
