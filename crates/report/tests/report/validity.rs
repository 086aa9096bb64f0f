use model::history::{Event, Happening};
use model::outcome::{NotSent, Outcome};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::Action;
use model::units::{Nanos, Share};
use report::deploy::DeployRecord;
use report::validity::{CellValidity, Trust};
use report::{summarise, summary::Ending};

use crate::build::*;

fn validity(variant: &str, tamper: impl FnOnce(&mut CellRecords)) -> CellValidity {
    let mut records = cell(variant);
    tamper(&mut records);
    summarise(&plan(), &records).validity
}

/// Makes the first `n` requests late by `late` milliseconds; their responses are seen as soon as they are finished.
fn late(records: &mut CellRecords, n: usize, late: f64) {
    for (request, execution) in records.requests.iter_mut().zip(&mut records.executions).take(n) {
        request.released = Nanos(request.due.0 + (late * 1e6) as i64);
        execution.finished = execution.finished.map(|_| request.end);
    }
}

fn deploy_trust(tamper: impl FnOnce(&mut CellRecords)) -> Trust {
    let deploy = validity(DRAINED, tamper).deploy;
    deploy.expect("the variant has a deploy").verdict
}

#[test]
fn an_honest_cell_is_valid_in_every_claim() {
    for variant in [CONTROL, DRAINED] {
        let validity = validity(variant, |_| {});
        assert_eq!(validity.counts.verdict, Trust::Valid);
        assert_eq!(validity.latency.verdict, Trust::Valid);
        assert_eq!(validity.deploy.unwrap().verdict, Trust::Valid);
    }
}

#[test]
fn counts_need_99_percent_within_100_ms_or_95_percent_within_250_ms() {
    // The baseline has 1600 requests; 16 are 1 %, 80 are 5 %.
    let trust = |n, ms| validity(CONTROL, |records| late(records, n, ms)).counts.verdict;
    assert_eq!(trust(1600, 100.0), Trust::Valid);
    assert_eq!(trust(16, 101.0), Trust::Valid);
    assert_eq!(trust(17, 101.0), Trust::Degraded);
    assert_eq!(trust(1600, 250.0), Trust::Degraded);
    assert_eq!(trust(80, 251.0), Trust::Degraded);
    assert_eq!(trust(81, 251.0), Trust::Invalid);
}

#[test]
fn the_part_of_the_requests_that_began_in_time_is_told() {
    let counts = validity(CONTROL, |records| late(records, 160, 101.0)).counts;
    assert!(counts.reasons[0].contains("only 90 % of the requests"), "{counts:?}");
}

#[test]
fn a_deploy_counts_if_all_that_was_planned_began_and_its_effects_showed_before_the_load_ended() {
    let plan = plan();
    let record = summarise(&plan, &cell(DRAINED)).deploy.expect("it deploys");
    let trust = |tamper: fn(&mut DeployRecord)| {
        let mut record = record.clone();
        tamper(&mut record);
        report::validity::deploy(&plan.variants[1], &record).verdict
    };
    let valid: [fn(&mut DeployRecord); 3] =
        [|_| {}, |record| record.planned = 2, |record| record.margin_ms = Some(0.0)];
    let invalid: [fn(&mut DeployRecord); 7] = [
        |record| record.planned = 0,
        |record| record.planned = 4,
        |record| record.margin_ms = Some(-0.1),
        |record| record.margin_ms = None,
        |record| record.replacements[1].late_arrivals = 1,
        |record| record.replacements[1].in_flight_at_drained = Some(1),
        |record| record.replacements.iter_mut().for_each(|it| it.in_flight_at_deregistration = Some(0)),
    ];
    assert_eq!(valid.map(trust), [Trust::Valid; 3]);
    assert_eq!(invalid.map(trust), [Trust::Invalid; 7]);
}

