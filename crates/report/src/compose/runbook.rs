//! One printed page for on-call about one balancer: commands from its adapter, figures from runs. A figure is of one run, which
//! it names: unlike runs are not added up.

mod checks;
mod seen;
mod signals;

use model::catalog::BalancerKind;
use model::identity::BalancerName;
use model::operations::Operations;
use model::plan::{SavedPlan, Variant};
use model::timeline::Drain;

use crate::compose::document::Line;
use crate::compose::page::{Page, PageSection, Part};
use crate::compose::writeup::durations;
use crate::figure::bounds;
use crate::judge::run::LabelledRun;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::zero::ZeroBound;
use crate::numbers::{millis, percent_up};
use seen::{Deployed, SeenRun, dropped_of, error_rate};

/// Composes the page about `balancer`.
pub fn compose(balancer: BalancerKind, operations: &Operations, runs: &[LabelledRun<'_>]) -> Page {
    let seen = SeenRun::all(balancer, runs);
    let safe = seen.iter().find(|run| !run.safe.is_empty());
    let section = |title: &str, parts| PageSection { title: title.into(), parts };
    Page {
        title: format!("Runbook: {balancer}"),
        opening: opening(balancer, operations, &seen),
        sections: vec![
            section("Four signals", signals::parts(operations, &seen, safe)),
            section("The safe deploy, one backend after the other", sequence(operations, safe)),
            section("Stop, and roll back", stop(operations, &seen, safe)),
            section("When requests fail: look here first", checks::parts(operations, &seen)),
        ],
    }
}

/// What plans must have for its figures: a deploy that drains, and a backend that dies by itself.
pub(crate) fn needs() -> impl Iterator<Item = fn(&SavedPlan) -> bool> {
    let drains = |plan: &SavedPlan| {
        plan.variants.iter().flat_map(Variant::deploys).any(|deploy| deploy.leaving.drain != Drain::Off)
    };
    let dies = |plan: &SavedPlan| plan.variants.iter().any(|variant| variant.faults().next().is_some());
    [drains as fn(&SavedPlan) -> bool, dies].into_iter()
}

fn opening(balancer: BalancerKind, operations: &Operations, seen: &[SeenRun<'_>]) -> Vec<Part> {
    let line = |it: &SeenRun<'_>| {
        let is_it = |name: &str| name.parse::<BalancerName>().is_ok_and(|name| name == balancer);
        let builds = it.run.summary.environment.balancers.iter().filter(|(name, _)| is_it(name));
        let versions: Vec<_> = builds.map(|(_, build)| build.version.as_str()).collect();
        let left_out = match it.untrusted {
            0 => String::new(),
            n => format!(", {n} INVALID cells with a deploy left out"),
        };
        let experiment = it.run.summary.experiment.split(", timeout ").next().unwrap_or_default();
        let text = format!(
            "`{}` ({balancer} {}, {}{left_out}): {experiment}; `rig report` has the rest.",
            it.run.label,
            versions.join(" and "),
            it.run.summary.verdict.word()
        );
        Line::plain(text)
    };
    let names = operations.names.split_whitespace().collect::<Vec<_>>().join(" ");
    let told: Vec<Line> = seen.iter().filter(|run| run.is_used()).map(line).collect();
    let from = match told.is_empty() {
        true => {
            "No run here has a deploy or a fault behind it: the commands are complete, but there are no figures."
        }
        false => "Each figure is of one of these runs, and names it:",
    };
    vec![Part::Text(from.into()), Part::Lines(told), Part::Text(names)]
}

/// The steps, with the times that they took in the safe deploys of one run.
fn sequence(operations: &Operations, safe: Option<&SeenRun<'_>>) -> Vec<Part> {
    let replacements: Vec<&ReplacementRecord> =
        safe.iter().flat_map(|run| run.safe()).flat_map(|deployed| &deployed.record.replacements).collect();
    let [deregister, drain, _sure, exit, ready, register, share, whole] = durations(&replacements);
    let window = safe
        .and_then(SeenRun::window)
        .map_or_else(String::new, |window| format!(" Wait no longer than the window, {}.", millis(window)));
    let steps = vec![
        format!("Take it out: `{}`. Confirmed after {deregister}.", operations.take_out),
        format!("Wait until its drain state shows nothing in flight. That took {drain}.{window}"),
        format!("Stop it (SIGTERM). It had exited after {exit}."),
        format!("Start the new one at the same address. It answered after {ready}."),
        format!("Put it back: `{}`. Confirmed after {register}.", operations.put_back),
        format!("Wait until it has its share of the requests, {share}. Then the next one."),
    ];
    let outcome = match safe {
        Some(run) => format!(
            "Times: median (shortest–longest) of {} replacements in `{}`; one backend in all took {whole}. {}",
            replacements.len(),
            run.run.label,
            outcome(run, replacements.len())
        ),
        None => "No run here has a deploy of this balancer in place that tells it live and drains for the derived \
                 window: the times are missing."
            .to_owned(),
    };
    vec![Part::Steps(steps), Part::Text(outcome)]
}

/// What came of the safe deploys.
fn outcome(run: &SeenRun<'_>, replacements: usize) -> String {
    let (dropped, scheduled) = dropped_of(run.safe());
    let bound = ZeroBound::over(run.safe().iter().map(|deployed| &deployed.cell.zero));
    let size = match (dropped, bound.per_request, bound.per_replacement) {
        (0, Some(request), Some(replacement)) => format!(
            " (at 95 % all but {} of those that the same deploy lost without draining; {replacements} replacements can't rule \
             out a fault that hits up to {} of them)",
            percent_up(request),
            percent_up(replacement)
        ),
        (0, ..) => String::new(),
        _ => format!(" ({})", losses(run.safe())),
    };
    let books: Vec<_> = run.safe().iter().map(|deployed| &deployed.cell.books).collect();
    let shadows = bounds::shadows(books.into_iter());
    let beside = match run.careless() {
        [] if dropped == 0 => {
            "That run has no deploy without draining to compare with, so this zero proves little.".to_owned()
        }
        [] => "That run has no deploy without draining to compare with.".to_owned(),
        undrained => {
            let (lost, of) = dropped_of(undrained);
            format!("Without draining the same deploy dropped {lost} of {of}.")
        }
    };
    format!("They dropped {dropped} of {scheduled} requests{size}; {shadows}. {beside}")
}

/// Which deploys lost requests, and how many.
fn losses(deploys: &[Deployed<'_>]) -> String {
    let lost = deploys.iter().filter(|deployed| deployed.cell.counts.dropped > 0);
    let of = |it: &Deployed<'_>| format!("{}: {}", it.cell.variant, it.cell.counts.dropped);
    lost.map(of).collect::<Vec<_>>().join("; ")
}

/// When not to go on, and what to do then.
fn stop(operations: &Operations, seen: &[SeenRun<'_>], safe: Option<&SeenRun<'_>>) -> Vec<Part> {
    let ready =
        safe.and_then(|run| run.longest(|replacement| replacement.timing.ready_ms).map(|ms| (ms, run)));
    let ready = ready.map_or_else(
        || "as long as a start takes".to_owned(),
        |(ms, run)| format!("{} in `{}`", millis(ms), run.run.label),
    );
    let aborted = seen.iter().find_map(|run| run.aborted.first().map(|deployed| (run, deployed)));
    let aborted = aborted.map_or_else(String::new, |(run, deployed)| {
        let (dropped, scheduled) = dropped_of(std::slice::from_ref(deployed));
        format!(
            " In `{}` a deploy whose new generation never became healthy was stopped so, and dropped {dropped} of \
             {scheduled} ({}).",
            run.run.label,
            error_rate(dropped, scheduled)
        )
    });
    let steps = vec![
        format!(
            "Stop at the first signal over its threshold, or if the new one does not answer within twice the usual time \
             ({ready}). Touch no other backend: those that are left serve.{aborted}"
        ),
        format!("If the old process still runs, put it back: `{}`.", operations.put_back),
        "If it was stopped, start the old version at the same address, wait until it answers, and put it back in the same \
         way."
            .to_owned(),
        "Roll back those that were replaced already by the same safe deploy, with the old version.".to_owned(),
    ];
    vec![Part::Steps(steps)]
}
