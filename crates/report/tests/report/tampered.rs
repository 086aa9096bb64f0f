//! A saved run that somebody, or a broken disk, has changed: reading it ends without a panic, and a run that failed is
//! never a pass because of it.

use model::history::Happening;
use model::plan::SavedPlan;
use model::records::{CellRecords, Environment};
use model::units::Rate;
use proptest::prelude::*;
use proptest::sample::Index;
use report::verdict::RunProblem;
use report::{
    CellSummary, Colour, Format, Illustrated, RunSummary, Style, Verdict, judge, latency_log, render, series,
    summarise,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::build::*;

/// One request of so many is kept, so that a case takes milliseconds.
const KEPT: u64 = 8;

fn thin_plan() -> SavedPlan {
    let mut plan = plan();
    for variant in &mut plan.variants {
        variant.traffic.rate = Rate(variant.traffic.rate.0 / KEPT as f64);
    }
    plan
}

/// The records of `variant`, with an eighth of the load.
fn thin(variant: &str) -> CellRecords {
    let mut records = cell(variant);
    let kept = |id: &mut model::identity::RequestId| {
        let kept = id.0.is_multiple_of(KEPT);
        id.0 /= KEPT;
        kept
    };
    records.requests.retain_mut(|request| kept(&mut request.id));
    records.executions.retain_mut(|execution| kept(&mut execution.id));
    records.access.retain_mut(|line| line.id.as_mut().is_none_or(kept));
    let scheduled = records.requests.len() as u64;
    for event in &mut records.history {
        match &mut event.what {
            Happening::Scheduled { requests, .. } => *requests = scheduled,
            Happening::AccessLog { lines, .. } => *lines = scheduled,
            Happening::LoadFinished { generator } => {
                generator.scheduled = scheduled;
                generator.recorded = scheduled;
            }
            _ => {}
        }
    }
    records
}

/// The drained cell with one request that its backend answered with a 500: the run fails, and by the smallest margin.
fn one_dropped() -> CellRecords {
    let mut records = thin(DRAINED);
    let dropped = 250;
    records.requests[dropped].outcome = answered(500);
    records.access[dropped].status = 500;
    records
}

/// The files of a cell that a report reads.
const FILES: usize = 5;

fn text_of(records: &CellRecords, file: usize) -> String {
    fn lines<T: Serialize>(records: &[T]) -> String {
        records.iter().map(|record| serde_json::to_string(record).expect("it is a record") + "\n").collect()
    }
    match file {
        0 => lines(&records.history),
        1 => lines(&records.requests),
        2 => lines(&records.executions),
        3 => lines(&records.access),
        _ => lines(&records.samples),
    }
}

/// As the store reads it: a torn last line is dropped, any other that is none ends the reading.
fn lines_of<T: DeserializeOwned>(text: &str) -> Option<Vec<T>> {
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let mut records = Vec::new();
    for line in text[..whole].lines() {
        records.push(serde_json::from_str(line).ok()?);
    }
    records.extend(serde_json::from_str::<T>(&text[whole..]).ok());
    Some(records)
}

/// `records` with `text` for one of their files; `None`: it is refused.
fn with_text(records: &CellRecords, file: usize, text: &str) -> Option<CellRecords> {
    let mut records = records.clone();
    match file {
        0 => records.history = lines_of(text)?,
        1 => records.requests = lines_of(text)?,
        2 => records.executions = lines_of(text)?,
        3 => records.access = lines_of(text)?,
        _ => records.samples = lines_of(text)?,
    }
    Some(records)
}

/// What is done to a file.
#[derive(Clone, Debug)]
enum Tampering {
    Remove(Index, usize),
    Twice(Index),
    Swap(Index, Index),
    Cut(Index),
    /// A number becomes another.
    Number(Index, Index, String),
    /// Characters become others.
    Splice(Index, Index, usize, String),
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let number = prop_oneof![
        "-?[0-9]{1,19}",
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("null".to_owned()),
        Just("9223372036854775807".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("18446744073709551615".to_owned()),
    ];
    let piece = prop_oneof![
        Just(String::new()),
        "[0-9]{1,3}",
        "[ \n:,{}\\[\\]\"]{1,2}",
        "[a-z0-9_/-]{1,8}",
        Just("\u{1b}[31m\u{202e}é".to_owned())
    ];
    let line = any::<Index>;
    prop_oneof![
        (line(), 1..4_usize).prop_map(|(line, count)| Tampering::Remove(line, count)),
        line().prop_map(Tampering::Twice),
        (line(), line()).prop_map(|(a, b)| Tampering::Swap(a, b)),
        line().prop_map(Tampering::Cut),
        (line(), line(), number).prop_map(|(line, at, number)| Tampering::Number(line, at, number)),
        (line(), line(), 0..9_usize, piece)
            .prop_map(|(line, at, cut, new)| Tampering::Splice(line, at, cut, new)),
    ]
}

fn tamper(text: &str, tampering: &Tampering) -> String {
    let mut lines: Vec<String> = text.lines().map(|line| line.to_owned() + "\n").collect();
    if lines.is_empty() {
        lines.push("\n".to_owned());
    }
    let place = |index: &Index| index.index(lines.len());
    match tampering {
        Tampering::Remove(line, count) => {
            let from = place(line);
            lines.drain(from..(from + count).min(lines.len()));
        }
        Tampering::Twice(line) => {
            let line = place(line);
            lines.insert(line, lines[line].clone());
        }
        Tampering::Swap(a, b) => {
            let (a, b) = (place(a), place(b));
            lines.swap(a, b);
        }
        Tampering::Cut(line) => {
            let line = place(line);
            lines.truncate(line + 1);
            let half = lines[line].len() / 2;
            lines[line].truncate(half);
        }
        Tampering::Number(line, at, number) => {
            let line = place(line);
            let digits = |c: char| c.is_ascii_digit();
            let text = lines[line].clone();
            let starts: Vec<usize> = text
                .char_indices()
                .filter(|(n, c)| digits(*c) && !text[..*n].ends_with(digits))
                .map(|(n, _)| n)
                .collect();
            if !starts.is_empty() {
                let start = starts[at.index(starts.len())];
                let end = text[start..].find(|c| !digits(c)).map_or(text.len(), |n| start + n);
                lines[line].replace_range(start..end, number);
            }
        }
        Tampering::Splice(line, at, cut, new) => {
            let line = place(line);
            let mut chars: Vec<char> = lines[line].chars().collect();
            let at = at.index(chars.len());
            let end = (at + cut).min(chars.len());
            chars.splice(at..end, new.chars());
            lines[line] = chars.into_iter().collect();
        }
    }
    lines.concat()
}

/// Judges the run whose drained cell is `records`, and renders it in every way.
fn reported(control: &CellSummary, records: &CellRecords) -> RunSummary {
    reported_as(&thin_plan(), &environment(), control, records)
}

fn reported_as(
    plan: &SavedPlan,
    environment: &Environment,
    control: &CellSummary,
    records: &CellRecords,
) -> RunSummary {
    let summary = summarise(plan, records);
    let series: Vec<_> = series(plan, records).into_iter().collect();
    let run = judge(plan, environment, vec![control.clone(), summary], Vec::<RunProblem>::new());
    let mut rendered = latency_log(plan, records);
    let style = Style { width: 80, colour: Colour::Never };
    for format in Format::ALL.iter().copied() {
        rendered.push_str(&render(Illustrated { run: &run, series: &series }, format, style));
    }
    assert!(!rendered.is_empty());
    run
}

fn control() -> CellSummary {
    summarise(&thin_plan(), &thin(CONTROL))
}

thread_local! {
    static CONTROL_CELL: CellSummary = control();
    static SOUND: CellRecords = thin(DRAINED);
    static FAILING: CellRecords = one_dropped();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn a_failed_run_is_never_a_pass_because_a_file_was_tampered_with(file in 0..FILES, tampering in tampering()) {
        let tampered = FAILING.with(|base| with_text(base, file, &tamper(&text_of(base, file), &tampering)));
        if let Some(records) = tampered {
            let run = CONTROL_CELL.with(|control| reported(control, &records));
            prop_assert_ne!(run.verdict, Verdict::Passed, "{:?}", run.claims);
        }
    }

    #[test]
    fn no_tampering_makes_a_report_panic(
        tampering in prop::collection::vec((0..FILES, tampering()), 1..6)
    ) {
        let mut records = SOUND.with(Clone::clone);
        for (file, tampering) in tampering {
            match with_text(&records, file, &tamper(&text_of(&records, file), &tampering)) {
                Some(tampered) => records = tampered,
                None => break,
            }
        }
        CONTROL_CELL.with(|control| reported(control, &records));
    }

    #[test]
    fn no_tampering_with_a_plan_or_an_environment_makes_a_report_panic(
        of_plan: bool, tampering in prop::collection::vec(tampering(), 1..4)
    ) {
        let (mut plan, mut environment) = (thin_plan(), environment());
        let sound = match of_plan {
            true => serde_json::to_string_pretty(&plan).unwrap(),
            false => serde_json::to_string_pretty(&environment).unwrap(),
        };
        let text = tampering.iter().fold(sound, |text, tampering| tamper(&text, tampering));
        match of_plan {
            true => plan = serde_json::from_str(&text).unwrap_or(plan),
            false => environment = serde_json::from_str(&text).unwrap_or(environment),
        }
        CONTROL_CELL.with(|control| {
            SOUND.with(|sound| reported_as(&plan, &environment, control, sound));
        });
    }
}

#[test]
fn a_lost_request_that_was_moved_into_the_warm_up_is_found() {
    let mut records = one_dropped();
    let lost = records.requests.iter_mut().find(|request| request.outcome == answered(500)).unwrap();
    lost.due = ms(-10.0);
    let run = reported(&control(), &records);
    assert_eq!(run.verdict, Verdict::Invalid, "{:?}", run.claims);
    // And one that ended before it began is drawn all the same.
    records.requests[100].end = model::units::Nanos(i64::MIN);
    assert_eq!(reported(&control(), &records).verdict, Verdict::Invalid);
}

#[test]
fn what_is_tampered_with_is_a_pass_and_a_failure() {
    let control = control();
    assert_eq!(reported(&control, &thin(DRAINED)).verdict, Verdict::Passed);
    assert_eq!(reported(&control, &one_dropped()).verdict, Verdict::Failed);
}
