//! The tables of a report: one row per cell, and the settings.

use std::collections::BTreeSet;

use model::claim::Metric;
use model::history::Setting;
use model::identity::BalancerName;
use model::outcome::OutcomeKind;

use super::{Mark, mark};
use crate::compose::table::{Cell, Column, Emphasis, Table};
use crate::figure::bounds;
use crate::figure::reading::beyond;
use crate::judge::verdict::{ClaimVerdict, RunSummary};
use crate::measure::counts::dropped_kinds;
use crate::measure::deploy::DeployRecord;
use crate::measure::latency::{LatencySummary, Level, Quantile};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Trust;
use crate::numbers::{NONE, millis, percent, percent_span_of, span_of};

/// Whose row it is.
pub(crate) fn names(run: &RunSummary, cell: &CellSummary) -> Vec<Cell> {
    vec![Cell::plain(cell.balancer.as_str()), Cell::plain(run.variant_label(cell))]
}

/// Numbers that can't be trusted are shown, but struck.
pub(crate) fn struck_unless(usable: bool) -> impl Fn(Cell) -> Cell {
    move |cell| Cell { emphasis: if usable { cell.emphasis } else { Emphasis::Struck }, ..cell }
}

/// How the measured requests ended.
pub(super) fn requests(run: &RunSummary) -> Table {
    // Only a scenario that declares statuses has any.
    let declared = run.cells.iter().any(|cell| cell.counts.of(OutcomeKind::ExpectedStatus) > 0);
    // What is asked for first stands where a phone shows it.
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::left(["verdict"]));
    columns.extend(Column::right([Metric::Dropped, Metric::Masked, Metric::Duplicates].map(Metric::heading)));
    columns.extend(Column::right([Metric::Scheduled, Metric::Ok].map(Metric::heading)));
    let expected = declared.then(|| Column::right([Metric::ExpectedStatus.heading()]));
    columns.extend(expected.into_iter().flatten());
    // What no cell has needs no column.
    let split: Vec<_> = run.cells.iter().map(split).collect();
    let is_told: Vec<bool> =
        (0..SPLIT.len()).map(|kind| split.iter().any(|counts| counts[kind] > 0)).collect();
    let told = |kind: &usize| is_told[*kind];
    let way = |kind: usize| SPLIT[kind].map_or("other", Metric::heading);
    columns.extend((0..SPLIT.len()).filter(told).flat_map(|kind| Column::right([way(kind)])));
    let row = |(cell, split): (&CellSummary, &[u64; SPLIT.len()])| {
        let counts = &cell.counts;
        let mut numbers = vec![dropped(cell)];
        numbers.extend(bounds::shadow_cells(&cell.books).map(Cell::plain));
        numbers.extend([counts.scheduled, counts.of(OutcomeKind::Ok)].map(|n| Cell::plain(n.to_string())));
        numbers.extend(declared.then(|| Cell::plain(counts.of(OutcomeKind::ExpectedStatus).to_string())));
        numbers.extend((0..SPLIT.len()).filter(told).map(|kind| Cell::plain(split[kind].to_string())));
        let numbers = numbers.into_iter().map(struck_unless(cell.is_usable()));
        names(run, cell).into_iter().chain([verdict(run, cell)]).chain(numbers).collect()
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

/// The ways to be dropped, each a column; `None` is what is none of them.
const SPLIT: [Option<Metric>; 7] = [
    Some(Metric::Http5xx),
    Some(Metric::Reset),
    Some(Metric::Closed),
    Some(Metric::Refused),
    Some(Metric::Timeout),
    Some(Metric::NotSent),
    None,
];

/// How many requests a cell dropped in each way.
fn split(cell: &CellSummary) -> [u64; SPLIT.len()] {
    let of = |metric| cell.counts.of_any(dropped_kinds(metric).unwrap_or_default());
    let named: u64 = SPLIT.into_iter().flatten().map(of).sum();
    SPLIT.map(|metric| metric.map_or(cell.counts.dropped.saturating_sub(named), of))
}

/// What stands under a column of dropped requests.
pub(crate) const DROPPED: &str = "dropped: every scheduled request without a complete expected response in time. A zero carries its bound: of \
     requests such as the control lost on the same arrivals, fewer than that part are lost, at 95 % confidence. masked: \
     ended well although an attempt had failed. twice: received more than once by backends.";

pub(crate) fn dropped(cell: &CellSummary) -> Cell {
    let emphasis = if cell.counts.dropped == 0 { Emphasis::Good } else { Emphasis::Bad };
    Cell::with(emphasis, bounds::dropped(cell))
}

/// Whether the claims about this cell's variant hold, and the worse of the trust in its counts and its deploy.
pub(crate) fn verdict(run: &RunSummary, cell: &CellSummary) -> Cell {
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
    Cell::with(emphasis, format!("{sign}{}", trust.word()))
}

/// How far figures can be trusted, in a word.
pub(super) fn trust(trust: Trust) -> Cell {
    let emphasis = if trust == Trust::Invalid { Emphasis::Bad } else { Emphasis::Plain };
    Cell::with(emphasis, trust.word())
}

/// How long the measured requests took, and who answered them.
pub(super) fn latency(run: &RunSummary) -> Table {
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right(Quantile::TABLED.map(Quantile::name)));
    columns.extend(Column::right(["ok-only p99"]));
    columns.extend(Column::left(["latency", "share per backend"]));
    let row = |cell: &CellSummary| {
        let number = |latency, q| {
            let usable = cell.validity.percentile(q).is_usable();
            struck_unless(usable)(Cell::plain(quantile(cell, latency, q)))
        };
        let numbers = Quantile::TABLED.map(|q| number(&cell.latency_ms, q)).into_iter();
        let numbers = numbers.chain([number(&cell.ok_only_latency_ms, Quantile::P99)]);
        let shares: Vec<_> =
            cell.backends.iter().map(|(id, backend)| format!("{id} {}", percent(backend.share))).collect();
        names(run, cell)
            .into_iter()
            .chain(numbers)
            .chain([latency_trust(cell), Cell::plain(shares.join(", "))])
            .collect()
    };
    Table {
        title: "Latency from the intended start, and share per backend".to_owned(),
        columns,
        rows: run.cells.iter().map(row).collect(),
        notes: latency_notes(run),
    }
}

