//! One page for on-call about one balancer: commands from its adapter, figures from runs.

use std::collections::BTreeMap;

use model::catalog::BalancerKind;
use model::claim::Metric;
use model::identity::BalancerName;
use model::operations::{LookedAt, Operations};
use model::plan::Variant;
use model::timeline::{Action, Deregister, Drain, Strategy};

use crate::analysis::attribution::DroppedGroup;
use crate::analysis::books::AccessLog;
use crate::analysis::fate::SubCause;
use crate::compose::document::{Line, Mark};
use crate::compose::page::{Page, PageSection, Part};
use crate::compose::table::{Cell, Column, Table};
use crate::compose::writeup::durations;
use crate::figure::spread::spread_of;
use crate::judge::run::LabelledRun;
use crate::measure::deploy::DeployRecord;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::summary::CellSummary;
use crate::measure::zero::ZeroBound;
use crate::numbers::{NONE, millis, number, percent};

/// Composes the page about `balancer`.
pub fn compose(balancer: BalancerKind, operations: &Operations, runs: &[LabelledRun<'_>]) -> Page {
    let deploys = SeenDeploys::of(balancer, runs);
    Page {
        title: format!("Runbook: {balancer}"),
        opening: opening(balancer, operations, runs),
        sections: vec![
            PageSection { title: "Four signals".into(), parts: signals(operations) },
            PageSection { title: "The safe deploy".into(), parts: sequence(operations, &deploys) },
            PageSection {
                title: "When a deploy drops requests: look here first".into(),
                parts: checks(operations, &deploys),
            },
        ],
    }
}

/// A cell whose deploy can be trusted.
#[derive(Clone, Copy)]
struct Deployed<'a> {
    /// What its run is called.
    run: &'a str,
    cell: &'a CellSummary,
    record: &'a DeployRecord,
}

/// The deploys of all runs: the safe ones by what their plan asked, and those that show a cause of loss.
struct SeenDeploys<'a> {
    /// Asked to be safe, whatever came of it.
    safe: Vec<Deployed<'a>>,
    /// Not drained.
    undrained: Vec<Deployed<'a>>,
    /// Drained for too short a time.
    expired: Vec<Deployed<'a>>,
    /// Drained, and they lost requests all the same.
    leaking: Vec<Deployed<'a>>,
    /// Cells with a deploy that are left out, as they can't be trusted.
    untrusted: usize,
}

impl<'a> SeenDeploys<'a> {
    fn of(balancer: BalancerKind, runs: &'a [LabelledRun<'a>]) -> SeenDeploys<'a> {
        let mut sorted =
            SeenDeploys { safe: vec![], undrained: vec![], expired: vec![], leaking: vec![], untrusted: 0 };
        for run in runs {
            for cell in run.summary.cells.iter().filter(|cell| cell.balancer == balancer) {
                let variant = run.plan.variant(&cell.variant);
                let Some((record, variant)) = cell.deploy.as_ref().zip(variant) else { continue };
                // Scaling is no deploy, and has its own report.
                if variant.rollouts() > variant.deploys().count() {
                    continue;
                }
                if !cell.is_usable() {
                    sorted.untrusted += 1;
                    continue;
                }
                // The page is about deploys that wait for the balancer, and those that don't tell it.
                if record.termination.is_some() {
                    continue;
                }
                let deployed = Deployed { run: run.label, cell, record };
                if asks_for_safe_deploys(variant) {
                    sorted.safe.push(deployed);
                }
                match record.drain {
                    Drain::Off => sorted.undrained.push(deployed),
                    _ if record.drains_expired > 0 => sorted.expired.push(deployed),
                    _ if cell.counts.dropped > 0 => sorted.leaking.push(deployed),
                    _ => {}
                }
            }
        }
        sorted
    }
}

