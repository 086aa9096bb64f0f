//! What a run writes reads back, and what a crash leaves is told as such.

use std::fs;
use std::path::Path;

use model::access_log::{Attempt, Logged};
use model::catalog::BalancerKind;
use model::history::{Event, Happening, WindowDerivation};
use model::identity::{CellId, Incarnation, RequestId};
use model::job::BackendStatus;
use model::ledger::Execution;
use model::outcome::{BodyCheck, Outcome};
use model::plan::{SavedPlan, Variant};
use model::records::Environment;
use model::request::Request;
use model::sample::Sample;
use model::topology::Topology;
use model::traffic::{Cap, Method, Traffic};
use model::units::{Nanos, Rate, Share, Span};
use store::{PlanIs, ReadWarning, RunWriter, SavedRun, StoreError};

fn plan() -> SavedPlan {
    let variant = Variant {
        name: "with-drain".into(),
        balancers: vec![BalancerKind::Nginx.into()],
        own: std::collections::BTreeMap::new(),
        target: None,
        topology: Topology {
            health_check: None,
            client_keepalive: None,
            response_timeout: Span::millis(60_000),
            workers: 2,
            ..Topology::default()
        },
        traffic: Traffic {
            rate: Rate(400.0),
            duration: Span::millis(20_000),
            timeout: Span::millis(5_000),
            connections: 100,
            connections_from: Cap::Scenario,
            ..Traffic::default()
        },
        timeline: vec![],
    };
    SavedPlan {
        figure: model::claim::AnswerPicture::of_losses(),
        reading: None,
        schema: model::plan::SCHEMA,
        scenario: "drain".into(),
        question: "Does it?".into(),
        seed: 7,
        repeats: 1,
        variants: vec![variant],
        control: vec![],
        expect: vec![],
        unavailable: vec![],
        skipped: vec![],
    }
}

fn environment() -> Environment {
    Environment { started: "2026-11-22T13:51:48.123Z".into(), ..Environment::default() }
}

/// Its environment, less what the store adds.
fn without_digest(saved: &SavedRun) -> Environment {
    Environment { plan_sha256: None, ..saved.environment().clone() }
}

fn create(results: &Path) -> RunWriter {
    RunWriter::create(results, &plan(), "name: drain\n", &environment())
        .expect("a temporary directory can be written")
}

fn cell() -> CellId {
    CellId { balancer: BalancerKind::Nginx.into(), variant: "with-drain".into(), repeat: 1 }
}

fn request(id: u64) -> Request {
    Request {
        id: RequestId(id),
        class: "get".into(),
        method: Method::Get,
        due: Nanos(1),
        released: Nanos(2),
        sent: Some(Nanos(3)),
        waited: 0,
        first_byte: Some(Nanos(4)),
        end: Nanos(5),
        on: None,
        bytes_out: 80,
        bytes_in: 200,
        served_by: Some(Incarnation::new("web-1", 1).into()),
        identity: None,
        outcome: Outcome::Answered { status: 200, body: BodyCheck::Verified, expected: None },
        user: None,
        session: None,
    }
}

fn event(at: i64, what: Happening) -> Event {
    Event { at: Nanos(at), what }
}

/// A cell with a line in every file.
fn write_cell(run: &RunWriter) {
    let dir = run.cell(&cell()).expect("a temporary directory can be written");
    let mut history = dir.history_writer().expect("a temporary directory can be written");
    for event in history_events() {
        history.append(&event).expect("a temporary directory can be written");
    }
    let lines: String = (0..3)
        .map(|id| serde_json::to_string(&request(id)).expect("a temporary directory can be written") + "\n")
        .collect();
    fs::write(dir.requests(), lines).expect("a temporary directory can be written");
    dir.write_ledger(&[execution()]).expect("a temporary directory can be written");
    dir.write_access([logged()]).expect("a temporary directory can be written");
    let mut samples = dir.sample_writer().expect("a temporary directory can be written");
    for look in sampled().chunks(1) {
        samples.append(look).expect("a temporary directory can be written");
    }
}