#[test]
fn a_wait_for_a_connection_is_not_the_generators_lateness() {
    let validity = validity(CONTROL, |records| {
        for request in &mut records.requests {
            request.sent = Some(Nanos(request.due.0 + 2_000_000_000));
        }
    });
    assert_eq!(validity.counts.verdict, Trust::Valid);
    assert_eq!(validity.latency.verdict, Trust::Valid);
}

#[test]
fn generator_faults_degrade_up_to_one_in_a_thousand() {
    let trust = |n: usize| {
        let faults = |records: &mut CellRecords| {
            for id in 0..n {
                records.requests[id].outcome = Outcome::NotSent(NotSent::Stall);
                records.requests[id].served_by = None;
            }
            records.executions.drain(..n);
            records.access.drain(..n);
        };
        validity(CONTROL, faults).counts.verdict
    };
    assert_eq!(trust(0), Trust::Valid);
    assert_eq!(trust(8), Trust::Degraded);
    assert_eq!(trust(9), Trust::Invalid);
}

#[test]
fn latency_is_judged_by_the_late_wake_beside_the_median() {
    // The median is 100 ms: 5 % of it are 5 ms, 20 % are 20 ms.
    let trust = |ms| validity(CONTROL, |records| late(records, 8000, ms)).latency.verdict;
    assert_eq!(trust(5.0), Trust::Valid);
    assert_eq!(trust(5.1), Trust::Degraded);
    assert_eq!(trust(20.0), Trust::Degraded);
    assert_eq!(trust(20.1), Trust::Invalid);
}

#[test]
fn a_deploy_is_proved_by_the_exit_of_the_old_and_the_answer_of_the_new() {
    let no_exit = |records: &mut CellRecords| {
        records.history.retain(
            |e| !matches!(&e.what, Happening::Exited { component, .. } if *component == part("web-2/1")),
        );
    };
    assert_eq!(deploy_trust(no_exit), Trust::Invalid);
    let never_served = |records: &mut CellRecords| {
        let new = inc("web-2", 2);
        records.requests.retain(|r| r.served_by.as_deref() != Some(&new));
    };
    assert_eq!(deploy_trust(never_served), Trust::Invalid);
    let unfinished = |records: &mut CellRecords| {
        records.history.retain(|e| !matches!(e.what, Happening::DeployFinished { .. }));
    };
    assert_eq!(deploy_trust(unfinished), Trust::Invalid);
}

#[test]
fn a_deploy_must_settle_before_the_load_ends() {
    let finished_at = |at: f64| {
        move |records: &mut CellRecords| {
            for event in &mut records.history {
                if matches!(event.what, Happening::DeployFinished { .. }) {
                    event.at = ms(at);
                }
            }
        }
    };
    // Responses take 100 ms: half a second is the least.
    assert_eq!(deploy_trust(finished_at(19_500.0)), Trust::Valid);
    assert_eq!(deploy_trust(finished_at(19_501.0)), Trust::Invalid);
    // Twice as long as the slowest of them …
    let slow = |at: f64, took: f64| {
        deploy_trust(|records| {
            finished_at(at)(records);
            records.requests[0].end = records.requests[0].due + std::time::Duration::from_secs_f64(took);
        })
    };
    assert_eq!((slow(16_000.0, 2.0), slow(16_001.0, 2.0)), (Trust::Valid, Trust::Invalid));
    // … and never longer than the client's timeout, which is 5 s.
    assert_eq!((slow(15_000.0, 4.0), slow(15_001.0, 4.0)), (Trust::Valid, Trust::Invalid));
}

/// Leaves `n` requests in the hands of the old generations when they are terminated.
fn keep_in_flight(records: &mut CellRecords, n: usize) {
    let killed: Vec<_> = records.executions.iter().filter(|e| e.finished.is_none()).map(|e| e.id).collect();
    for execution in &mut records.executions {
        if killed[n..].contains(&execution.id) {
            execution.finished = Some(Nanos(execution.received.0 + 1));
        }
    }
}

