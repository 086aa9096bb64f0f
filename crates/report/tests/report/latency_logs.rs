use std::collections::BTreeMap;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use model::history::Happening;
use model::outcome::{Cause, OutcomeKind, Stage};
use model::records::CellRecords;
use report::{latency_log, summarise};

use crate::build::*;

struct Interval {
    tag: String,
    start: Duration,
    length: Duration,
    histogram: Histogram<u64>,
}

/// Reads a log as any tool would; its base time must be 0.
fn read(log: &str) -> Vec<Interval> {
    let mut entries =
        IntervalLogIterator::new(log.as_bytes()).map(|entry| entry.expect("the format is kept"));
    assert_eq!(entries.next(), Some(LogEntry::BaseTime(Duration::ZERO)));
    entries
        .map(|entry| {
            let LogEntry::Interval(interval) = entry else { panic!("{entry:?}") };
            let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).expect("it is base64");
            Interval {
                tag: interval.tag().expect("every interval has a tag").as_str().to_owned(),
                start: interval.start_timestamp(),
                length: interval.duration(),
                histogram: Deserializer::new().deserialize(&mut bytes.as_slice()).expect("it is V2"),
            }
        })
        .collect()
}

/// The cell that loses requests, each of which takes another time.
fn varied() -> CellRecords {
    let mut records = cell(CONTROL);
    for (n, request) in (0_u32..).zip(&mut records.requests) {
        request.end = request.due + Duration::from_micros(u64::from(50_000 + n * 7919 % 400_000));
    }
    records
}

/// The exact latencies in microseconds, sorted, by the second in which they were due and the tag.
fn exact(records: &CellRecords) -> BTreeMap<(u64, &'static str), Vec<u64>> {
    let mut exact: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for request in &records.requests {
        let tag = if request.outcome.kind() == OutcomeKind::Ok { "ok" } else { "failed" };
        let micros = (request.end.0 - request.due.0) / 1000;
        exact.entry((request.due.0 as u64 / 1_000_000_000, tag)).or_default().push(micros as u64);
    }
    exact.values_mut().for_each(|times| times.sort_unstable());
    exact
}

#[test]
fn every_second_reads_back_with_its_count_and_its_99th_percentile() {
    let records = varied();
    let exact = exact(&records);
    let intervals = read(&latency_log(&plan(), &records));
    assert_eq!(intervals.len(), exact.len());
    for interval in &intervals {
        let times = &exact[&(interval.start.as_secs(), interval.tag.as_str())];
        let p99 = times[(times.len() * 99).div_ceil(100) - 1];
        let histogram = &interval.histogram;
        assert_eq!(histogram.len(), times.len() as u64);
        assert!(histogram.equivalent(histogram.value_at_quantile(0.99), p99), "{} {p99}", interval.tag);
        assert!(histogram.equivalent(histogram.max(), times[times.len() - 1]));
        assert_eq!(interval.length, Duration::from_secs(1));
    }
    let starts: Vec<_> = intervals.iter().map(|interval| interval.start).collect();
    assert!(starts.is_sorted());
}

#[test]
fn the_tags_sum_to_what_the_summary_counts() {
    let mut records = varied();
    // A record that is there twice is one request.
    records.requests.push(records.requests[10].clone());
    let summary = summarise(&plan(), &records);
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for interval in read(&latency_log(&plan(), &records)) {
        *sums.entry(interval.tag).or_default() += interval.histogram.len();
    }
    assert_eq!(sums["ok"], summary.counts.of(OutcomeKind::Ok));
    assert_eq!(sums["failed"], summary.latency_ms.failed);
    assert!(sums["failed"] > 0);
}

#[test]
fn the_warm_up_is_left_out_and_times_count_from_the_first_measured_request() {
    let mut records = cell(DRAINED);
    for event in &mut records.history {
        if let Happening::Scheduled { origin, .. } = &mut event.what {
            *origin = ms(500.0);
        }
    }
    let intervals = read(&latency_log(&plan(), &records));
    let first = &intervals[0];
    assert_eq!((first.start, first.histogram.len()), (Duration::ZERO, 400));
    let total: u64 = intervals.iter().map(|interval| interval.histogram.len()).sum();
    assert_eq!(total, 7800);
}

#[test]
fn a_load_that_ends_within_a_second_has_a_shorter_last_interval() {
    let mut plan = plan();
    for variant in &mut plan.variants {
        variant.traffic.duration = model::units::Span::millis(1_500);
    }
    let mut records = cell(DRAINED);
    records.requests.truncate(600);
    let intervals = read(&latency_log(&plan, &records));
    let lengths: Vec<_> = intervals.iter().map(|interval| interval.length.as_millis()).collect();
    assert_eq!(lengths, [1000, 500]);
}

#[test]
fn a_time_beyond_an_hour_counts_as_an_hour() {
    let mut records = cell(DRAINED);
    let mut stuck = request(0, 0.0, failed(Stage::FirstByte, Cause::Timeout));
    stuck.end = stuck.due + Duration::from_secs(7200);
    records.requests = vec![stuck];
    let intervals = read(&latency_log(&plan(), &records));
    let [interval] = intervals.as_slice() else { panic!("one request, {} intervals", intervals.len()) };
    assert_eq!((interval.tag.as_str(), interval.histogram.len()), ("failed", 1));
    assert!(interval.histogram.equivalent(interval.histogram.max(), 3_600_000_000));
}

#[test]
fn a_cell_without_a_schedule_has_a_log_of_its_header_alone() {
    let mut records = cell(DRAINED);
    records.history.retain(|event| !matches!(event.what, Happening::Scheduled { .. }));
    let log = latency_log(&plan(), &records);
    assert!(read(&log).is_empty());
    assert!(log.lines().all(|line| line.starts_with('#')), "{log}");
    for said in ["drain: nginx.with-drain.1", "microseconds", "Tag=failed"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}

#[test]
fn the_same_records_give_the_same_log() {
    assert_eq!(latency_log(&plan(), &varied()), latency_log(&plan(), &varied()));
}
