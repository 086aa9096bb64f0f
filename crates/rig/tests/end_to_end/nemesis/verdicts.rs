//! What a run may say of itself, held against its records, which are counted here once more.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use serde_json::Value;

use super::acts::{Deed, Part, What};
use crate::harness::{files, rig, said};

/// What is wrong with what `rig`, which `ended` so, has said and left in `directory`.
pub(crate) fn complaints(directory: &Path, balancer: &str, deeds: &[Deed], ended: ExitStatus) -> Vec<String> {
    let mut complaints = Vec::new();
    let killed = ended.signal().is_some();
    let killed_rig = deeds.iter().any(|deed| (deed.what, deed.part) == (What::Kill, Part::Rig));
    if killed && !killed_rig {
        complaints.push("nobody killed rig".to_owned());
    }
    if !killed && !matches!(ended.code(), Some(0 | 1 | 3 | 4)) {
        complaints.push("an exit code that says something else".to_owned());
    }
    if !killed {
        let left =
            files(directory).into_iter().filter(|path| path.components().any(|c| c.as_os_str() == "run"));
        complaints.extend(left.map(|path| format!("{} is left", path.display())));
    }
    let run = directory.join("results/nemesis/latest");
    if !run.join("environment.json").is_file() {
        let began = !killed && matches!(ended.code(), Some(0 | 1 | 4));
        complaints.extend(began.then(|| "a verdict without records".to_owned()));
        return complaints;
    }
    let cells = ["without-drain", "with-drain"].map(|variant| Cell::read(&run, balancer, variant));
    complaints.extend(cells.iter().flat_map(|cell| cell.broken.clone()));
    let report = said(&mut rig(directory, &["report", run.to_str().unwrap(), "--format", "json"]));
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
        1 => complaints.extend(why_no_charge(&cells[1], deeds, &report.out)),
        _ => {}
    }
    complaints
}

/// What rig has written down of one cell.
struct Cell {
    name: String,
    history: Vec<Value>,
    requests: Vec<Value>,
    broken: Vec<String>,
}

impl Cell {
    fn read(run: &Path, balancer: &str, variant: &str) -> Cell {
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

    fn events(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.history.iter().filter(move |event| event["event"] == name)
    }

    /// Requests after the warm-up that didn't bring what they should.
    fn lost(&self) -> Vec<&Value> {
        let origin = self.events("scheduled").last().and_then(|event| event["origin"].as_i64());
        let measured = self.requests.iter().filter(|request| request["due"].as_i64() >= origin);
        measured.filter(|request| !is_ok(&request["outcome"])).collect()
    }
}

fn is_ok(outcome: &Value) -> bool {
    let answered = &outcome["answered"];
    answered["status"].as_u64().is_some_and(|status| (200..300).contains(&status))
        && answered["body"] != "mismatch"
}

/// A timeout, or a request that was never sent: the generator's own lateness looks like that too.
fn may_be_the_generators(outcome: &Value) -> bool {
    outcome["failed"]["cause"] == "timeout" || !outcome["not_sent"].is_null()
}

/// Every whole line of a file that may not be there. The last may have been torn off by its writer's end, no other.
fn lines(path: &PathBuf, broken: &mut Vec<String>) -> Vec<Value> {
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
        if cell.events("cell_finished").count() != 1 {
            why.push(format!("a pass, and {name} did not end"));
        }
        let scheduled = cell.events("scheduled").last().and_then(|event| event["requests"].as_u64());
        if scheduled != Some(cell.requests.len() as u64) {
            why.push(format!("a pass, and {name} has {} records of {scheduled:?}", cell.requests.len()));
        }
        let deaths = cell.events("exited").filter(|event| event["expected"] == false);
        why.extend(deaths.map(|event| format!("a pass, and in {name} {} died", event["component"])));
    }
    if cells[0].lost().is_empty() {
        why.push("a pass, and the control lost nothing".to_owned());
    }
    why.extend(cells[1].lost().first().map(|lost| format!("a pass, and this was lost: {lost}")));
    why
}

/// A charge takes a request that was lost, and not by what may be the generator's lateness or the machine's, unless it
/// was a part of what is under test that something had befallen.
fn why_no_charge(drained: &Cell, deeds: &[Deed], report: &str) -> Vec<String> {
    let tested = [Part::Backend, Part::Balancer, Part::Store];
    let befallen = deeds
        .iter()
        .any(|deed| tested.contains(&deed.part) && matches!(deed.what, What::Kill | What::Stop(_)));
    let borne_out = drained.lost().iter().any(|lost| !may_be_the_generators(&lost["outcome"]));
    if befallen || borne_out {
        return Vec::new();
    }
    let run: Value = serde_json::from_str(report).unwrap_or_default();
    let failed = run["claims"].as_array().into_iter().flatten();
    failed
        .filter(|claim| claim["holding"]["is"] == "failed")
        .map(|claim| format!("a charge that nothing bears out: {claim}"))
        .collect()
}
