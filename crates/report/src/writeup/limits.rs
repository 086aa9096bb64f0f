//! What a write-up can't say: where and how it was measured.

use crate::document::{self, Line, Mark};
use crate::page::{Part, Section};
use crate::run::Run;
use crate::table::{Cell, Column, Table};

/// The section about the experiment's limits.
pub(super) fn section(runs: &[Run<'_>]) -> Section {
    let columns = Column::left(["run", "verdict", "runtime", "balancers", "seed", "repeats", "began", "rig"]);
    let row = |run: &Run<'_>| {
        let environment = &run.summary.environment;
        let balancers = environment.balancers.iter().map(|(name, build)| format!("{name} {}", build.version));
        let commit = environment.commit.as_deref().unwrap_or_default();
        [
            run.label.to_owned(),
            run.verdict().to_owned(),
            document::runtimes(run.summary),
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
    let mut machines: Vec<String> = runs
        .iter()
        .map(|run| {
            let e = &run.summary.environment;
            format!("{} × {}, kernel {}, load average {} at the start", e.cpus, e.cpu, e.kernel, e.load_average)
        })
        .collect();
    machines.sort();
    machines.dedup();
    let mut lines: Vec<Line> = machines.into_iter().map(|text| Line { mark: Mark::None, text }).collect();
    let doubts = runs.iter().flat_map(|run| {
        run.doubts().into_iter().map(|text| Line { mark: Mark::Unknown, text: format!("{}: {text}", run.label) })
    });
    lines.extend(doubts);
    let few = runs.iter().filter(|run| run.summary.repeats < 5).count();
    let mut texts = vec![
        "One machine ran the load generator, the balancer and the backends, so that they share its CPUs and no network \
         lies between them: counts carry over to other machines, times and CPU cost do not."
            .to_owned(),
    ];
    if few > 0 {
        texts.push(format!(
            "{few} of {} runs {} fewer than 5 repeats: {} show what can happen, and not how often.",
            runs.len(),
            if few == 1 { "has" } else { "have" },
            if few == 1 { "its figures" } else { "their figures" }
        ));
    }
    let mut parts: Vec<Part> = texts.into_iter().map(Part::Text).collect();
    parts.extend([Part::Table(table), Part::Lines(lines)]);
    Section { title: "Limits of the experiment".into(), parts }
}
