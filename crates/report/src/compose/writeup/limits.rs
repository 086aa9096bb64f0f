//! What a write-up can't say: where and how it was measured.

use std::collections::BTreeMap;

use crate::compose::document::{Line, Mark};
use crate::compose::page::{PageSection, Part};
use crate::compose::table::{Cell, Column, Table};
use crate::judge::run::LabelledRun;
use crate::measure::validity::Trust;

/// The section about the experiment's limits.
pub(super) fn section(runs: &[LabelledRun<'_>]) -> PageSection {
    let columns = Column::left(["run", "verdict", "runtime", "balancers", "seed", "repeats", "began", "rig"]);
    let row = |run: &LabelledRun<'_>| {
        let environment = &run.summary.environment;
        let balancers = environment.balancers.iter().map(|(name, build)| format!("{name} {}", build.version));
        let commit = environment.commit.as_deref().unwrap_or_default();
        [
            run.label.to_owned(),
            run.summary.verdict.word().to_owned(),
            run.summary.runtimes(),
            balancers.collect::<Vec<_>>().join(", "),
            run.summary.seed.to_string(),
            run.summary.repeats.to_string(),
            environment.started.clone(),
            format!("{} {commit}", environment.rig).trim_end().to_owned(),
        ]
        .map(Cell::plain)
        .into()
    };
    let table = Table {
        title: "The runs".into(),
        columns: columns.into(),
        rows: runs.iter().map(row).collect(),
        notes: vec![],
    };
    let mut lines = machines(runs);
    lines.extend(runs.iter().flat_map(doubts));
    let texts = std::iter::once(ONE_MACHINE.to_owned()).chain(few(runs));
    let mut parts: Vec<Part> = texts.map(Part::Text).collect();
    parts.extend([Part::Table(table), Part::Lines(lines)]);
    PageSection { title: "Limits of the experiment".into(), parts }
}

/// What holds for every run.
pub(super) const ONE_MACHINE: &str = "One machine ran the load generator, the balancer and the backends, so that they share its CPUs and no network lies \
     between them: counts carry over to other machines, times and CPU cost do not.";

/// That few repeats say little about how often; `None`: each run has many.
pub(super) fn few(runs: &[LabelledRun<'_>]) -> Option<String> {
    let few = runs.iter().filter(|run| run.summary.repeats < 5).count();
    let (has, whose) = if few == 1 { ("has", "its") } else { ("have", "their") };
    let all = runs.len();
    (few > 0).then(|| {
        format!(
            "{few} of {all} runs {has} fewer than 5 repeats: {whose} figures show what can happen, not how often."
        )
    })
}

/// Where it was measured, each machine once.
pub(super) fn machines(runs: &[LabelledRun<'_>]) -> Vec<Line> {
    let mut found: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for run in runs {
        let e = &run.summary.environment;
        let machine = format!("{} × {}, kernel {}", e.cpus, e.cpu, e.kernel);
        found.entry(machine).or_default().push(e.load_average);
    }
    let line = |(machine, mut loads): (String, Vec<f64>)| {
        loads.sort_by(f64::total_cmp);
        let loads = match loads.as_slice() {
            [least, .., most] if least != most => format!("{least}–{most} when the runs"),
            one => format!("{} when the run", one.first().copied().unwrap_or_default()),
        };
        Line::plain(format!("{machine}, load average {loads} began"))
    };
    found.into_iter().map(line).collect()
}

/// What can't be trusted of a run, or only with care; why, its own report says.
fn doubts(run: &LabelledRun<'_>) -> Vec<Line> {
    let mut found: BTreeMap<(&str, Trust), Vec<String>> = BTreeMap::new();
    for cell in &run.summary.cells {
        let claims = [
            ("counts", Some(&cell.validity.counts)),
            ("latency", Some(&cell.validity.latency)),
            ("deploy", cell.validity.deploy.as_ref()),
        ]
        .map(|(claim, validity)| (claim, validity.map(|validity| validity.verdict)));
        // Where none was read, there is no figure to doubt.
        let cpu = cell.cpu_trust().filter(|_| !cell.cpu.components.is_empty());
        for (claim, trust) in claims.into_iter().chain([("CPU time", cpu)]) {
            if let Some(trust) = trust.filter(|trust| *trust != Trust::Valid) {
                found.entry((claim, trust)).or_default().push(run.summary.label(cell));
            }
        }
    }
    let all = run.summary.cells.len();
    let line = |((claim, trust), cells): ((&str, Trust), Vec<String>)| {
        let text = match cells.len() {
            n if n == all => {
                format!("{}: {claim} {} of all {n} cells", run.label, trust.word())
            }
            n => {
                format!("{}: {claim} {} of {n} of {all} cells: {}", run.label, trust.word(), cells.join(", "))
            }
        };
        Line::new(Mark::Unknown, text)
    };
    found.into_iter().map(line).collect()
}
