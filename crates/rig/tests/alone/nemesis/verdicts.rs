//! What a run may say of itself, held against its records, which are counted here once more.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use model::outcome::{BodyCheck, Cause, Outcome};
use model::request::Request;
use model::units::Nanos;
use serde::de::DeserializeOwned;
use testing::{BalancerKind, Event, Happening, Holding, RunSummary, Sandbox};

use super::acts::{Deed, Part, What};

/// What is wrong with what `rig`, which `ended` so, has said and left.
pub(crate) fn complaints(
    rig: &Sandbox,
    balancer: BalancerKind,
    deeds: &[Deed],
    ended: ExitStatus,
) -> Vec<String> {
    let mut complaints = Vec::new();
    let killed = ended.signal().is_some();
    let killed_rig = deeds.iter().any(|deed| (deed.what, deed.part) == (What::Kill, Part::Rig));
    if killed && !killed_rig {
        complaints.push("rig was not killed".to_owned());
    }
    if !killed && !matches!(ended.code(), Some(0 | 1 | 3 | 4)) {
        complaints.push("an exit code that says something else".to_owned());
    }
    if !killed {
        let left = rig.files().into_iter().filter(|path| path.components().any(|c| c.as_os_str() == "run"));
        complaints.extend(left.map(|path| format!("{} is left", path.display())));
    }
    let run = rig.path().join("results/nemesis/latest");
    if !run.join("environment.json").is_file() {
        let began = !killed && matches!(ended.code(), Some(0 | 1 | 4));
        complaints.extend(began.then(|| "a verdict without records".to_owned()));
        return complaints;
    }
    let cells = ["without-drain", "with-drain"].map(|variant| Cell::read(&run, balancer, variant));
    complaints.extend(cells.iter().flat_map(|cell| cell.broken.clone()));
    let report = rig.command(["report", run.to_str().unwrap(), "--format", "json"]).ends();
    match ended.code() {
        Some(code @ (0 | 1 | 4)) if code != report.code => {
            complaints.push(format!("the run ended with {code}, its report with {}", report.code));
        }
        _ if !matches!(report.code, 0 | 1 | 4) => {
            complaints.push(format!("the report ended with {}: {}", report.code, report.err));
        }
        _ => {}
    }
    match report.code {
        0 => complaints.extend(why_no_pass(&cells)),
        1 => complaints.extend(why_no_charge(&cells[1], deeds, &report.summary())),
        _ => {}
    }
    complaints
}

/// What rig has written down of one cell.
struct Cell {
    name: String,
    history: Vec<Event>,
    requests: Vec<Request>,
    broken: Vec<String>,
}

impl Cell {
    fn read(run: &Path, balancer: BalancerKind, variant: &str) -> Cell {
        let name = format!("{balancer}.{variant}.1");
        let path = run.join("cells").join(&name);
        let mut broken = Vec::new();
        let history = lines(&path.join("history.ndjson"), &mut broken);
        let compressed = path.join("requests.ndjson.zst");
        let requests = match compressed.is_file() {
            true => lines(&compressed, &mut broken),
            false => lines(&path.join("requests.ndjson"), &mut broken),
        };
        Cell { name, history, requests, broken }
    }

    fn happenings(&self) -> impl Iterator<Item = &Happening> {
        self.history.iter().map(|event| &event.what)
    }

    /// How many requests were scheduled, and when the warm-up ended.
    fn scheduled(&self) -> Option<(u64, Nanos)> {
        let last = self.happenings().filter_map(|what| match what {
            Happening::Scheduled { requests, origin } => Some((*requests, *origin)),
            _ => None,
        });
        last.last()
    }

    /// Requests after the warm-up that didn't bring what they should.
    fn lost(&self) -> Vec<&Request> {
        let origin = self.scheduled().map(|(_, origin)| origin);
        let measured = self.requests.iter().filter(|request| Some(request.due) >= origin);
        measured.filter(|request| !is_ok(request.outcome)).collect()
    }
}

fn is_ok(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Answered { status: 200..300, body, .. } if body != BodyCheck::Mismatch)
}

/// A timeout, or a request that was never sent: the generator's own lateness looks like that too.
fn may_be_the_generators(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed { cause: Cause::Timeout, .. } | Outcome::NotSent(_))
}

/// Every whole line of a file that may not be there. The last may have been torn off by its writer's end, no other.
fn lines<T: DeserializeOwned>(path: &PathBuf, broken: &mut Vec<String>) -> Vec<T> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let bytes = match path.extension().is_some_and(|extension| extension == "zst") {
        true => zstd::decode_all(bytes.as_slice()).unwrap_or_else(|error| {
            broken.push(format!("{}: {error}", path.display()));
            Vec::new()
        }),
        false => bytes,
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines
        .filter_map(|line| {
            let read = serde_json::from_slice(line);
            read.map_err(|error| broken.push(format!("{}: {error}", path.display()))).ok()
        })
        .collect()
}

/// A pass takes two whole cells, of which the one lost something, and the other nothing.
fn why_no_pass(cells: &[Cell; 2]) -> Vec<String> {
    let mut why = Vec::new();
    for cell in cells {
        let name = &cell.name;
        let finished = cell.happenings().filter(|what| matches!(what, Happening::CellFinished));
        if finished.count() != 1 {
            why.push(format!("a pass, and {name} did not end"));
        }
        let scheduled = cell.scheduled().map(|(requests, _)| requests);
        if scheduled != Some(cell.requests.len() as u64) {
            why.push(format!("a pass, and {name} has {} records of {scheduled:?}", cell.requests.len()));
        }
        why.extend(cell.happenings().filter_map(|what| match what {
            Happening::Exited { component, expected: false, .. } => {
                Some(format!("a pass, and in {name} {component} died"))
            }
            _ => None,
        }));
    }
    if cells[0].lost().is_empty() {
        why.push("a pass, and the control lost nothing".to_owned());
    }
    why.extend(cells[1].lost().first().map(|lost| format!("a pass, and this was lost: {lost:?}")));
    why
}

/// A charge takes a request that was lost, and not by what may be the generator's lateness or the machine's, unless it
/// was a part of what is under test that something had befallen.
fn why_no_charge(drained: &Cell, deeds: &[Deed], report: &RunSummary) -> Vec<String> {
    let tested = [Part::Backend, Part::Balancer, Part::Store];
    let befallen = deeds
        .iter()
        .any(|deed| tested.contains(&deed.part) && matches!(deed.what, What::Kill | What::Stop(_)));
    let borne_out = drained.lost().iter().any(|lost| !may_be_the_generators(lost.outcome));
    if befallen || borne_out {
        return Vec::new();
    }
    let failed = report.claims.iter().filter(|claim| claim.holding == Holding::Failed);
    failed.map(|claim| format!("a charge that nothing bears out: {claim:?}")).collect()
}