/// Whether a variant's deploys are what this page recommends: in place, told live, drained for the derived window,
/// and nothing else does harm meanwhile. Only the plan decides: a zero that is chosen for being one proves nothing.
fn asks_for_safe_deploys(variant: &Variant) -> bool {
    let harms = |action: &Action| matches!(action, Action::Fault(_) | Action::Degrade(_) | Action::Reload(_));
    variant.deploys().all(|deploy| {
        deploy.strategy == Strategy::InPlace
            && deploy.leaving.deregister == Deregister::Live
            && deploy.leaving.drain == Drain::Auto
            && deploy.leaving.termination.is_none()
            && !deploy.new_generation_unhealthy
    }) && !variant.timeline.iter().any(|entry| harms(&entry.action))
}

fn opening(balancer: BalancerKind, operations: &Operations, runs: &[LabelledRun<'_>]) -> Vec<Part> {
    let measured = |run: &&LabelledRun<'_>| {
        run.summary.cells.iter().any(|cell| cell.balancer == balancer && cell.deploy.is_some())
    };
    let told: Vec<_> = runs
        .iter()
        .filter(measured)
        .map(|run| {
            let is_it = |name: &str| name.parse::<BalancerName>().is_ok_and(|name| name == balancer);
            let builds = run.summary.environment.balancers.iter().filter(|(name, _)| is_it(name));
            let versions: Vec<_> = builds.map(|(_, build)| build.version.as_str()).collect();
            let versions = versions.join(" and ");
            format!("{} ({balancer} {versions}, {})", run.label, run.summary.verdict.word())
        })
        .collect();
    let from = match told.as_slice() {
        [] => "No run here has a deploy behind it: the commands are complete, but there are no figures."
            .to_owned(),
        runs => format!("Figures from {}.", runs.join(", ")),
    };
    let experiment = |run: &LabelledRun<'_>| Line {
        mark: Mark::None,
        text: format!("{}: {}", run.label, run.summary.experiment),
    };
    let experiments = runs.iter().filter(measured).map(experiment).collect();
    vec![
        Part::Text(from),
        Part::Lines(experiments),
        Part::Text(operations.names.split_whitespace().collect::<Vec<_>>().join(" ")),
    ]
}

fn signals(operations: &Operations) -> Vec<Part> {
    let parts = |(name, signal): (&str, &LookedAt)| {
        let reading = signal.reading.split_whitespace().collect::<Vec<_>>().join(" ");
        [Part::Text(format!("{name}:")), Part::Command(signal.command.clone()), Part::Text(reading)]
    };
    operations.signals().into_iter().flat_map(parts).collect()
}

/// The steps, with the times that they took in the safe deploys.
fn sequence(operations: &Operations, deploys: &SeenDeploys<'_>) -> Vec<Part> {
    let replacements: Vec<&ReplacementRecord> =
        deploys.safe.iter().flat_map(|deployed| &deployed.record.replacements).collect();
    let [deregister, drain, _sure, exit, ready, register, share, whole] = durations(&replacements);
    let mut windows: Vec<f64> = deploys
        .safe
        .iter()
        .filter_map(|deployed| deployed.record.window)
        .map(|window| window.length.as_millis())
        .collect();
    windows.sort_by(f64::total_cmp);
    let window = match windows.as_slice() {
        [] => NONE.to_owned(),
        [least, .., most] if millis(*least) != millis(*most) => {
            format!("{}–{}", millis(*least), millis(*most))
        }
        [one, ..] => millis(*one),
    };
    let rows = [
        ["1", "take it out", "until the balancer confirms it", &deregister],
        ["2", "wait until its drain state shows nothing in flight", "how long that took", &drain],
        ["", "and no longer than the window", "drain window", &window],
        ["3", "stop it (SIGTERM)", "until it has exited", &exit],
        ["4", "start the new one at the same address", "until it answers", &ready],
        ["5", "put it back", "until the balancer confirms it", &register],
        ["6", "check that it gets its share, then continue with the next", "until it has that", &share],
        ["", "one backend in all", "", &whole],
    ];
    let table = Table {
        title: "One backend at a time".into(),
        columns: Column::left(["", "step", "measured", "median (shortest–longest)"]).into(),
        rows: rows.map(|row| row.map(Cell::plain).into()).into(),
        notes: vec![],
    };
    let mut parts = vec![
        Part::Text("Take it out:".into()),
        Part::Command(operations.take_out.clone()),
        Part::Text("Put it back:".into()),
        Part::Command(operations.put_back.clone()),
        Part::Table(table),
        Part::Text(outcome(deploys, replacements.len())),
    ];
    if deploys.untrusted > 0 {
        parts.push(Part::Text(format!(
            "{} cells with a deploy are left out: their measurement is INVALID.",
            deploys.untrusted
        )));
    }
    parts
}