#[test]
fn a_control_needs_ten_requests_in_flight_over_its_terminations() {
    let trust = |n| {
        let validity = validity(CONTROL, |records| keep_in_flight(records, n));
        validity.deploy.unwrap().verdict
    };
    assert_eq!(trust(10), Trust::Valid);
    assert_eq!(trust(9), Trust::Degraded);
    assert_eq!(trust(1), Trust::Degraded);
    assert_eq!(trust(0), Trust::Invalid);
}

#[test]
fn a_drain_with_nothing_in_flight_proves_nothing() {
    let nothing = |records: &mut CellRecords| {
        for execution in &mut records.executions {
            execution.finished = Some(Nanos(execution.received.0 + 1));
        }
    };
    assert_eq!(deploy_trust(nothing), Trust::Invalid);
}

#[test]
fn an_aborted_deploy_is_a_result_only_where_the_scenario_asks_for_it() {
    let mut records = cell(DRAINED);
    let incarnation = inc("web-1", 2);
    let reason = "never healthy".to_owned();
    records.history.insert(5, event(4500.0, Happening::DeployAborted { incarnation, reason }));
    let trust = |plan: &SavedPlan| summarise(plan, &records).validity.deploy.unwrap().verdict;
    assert_eq!(trust(&plan()), Trust::Invalid);
    let mut meant = plan();
    if let Action::Deploy(deploy) = &mut meant.variants[1].timeline[0].action {
        deploy.new_generation_unhealthy = true;
    }
    assert_eq!(trust(&meant), Trust::Valid);
}

#[test]
fn an_unconfirmed_replacement_degrades_the_deploy_and_its_share_is_kept() {
    let mut records = cell(DRAINED);
    for event in &mut records.history {
        if let Happening::Confirmed { incarnation, of, .. } = &event.what
            && *incarnation == inc("web-2", 2)
        {
            let (incarnation, of) = (incarnation.clone(), *of);
            event.what = Happening::Unconfirmed { incarnation, share: Share(0.02), of };
        }
    }
    let summary = summarise(&plan(), &records);
    let validity = summary.validity.deploy.unwrap();
    assert_eq!(validity.verdict, Trust::Degraded);
    assert_eq!(
        validity.reasons,
        ["web-2/2 got only 2 % of 120 requests in 300 ms, before the deploy continued"]
    );
    assert_eq!(summary.deploy.unwrap().new_shares(), [0.33, 0.02, 0.33]);
}

#[test]
fn an_exit_in_the_teardown_does_not_prove_a_replacement() {
    let exits_late = |records: &mut CellRecords| {
        let exit = |e: &Event| matches!(&e.what, Happening::Exited { component, .. } if *component == part("web-2/1"));
        let place = records.history.iter().position(exit).unwrap();
        let exit = records.history.remove(place);
        records.history.push(exit);
    };
    assert_eq!(deploy_trust(exits_late), Trust::Invalid);
}

#[test]
fn a_history_that_stops_is_invalid_with_a_reason_at_every_place() {
    let mut whole = cell(DRAINED);
    whole.requests.truncate(100);
    whole.executions.truncate(100);
    whole.access.truncate(100);
    let end = whole.history.iter().position(|e| matches!(e.what, Happening::LoadFinished { .. })).unwrap();
    for stop in 0..end {
        let mut records = whole.clone();
        records.history.truncate(stop);
        let summary = summarise(&plan(), &records);
        assert_eq!(summary.validity.counts.verdict, Trust::Invalid, "after {stop} events");
        assert_eq!(summary.ending, Ending::Truncated);
        assert!(summary.validity.counts.reasons.contains(&"the load did not finish".to_owned()));
    }
}

#[test]
fn a_failed_or_interrupted_cell_says_so() {
    for (what, ending) in [
        (Happening::Interrupted, Ending::Interrupted),
        (Happening::Failed { message: "port busy".into() }, Ending::Failed),
    ] {
        let mut records = cell(DRAINED);
        records.history.insert(3, event(1.0, what));
        let summary = summarise(&plan(), &records);
        assert_eq!(summary.ending, ending);
        assert_eq!(summary.validity.counts.verdict, Trust::Invalid);
    }
}
