//! Annotations for a job on GitHub: an error for what failed, a warning for what could not be judged, a notice for what does
//! not apply, and one for how the run ended.

use super::cases::{Case, CaseGrade, balancers, of_balancer, of_run};
use crate::compose::document::headline;
use crate::judge::verdict::RunSummary;

/// Lays out runs: a line per annotation. GitHub shows only the first ten of each kind, so errors come first.
pub(crate) fn render(runs: &[&RunSummary]) -> String {
    let mut lines: Vec<Annotation> = runs.iter().flat_map(|run| annotations(run)).collect();
    lines.sort_by_key(|line| line.level);
    lines.iter().map(Annotation::line).collect()
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Error,
    Warning,
    Notice,
}

struct Annotation {
    level: Severity,
    title: String,
    message: String,
}

impl Annotation {
    fn line(&self) -> String {
        let level = match self.level {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        let title = data(&self.title).replace(':', "%3A").replace(',', "%2C");
        format!("::{level} title={title}::{}\n", data(&self.message))
    }
}

/// The characters that would end a message, or read as an escape.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn annotations(run: &RunSummary) -> Vec<Annotation> {
    let title = format!("rig {}", run.scenario);
    let mut all = Vec::new();
    for balancer in balancers(run) {
        let cases = of_balancer(run, balancer);
        all.extend(cases.iter().filter_map(|case| annotation(format!("{title} on {balancer}"), case)));
    }
    let explained = all.iter().any(|found| found.level < Severity::Notice);
    all.extend(of_run(run, explained).and_then(|case| annotation(title.clone(), &case)));
    all.push(Annotation { level: Severity::Notice, title, message: headline(run).text });
    all
}

/// Nothing for what passed.
fn annotation(title: String, case: &Case) -> Option<Annotation> {
    let level = match case.grade {
        CaseGrade::Passed => return None,
        CaseGrade::Failed => Severity::Error,
        CaseGrade::Unproven => Severity::Warning,
        CaseGrade::NotApplicable => Severity::Notice,
    };
    Some(Annotation { level, title, message: format!("{}: {}, {}", case.name, case.kind, case.why) })
}