fn history_events() -> Vec<Event> {
    vec![
        event(1, Happening::CellStarted { cell: cell(), runtime: "process".into() }),
        event(
            2,
            Happening::DrainWindow {
                window: Span::millis(1210),
                derived: Some(WindowDerivation { slowest: Span::millis(800), samples: 1600 }),
            },
        ),
        event(
            3,
            Happening::Confirmed { incarnation: Incarnation::new("web-1", 2), share: Share(0.33), of: 120 },
        ),
        event(4, Happening::Interrupted),
        event(5, Happening::BalancerReloaded),
        event(6, Happening::CellFinished),
    ]
}

fn execution() -> Execution {
    Execution {
        id: RequestId(0),
        by: Incarnation::new("web-1", 1).into(),
        received: Nanos(3),
        finished: None,
        late: None,
    }
}

fn sampled() -> [Sample; 2] {
    let incarnation = Incarnation::new("web-1", 1);
    let status =
        BackendStatus { incarnation, in_flight: 4, received: 9, queued: 2, handshakes: Default::default() };
    [
        Sample::Backend { at: Nanos(3), status },
        Sample::Balancer { at: Nanos(4), backend: "web-1".into(), in_flight: 5 },
    ]
}

fn logged() -> Logged {
    Logged {
        id: Some(RequestId(0)),
        at: Nanos(5),
        status: 200,
        pool: None,
        attempts: vec![
            Attempt { backend: None, status: None },
            Attempt { backend: Some("web-1".into()), status: Some(200) },
        ]
        .into(),
        flags: "".into(),
        queued: Some(Span::millis(12)),
        signs: vec![].into(),
        reason: None,
    }
}

#[test]
fn a_run_reads_back_through_latest_what_was_written() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let saved = SavedRun::open(&results.path().join("drain/latest")).unwrap();
    assert!(saved.path().ends_with("drain/20261122T135148Z"));
    assert_eq!(saved.plan(), &plan());
    assert_eq!(without_digest(&saved), environment());
    assert_eq!(saved.cells(), [cell()]);
    let loaded = saved.records(&cell()).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(loaded.records.history, history_events());
    assert_eq!(loaded.records.requests, [request(0), request(1), request(2)]);
    assert_eq!(loaded.records.executions, [execution()]);
    assert_eq!(loaded.records.access, [logged()]);
    assert_eq!(loaded.records.samples, sampled());
}

#[test]
fn a_latency_log_stands_in_its_cells_directory_as_it_was_given() {
    let results = tempfile::tempdir().unwrap();
    let dir = create(results.path()).cell(&cell()).unwrap();
    dir.write_latency_log("#old\n").unwrap();
    dir.write_latency_log("#new\n").unwrap();
    assert_eq!(fs::read_to_string(dir.path().join("latency.hlog")).unwrap(), "#new\n");
}

#[test]
fn compressed_records_replace_the_plain_ones_and_read_back_the_same() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let dir = run.cell(&cell()).unwrap();
    dir.compress_requests(1).unwrap();
    assert!(!dir.requests().exists());
    assert!(dir.compressed_requests().exists());
    let loaded = SavedRun::open(run.path()).unwrap().records(&cell()).unwrap();
    assert_eq!(loaded.records.requests, [request(0), request(1), request(2)]);
}

#[test]
fn the_records_of_several_generators_read_back_as_one_and_those_that_are_missing_are_named() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan();
    plan.variants[0].traffic.generators = 3;
    let run = RunWriter::create(results.path(), &plan, "name: drain\n", &environment()).unwrap();
    write_cell(&run);
    let dir = run.cell(&cell()).unwrap();
    let line = |id| serde_json::to_string(&request(id)).unwrap() + "\n";
    fs::write(dir.requests(), line(3) + &line(0)).unwrap();
    fs::write(dir.path().join("requests.3.ndjson"), line(5) + &line(2)).unwrap();
    let read = || SavedRun::open(run.path()).unwrap().records(&cell()).unwrap();
    let before = read();
    assert_eq!(before.records.requests, [0, 2, 3, 5].map(request), "in the order in which they ended");
    let [ReadWarning::Absent { path }] = &before.warnings[..] else { panic!("{:?}", before.warnings) };
    assert!(path.ends_with("requests.2.ndjson"));
    dir.compress_requests(3).unwrap();
    assert!(
        dir.path().join("requests.3.ndjson.zst").exists() && !dir.path().join("requests.3.ndjson").exists()
    );
    assert_eq!(read().records, before.records);
}

