//! What one hands over about a balancer in front of a service: which scenarios its pages need, and the page that lists them.

use model::plan::SavedPlan;

use crate::compose::document::Line;
use crate::compose::overview;
use crate::compose::page::{Page, PageSection, Part};
use crate::compose::{runbook, writeup};
use crate::judge::verdict::{RunSummary, Verdict};

/// The fewest of `bundled` that fill the write-up in brief and the figures of the runbook, in their order.
pub fn scenarios(bundled: &[SavedPlan]) -> Vec<&SavedPlan> {
    let mut chosen: Vec<usize> = Vec::new();
    for need in writeup::needs().chain(runbook::needs()) {
        let filling: Vec<usize> = (0..bundled.len()).filter(|place| need(&bundled[*place])).collect();
        if filling.iter().any(|place| chosen.contains(place)) {
            continue;
        }
        // The plainest says it best, and runs for the shortest time.
        chosen.extend(filling.into_iter().min_by_key(|place| bundled[*place].variants.len()));
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|place| &bundled[place]).collect()
}

/// A file of the dossier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DossierFile {
    /// Its path within the directory.
    pub path: String,
    /// What it is.
    pub what: String,
}

/// The page that lists `files`, with what `runs` showed; `again` makes it again.
pub fn index(runs: &[&RunSummary], files: &[DossierFile], again: &str) -> Page {
    let line = |file: &DossierFile| Line::plain(format!("`{}`: {}", file.path, file.what));
    let passed = runs.iter().filter(|run| run.verdict == Verdict::Passed).count();
    let standing = match passed == runs.len() {
        true => "Every run PASSED.".to_owned(),
        false => format!(
            "{passed} of {} runs PASSED. Read the verdicts below before you rely on a figure.",
            runs.len()
        ),
    };
    let section = |title: &str, parts| PageSection { title: title.into(), parts };
    Page {
        title: "Dossier: what the balancer does to live traffic".into(),
        opening: vec![Part::Text(format!("Every figure in these files was measured. {standing}"))],
        sections: vec![
            section("Files", vec![Part::Lines(files.iter().map(line).collect())]),
            section("Verdicts", vec![Part::Table(overview::table(runs))]),
            section("Make it again", vec![Part::Command(again.to_owned())]),
        ],
    }
}
