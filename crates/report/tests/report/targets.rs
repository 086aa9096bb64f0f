//! A target that rig did not launch: what its client alone can say, and what can't be said.

use model::history::Happening;
use model::outcome::{Cause, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::target::{CommandName, Target, TargetCommands};
use model::timeline::{Action, Entry, Roll, When};
use model::units::Span;
use report::run::Lacks;
use report::validity::Trust;
use report::verdict::Holding;
use report::{CellSummary, Colour, Format, Illustrated, RunSummary, Style, judge, render, summarise};

use crate::build::{
    CONTROL, DRAINED, answered, cell, environment, event, failed, load_finished, ms, plan, request,
};

/// The plan of a deploy, whose careless form is the control.
fn target_plan(identity_header: Option<&str>) -> SavedPlan {
    let mut plan = plan();
    plan.expect.truncate(1);
    for variant in &mut plan.variants {
        variant.target = Some(Target {
            url: "http://shop.test/".parse().expect("a URL"),
            host: None,
            authority: None,
            identity_header: identity_header.map(str::to_owned),
            backends: vec![],
            commands: TargetCommands::default(),
            directory: "/".into(),
        });
        variant.topology.pools.clear();
        variant.traffic.warmup = Span::millis(0);
        variant.traffic.timeout = Span::millis(2_000);
        let at = When::At(Span::millis(4_000));
        let action = Action::Roll(Roll {});
        variant.timeline = vec![Entry { name: "deploy".into(), when: at, jitter: Span::millis(0), action }];
    }
    plan
}

/// 20 s of requests to a target that is deployed from 4 s to 8 s: v1 answers until 6 s, then v2.
fn records(variant: &str, lost: impl Fn(u64) -> bool) -> CellRecords {
    let requests: Vec<_> = (0..8_000)
        .map(|id| {
            let due = id as f64 * 2.5;
            let outcome = if lost(id) { failed(Stage::FirstByte, Cause::Eof) } else { answered(200) };
            let mut request = request(id, due, outcome);
            request.identity = (!lost(id)).then(|| if due < 6_000.0 { "v1".into() } else { "v2".into() });
            request
        })
        .collect();
    let mut records = cell(variant);
    records.executions.clear();
    records.access.clear();
    records.samples.clear();
    let command = CommandName::Roll;
    let started = Happening::CommandStarted { command, words: "./deploy.sh".into() };
    let ended = Happening::CommandEnded {
        command,
        status: "exit status: 0".into(),
        succeeded: true,
        said: String::new(),
        unkept: None,
    };
    records.history = vec![
        event(-100.0, Happening::CellStarted { cell: records.cell.clone(), runtime: "process".into() }),
        event(-50.0, Happening::Scheduled { requests: 8_000, origin: ms(0.0) }),
        event(4_000.0, Happening::ActionStarted { entry: "deploy".into() }),
        event(4_000.0, started),
        event(8_000.0, ended),
        event(8_000.0, Happening::ActionFinished { entry: "deploy".into() }),
        event(20_200.0, load_finished()),
        event(20_300.0, Happening::CellFinished),
    ];
    records.requests = requests;
    records
}

fn careless() -> CellRecords {
    records(CONTROL, |id| (2_000..2_040).contains(&id))
}

fn judged(plan: &SavedPlan, drained: &CellRecords) -> RunSummary {
    let cells = [&careless(), drained].map(|records| summarise(plan, records)).to_vec();
    judge(plan, &environment(), cells, vec![])
}

fn proof(run: &RunSummary) -> &Holding {
    let claim = run.claims.iter().find(|claim| claim.text.contains("with-drain.dropped == 0"));
    &claim.unwrap_or_else(|| panic!("{:?}", run.claims)).holding
}

fn summed(records: &CellRecords) -> CellSummary {
    summarise(&target_plan(Some("X-Version")), records)
}

#[test]
fn a_client_alone_tells_losses_periods_and_who_answered() {
    let cell = summed(&careless());
    assert_eq!(
        (cell.counts.dropped, cell.validity.counts.verdict),
        (40, Trust::Valid),
        "{:?}",
        cell.validity
    );
    let target = cell.target.unwrap();
    let periods: Vec<_> =
        target.periods.iter().map(|period| (period.name.word(), period.requests, period.dropped)).collect();
    assert_eq!(periods, [("before", 1560, 0), ("during", 1640, 40), ("after", 4800, 0)]);
    let identities: Vec<_> =
        target.identities.unwrap().into_iter().map(|it| (it.identity, it.answers)).collect();
    assert_eq!(identities, [("v2".to_owned(), [0, 800, 4800]), ("v1".to_owned(), [1560, 800, 0])]);
    assert_eq!(target.last_loss_ms, Some(-2902.5));
    assert_eq!(target.not_shown, None);
    // What it can't know is not said to be none.
    assert!(cell.deploy.is_none() && cell.load.is_empty() && cell.backends.is_empty());
    assert_eq!(cell.books.blind().unwrap(), "client only books: no access log was read");
}

#[test]
fn a_zero_is_proved_by_the_control_and_by_who_answers() {
    let plan = target_plan(Some("X-Version"));
    let run = judged(&plan, &records(DRAINED, |_| false));
    assert_eq!(*proof(&run), Holding::Held, "{:?}", run.claims);
    assert!(run.cells[1].zero.lost == 40, "{:?}", run.cells[1].zero);
}

/// None of these is a pass, and none is charged to the target.
#[test]
fn what_does_not_show_the_deploy_is_unproven() {
    let unproven = |plan: &SavedPlan, records: &CellRecords, why: &str, lacks: Lacks| {
        let run = judged(plan, records);
        let Holding::Unproven(reason) = proof(&run) else { panic!("{:?}", run.claims) };
        assert!(reason.contains(why), "{reason}");
        assert_eq!(run.lacks(), lacks, "{reason}");
    };
    let plan = target_plan(Some("X-Version"));
    let good = || records(DRAINED, |_| false);
    unproven(&target_plan(None), &good(), "name a response header", Lacks::Proof);
    let mut same = good();
    same.requests.iter_mut().for_each(|request| request.identity = Some("v1".into()));
    unproven(&plan, &same, "the last answer was still X-Version: v1", Lacks::Proof);
    let mut unnamed = good();
    unnamed.requests.iter_mut().for_each(|request| request.identity = None);
    unproven(&plan, &unnamed, "no answer before it had the header X-Version", Lacks::Proof);
    let mut late = good();
    late.requests.iter_mut().filter(|request| request.due < ms(19_970.0)).for_each(|request| {
        request.identity = Some("v1".into());
    });
    unproven(&plan, &late, "only the last 12 answers", Lacks::Proof);
    let noisy = records(DRAINED, |id| id == 700);
    let run = judged(&plan, &noisy);
    assert!(run.cells[1].validity.deploy.as_ref().unwrap().reasons[0].contains("before the deploy began"));
    assert_eq!(run.lacks(), Lacks::Nothing, "a request was lost");
    let mut broken = good();
    for event in &mut broken.history {
        if let Happening::CommandEnded { status, succeeded, said, .. } = &mut event.what {
            (*status, *succeeded, *said) = ("exit status: 3".into(), false, "no cluster".into());
        }
    }
    unproven(&plan, &broken, "the command `roll` failed (exit status: 3): no cluster", Lacks::Measurement);
    let mut outlived = good();
    outlived.history.retain(|event| {
        !matches!(event.what, Happening::CommandEnded { .. } | Happening::ActionFinished { .. })
    });
    unproven(&plan, &outlived, "had not ended when the load did", Lacks::Measurement);
    let mut unsettled = good();
    for event in unsettled.history.iter_mut().filter(|event| event.at == ms(8_000.0)) {
        event.at = ms(19_000.0);
    }
    unproven(&plan, &unsettled, "less than a timeout", Lacks::Measurement);
}

#[test]
fn a_load_that_ended_early_is_judged_by_what_it_was() {
    let mut records = records(DRAINED, |_| false);
    records.requests.retain(|request| request.due < ms(11_000.0));
    let requests = records.requests.len() as u64;
    let at = records.history.len() - 2;
    let what = Happening::LoadShortened { requests, after: Span::millis(11_000) };
    records.history.insert(at, event(11_000.0, what));
    let cell = summed(&records);
    assert_eq!((cell.counts.scheduled, cell.validity.counts.verdict), (requests, Trust::Valid));
    assert_eq!(cell.validity.deploy.unwrap().verdict, Trust::Valid);
}

#[test]
fn a_request_of_which_nobody_keeps_books_is_undetermined() {
    let cell = summed(&careless());
    let causes: Vec<String> =
        cell.dropped.iter().map(|group| format!("{:?}", group.source.sub_cause)).collect();
    assert_eq!(causes, ["Undetermined"], "{:?}", cell.dropped);
}

#[test]
fn output_that_was_not_kept_is_said() {
    let mut records = careless();
    for event in &mut records.history {
        if let Happening::CommandEnded { unkept, .. } = &mut event.what {
            *unkept = Some(2_000_000);
        }
    }
    let run = judged(&target_plan(Some("X-Version")), &records);
    let shown = Illustrated { run: &run, series: &[] };
    let text = render(shown, Format::Markdown, Style { width: 80, colour: Colour::Never });
    assert!(text.contains("2000000 bytes of the output of roll were not kept"), "{text}");
}
