//! The four signals: how each is read, and from which figure of a run on one has to act.

use model::operations::{LookedAt, Operations};

use super::seen::{SeenRun, dropped_of, error_rate};
use crate::analysis::faults::FaultRecord;
use crate::compose::document::Line;
use crate::compose::page::Part;
use crate::measure::summary::CellSummary;
use crate::numbers::{millis, percent, percent_span_of};

/// A line for each signal.
pub(super) fn parts(operations: &Operations, seen: &[SeenRun<'_>], safe: Option<&SeenRun<'_>>) -> Vec<Part> {
    let thresholds = [distribution(safe), health(seen), drain(safe), errors(seen, safe)];
    let line = |((name, signal), act): ((&str, &LookedAt), Option<String>)| {
        let reading = signal.reading.split_whitespace().collect::<Vec<_>>().join(" ");
        let act = act.unwrap_or_else(|| "Act: no run here gives a threshold.".to_owned());
        Line::plain(format!("{name}: `{}`. {reading} {act}", signal.command))
    };
    vec![Part::Lines(operations.signals().into_iter().zip(thresholds).map(line).collect())]
}

/// New generations' shares in safe deploys.
fn distribution(safe: Option<&SeenRun<'_>>) -> Option<String> {
    let run = safe?;
    let shares: Vec<f64> = run.safe().iter().flat_map(|deployed| deployed.record.new_shares()).collect();
    let least = shares.iter().copied().min_by(f64::total_cmp)?;
    Some(format!(
        "Act if a new one stays under {}: in `{}` each got {} of its pool's requests.",
        percent(least),
        run.run.label,
        percent_span_of(&shares)
    ))
}

/// How long the balancer took to see a dead backend; where it never says so, what that cost.
fn health(seen: &[SeenRun<'_>]) -> Option<String> {
    let slowest = |run: &SeenRun<'_>| {
        let seen_down =
            run.faults.iter().filter_map(|(cell, fault)| Some((*cell, fault.seen_down.as_ref()?.ms)));
        seen_down.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(cell, ms)| (cell.variant.clone(), ms))
    };
    if let Some((run, (variant, ms))) = seen.iter().find_map(|run| Some((run, slowest(run)?))) {
        return Some(format!(
            "Act if a dead backend is still up after {}: that is the longest in `{}` ({variant}).",
            millis(ms),
            run.run.label
        ));
    }
    let costly = |run: &SeenRun<'_>| {
        let of =
            |(cell, fault): &(&CellSummary, &FaultRecord)| (fault.failed_requests(), cell.variant.clone());
        run.faults.iter().map(of).max()
    };
    let (run, (failed, variant)) = seen.iter().find_map(|run| Some((run, costly(run)?)))?;
    Some(format!(
        "Act at the first failure here: it was never seen to mark a backend down, and {failed} requests failed in `{}` \
         ({variant}).",
        run.run.label
    ))
}

/// How long a drain may take.
fn drain(safe: Option<&SeenRun<'_>>) -> Option<String> {
    let run = safe?;
    let window = run.window()?;
    let longest = run.longest(|replacement| replacement.drain_waited.map(|waited| waited.as_millis()));
    let longest =
        longest.map_or_else(String::new, |longest| format!(" (the longest drain took {})", millis(longest)));
    Some(format!(
        "Act if requests are in flight after {}, the window of `{}`{longest}.",
        millis(window),
        run.run.label
    ))
}

/// What a safe deploy loses, and what a careless one does.
fn errors(seen: &[SeenRun<'_>], safe: Option<&SeenRun<'_>>) -> Option<String> {
    let careless = |run: &SeenRun<'_>| {
        let (dropped, scheduled) = dropped_of(run.careless());
        format!("{dropped} of {scheduled}, {}", error_rate(dropped, scheduled))
    };
    let lossy = |run: &&SeenRun<'_>| !run.undrained.is_empty();
    let beside = safe.filter(lossy).or_else(|| seen.iter().find(lossy));
    let beside = beside.map(|run| format!("one without draining {}, in `{}`", careless(run), run.run.label));
    let kept = safe.map(|run| {
        let (dropped, scheduled) = dropped_of(run.safe());
        format!("a safe deploy lost {dropped} of {scheduled} in `{}`", run.run.label)
    });
    let told: Vec<String> = kept.into_iter().chain(beside).collect();
    (!told.is_empty()).then(|| format!("Act on any during a deploy: {}.", told.join("; ")))
}
