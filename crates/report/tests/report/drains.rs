//! Drains and deregistrations, known from the old generation's ledger; reloads; what the balancer's view said.

use std::time::Duration;

use model::discovery::Discovery;
use model::history::Happening;
use model::outcome::{Cause, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::{Action, Entry, Keeps, Reload, When};
use model::units::{Share, Span};
use report::deploy::DeployRecord;
use report::evidence::Evidence;
use report::fate::{Equation, Exception, Fate, Finding, fate};
use report::validity::{Trust, Validity};
use report::verdict::Holding;
use report::{Colour, Format, Style, judge, render, summarise};

use crate::build::*;

fn deploy(records: &CellRecords) -> (DeployRecord, Validity) {
    let cell = summarise(&plan(), records);
    (cell.deploy.expect("a deploy"), cell.validity.deploy.expect("its validity"))
}

#[test]
fn a_drain_is_as_long_as_its_last_request_and_what_rig_waited_for_certainty_is_told_apart() {
    let (record, validity) = deploy(&cell(DRAINED));
    assert_eq!(validity.verdict, Trust::Valid, "{validity:?}");
    for replacement in &record.replacements {
        // Deregistered at 5 ms, drained at 105 ms; the last request came a little before it began, and took 99 ms.
        let drained = replacement.drain_waited.expect("it drained").as_millis();
        let sure = replacement.drain_sure_ms.expect("it drained");
        assert!((80.0..95.0).contains(&drained), "{drained}");
        assert!((drained + sure - 100.0).abs() < 1e-6, "{drained} {sure}");
        assert_eq!((replacement.in_flight_at_drained, replacement.late_arrivals), (Some(0), 0));
    }
}

#[test]
fn what_arrives_long_after_a_deregistration_was_not_deregistered() {
    let mut records = cell(DRAINED);
    // Due at 4.5 s: web-1/1 is drained and gone, by what the engine says.
    let id = records.requests.iter().find(|request| request.due >= ms(4200.0)).expect("there is one").id;
    records.executions.push(execution(id.0, inc("web-1", 1), 4201.0, Some(4300.0)));
    let (record, validity) = deploy(&records);
    assert_eq!(record.replacements[0].arrivals_after_deregistration, Some(1));
    assert_eq!(validity.verdict, Trust::Invalid);
    assert!(validity.reasons[0].contains("web-1/1 received 1 requests that were sent after"), "{validity:?}");
}

#[test]
fn only_what_arrives_after_a_reload_that_forgets_is_excused_by_it() {
    let mut records = cell(DRAINED);
    let id = records.requests.iter().find(|request| request.due >= ms(4200.0)).expect("there is one").id;
    records.executions.push(execution(id.0, inc("web-1", 1), 4201.0, Some(4300.0)));
    let judged = |reloaded: f64, keeps: Keeps| {
        let mut plan = plan();
        let action = Action::Reload(Reload { keeps, ..Reload::default() });
        let (name, when) = ("reload".to_owned(), When::At(Span::millis(1)));
        let entry = Entry { name, when, jitter: Span::default(), action };
        plan.variants.iter_mut().for_each(|variant| variant.timeline.push(entry.clone()));
        let mut records = records.clone();
        let later = records.history.iter().position(|event| event.at > ms(reloaded)).expect("it goes on");
        records.history.insert(later, event(reloaded, Happening::BalancerReloaded));
        summarise(&plan, &records).validity.deploy.expect("a deploy").verdict
    };
    assert_eq!(judged(4100.0, Keeps::Configuration), Trust::Valid);
    assert_eq!(judged(4400.0, Keeps::Configuration), Trust::Invalid, "nothing was forgotten yet");
    assert_eq!(judged(4100.0, Keeps::Rotation), Trust::Invalid, "this reload knows who is out");
}

#[test]
fn a_balancer_that_resolves_a_name_may_go_on_for_a_while_and_how_long_is_a_figure() {
    let mut records = cell(DRAINED);
    let id = records.requests.iter().find(|request| request.due >= ms(4020.0)).expect("there is one").id;
    // The record was gone at 4,005 ms.
    records.executions.push(execution(id.0, inc("web-1", 1), 4050.0, Some(4100.0)));
    let told = summarise(&plan(), &records).deploy.expect("a deploy");
    assert_eq!(told.replacements[0].last_at_old_ms, None, "it is told of each backend");
    let mut plan = plan();
    for pool in plan.variants.iter_mut().flat_map(|variant| &mut variant.topology.pools) {
        pool.discovery = Some(Discovery::default());
    }
    let cell = summarise(&plan, &records);
    let record = cell.deploy.as_ref().expect("a deploy");
    let last = record.replacements[0].last_at_old_ms.expect("its record was removed");
    assert!((44.0..46.0).contains(&last), "{last}");
    assert_eq!(record.replacements[0].late_arrivals, 0);
    assert_eq!(cell.validity.deploy.expect("its validity").verdict, Trust::Valid);
}

#[test]
fn a_drain_that_was_over_with_requests_in_hand_was_none() {
    let mut records = cell(DRAINED);
    let last = records.executions.iter_mut().rev().find(|execution| execution.by == inc("web-1", 1));
    last.expect("it served").finished = Some(ms(4300.0));
    let (record, validity) = deploy(&records);
    assert_eq!(record.replacements[0].in_flight_at_drained, Some(1));
    assert_eq!(validity.verdict, Trust::Invalid);
    assert!(validity.reasons[0].contains("web-1/1 had 1 requests in flight"), "{validity:?}");
}

#[test]
fn a_new_generation_that_the_balancer_does_not_use_is_a_result() {
    let mut plan = plan();
    plan.expect = vec!["with-drain.replaced == 3".parse().expect("a claim")];
    let mut records = cell(DRAINED);
    let new = inc("web-3", 2);
    for event in &mut records.history {
        if let Happening::Confirmed { incarnation, .. } = &event.what
            && *incarnation == new
        {
            event.what = Happening::Unconfirmed { incarnation: new.clone(), share: Share(0.0), of: 150 };
        }
    }
    for request in records.requests.iter_mut().filter(|request| request.served_by.as_deref() == Some(&new)) {
        request.served_by = Some(inc("web-1", 2).into());
    }
    for execution in records.executions.iter_mut().filter(|execution| execution.by == new) {
        execution.by = inc("web-1", 2).into();
    }
    for line in &mut records.access {
        retell(line, |attempts| attempts[0].backend = None);
    }
    let cells = [cell(CONTROL), records].iter().map(|records| summarise(&plan, records)).collect();
    let run = judge(&plan, &environment(), cells, vec![]);
    let validity = run.cells[1].validity.deploy.as_ref().expect("it has a deploy");
    assert_eq!(validity.verdict, Trust::Degraded, "{validity:?}");
    assert_eq!(run.claims.last().map(|claim| &claim.holding), Some(&Holding::Failed));
    let text = render(&run, Format::Table, Style { width: 200, colour: Colour::Never });
    let finding = "web-3/2 got 0 % of its pool's requests for 300 ms; none ever came";
    assert!(text.contains(finding), "{text}");
}

/// A request that was sent at `sent` and cut off at `end`; its backend never finished it.
fn cut(sent: f64, end: f64, grace: Duration) -> Fate {
    let mut request = request(0, sent, failed(Stage::FirstByte, Cause::Eof));
    request.end = ms(end);
    let history = [event(1000.0, Happening::BalancerReloaded), event(90_000.0, access_log(true))];
    let evidence = Evidence::gather(&history).with_reload_grace(grace);
    fate(&request, &[&execution(0, inc("web-1", 1), sent + 1.0, None)], &[], &evidence)
}

#[test]
fn a_reload_explains_what_its_grace_cut_off_and_nothing_that_began_later() {
    let grace = Duration::from_secs(2);
    assert_eq!(cut(500.0, 3050.0, grace).exceptions[0], Exception::BalancerAbort);
    let unexplained = (Equation::UnfinishedIsExplained, Finding::NeverFinished);
    assert!(cut(500.0, 3050.0, Duration::ZERO).unmatched.contains(&unexplained));
    assert!(cut(500.0, 4001.0, grace).unmatched.contains(&unexplained));
    assert!(cut(2500.0, 3050.0, grace).unmatched.contains(&unexplained));
}

#[test]
fn a_reload_is_set_beside_the_same_load_without_it() {
    let mut plan = SavedPlan { control: vec![], expect: vec![], ..plan() };
    // The same in all but the reload: the drained variant becomes the other with a reload.
    plan.variants[1] = model::plan::Variant { name: DRAINED.into(), ..plan.variants[0].clone() };
    plan.variants[1].timeline.push(Entry {
        name: "again".into(),
        when: When::At(Span::millis(15_000)),
        jitter: Span::default(),
        action: Action::Reload(Reload::default()),
    });
    let mut reloaded = cell(CONTROL);
    reloaded.cell.variant = DRAINED.into();
    let (started, finished) = (|| "again".to_owned(), || "again".to_owned());
    let end = reloaded.history.len() - 3;
    reloaded.history.splice(
        end..end,
        [
            event(15_000.0, Happening::ActionStarted { entry: started() }),
            event(15_000.0, Happening::BalancerReloaded),
            event(15_000.0, Happening::ActionFinished { entry: finished() }),
        ],
    );
    let cells = [cell(CONTROL), reloaded].iter().map(|records| summarise(&plan, records)).collect();
    let run = judge(&plan, &environment(), cells, vec![]);
    assert_eq!(run.cells[0].without_reloads, None);
    let without = run.cells[1].without_reloads.as_ref().expect("a variant without it");
    assert_eq!((without.variant.as_str(), without.dropped), (CONTROL, run.cells[0].counts.dropped));
}
