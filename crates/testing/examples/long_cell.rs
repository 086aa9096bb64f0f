//! What it takes to judge a long cell. `long_cell write DIRECTORY REQUESTS` saves a run of one cell with so many requests, all of
//! them answered, and prints where; `long_cell judge RUN` judges it as `rig run` does, and prints what that took.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use model::access_log::{Attempt, Logged};
use model::catalog::Catalog;
use model::history::{Event, Happening};
use model::identity::{Incarnation, RequestId};
use model::interned::Interned;
use model::job::GeneratorReport;
use model::ledger::Execution;
use model::outcome::{BodyCheck, Outcome};
use model::plan::Plan;
use model::records::Environment;
use model::request::{ConnectionUse, Request};
use model::scenario::{Choice, Scenario};
use model::traffic::Method;
use model::units::Nanos;
use report::{Analysis, Corrected};
use store::{RunWriter, SavedRun};

const RATE: u64 = 10_000;
const BACKENDS: u64 = 3;
/// When the load began: records have the clock's whole digits.
const ORIGIN: i64 = 86_400_123_456_789;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", results, requests] => write(Path::new(results), requests.parse()?),
        ["judge", run] => judge(Path::new(run)),
        // As `ulimit -v` takes it.
        ["kibibytes", requests] => {
            println!("{}", engine::room::memory_to_judge(requests.parse()?) / 1024);
            Ok(())
        }
        _ => Err(
            "usage: long_cell write DIRECTORY REQUESTS | long_cell judge RUN | long_cell kibibytes REQUESTS"
                .into(),
        ),
    }
}

/// Reads and judges the first cell of a run.
fn judge(run: &Path) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let saved = SavedRun::open(run)?;
    let cell = saved.cells().into_iter().next().ok_or("the run has no cell")?;
    let records = saved.records(&cell)?.records;
    let read = begun.elapsed().as_secs_f64();
    let corrected = Corrected::of(saved.plan(), &records);
    let analysis = Analysis::of(saved.plan(), &corrected);
    let joined = begun.elapsed().as_secs_f64();
    let (summary, series, log) = (analysis.summary(), analysis.series(), analysis.latency_log());
    let requests = summary.counts.scheduled;
    assert!(summary.counts.dropped == 0 && summary.books.balance(), "{:?}", summary.books);
    assert!(series.is_some() && !log.is_empty());
    let bytes: u64 = std::fs::read_dir(saved.dir(&cell).path())?
        .flatten()
        .filter_map(|it| Some(it.metadata().ok()?.len()))
        .sum();
    println!(
        "{requests} requests: {} bytes of memory and {} bytes on disk a request; {:.2} s a million, of which {:.2} s to read \
         and {:.2} s to join them",
        memory()? / requests,
        bytes / requests,
        begun.elapsed().as_secs_f64() * 1e6 / requests as f64,
        read * 1e6 / requests as f64,
        (joined - read) * 1e6 / requests as f64,
    );
    Ok(())
}