#[test]
fn a_run_of_an_earlier_version_whose_ledger_and_log_are_not_compressed_reads_the_same() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let dir = run.cell(&cell()).unwrap();
    let read = || SavedRun::open(run.path()).unwrap().records(&cell()).unwrap();
    let before = read();
    for packed in [dir.ledger(), dir.access()] {
        let text = zstd::decode_all(fs::File::open(&packed).unwrap()).unwrap();
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
        fs::write(packed.with_extension(""), text).unwrap();
        fs::remove_file(packed).unwrap();
    }
    let after = read();
    assert!(dir.has_ledger());
    assert_eq!((after.records, after.warnings), (before.records, before.warnings));
}

#[test]
fn a_balancers_own_log_is_kept_compressed_as_it_wrote_it() {
    let results = tempfile::tempdir().unwrap();
    let dir = create(results.path()).cell(&cell()).unwrap();
    let raw = results.path().join("access.log");
    fs::write(&raw, b"one\r\ntwo \xff\nhalf of thr").unwrap();
    dir.keep_access_log(&raw).unwrap();
    let kept = zstd::decode_all(fs::File::open(dir.access_log()).unwrap()).unwrap();
    assert_eq!(kept, fs::read(&raw).unwrap());
}

#[test]
fn a_run_that_was_interrupted_between_cells_says_so_when_it_is_read_back() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    assert!(!SavedRun::open(run.path()).unwrap().was_interrupted());
    run.write_interrupted().unwrap();
    assert!(SavedRun::open(run.path()).unwrap().was_interrupted());
}

#[test]
fn a_second_run_in_the_same_second_gets_a_suffix_and_becomes_the_latest() {
    let results = tempfile::tempdir().unwrap();
    create(results.path());
    let second = create(results.path());
    assert!(second.path().ends_with("20261122T135148Z-2"));
    let latest = fs::read_link(results.path().join("drain/latest")).unwrap();
    assert_eq!(latest, Path::new("20261122T135148Z-2"));
}

#[test]
fn a_line_torn_by_a_crash_is_dropped_and_reported() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let dir = run.cell(&cell()).unwrap();
    let mut text = fs::read_to_string(dir.requests()).unwrap();
    text.truncate(text.len() - 20);
    fs::write(dir.requests(), text).unwrap();
    let loaded = SavedRun::open(run.path()).unwrap().records(&cell()).unwrap();
    assert_eq!(loaded.records.requests, [request(0), request(1)]);
    let [ReadWarning::TornLine { path, line: 3 }] = &loaded.warnings[..] else {
        panic!("{:?}", loaded.warnings);
    };
    assert!(path.ends_with("requests.ndjson"));
}

#[test]
fn files_that_an_interrupted_cell_never_wrote_are_warnings() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    let dir = run.cell(&cell()).unwrap();
    dir.history_writer().unwrap().append(&history_events()[0]).unwrap();
    let loaded = SavedRun::open(run.path()).unwrap().records(&cell()).unwrap();
    assert_eq!(loaded.records.requests, []);
    assert_eq!(loaded.warnings.len(), 3);
}

#[test]
fn opening_something_else_names_what_is_missing() {
    let results = tempfile::tempdir().unwrap();
    let error = SavedRun::open(results.path()).unwrap_err();
    assert!(matches!(error, StoreError::NotARun { missing: "plan.json", .. }), "{error}");
    let error = SavedRun::open(&results.path().join("nowhere")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    let run = create(results.path());
    let error = SavedRun::open(run.path()).unwrap().records(&cell()).unwrap_err();
    assert!(error.to_string().ends_with("has no cell nginx.with-drain.1"), "{error}");
}

#[test]
fn a_run_that_was_saved_before_there_were_containers_is_read_as_one_without() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    for (file, key) in [("plan.json", "unavailable"), ("environment.json", "engine")] {
        let path = run.path().join(file);
        let mut saved: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        saved.as_object_mut().unwrap().remove(key).unwrap();
        fs::write(&path, saved.to_string()).unwrap();
    }
    let saved = SavedRun::open(run.path()).unwrap();
    assert_eq!((saved.plan(), without_digest(&saved)), (&plan(), environment()));
    assert_eq!(saved.environment().engine, None);
}

