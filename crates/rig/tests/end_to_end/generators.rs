//! Several generators send one load: the same requests as one, with one set of books; and what happens if one is lost.

use std::path::{Path, PathBuf};

use model::generators::LoadPart;
use model::identity::RequestId;
use model::request::Request;
use testing::{
    Haproxy, Nginx, RunSummary, Sandbox, Signal, Trust, Verdict, books_balance, counts_are_trusted, deploy,
    eventually, kill_process, left, text,
};

use crate::RIG;

/// What is the same of a request whoever sends it: id, time from the first request, class, user, and whether it had a
/// connection of its own, which it asks to close.
type Planned = (RequestId, i64, String, Option<u32>, bool);

/// The records of each generator of a cell.
fn records(cell: &Path, generators: u32) -> Vec<Vec<Request>> {
    let read = |part: LoadPart| {
        let name = match part.index {
            0 => "requests.ndjson.zst".to_owned(),
            n => format!("requests.{}.ndjson.zst", n + 1),
        };
        let lines = text(&cell.join(name));
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    LoadPart::all(generators).map(read).collect()
}

fn planned(records: &[Vec<Request>]) -> Vec<Planned> {
    let mut all: Vec<&Request> = records.iter().flatten().collect();
    all.sort_by_key(|request| request.id);
    let first = all[0].due;
    let of = |request: &&Request| {
        let closed = request.on.is_some_and(|on| on.close_announced);
        (request.id, request.due.0 - first.0, request.class.to_string(), request.user, closed)
    };
    all.iter().map(of).collect()
}

fn cells(sandbox: &Sandbox, scenario: &str) -> PathBuf {
    sandbox.path().join(format!("results/{scenario}/latest/cells"))
}

/// Of each variant what was planned, as `generators` sent it, whose books balance.
fn sent_by(rig: &Sandbox, generators: u32) -> [Vec<Planned>; 2] {
    let run = rig.run("shared-load").at_once().set("load.generators", &generators.to_string()).json();
    run.exits(0).quietly();
    ["anyone", "users"].map(|variant| {
        let cell = run.cell(Haproxy, variant);
        counts_are_trusted(cell);
        books_balance(cell);
        assert_eq!(cell.generator.parts.len(), if generators == 1 { 0 } else { generators as usize });
        let of_each = records(&cells(rig, "shared-load").join(format!("haproxy.{variant}.1")), generators);
        let recorded: usize = of_each.iter().map(Vec::len).sum();
        assert_eq!(cell.books.recorded, recorded as u64);
        for (part, own) in LoadPart::all(generators).zip(&of_each) {
            assert!(own.iter().all(|request| part.has(request.id, request.user)), "{variant} {part:?}");
            assert!(own.len() > 50, "{variant} {part:?}: {}", own.len());
        }
        let mut connections: Vec<u64> =
            of_each.iter().flatten().filter_map(|it| Some(it.on?.connection)).collect();
        connections.sort_unstable();
        connections.dedup();
        assert_eq!(connections.len() as u64, cell.generator.connections, "each has a number of its own");
        planned(&of_each)
    })
}

#[test]
fn one_two_and_three_generators_send_the_same_requests() {
    let machine = RIG.beside_others();
    let one = sent_by(&machine.fresh(), 1);
    assert!(one.iter().all(|planned| planned.iter().any(|it| it.4) && planned.iter().any(|it| !it.4)));
    for generators in [2, 3] {
        let rig = machine.fresh();
        assert!(sent_by(&rig, generators) == one, "{generators} generators");
        let report = rig.read("report.md");
        for words in [format!("from {generators} generators"), format!("{generators} generators: late wake")]
        {
            assert!(report.contains(&words), "no `{words}` in {report}");
        }
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn the_drain_proof_holds_with_two_generators() {
    let run = RIG.beside_others().run("short-drain").on([Haproxy]).variants(["with-drain"]);
    let run = run.set("load.generators", "2").json();
    run.exits(0).quietly();
    let [without, with] = ["without-drain", "with-drain"].map(|variant| run.cell(Haproxy, variant));
    for cell in [without, with] {
        assert_eq!(cell.counts.scheduled, 2000);
        counts_are_trusted(cell);
        books_balance(cell);
        assert_eq!(deploy(cell).replaced, 3);
        assert!(cell.cpu.generator_seconds() > Some(0.0), "{:?}", cell.cpu);
    }
    assert!(without.counts.dropped > 0);
}

#[test]
fn records_of_one_generator_that_are_missing_or_cut_off_are_found_out() {
    let rig = RIG.beside_others();
    let run = rig.run("shared-load").variants(["anyone"]).set("load.generators", "2").json();
    run.exits(0);
    let second = cells(&rig, "shared-load").join("haproxy.anyone.1/requests.2.ndjson.zst");
    let whole = text(&second);
    std::fs::remove_file(&second).unwrap();
    let report = || rig.command(["report", "results/shared-load/latest", "--format", "json"]).exits(4);
    let reasons = |summary: &RunSummary| summary.cells[0].validity.counts.reasons.concat();
    let missing = report().summary();
    let lines = whole.lines().count();
    assert!(reasons(&missing).contains(&format!("{lines} × ")), "{}", reasons(&missing));
    // As a crash leaves them.
    let plain = second.with_extension("");
    std::fs::write(&plain, &whole[..whole.len() - 30]).unwrap();
    let cut = report();
    assert!(reasons(&cut.summary()).contains("1 × "), "{}", reasons(&cut.summary()));
    cut.says("torn last line dropped");
}

#[test]
fn a_generator_that_dies_ends_the_cell_and_is_named() {
    let run = RIG.beside_others().run("short-drain").on([Nginx]).variants(["without-drain"]);
    let mut running = run.set("load.generators", "2").begin();
    let history = running.until("deploy_started");
    kill_process(history.pid_of("generator_2"), Signal::KILL).unwrap();
    let run = running.finished();
    run.exits(4);
    let cell = run.cell(Nginx, "without-drain");
    assert_eq!(cell.validity.counts.verdict, Trust::Invalid);
    let reasons = cell.validity.counts.reasons.concat();
    assert!(reasons.contains("the generator_2 agent failed"), "{reasons}");
    assert_eq!(left::alive(&history.launched()), Vec::<String>::new());
}

#[test]
fn ctrl_c_and_kill_9_leave_none_of_them() {
    let machine = RIG.beside_others();
    for signal in [Signal::INT, Signal::KILL] {
        let rig = machine.fresh();
        let run = rig.run("short-drain").on([Nginx]).variants(["without-drain"]).set("load.generators", "3");
        let mut running = run.loud().begin();
        let history = running.until("deploy_started");
        assert!(history.has("scheduled") && history.text.contains("generator_3"), "{}", history.text);
        running.signal(signal);
        let ended = running.ends();
        eventually("all to be gone", || left::alive(&history.launched()).is_empty().then_some(()));
        if signal == Signal::INT {
            assert_eq!(ended.code(), Some(130));
            let saved = rig.saved();
            assert_eq!(saved.verdict, Verdict::Interrupted);
            // Each recorded what it had not sent.
            let books = &saved.cells[0].books;
            assert_eq!(books.scheduled, Some(books.recorded));
        }
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn generators_in_containers_have_addresses_of_their_own() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let run = rig.run("docker-drain").on([Nginx]).variants(["with-drain"]).docker();
    let run = run.set("load.generators", "2").json();
    run.exits(0).quietly();
    for cell in &run.cells {
        counts_are_trusted(cell);
        books_balance(cell);
        assert_eq!(cell.generator.parts.len(), 2);
    }
}