fn latency_notes(run: &RunSummary) -> Vec<String> {
    let mut notes = vec!["A failed request counts as slower than any other.".to_owned()];
    let told =
        |cell: &CellSummary| Quantile::ALL.iter().copied().all(|q| cell.latency_ms.level(q) != Level::TooFew);
    if !run.cells.iter().all(told) {
        notes.push(format!("{NONE}: fewer than five requests are slower, too few for this percentile."));
    }
    let quanta = run.cells.iter().filter_map(|cell| Some((cell.generator.quantum_ms?, cell)));
    if let Some((quantum, cell)) = quanta.max_by(|a, b| a.0.total_cmp(&b.0)) {
        notes.push(format!(
            "At this rate rig sends requests in steps of {}: of each latency so much at most, and {} in the median, is \
             its own.",
            millis(quantum),
            millis(cell.generator.late_wake_p50_ms)
        ));
    }
    notes
}

/// How far latencies can be trusted, and which of them not so far.
fn latency_trust(cell: &CellSummary) -> Cell {
    let told: Vec<Quantile> = cell.latency_ms.told().collect();
    let trust_in = |q: &Quantile| cell.validity.percentile(*q).verdict;
    let Some(first) = told.first().map(trust_in) else { return trust(cell.validity.latency.verdict) };
    let mut text = first.word().to_owned();
    for worse in [Trust::Valid, Trust::Degraded, Trust::Invalid].into_iter().filter(|t| *t != first) {
        let those: Vec<_> = told.iter().filter(|q| trust_in(q) == worse).map(|q| q.name()).collect();
        if !those.is_empty() {
            text.push_str(&format!("; {} {}", those.join(", "), worse.word()));
        }
    }
    let bad = told.iter().any(|q| trust_in(q) == Trust::Invalid);
    Cell::with(if bad { Emphasis::Bad } else { Emphasis::Plain }, text)
}

