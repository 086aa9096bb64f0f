//! The tables of a report: one row per cell, and the settings.

use std::collections::BTreeSet;

use model::catalog::BalancerKind;
use model::claim::Metric;
use model::history::Setting;
use model::outcome::OutcomeKind;

use super::{Mark, mark, runtimes, trust_word, variant_label};
use crate::deploy::DeployRecord;
use crate::figures::{NONE, millis, percent, percent_span_of, span_of};
use crate::latency::Latency;
use crate::reading::{beyond, dropped_kinds};
use crate::summary::CellSummary;
use crate::table::{Cell, Column, Emphasis, Table};
use crate::validity::Trust;
use crate::verdict::{ClaimVerdict, RunSummary};
use crate::zero;

/// Whose row it is.
pub(crate) fn names(run: &RunSummary, cell: &CellSummary) -> Vec<Cell> {
    vec![Cell::plain(cell.balancer.name()), Cell::plain(variant_label(run, cell))]
}

/// Numbers that can't be trusted are shown, but struck.
pub(crate) fn struck_unless(usable: bool) -> impl Fn(Cell) -> Cell {
    move |cell| Cell { emphasis: if usable { cell.emphasis } else { Emphasis::Struck }, ..cell }
}

/// How the measured requests ended.
pub(super) fn requests(run: &RunSummary) -> Table {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["scheduled", "ok", "dropped", "masked", "twice"]));
    // What no cell has needs no column.
    let split: Vec<_> = run.cells.iter().map(split).collect();
    let is_told: Vec<bool> =
        (0..SPLIT.len()).map(|kind| split.iter().any(|counts| counts[kind] > 0)).collect();
    let told = |kind: &usize| is_told[*kind];
    columns.extend((0..SPLIT.len()).filter(told).flat_map(|kind| Column::right([SPLIT[kind].0])));
    columns.extend(Column::left(["verdict"]));
    let row = |(cell, split): (&CellSummary, &[u64; SPLIT.len()])| {
        let counts = &cell.counts;
        let mut numbers = vec![
            Cell::plain(counts.scheduled.to_string()),
            Cell::plain(counts.of(OutcomeKind::Ok).to_string()),
            dropped(cell),
        ];
        numbers.extend(zero::shadow_cells(&cell.books).map(Cell::plain));
        numbers.extend((0..SPLIT.len()).filter(told).map(|kind| Cell::plain(split[kind].to_string())));
        let numbers = numbers.into_iter().map(struck_unless(cell.is_usable()));
        names(run, cell).into_iter().chain(numbers).chain([verdict(run, cell)]).collect()
    };
    Table {
        title: "Requests".to_owned(),
        columns,
        rows: run.cells.iter().zip(&split).map(row).collect(),
        notes: vec![
            DROPPED.to_owned(),
            "verdict: ✓ every claim about the variant held, ✗ one failed, ? one is unproven; \
             and how far the counts, the deploy and the timeline can be trusted."
                .to_owned(),
        ],
    }
}

/// The ways to be dropped, each with its column; what is none of them is "other".
const SPLIT: [(&str, Option<Metric>); 7] = [
    ("5xx", Some(Metric::Http5xx)),
    ("reset", Some(Metric::Reset)),
    ("closed", Some(Metric::Closed)),
    ("refused", Some(Metric::Refused)),
    ("timeout", Some(Metric::Timeout)),
    ("not sent", Some(Metric::NotSent)),
    ("other", None),
];

/// How many requests a cell dropped in each way.
fn split(cell: &CellSummary) -> [u64; SPLIT.len()] {
    let of = |metric| cell.counts.of_any(dropped_kinds(metric).unwrap_or_default());
    let named: u64 = SPLIT.iter().filter_map(|(_, metric)| *metric).map(of).sum();
    SPLIT.map(|(_, metric)| metric.map_or(cell.counts.dropped.saturating_sub(named), of))
}

/// What stands under a column of dropped requests.
pub(crate) const DROPPED: &str = "dropped: every scheduled request without a complete expected response in time. A zero carries its bound: of \
     requests such as the control lost on the same arrivals, fewer than that part are lost, at 95 % confidence. masked: \
     ended well although an attempt had failed. twice: received more than once by backends.";

pub(crate) fn dropped(cell: &CellSummary) -> Cell {
    let emphasis = if cell.counts.dropped == 0 { Emphasis::Good } else { Emphasis::Bad };
    Cell::with(emphasis, zero::dropped(cell))
}

/// Whether the claims about this cell's variant hold, and the worse of the trust in its counts and its deploy.
fn verdict(run: &RunSummary, cell: &CellSummary) -> Cell {
    let about = |claim: &&ClaimVerdict| {
        claim.balancer == cell.balancer
            && claim.repeat == cell.repeat
            && claim.variants.contains(&cell.variant)
    };
    let marks: Vec<_> = run.claims.iter().filter(about).map(|claim| mark(&claim.holding)).collect();
    let worst = [Mark::Bad, Mark::Unknown, Mark::Good].into_iter().find(|mark| marks.contains(mark));
    let happened = [&cell.validity.deploy, &cell.validity.timeline].into_iter().flatten();
    let trust = happened.map(|it| it.verdict).fold(cell.validity.counts.verdict, Trust::max);
    let bad = worst == Some(Mark::Bad) || trust == Trust::Invalid;
    let emphasis = if bad { Emphasis::Bad } else { Emphasis::Plain };
    let sign = worst.map_or(String::new(), |mark| format!("{} ", mark.sign()));
    Cell::with(emphasis, format!("{sign}{}", trust_word(trust)))
}