/// The most memory that this process had, in bytes.
fn memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("the system does not say it")?;
    Ok(peak.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn write(results: &Path, requests: u64) -> Result<(), Box<dyn Error>> {
    let text = format!(
        "name: long\nquestion: What does it take to judge a long cell?\nbalancers: [nginx]\ntopology:\n  \
         pools: {{ web: {{ backends: {BACKENDS}, latency: 5ms }} }}\n  routes: {{ all: {{ path: /, to: web }} }}\n\
         load: {{ rate: {RATE}/s, for: {}ms, warmup: 0s, timeout: 2s }}\n",
        requests * 1000 / RATE
    );
    let scenario = Scenario::parse("long.yaml", &text, &[]).map_err(|problems| problems.to_string())?;
    let catalog = Catalog { missing: vec![], signs: vec![] };
    let plan = Plan::build(&scenario, &catalog, &Choice::default());
    let plan = plan.map_err(|problems| problems.to_string())?;
    let environment = Environment { started: "2026-11-22T13:51:48Z".into(), ..Environment::default() };
    let run = RunWriter::create(results, &plan, &text, &environment)?;
    let cell = plan.cells().into_iter().next().ok_or("the plan has no cell")?;
    let dir = run.cell(&cell)?;

    let mut records = BufWriter::new(File::create(dir.requests())?);
    let raw = dir.path().join("access.log");
    let mut log = BufWriter::new(File::create(&raw)?);
    let mut executions = Vec::new();
    for id in 0..requests {
        let (request, execution, line) = traces(id);
        serde_json::to_writer(&mut records, &request)?;
        records.write_all(b"\n")?;
        writeln!(log, "{}", written(&line))?;
        executions.push(execution);
    }
    records.flush()?;
    log.flush()?;
    dir.write_ledger(&executions)?;
    dir.write_access((0..requests).map(|id| traces(id).2))?;
    dir.keep_access_log(&raw)?;
    std::fs::remove_file(&raw)?;
    dir.compress_requests(1)?;
    let mut history = dir.history_writer()?;
    for (at, what) in [
        (0, Happening::CellStarted { cell, runtime: "process".into() }),
        (0, Happening::Scheduled { requests, origin: Nanos(ORIGIN) }),
        (
            1,
            Happening::LoadFinished {
                generator: GeneratorReport { recorded: requests, ..Default::default() },
            },
        ),
        (
            2,
            Happening::AccessLog {
                lines: requests,
                unreadable: 0,
                unwritten: 0,
                whole: true,
                gaps: vec![],
                meanings: Default::default(),
                notices: Default::default(),
            },
        ),
        (3, Happening::CellFinished),
    ] {
        history.append(&Event { at: due(at * requests), what })?;
    }
    println!("{}", run.path().display());
    Ok(())
}

fn due(id: u64) -> Nanos {
    Nanos(ORIGIN + (id * (1_000_000_000 / RATE)) as i64)
}

/// What client, backend and balancer recorded of one request: its times vary as those of real ones do.
fn traces(id: u64) -> (Request, Execution, Logged) {
    let noise =
        |salt: u64, most: u64| ((id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (salt << 32)) >> 20) % most;
    let after = |nanos: u64| Nanos(due(id).0 + nanos as i64);
    let released = noise(1, 150_000);
    let sent = released + 20_000 + noise(2, 30_000);
    let received = sent + 100_000 + noise(3, 100_000);
    let finished = received + 5_000_000 + noise(4, 200_000);
    let end = finished + 80_000 + noise(5, 100_000);
    let by = Interned::from(Incarnation::new(format!("web-{}", 1 + id % BACKENDS), 1));
    let request = Request {
        id: RequestId(id),
        class: "get".into(),
        method: Method::Get,
        due: due(id),
        released: after(released),
        sent: Some(after(sent)),
        waited: 0,
        first_byte: Some(after(end - 5_000)),
        end: after(end),
        on: Some(ConnectionUse {
            connection: id % 64,
            nth: (id / 64) as u32 + 1,
            idle: 1_000_000 + noise(6, 1_000_000) as i64,
            close_announced: false,
            handshake: None,
        }),
        bytes_out: 120,
        bytes_in: 310,
        served_by: Some(by),
        identity: None,
        outcome: Outcome::Answered { status: 200, body: BodyCheck::Verified, expected: None },
        user: None,
        session: None,
    };
    let backend = Some(by.backend.clone());
    let late = Some((finished - received - 5_000_000) as i64);
    let execution =
        Execution { id: RequestId(id), by, received: after(received), finished: Some(after(finished)), late };
    let line = Logged {
        id: Some(RequestId(id)),
        at: Nanos(after(end).0 / 1_000_000 * 1_000_000),
        status: 200,
        pool: Some("web".into()),
        attempts: vec![Attempt { backend, status: Some(200) }].into(),
        flags: "".into(),
        queued: None,
        signs: Interned::default(),
        reason: None,
    };
    (request, execution, line)
}

/// A line as long as nginx's own.
fn written(line: &Logged) -> String {
    let id = line.id.map_or(0, |id| id.0);
    format!(
        "{{\"time\":\"{}.{:03}\",\"id\":\"{id}\",\"status\":\"{}\",\"upstream\":\"127.4.0.{}:8080\",\"upstream_status\":\"200\",\
         \"upstream_response_time\":\"0.005\",\"request_time\":\"0.006\",\"pool\":\"web\",\"bytes\":\"310\",\"connection\":\"{}\",\
         \"request\":\"GET / HTTP/1.1\",\"completion\":\"OK\"}}",
        line.at.0 / 1_000_000_000,
        line.at.0 / 1_000_000 % 1000,
        line.status,
        2 + id % BACKENDS,
        id % 64
    )
}
