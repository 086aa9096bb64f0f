//! The write-up of an experiment, filled from runs. A section is there because a run *has* the thing that it is about; one
//! that no run has is named at the end, with the scenario that would fill it.

mod brief;
mod drain;
mod limits;
mod topics;

use model::plan::SavedPlan;

use crate::compose::document::{Detail, Line, Mark};
use crate::compose::page::{Page, PageSection, Part};
use crate::judge::doubts;
use crate::judge::run::LabelledRun;
use crate::judge::verdict::Verdict;
pub(crate) use drain::durations;
use topics::{TOPICS, WriteupTopic};

/// Composes the write-up of `runs`. `bundled` are the plans of the scenarios that a user could run for what is missing.
/// In brief it is one printed page.
pub fn compose(runs: &[LabelledRun<'_>], bundled: &[SavedPlan], detail: Detail) -> Page {
    let (mut sections, mut missing, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut above = None;
    for topic in TOPICS {
        let mut having: Vec<&LabelledRun<'_>> = runs.iter().filter(|run| (topic.is_in)(run.plan)).collect();
        // The plainest says it best.
        having.sort_by_key(|run| run.plan.variants.len());
        match (having.split_first(), detail, topic.in_short) {
            (Some((run, others)), Detail::Full, _) => sections.push(section(topic, run, others)),
            (Some((run, _)), Detail::Brief, Some(in_short)) => {
                let is_same = above.replace(run.label) == Some(run.label);
                sections.push(brief::section(topic, in_short, run, is_same));
            }
            (Some((run, _)), Detail::Brief, None) => left_out.push((topic.title, run.label)),
            (None, Detail::Full, _) | (None, Detail::Brief, Some(_)) => missing.push(lacking(topic, bundled)),
            (None, Detail::Brief, None) => {}
        }
    }
    match detail {
        Detail::Full => sections.push(limits::section(runs)),
        Detail::Brief => sections.push(brief::limits(runs, &left_out)),
    }
    if !missing.is_empty() {
        sections.push(PageSection { title: "What is missing".into(), parts: vec![Part::Lines(missing)] });
    }
    let opening = match detail {
        Detail::Full => opening(runs),
        Detail::Brief => brief::opening(runs),
    };
    Page { title: "What the load balancer does to live traffic".into(), opening, sections }
}

/// What plans must have to fill the page in brief, section by section.
pub(crate) fn needs() -> impl Iterator<Item = fn(&SavedPlan) -> bool> {
    TOPICS.iter().filter(|topic| topic.in_short.is_some()).map(|topic| topic.is_in)
}

fn opening(runs: &[LabelledRun<'_>]) -> Vec<Part> {
    let line = |run: &LabelledRun<'_>| {
        let mark = match run.summary.verdict {
            Verdict::Passed => Mark::Good,
            Verdict::Failed => Mark::Bad,
            Verdict::Invalid | Verdict::Interrupted => Mark::Unknown,
        };
        let (question, verdict) = (&run.summary.question, run.summary.verdict.word());
        let text = format!("{}: {question} ({verdict}) Experiment: {}.", run.label, run.summary.experiment);
        Line::new(mark, text)
    };
    vec![
        Part::Text(
            "Every figure below was measured in one of these runs; rig report shows each of them in full."
                .into(),
        ),
        Part::Lines(runs.iter().map(line).collect()),
    ]
}

fn section(topic: &WriteupTopic, run: &LabelledRun<'_>, others: &[&LabelledRun<'_>]) -> PageSection {
    let mut parts = vec![Part::Text(source(run))];
    parts.extend(trouble(run));
    parts.extend((topic.tell)(run));
    if !others.is_empty() {
        let labels: Vec<_> =
            others.iter().map(|run| format!("{} ({})", run.label, run.summary.verdict.word())).collect();
        parts.push(Part::Text(format!("More of the same: {}.", labels.join(", "))));
    }
    PageSection { title: topic.title.into(), parts }
}

/// Where the figures come from.
fn source(run: &LabelledRun<'_>) -> String {
    let balancers: Vec<_> = run
        .summary
        .environment
        .balancers
        .iter()
        .map(|(name, build)| format!("{name} {}", build.version))
        .collect();
    let repeats =
        if run.summary.repeats == 1 { "once".into() } else { format!("{} times", run.summary.repeats) };
    format!("From {}: {}, each cell {repeats}, seed {}.", run.label, balancers.join(", "), run.summary.seed)
}

/// A run that can't be trusted, or did not show what it should, says so before its figures.
fn trouble(run: &LabelledRun<'_>) -> Option<Part> {
    let warning = match run.summary.verdict {
        Verdict::Passed => return None,
        Verdict::Failed => {
            "FAILED: a claim of the scenario did not hold. The figures are measured all the same."
        }
        Verdict::Invalid => "INVALID: not all of this run can be trusted; figures that can't are struck out.",
        Verdict::Interrupted => "INTERRUPTED: this run was stopped before its end.",
    };
    let mut lines = vec![Line::new(Mark::Unknown, warning)];
    lines.extend(doubts::of(run.summary).into_iter().map(|doubt| Line::new(Mark::Unknown, doubt.text())));
    Some(Part::Lines(lines))
}

/// A section that no run fills, and what would.
fn lacking(topic: &WriteupTopic, bundled: &[SavedPlan]) -> Line {
    let mut having: Vec<&SavedPlan> = bundled.iter().filter(|plan| (topic.is_in)(plan)).collect();
    having.sort_by_key(|plan| plan.variants.len());
    let advice = match having.first() {
        Some(plan) => format!("rig run scenarios/{}.yaml would show it", plan.scenario),
        None => "no bundled scenario shows it".into(),
    };
    Line::plain(format!("{}: no run here has {}; {advice}.", topic.title, topic.what))
}
