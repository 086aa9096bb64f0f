//! The write-up on one printed page: the four things that one asks about a deploy, and the limits.

use std::collections::BTreeMap;

use model::claim::Metric;
use model::timeline::Drain;

use super::drain::{deployed, durations, is_usable};
use super::topics::WriteupTopic;
use super::{limits, trouble};
use crate::compose::answer;
use crate::compose::document::{self, Line, Mark};
use crate::compose::once::{Remark, once};
use crate::compose::page::{PageSection, Part};
use crate::compose::table::{Align, Cell, Column, Table};
use crate::figure::bounds;
use crate::figure::catalogue::Figure;
use crate::judge::doubts;
use crate::judge::run::LabelledRun;
use crate::judge::verdict::Holding;
use crate::measure::deploy::DeployRecord;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::summary::CellSummary;
use crate::measure::zero::{ZeroBound, per_request};
use crate::numbers::{millis, percent_up, span_of};

/// Which runs it is from.
pub(super) fn opening(runs: &[LabelledRun<'_>]) -> Vec<Part> {
    let run = |run: &LabelledRun<'_>| {
        let claims = run.summary.claims.iter().filter(|it| !matches!(it.holding, Holding::NotApplicable(_)));
        let held = claims.clone().filter(|claim| claim.holding == Holding::Held).count();
        format!("`{}` ({}, {held} of {} claims held)", run.label, run.summary.verdict.word(), claims.count())
    };
    let mut balancers = BTreeMap::new();
    for run in runs {
        balancers
            .extend(run.summary.environment.balancers.iter().map(|(name, build)| (name, &build.version)));
    }
    let balancers: Vec<_> = balancers.iter().map(|(name, version)| format!("{name} ({version})")).collect();
    vec![Part::Text(format!(
        "Measured on {}. Every figure is from a run: {}.",
        balancers.join(", "),
        runs.iter().map(run).collect::<Vec<_>>().join(", ")
    ))]
}