#[test]
fn a_plan_of_another_schema_is_refused() {
    let results = tempfile::tempdir().unwrap();
    let future = SavedPlan { schema: 99, ..plan() };
    let run = RunWriter::create(results.path(), &future, "", &environment()).unwrap();
    let error = SavedRun::open(run.path()).unwrap_err();
    assert!(matches!(error, StoreError::Schema { found: 99, .. }), "{error}");
    // Even if nothing else of it can be read.
    fs::write(run.path().join("plan.json"), r#"{"schema": 99, "variants": {}}"#).unwrap();
    let error = SavedRun::open(run.path()).unwrap_err();
    assert!(matches!(error, StoreError::Schema { found: 99, .. }), "{error}");
}

#[test]
fn a_name_that_would_leave_the_results_directory_is_refused() {
    let results = tempfile::tempdir().unwrap();
    for name in ["..", "a/b", ""] {
        let plan = SavedPlan { scenario: name.into(), ..plan() };
        let error = RunWriter::create(results.path(), &plan, "", &environment()).unwrap_err();
        assert!(matches!(error, StoreError::Name { .. }), "{error}");
    }
    let undated = Environment { started: "today".into(), ..environment() };
    assert!(RunWriter::create(results.path(), &plan(), "", &undated).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let results = tempfile::tempdir().unwrap();
    let dir = create(results.path()).cell(&cell()).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.history()).unwrap();
    let error = dir.history_writer().unwrap().append(&history_events()[0]).unwrap_err();
    assert!(error.to_string().contains("history.ndjson"), "{error}");
}

#[test]
fn a_plan_that_was_changed_after_the_run_is_found_out_and_one_of_an_earlier_version_is_not_known() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    let plan = run.path().join("plan.json");
    let is = || SavedRun::open(run.path()).unwrap().plan_is();
    let text = fs::read_to_string(&plan).unwrap();
    assert_eq!(is(), PlanIs::AsRun);
    fs::write(&plan, text.replacen("drain", "drian", 1)).unwrap();
    assert_eq!(is(), PlanIs::Changed);
    fs::write(&plan, text.clone() + " ").unwrap();
    assert_eq!(is(), PlanIs::Changed);
    fs::write(&plan, text).unwrap();
    assert_eq!(is(), PlanIs::AsRun);
    let environment = serde_json::to_string(&environment()).unwrap();
    fs::write(run.path().join("environment.json"), environment).unwrap();
    assert_eq!(is(), PlanIs::Unsealed);
}

#[test]
fn records_that_unpack_to_far_more_than_their_file_are_refused() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let saved = SavedRun::open(run.path()).unwrap();
    let packed = saved.dir(&cell()).compressed_requests();
    let record = serde_json::to_string(&request(1)).unwrap() + "\n";
    let mut bomb = zstd::Encoder::new(fs::File::create(&packed).unwrap(), 3).unwrap();
    for _ in 0..(70 << 20) / record.len() {
        std::io::Write::write_all(&mut bomb, record.as_bytes()).unwrap();
    }
    bomb.finish().unwrap();
    let error = saved.records(&cell()).unwrap_err().to_string();
    assert!(error.contains("requests.ndjson.zst") && error.contains("it holds more than"), "{error}");
}

#[test]
fn a_line_without_end_is_refused_with_its_limit() {
    let results = tempfile::tempdir().unwrap();
    let run = create(results.path());
    write_cell(&run);
    let saved = SavedRun::open(run.path()).unwrap();
    let dir = saved.dir(&cell());
    fs::remove_file(dir.ledger()).unwrap();
    fs::write(dir.path().join("ledger.ndjson"), "x".repeat(2 << 20)).unwrap();
    let error = saved.records(&cell()).unwrap_err().to_string();
    assert!(error.contains("ledger.ndjson:1: the line is longer than 1048576 bytes"), "{error}");
}