/// What came of the safe deploys.
fn outcome(deploys: &SeenDeploys<'_>, replacements: usize) -> String {
    if replacements == 0 {
        return "No run here has a deploy of this balancer in place that tells it live and drains for the derived \
                window: the times are missing."
            .into();
    }
    let scheduled: u64 = deploys.safe.iter().map(|deployed| deployed.cell.counts.scheduled).sum();
    let dropped: u64 = deploys.safe.iter().map(|deployed| deployed.cell.counts.dropped).sum();
    let bound = ZeroBound::over(deploys.safe.iter().map(|deployed| &deployed.cell.zero));
    let size = match dropped {
        0 => bound.words(Metric::Dropped, "draining").map_or(String::new(), |words| format!(" ({words})")),
        _ => format!(" ({})", losses(&deploys.safe)),
    };
    let lost: u64 = deploys.undrained.iter().map(|deployed| deployed.cell.counts.dropped).sum();
    let beside = match deploys.undrained.len() {
        0 if dropped == 0 => {
            "The runs have no deploy without draining to compare with, so this zero proves little.".to_owned()
        }
        0 => "The runs have no deploy without draining to compare with.".to_owned(),
        n => format!("{n} {} without draining dropped {lost}.", if n == 1 { "deploy" } else { "deploys" }),
    };
    format!(
        "{replacements} replacements done this way dropped {dropped} of {scheduled} requests{size}. {beside}"
    )
}

/// Which deploys lost requests, and how many.
fn losses(deploys: &[Deployed<'_>]) -> String {
    let lost = deploys.iter().filter(|deployed| deployed.cell.counts.dropped > 0);
    let of = |it: &Deployed<'_>| format!("{} of {}: {}", it.cell.variant, it.run, it.cell.counts.dropped);
    lost.map(of).collect::<Vec<_>>().join("; ")
}

/// A thing that can be wrong, and the cells that show it.
struct LikelyCause<'c> {
    title: &'static str,
    look: &'static str,
    command: &'c str,
    groups: Vec<(&'c CellSummary, &'c DroppedGroup)>,
    cells: usize,
    unseen: &'static str,
}

impl LikelyCause<'_> {
    fn count(&self) -> u64 {
        self.groups.iter().map(|(_, group)| group.count).sum()
    }
}

fn groups<'c>(
    cells: &'c [Deployed<'_>],
    wanted: impl Fn(&DroppedGroup) -> bool,
) -> Vec<(&'c CellSummary, &'c DroppedGroup)> {
    let of = |deployed: &'c Deployed<'_>| deployed.cell.dropped.iter().map(|group| (deployed.cell, group));
    cells.iter().flat_map(of).filter(|(_, group)| wanted(group)).collect()
}

/// The three likeliest causes: those that cost most in the runs come first.
fn checks<'c>(operations: &'c Operations, deploys: &'c SeenDeploys<'_>) -> Vec<Part> {
    let in_hand = |group: &DroppedGroup| group.source.sub_cause == SubCause::KilledInService;
    let mut checks = [
        LikelyCause {
            title: "Was it stopped with requests still in flight?",
            look: "Before you stop the next one, its drain state must be 0:",
            command: &operations.drain.command,
            groups: groups(&deploys.undrained, in_hand),
            cells: deploys.undrained.len(),
            unseen: "no deploy without draining lost a request in flight at a backend",
        },
        LikelyCause {
            title: "Does the balancer still send requests to a stopped backend?",
            look: "It does until a probe or a request fails:",
            command: &operations.health.command,
            groups: groups(&deploys.undrained, |group| !in_hand(group)),
            cells: deploys.undrained.len(),
            unseen: "no deploy without draining lost any other request",
        },
        LikelyCause {
            title: "Did the drain window end before the slowest request?",
            look: "In flight at termination must be 0, not small. Take the slowest request of the last hours, × 1.2 + 250 ms:",
            command: &operations.drain.command,
            groups: groups(&deploys.expired, |_| true),
            cells: deploys.expired.len(),
            unseen: "no drain window here was too short",
        },
        LikelyCause {
            title: "Does the deregistration itself lose requests?",
            look: "If requests fail although the backend was drained and had nothing in flight, look for resets and closes that no log has. A reload causes them for clients that keep connections alive. Deregister without a reload:",
            command: &operations.take_out,
            groups: groups(&deploys.leaking, |_| true),
            cells: deploys.leaking.len(),
            unseen: "no drained deploy here lost a request",
        },
    ];
    checks.sort_by_key(|check| std::cmp::Reverse(check.count()));
    checks.iter().take(3).zip(1..).flat_map(|(check, n)| check_parts(operations, check, n)).collect()
}

