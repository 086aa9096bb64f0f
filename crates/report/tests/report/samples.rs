//! What samples say of a cell, and what claims make of it.

use model::claim::Metric;
use model::job::BackendStatus;
use model::records::CellRecords;
use model::sample::Sample;
use report::document::{Block, Detail, compose};
use report::verdict::Holding;
use report::{RunSummary, judge, summarise};

use crate::build::*;

fn sample(at: f64, backend: &str, in_flight: u64, queued: u64) -> Sample {
    let status = BackendStatus {
        incarnation: inc(backend, 1),
        in_flight,
        received: 0,
        queued,
        handshakes: Default::default(),
    };
    Sample::Backend { at: ms(at), status }
}

/// The drained cell, sampled every 100 ms: web-1 has four requests in flight, and in every fourth sample 7 of 8 wait.
fn sampled() -> CellRecords {
    let mut records = cell(DRAINED);
    for n in 0..200 {
        let at = f64::from(n) * 100.0 + 1.0;
        let (in_flight, queued) = if n % 4 == 0 { (8, 7) } else { (4, 0) };
        records.samples.push(sample(at, "web-1", in_flight, queued));
        records.samples.push(sample(at, "web-2", 1, 0));
        let backend = "web-1".to_owned();
        records.samples.push(Sample::Balancer { at: ms(at), backend, in_flight: 6 });
    }
    records
}

/// The run of that cell and a control, with a claim about web-1's mean queue.
fn run(records: &CellRecords) -> RunSummary {
    let mut plan = plan();
    plan.expect = vec!["with-drain.queue_mean[web-1] < 1.8".parse().expect("it is a claim")];
    let cells = vec![summarise(&plan, &cell(CONTROL)), summarise(&plan, records)];
    judge(&plan, &environment(), cells, vec![])
}

#[test]
fn means_and_maxima_are_those_of_the_samples_over_the_measured_load() {
    let mut records = sampled();
    // The warm-up and the time after the load count for nothing.
    records.samples.push(sample(-50.0, "web-1", 900, 900));
    records.samples.push(sample(20_050.0, "web-1", 900, 900));
    let summary = summarise(&plan(), &records);
    let web_1 = summary.load["web-1"].in_hand.expect("it was looked at");
    assert_eq!((web_1.samples, web_1.missing), (200, 0));
    assert_eq!((web_1.in_flight_mean, web_1.in_flight_max), (5.0, 8));
    assert_eq!((web_1.queue_mean, web_1.queue_max), (1.75, 7));
    assert_eq!(web_1.balancer_in_flight_mean, Some(6.0));
    assert_eq!(summary.load["web-2"].in_hand.expect("it was looked at").balancer_in_flight_mean, None);
    assert_eq!(summary.load["web-3"].in_hand, None, "it was not looked at: that is no zero");
}

#[test]
fn a_claim_reads_what_samples_say_unless_too_many_are_missing() {
    let whole = run(&sampled());
    assert_eq!((&whole.claims[1].holding, whole.claims[1].observed.as_str()), (&Holding::Held, "1.75"));

    let mut most = sampled();
    most.samples.drain(..3 * 20);
    assert_eq!(run(&most).claims[1].holding, Holding::Held, "one in ten is missing");
    most.samples.drain(..3);
    let why = "nginx.with-drain.1 has 179 samples of web-1, and 21 are missing".to_owned();
    assert_eq!(run(&most).claims[1].holding, Holding::Unproven(why));

    let none = run(&cell(DRAINED));
    let why = "nginx.with-drain.1 has no samples of web-1".to_owned();
    assert_eq!(none.claims[1].holding, Holding::Unproven(why));
}

#[test]
fn an_even_spread_has_an_imbalance_of_one_and_one_backend_of_three_has_three() {
    let mut records = cell(CONTROL);
    let read = |records: &CellRecords| {
        report::reading::read(&summarise(&plan(), records), Metric::Imbalance, None)
            .expect("requests were received")
    };
    assert!((1.0..1.01).contains(&read(&records)));
    for execution in &mut records.executions {
        execution.by = inc("web-2", 1).into();
    }
    assert_eq!(read(&records), 3.0);
}

#[test]
fn what_weights_ask_for_is_even_and_a_backup_is_not_missed() {
    let mut plan = plan();
    for variant in &mut plan.variants {
        let backends = &mut variant.topology.pools[0].backends;
        backends[0].weight = 3;
        backends[2].backup = true;
    }
    let mut records = cell(CONTROL);
    for (n, execution) in records.executions.iter_mut().enumerate() {
        execution.by = inc(if n % 4 == 0 { "web-2" } else { "web-1" }, 1).into();
    }
    let read = |records: &CellRecords| {
        report::reading::read(&summarise(&plan, records), Metric::Imbalance, None)
            .expect("requests were received")
    };
    assert!((1.0..1.01).contains(&read(&records)), "{}", read(&records));
    for execution in &mut records.executions {
        execution.by = inc("web-2", 1).into();
    }
    assert_eq!(read(&records), 4.0, "all of it went to a quarter of the weights");
}

/// The rows of the table about backends.
fn rows(run: &RunSummary, detail: Detail) -> Vec<Vec<String>> {
    let tables = compose(run, detail).blocks.into_iter().filter_map(|block| match block {
        Block::Table(table) if table.title.starts_with("Requests, queue") => Some(table),
        _ => None,
    });
    tables.flat_map(|t| t.rows).map(|row| row.into_iter().map(|cell| cell.text).collect()).collect()
}

#[test]
fn the_brief_report_tells_of_backends_only_if_requests_were_seen_to_wait() {
    let told = rows(&run(&sampled()), Detail::Brief);
    assert_eq!(told[3][2..], ["web-1", "2667", "1.75", "7", "5", "8", "6", "200", "1"]);
    assert_eq!(told[4][2..], ["web-2", "2667", "0", "0", "1", "1", "–", "200", ""]);
    assert_eq!(told[5][2..], ["web-3", "2666", "–", "–", "–", "–", "–", "0", ""]);

    let mut idle = sampled();
    for sample in &mut idle.samples {
        if let Sample::Backend { status, .. } = sample {
            status.queued = 0;
        }
    }
    assert!(rows(&run(&idle), Detail::Brief).is_empty());
    assert_eq!(rows(&run(&idle), Detail::Full).len(), 6);
    assert!(rows(&run(&cell(DRAINED)), Detail::Full).is_empty(), "it was not looked at");
}

#[test]
fn the_growth_of_a_queue_does_not_depend_on_how_long_the_load_lasts() {
    let growing = |until: u32| {
        let mut records = cell(DRAINED);
        for n in 0..until {
            let at = f64::from(n) * 100.0 + 1.0;
            records.samples.push(sample(at, "web-1", 9, u64::from(n) * 3));
            records.samples.push(sample(at, "web-2", 1, u64::from(n % 2)));
            records.samples.push(sample(at, "web-3", 1, 0));
        }
        summarise(&plan(), &records)
    };
    for summary in [growing(200), growing(190)] {
        let growth = |backend: &str| summary.load[backend].in_hand.and_then(|hand| hand.queue_growth);
        assert!((growth("web-1").expect("it was sampled") - 30.0).abs() < 1e-6);
        assert!(
            growth("web-2").expect("it was sampled").abs() < 0.01,
            "a queue that comes and goes does not grow"
        );
        let worst =
            report::reading::read(&summary, Metric::QueueGrowth, None).expect("every backend was sampled");
        assert!((worst - 30.0).abs() < 1e-6, "without a backend it is the one that grows most");
    }
}