/// How far figures can be trusted, in a word.
pub(super) fn trust(trust: Trust) -> Cell {
    let emphasis = if trust == Trust::Invalid { Emphasis::Bad } else { Emphasis::Plain };
    Cell::with(emphasis, trust_word(trust))
}

/// How long the measured requests took, and who answered them.
pub(super) fn latency(run: &RunSummary) -> Table {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(["p50", "p90", "p99", "p99.9", "max", "ok-only p99"]));
    columns.extend(Column::left(["latency", "share per backend"]));
    let row = |cell: &CellSummary| {
        let all = &cell.latency_ms;
        let quantiles = [all.p50, all.p90, all.p99, all.p999, all.max];
        let mut numbers: Vec<_> = quantiles.map(|q| Cell::plain(quantile(cell, all, q))).into();
        let ok_only = &cell.ok_only_latency_ms;
        numbers.push(Cell::plain(quantile(cell, ok_only, ok_only.p99)));
        let usable = cell.validity.latency.is_usable();
        let shares: Vec<_> =
            cell.backends.iter().map(|(id, backend)| format!("{id} {}", percent(backend.share))).collect();
        names(run, cell)
            .into_iter()
            .chain(numbers.into_iter().map(struck_unless(usable)))
            .chain([trust(cell.validity.latency.verdict), Cell::plain(shares.join(", "))])
            .collect()
    };
    Table {
        title: "Latency from the intended start, and who answered".to_owned(),
        columns,
        rows: run.cells.iter().map(row).collect(),
        notes: vec!["A failed request counts as slower than any other.".to_owned()],
    }
}

pub(super) fn quantile(cell: &CellSummary, latency: &Latency, quantile: Option<f64>) -> String {
    match quantile {
        Some(ms) => millis(ms),
        None if latency.failed > 0 => beyond(cell),
        None => NONE.to_owned(),
    }
}

/// What the deploys did; `None` if no cell has one.
pub(super) fn deploys(run: &RunSummary) -> Option<Table> {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        "replaced",
        "in flight at deregistration",
        "in flight at termination",
        "drain window",
        "longest drain",
        "drains expired",
        "new share",
    ]));
    columns.extend(Column::left(["deploy"]));
    let row = |cell: &CellSummary| {
        let deploy = cell.deploy.as_ref()?;
        let validity = cell.validity.deploy.as_ref()?;
        let numbers = numbers(deploy).map(Cell::plain).map(struck_unless(validity.is_usable()));
        Some(names(run, cell).into_iter().chain(numbers).chain([trust(validity.verdict)]).collect())
    };
    let rows: Vec<_> = run.cells.iter().filter_map(row).collect();
    (!rows.is_empty()).then(|| Table {
        title: "Deploys".to_owned(),
        columns,
        rows,
        notes: vec![
            "In flight: requests that the old generation had in hand, by its own ledger. \
             New share: the part of its pool's requests that each new generation got before the deploy went on."
                .to_owned(),
        ],
    })
}

fn numbers(deploy: &DeployRecord) -> [String; 7] {
    [
        format!("{} of {}", deploy.replaced, deploy.planned),
        span_of(&deploy.at_deregistrations()),
        span_of(&deploy.at_terminations()),
        deploy.window.map_or_else(|| NONE.to_owned(), |w| millis(w.length.as_millis())),
        deploy.longest_drain.map_or_else(|| NONE.to_owned(), |d| millis(d.as_millis())),
        deploy.drains_expired.to_string(),
        percent_span_of(&deploy.new_shares()),
    ]
}

/// Settings, each told once for all variants of a balancer that share it; `None` if no cell has any.
pub(super) fn settings(run: &RunSummary) -> Option<Table> {
    let mut found: Vec<(BalancerKind, &Setting, BTreeSet<&str>)> = Vec::new();
    for cell in &run.cells {
        for setting in &cell.settings {
            let variant = cell.variant.as_str();
            match found.iter_mut().find(|(kind, known, _)| *kind == cell.balancer && *known == setting) {
                Some((.., variants)) => drop(variants.insert(variant)),
                None => found.push((cell.balancer, setting, [variant].into())),
            }
        }
    }
    // One that differs between variants stands beside the other.
    let place = |kind, name: &str| found.iter().position(|(k, s, _)| *k == kind && s.name == name);
    let mut ordered: Vec<_> = found.iter().collect();
    ordered.sort_by_key(|(kind, setting, _)| place(*kind, &setting.name));
    let row = |(kind, setting, variants): &(BalancerKind, &Setting, BTreeSet<&str>)| {
        let own: Vec<_> =
            run.cells.iter().filter(|cell| cell.balancer == *kind && !cell.settings.is_empty()).collect();
        let mut name = setting.name.clone();
        if !own.iter().all(|cell| variants.contains(cell.variant.as_str())) {
            let variants: Vec<_> = variants.iter().copied().collect();
            name.push_str(&format!(" ({})", variants.join(", ")));
        }
        let version = own.first().map_or("", |cell| &cell.balancer_version);
        [format!("{kind} {version}"), name, setting.rendered.clone()].map(Cell::plain).into()
    };
    (!found.is_empty()).then(|| Table {
        title: "Settings".to_owned(),
        columns: Column::left(["balancer", "setting", "rendered"]).into(),
        rows: ordered.into_iter().map(row).collect(),
        notes: vec![format!("runtime: {}", runtimes(run))],
    })
}
