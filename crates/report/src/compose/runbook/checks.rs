//! The first things to look at, each with its cause, a command, what to do, and what a run showed of it.

use std::collections::BTreeMap;

use model::operations::Operations;

use super::seen::{Deployed, SeenRun};
use crate::analysis::attribution::DroppedGroup;
use crate::analysis::books::AccessLog;
use crate::analysis::fate::SubCause;
use crate::compose::page::Part;
use crate::measure::summary::CellSummary;

/// How many are on the page.
const FIRST: usize = 3;
/// The most frequent words of the log are enough to recognise a cause.
const WORDS: usize = 2;

/// A thing that can be wrong.
struct LikelyCause<'o> {
    /// As a question.
    title: &'static str,
    look: &'static str,
    command: &'o str,
    act: &'static str,
    /// What it costs in a run.
    groups: for<'r> fn(&'r SeenRun<'_>) -> Vec<(&'r CellSummary, &'r DroppedGroup)>,
    /// What is said where no run shows it.
    unseen: &'static str,
}

/// The likeliest causes: those that cost most in a run come first.
pub(super) fn parts(operations: &Operations, seen: &[SeenRun<'_>]) -> Vec<Part> {
    let causes = causes(operations);
    let mut told: Vec<(u64, String)> = causes.iter().map(|cause| told(operations, cause, seen)).collect();
    told.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    vec![Part::Steps(told.into_iter().take(FIRST).map(|(_, text)| text).collect())]
}

fn causes(operations: &Operations) -> [LikelyCause<'_>; 4] {
    [
        LikelyCause {
            title: "Was it stopped with requests still in flight?",
            look: "Its drain state must be 0 before you stop it",
            command: &operations.drain.command,
            act: "take it out first, and stop it only when nothing is in flight twice, 100 ms apart",
            groups: |run| groups(&run.undrained, is_in_hand),
            unseen: "no deploy without draining lost a request in flight at a backend",
        },
        LikelyCause {
            title: "Does the balancer still send requests to a stopped backend?",
            look: "It does until a probe or a request fails",
            command: &operations.health.command,
            act: "take it out by hand now; in a deploy, take it out before it is stopped",
            groups: |run| groups(&run.undrained, |group| !is_in_hand(group)),
            unseen: "no deploy without draining lost any other request",
        },
        LikelyCause {
            title: "Did the drain window end before the slowest request?",
            look: "In flight at termination must be 0, not small",
            command: &operations.drain.command,
            act: "set the window to 1.2 × the slowest request of the last hours + 250 ms, and any grace above it",
            groups: |run| groups(&run.expired, |_| true),
            unseen: "no drain window here was too short",
        },
        LikelyCause {
            title: "Does the deregistration itself lose requests?",
            look: "Requests fail although the backend had nothing in flight: look for resets and closes that no log has, which \
                   a reload causes for clients that keep connections alive",
            command: &operations.take_out,
            act: "deregister with this command, without a reload",
            groups: |run| groups(&run.leaking, |_| true),
            unseen: "no drained deploy here lost a request",
        },
    ]
}

fn is_in_hand(group: &DroppedGroup) -> bool {
    group.source.sub_cause == SubCause::KilledInService
}

fn groups<'r>(
    cells: &'r [Deployed<'_>],
    wanted: fn(&DroppedGroup) -> bool,
) -> Vec<(&'r CellSummary, &'r DroppedGroup)> {
    let of = |deployed: &'r Deployed<'_>| deployed.cell.dropped.iter().map(|group| (deployed.cell, group));
    cells.iter().flat_map(of).filter(|(_, group)| wanted(group)).collect()
}

/// What a cause cost in the variant of a run where it cost most, and the text about it.
fn told(operations: &Operations, cause: &LikelyCause<'_>, seen: &[SeenRun<'_>]) -> (u64, String) {
    let mut shown = (0, format!("Not seen: {}.", cause.unseen));
    for run in seen {
        let groups = (cause.groups)(run);
        for of in groups.chunk_by(|(a, _), (b, _)| a.variant == b.variant) {
            let cost = of.iter().map(|(_, group)| group.count).sum();
            // Of equal ones the first, which is of the plainest run.
            if cost > shown.0 {
                let (label, variant) = (run.run.label, &of[0].0.variant);
                shown = (cost, format!("Seen in `{label}` ({variant}): {}.", evidence(operations, of)));
            }
        }
    }
    let LikelyCause { title, look, command, act, .. } = cause;
    (shown.0, format!("{title} {look}: `{command}`. Action: {act}. {}", shown.1))
}

/// How clients saw it, and what the balancer's log said.
fn evidence(operations: &Operations, groups: &[(&CellSummary, &DroppedGroup)]) -> String {
    let mut kinds = BTreeMap::<String, u64>::new();
    for (_, group) in groups {
        let kind = format!("{}, {}", group.source.ended_as(), group.source.sub_cause.words());
        *kinds.entry(kind).or_default() += group.count;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds = kinds.iter().map(|(kind, count)| format!("{count} × {kind}"));
    kinds.chain(logged(operations, groups)).collect::<Vec<_>>().join("; ")
}

/// What the balancer's log said of them, each with what it means where the adapter says so.
fn logged(operations: &Operations, groups: &[(&CellSummary, &DroppedGroup)]) -> Vec<String> {
    let mut lines: BTreeMap<&str, u64> = BTreeMap::new();
    // Lost without a line, where the log could have had one, and where it could not.
    let (mut silent, mut unknown) = (0, 0);
    for (cell, group) in groups {
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
    let said = lines.into_iter().take(WORDS).map(|(line, count)| match meaning(line) {
        Some((_, meaning)) => format!("log `{line}` × {count}: {meaning}"),
        None => format!("log `{line}` × {count}"),
    });
    let mut told: Vec<_> = said.collect();
    if silent > 0 {
        told.push(format!("no line in the log × {silent}: only clients saw them"));
    }
    if unknown > 0 {
        told.push(format!("log n/a × {unknown}: no complete access log with a line per request"));
    }
    told
}