fn check_parts(operations: &Operations, check: &LikelyCause<'_>, number: u32) -> Vec<Part> {
    let look = Part::Text(format!("{number}. {} {}", check.title, check.look));
    let mut parts = vec![look, Part::Command(check.command.to_owned())];
    if check.groups.is_empty() {
        parts.push(Part::Text(format!("Not seen: {}.", check.unseen)));
        return parts;
    }
    let mut lines = vec![seen(check)];
    lines.extend(logged(operations, check));
    parts.push(Part::Lines(lines.into_iter().map(|text| Line { mark: Mark::None, text }).collect()));
    parts
}

/// How clients saw it, and in which phase.
fn seen(check: &LikelyCause<'_>) -> String {
    let mut kinds: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (_, group) in &check.groups {
        let kind = (group.source.ended_as(), group.source.sub_cause.words());
        *kinds.entry(kind).or_default() += group.count;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<_> =
        kinds.iter().map(|((outcome, cause), count)| format!("{count} × {outcome}, {cause}")).collect();
    let cells = per_cell(check);
    let counts = cells.iter().map(|(_, count)| *count as f64);
    let scheduled: u64 = cells.iter().map(|(cell, _)| cell.counts.scheduled).sum();
    format!(
        "Seen in {} of {} such deploys, {} requests each, {} of all: {}",
        cells.len(),
        check.cells,
        spread_of(counts, number),
        percent(check.count() as f64 / scheduled.max(1) as f64),
        kinds.join("; ")
    )
}

/// How many requests each cell lost so.
fn per_cell<'c>(check: &LikelyCause<'c>) -> Vec<(&'c CellSummary, u64)> {
    let mut counts: Vec<(&CellSummary, u64)> = Vec::new();
    for (cell, group) in &check.groups {
        match counts.last_mut().filter(|(last, _)| std::ptr::eq(*last, *cell)) {
            Some((_, count)) => *count += group.count,
            None => counts.push((cell, group.count)),
        }
    }
    counts
}

/// What the balancer's log said of them, each with what it means where the adapter says so.
fn logged(operations: &Operations, check: &LikelyCause<'_>) -> Vec<String> {
    let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
    // Lost without a line, where the log could have had one, and where it could not.
    let (mut silent, mut unknown) = (0, 0);
    for (cell, group) in &check.groups {
        for (words, count) in &group.logged {
            *lines.entry(words).or_default() += count;
        }
        let without = group.count.saturating_sub(group.logged.values().sum());
        match cell.books.access_log {
            AccessLog::Compared => silent += without,
            _ => unknown += without,
        }
    }
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let meaning = |line: &str| operations.log_words.iter().find(|(word, _)| line.contains(word));
    let mut told: Vec<_> = lines
        .into_iter()
        .map(|(line, count)| match meaning(line) {
            Some((_, meaning)) => format!("log `{line}` × {count}: {meaning}"),
            None => format!("log `{line}` × {count}"),
        })
        .collect();
    if silent > 0 {
        told.push(format!("no line in the log × {silent}: only clients saw them"));
    }
    if unknown > 0 {
        told.push(format!("log n/a × {unknown}: no complete access log with a line per request"));
    }
    told
}
