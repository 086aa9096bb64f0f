//! The latency of a cell in the interval log format of HdrHistogram (V2, compressed), for the tools that read
//! it: plotters, percentile viewers, other load generators' comparisons.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::analysis::Analysis;

const INTERVAL: Duration = Duration::from_secs(1);
const HIGHEST_MICROS: u64 = 3_600_000_000;
const SIGNIFICANT_DIGITS: u8 = 3;

impl Analysis<'_> {
    /// The cell's latency, laid out for tools that read such logs.
    pub fn latency_log(&self) -> String {
        log_of(self)
    }
}

/// Lays out the latency of a cell's measured requests: an interval for each second of the load and tag in
/// which requests were due. Without a schedule nothing separates the warm-up, and the log is empty.
fn log_of(cell: &Analysis<'_>) -> String {
    let mut log = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment(&header(cell))
        // Times count from t = 0: the records know no wall clock.
        .with_base_time(SystemTime::UNIX_EPOCH)
        .begin_log_with(&mut log, &mut serializer)
        .expect("a vector takes every byte");
    let mut histogram = Histogram::<u64>::new_with_bounds(1, HIGHEST_MICROS, SIGNIFICANT_DIGITS)
        .expect("the bounds are constants in the permitted range");
    let load = cell.variant.map(|variant| variant.traffic.duration.0);
    for interval in samples(cell).chunk_by(|a, b| (a.second, a.tag) == (b.second, b.tag)) {
        histogram.reset();
        for sample in interval {
            histogram.saturating_record(sample.micros);
        }
        let start = INTERVAL * interval[0].second;
        // The load may end within its last second; tools divide by the length.
        let length = load.map_or(INTERVAL, |load| load.saturating_sub(start).min(INTERVAL));
        writer
            .write_histogram(&histogram, start, length, Tag::new(interval[0].tag.name()))
            .expect("a vector takes every byte, and a histogram of these bounds can be serialised");
    }
    String::from_utf8(log).expect("the header is text, and the rest is ASCII")
}

fn header(cell: &Analysis<'_>) -> String {
    format!(
        "[Histogram log format version 1.3]\n\
         {}: {}\n\
         Latency in microseconds from the intended start, by the second in which requests were due; t = 0 is \
         the first measured one.\n\
         Tag=ok: requests that ended well. Tag=failed: the others, with the time until they ended. Without \
         the failed ones, losing slow requests looks like speed.",
        cell.plan.scenario, cell.records.cell
    )
}

/// How a request ended; in the order of the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LoggedEnd {
    Ok,
    Failed,
}

impl LoggedEnd {
    fn name(self) -> &'static str {
        match self {
            LoggedEnd::Ok => "ok",
            LoggedEnd::Failed => "failed",
        }
    }
}

/// One measured request.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LoggedRequest {
    second: u32,
    tag: LoggedEnd,
    micros: u64,
}

/// The measured requests, in the order of the log: those that the cell's summary counts.
fn samples(cell: &Analysis<'_>) -> Vec<LoggedRequest> {
    let Some(origin) = cell.frame.origin else {
        return Vec::new();
    };
    let measured = cell.measured.iter();
    let mut samples: Vec<_> = measured
        .map(|request| LoggedRequest {
            second: u32::try_from(request.due.since(origin).as_secs()).unwrap_or(u32::MAX),
            tag: if request.outcome.kind().is_delivered() { LoggedEnd::Ok } else { LoggedEnd::Failed },
            micros: u64::try_from(request.end.since(request.due).as_micros()).unwrap_or(u64::MAX),
        })
        .collect();
    samples.sort_unstable();
    samples
}