pub(super) fn quantile(cell: &CellSummary, latency: &LatencySummary, quantile: Quantile) -> String {
    match latency.level(quantile) {
        Level::Ms(ms) => millis(ms),
        Level::Failed => beyond(cell),
        Level::TooFew => NONE.to_owned(),
    }
}

/// What the deploys did; `None` if no cell has one.
pub(super) fn deploys(run: &RunSummary) -> Option<Table> {
    // Scaling replaces nothing.
    let planned = run.cells.iter().filter_map(|cell| cell.deploy.as_ref()).any(|deploy| deploy.planned > 0);
    let (title, done) = if planned { ("Deploys", "replaced") } else { ("Scaling", "done") };
    let mut columns = Vec::from(Column::left(["balancer", "variant"]));
    columns.extend(Column::right([
        done,
        "in flight + later at deregistration",
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
        title: title.to_owned(),
        columns,
        rows,
        notes: vec![format!(
            "In flight: requests in flight at the old generation, by {by}; + later: those that it received although they \
             were sent after its confirmed deregistration. Longest drain: from that to its last response, by {again}, + how much \
             longer rig looked until it was sure. New share: the part of its pool's requests that each new generation got \
             before the deploy went on.",
            by = who_had_them(run),
            again = if by_log(run) { "the same" } else { "its ledger" }
        )],
    })
}

/// By what it is known who had which request.
pub(crate) fn who_had_them(run: &RunSummary) -> &'static str {
    match by_log(run) {
        true => "the balancer's log and the times of the clients (your own service keeps no ledger)",
        false => "its own ledger",
    }
}

fn by_log(run: &RunSummary) -> bool {
    run.cells.iter().filter_map(|cell| cell.deploy.as_ref()).any(|deploy| deploy.by_log)
}

fn numbers(deploy: &DeployRecord) -> [String; 7] {
    let sure = deploy.replacements.iter().filter_map(|r| r.drain_sure_ms).max_by(f64::total_cmp);
    let sure = sure.map_or_else(String::new, |ms| format!(" + {}", millis(ms)));
    let later: Vec<u64> =
        deploy.replacements.iter().filter_map(|r| r.arrivals_after_deregistration).collect();
    let later = if later.is_empty() { String::new() } else { format!(" + {}", span_of(&later)) };
    [
        deploy.done(),
        format!("{}{later}", span_of(&deploy.at_deregistrations())),
        span_of(&deploy.at_terminations()),
        deploy.window.map_or_else(|| NONE.to_owned(), |w| millis(w.length.as_millis())),
        deploy.longest_drain.map_or_else(|| NONE.to_owned(), |d| format!("{}{sure}", millis(d.as_millis()))),
        drains_expired(deploy),
        percent_span_of(&deploy.new_shares()),
    ]
}

/// How many drains expired, where that is known.
pub(crate) fn drains_expired(deploy: &DeployRecord) -> String {
    if deploy.drains_unseen == 0 { deploy.drains_expired.to_string() } else { NONE.to_owned() }
}

/// Settings, each told once for all variants of a balancer that share it; `None` if no cell has any.
pub(super) fn settings(run: &RunSummary) -> Option<Table> {
    let mut found: Vec<(BalancerName, &Setting, BTreeSet<&str>)> = Vec::new();
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
    let row = |(kind, setting, variants): &(BalancerName, &Setting, BTreeSet<&str>)| {
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
        notes: vec![format!("runtime: {}", run.runtimes())],
    })
}