/// A section, with the run that its figures are from, unless it is the same as that of the section above.
pub(super) fn section(
    topic: &WriteupTopic,
    tell: fn(&LabelledRun<'_>) -> Vec<Part>,
    run: &LabelledRun<'_>,
    is_same: bool,
) -> PageSection {
    let mut parts: Vec<Part> = trouble(run).into_iter().chain(tell(run)).collect();
    if !is_same {
        parts.insert(0, Part::Text(format!("From `{}`.", run.label)));
    }
    PageSection { title: topic.title.into(), parts }
}

/// How long the window is, and why.
pub(super) fn window(run: &LabelledRun<'_>) -> Vec<Part> {
    let derivation = |(cell, deploy): (&CellSummary, &DeployRecord)| {
        let window = deploy.window?;
        let derived = window.derived?;
        let longest = match deploy.longest_drain {
            Some(longest) => format!("the longest drain took {}", millis(longest.as_millis())),
            None => "no drain was seen to its end".to_owned(),
        };
        let text = format!(
            "{} = 1.2 × {} (the slowest of {} requests in the baseline) + 250 ms; {longest}, {} expired; at 95 % fewer \
             than {} of requests are slower than that baseline",
            millis(window.length.as_millis()),
            millis(derived.slowest.as_millis()),
            derived.samples,
            document::drains_expired(deploy),
            percent_up(per_request(derived.samples.max(1)))
        );
        let text = if is_usable(cell) { text } else { format!("{text} (not to be trusted)") };
        Some(Remark { of: run.summary.label(cell), mark: Mark::None, text })
    };
    let rule = "The window is 1.2 × the slowest service time that the backends' own ledgers show before the deploy, \
                + 250 ms. It counts from the moment the balancer confirmed the deregistration, and ends early once \
                nothing is in flight.";
    let derivations: Vec<Remark> = deployed(run).filter_map(derivation).collect();
    let all = derivations.len();
    let lines = once(&derivations, |of| match of.len() == all {
        true => "Each deploy that was drained: ".to_owned(),
        false => format!("{}: ", of.join(", ")),
    });
    vec![Part::Text(rule.into()), Part::Lines(lines)]
}

/// The steps as rows, with the time that each took at each balancer.
pub(super) fn sequence(run: &LabelledRun<'_>) -> Vec<Part> {
    const STEPS: [&str; 8] = [
        "1 deregister, until confirmed",
        "2 drain, until its last response",
        "2a until rig was sure",
        "3 terminate, until it exited",
        "4 start again at the same address, until it answered",
        "5 register, until confirmed",
        "6 until it had its share",
        "one backend in all",
    ];
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let mut columns = Vec::from(Column::left(["step"]));
    let mut times: Vec<[Cell; 8]> = Vec::new();
    let drained = run.summary.cells.chunk_by(same).filter_map(|cells| {
        let deploys = cells.iter().filter_map(|cell| cell.deploy.as_ref());
        let replacements: Vec<&ReplacementRecord> =
            deploys.filter(|deploy| deploy.drain != Drain::Off).flat_map(|it| &it.replacements).collect();
        (!replacements.is_empty()).then_some((cells, replacements))
    });
    let drained: Vec<_> = drained.collect();
    let several = drained.windows(2).any(|pair| pair[0].0[0].balancer == pair[1].0[0].balancer);
    for (cells, replacements) in &drained {
        let first = &cells[0];
        let name = match several {
            true => format!("{} {}", first.balancer, first.variant),
            false => first.balancer.to_string(),
        };
        columns.push(Column { name, align: Align::Right });
        let usable = cells.iter().all(is_usable);
        times.push(durations(replacements).map(Cell::plain).map(document::struck_unless(usable)));
    }
    let row = |(n, step): (usize, &&str)| {
        let times = times.iter().map(|of| of[n].clone());
        std::iter::once(Cell::plain(*step)).chain(times).collect()
    };
    vec![Part::Table(Table {
        title: format!(
            "One backend after the other: median (shortest–longest) of {} replacements",
            span_of(&drained.iter().map(|(_, replacements)| replacements.len() as u64).collect::<Vec<_>>())
        ),
        columns,
        rows: STEPS.iter().enumerate().map(row).collect(),
        notes: vec![],
    })]
}

/// The load tests beside each other: the same arrivals, service times and deploy.
pub(super) fn side_by_side(run: &LabelledRun<'_>) -> Vec<Part> {
    const FIGURES: [Metric; 4] = [Metric::ErrorRate, Metric::LongestOutage, Metric::P95, Metric::P99];
    let mut columns = Vec::from(Column::left(["balancer", "deploy"]));
    columns.extend(Column::right(["requests", "dropped"]));
    columns.extend(Column::right(FIGURES.map(Metric::heading)));
    columns.extend(Column::right(["in flight at termination"]));
    let row = |(cell, deploy): (&CellSummary, &DeployRecord)| {
        let counts = [Cell::plain(cell.counts.scheduled.to_string()), document::dropped(cell)]
            .map(document::struck_unless(is_usable(cell)));
        let figures = FIGURES
            .map(|metric| document::value(&Figure { metric, facet: None }, std::slice::from_ref(cell)));
        let flight = Cell::plain(span_of(&deploy.at_terminations()));
        let flight = document::struck_unless(is_usable(cell))(flight);
        document::names(run.summary, cell).into_iter().chain(counts).chain(figures).chain([flight]).collect()
    };
    let books: Vec<_> = deployed(run).map(|(cell, _)| &cell.books).collect();
    let table = Table {
        title: "The same arrivals, service times and deploy".into(),
        columns,
        rows: deployed(run).map(row).collect(),
        notes: vec![format!(
            "{}. A zero carries its bound at 95 % confidence. A failed request is slower than any other. Longest outage: the \
             longest time in which every request was dropped.",
            bounds::shadows(books.into_iter())
        )],
    };
    let mut parts = vec![Part::Text(format!("Experiment: {}.", run.summary.experiment)), Part::Table(table)];
    parts.push(Part::Lines(answer::readings(run.summary)));
    parts
}

/// What can't be said, and where the rest is.
pub(super) fn limits(runs: &[LabelledRun<'_>], left_out: &[(&str, &str)]) -> PageSection {
    let mut lines: Vec<Line> = limits::machines(runs);
    lines.push(Line::plain(limits::ONE_MACHINE.to_owned()));
    lines.extend(limits::few(runs).map(Line::plain));
    for run in runs {
        lines.extend(replacements_without_loss(run));
    }
    lines.extend(runs.iter().filter_map(doubts));
    let mut parts = vec![Part::Lines(lines)];
    if !left_out.is_empty() {
        let topics: Vec<_> = left_out.iter().map(|(title, run)| format!("{title} (`{run}`)")).collect();
        parts.push(Part::Text(format!("The runs also show: {}.", topics.join(", "))));
    }
    parts.push(Part::Text("Everything: `rig writeup --full`.".into()));
    PageSection { title: "Limits of the experiment".into(), parts }
}

/// How little few replacements show, of each balancer by itself.
fn replacements_without_loss(run: &LabelledRun<'_>) -> Vec<Line> {
    let same = |a: &CellSummary, b: &CellSummary| (a.balancer, &a.variant) == (b.balancer, &b.variant);
    let line = |cells: &[CellSummary]| {
        let zeros = cells.iter().filter(|cell| cell.deploy.is_some() && cell.counts.dropped == 0);
        let bound = ZeroBound::over(zeros.map(|cell| &cell.zero));
        let (k, part) =
            bound.control.as_ref().and(bound.per_replacement.map(|part| (bound.replacements, part)))?;
        let text = format!(
            "{k} replacements without a loss can't rule out a fault that hits up to {} of them.",
            percent_up(part)
        );
        Some(Remark { of: cells[0].balancer.to_string(), mark: Mark::None, text })
    };
    let said: Vec<_> = run.summary.cells.chunk_by(same).filter_map(line).collect();
    once(&said, |of| format!("`{}`, {}: ", run.label, of.join(", ")))
}

/// What can't be trusted of a run, or only with care; of which cells, and why, its own report says.
fn doubts(run: &LabelledRun<'_>) -> Option<Line> {
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for doubt in doubts::of(run.summary) {
        *found.entry(doubt.what).or_default() += 1;
    }
    let all = run.summary.cells.len();
    let told: Vec<_> =
        found.iter().map(|(what, cells)| format!("{what} in {cells} of {all} cells")).collect();
    let text = format!("`{}`: {}.", run.label, told.join(", "));
    (!told.is_empty()).then_some(Line::new(Mark::Unknown, text))
}
