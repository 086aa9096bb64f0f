use model::access_log::LogGap;
use model::history::Happening;
use model::outcome::{Cause, Stage};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::service::{OwnService, Readiness, StopSignal};
use model::units::Span;
use report::books::Grade;
use report::fate::SubCause;
use report::replacement::ReplacementProof;
use report::validity::Trust;
use report::verdict::Holding;
use report::{CellSummary, RunSummary, judge, summarise};

use crate::build::*;

/// The plan with a service of the user's in the place of rig's own backends.
fn own(plan: SavedPlan) -> SavedPlan {
    let service = OwnService {
        command: vec!["./server".into()],
        image: None,
        port: 8080,
        environment: Default::default(),
        versions: vec!["v1".into(), "v2".into()],
        ready: Readiness { path: None, within: Span::millis(30_000) },
        stop_signal: StopSignal::Term,
        identity_header: Some("X-Version".into()),
        directory: Default::default(),
    };
    let mut plan = plan;
    for pool in plan.variants.iter_mut().flat_map(|variant| &mut variant.topology.pools) {
        pool.service = Some(service.clone());
    }
    plan
}

/// The records of `variant`, without what a service of the user's does not leave: ledgers and stamps.
fn withheld(variant: &str) -> CellRecords {
    let mut records = cell(variant);
    records.executions.clear();
    for request in &mut records.requests {
        request.identity = request.served_by.take().map(|by| format!("v{}", by.generation).into());
    }
    let launched =
        |backend: &str| event(-700.0, Happening::Launched { component: inc(backend, 1).into(), pid: 6 });
    records.history.splice(2..2, BACKENDS.map(launched));
    records
}

fn judged(plan: &SavedPlan, cells: Vec<CellSummary>) -> RunSummary {
    judge(plan, &environment(), cells, vec![])
}

#[test]
fn without_ledgers_the_client_says_the_same_and_the_log_who_had_it() {
    let own = own(plan());
    for variant in [CONTROL, DRAINED] {
        let [full, without] = [summarise(&plan(), &cell(variant)), summarise(&own, &withheld(variant))];
        assert_eq!((&full.counts, &full.latency_ms), (&without.counts, &without.latency_ms));
        assert_eq!(full.backends, without.backends, "the log names the backend of each attempt");
        assert_eq!(
            (without.books.grade, without.books.balance()),
            (Grade::TwoWay, true),
            "{:?}",
            without.books
        );
        let (of_full, of_own) = (full.deploy.unwrap(), without.deploy.unwrap());
        assert!(of_own.by_log && !of_full.by_log);
        assert_eq!(
            (of_own.replaced, of_own.at_terminations().iter().sum::<u64>() > 0),
            (3, variant == CONTROL)
        );
        for (a, b) in of_full.replacements.iter().zip(&of_own.replacements) {
            // A request is in hand a millisecond longer for its client than for its backend.
            let close = |a: Option<u64>, b: Option<u64>| a.zip(b).is_none_or(|(a, b)| a.abs_diff(b) <= 1);
            assert!(close(a.in_flight_at_termination, b.in_flight_at_termination), "{a:?} {b:?}");
            assert!(close(a.in_flight_at_deregistration, b.in_flight_at_deregistration), "{a:?} {b:?}");
        }
        assert_eq!(without.validity.deploy.unwrap().reasons, full.validity.deploy.unwrap().reasons);
        let identities = without.identities.unwrap();
        assert_eq!(identities.iter().map(|it| it.identity.as_str()).collect::<Vec<_>>(), ["v2", "v1"]);
    }
}

#[test]
fn what_no_ledger_says_is_unproven_and_never_zero() {
    let mut plan = own(plan());
    let claims = ["with-drain.dropped == 0", "with-drain.duplicates == 0", "without-drain.masked == 0"];
    plan.expect = claims.map(|claim| claim.parse().unwrap()).into();
    let cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &withheld(variant)));
    let cell = &cells[0];
    assert!(
        cell.dropped.iter().all(|group| group.source.sub_cause == SubCause::Undetermined),
        "{:?}",
        cell.dropped
    );
    let run = judged(&plan, cells.to_vec());
    let expect: Vec<_> = run.claims.iter().skip(1).map(|claim| &claim.holding).collect();
    assert!(matches!(expect[0], Holding::Held), "{run:?}");
    assert!(matches!(expect[1], Holding::Unproven(why) if why.contains("keeps no ledger")), "{expect:?}");
    let told = run.claims[1].observed.clone();
    assert!(told.contains("executed twice not known"), "{told}");
    // What the log says of attempts is known: with retries off there was one each.
    assert!(matches!(expect[2], Holding::Held), "{expect:?}");
}

/// HAProxy writes no line about them: they are those of the backend that died meanwhile, if it is one alone.
#[test]
fn what_a_balancer_closes_without_a_line_was_in_flight_at_the_backend_that_died() {
    let plan = own(plan());
    let mut records = withheld(CONTROL);
    let lost = |request: &&mut model::request::Request| request.outcome == answered(502);
    for request in records.requests.iter_mut().filter(lost) {
        request.outcome = failed(Stage::FirstByte, Cause::Eof);
        request.first_byte = None;
        records.access.retain(|line| line.id != Some(request.id));
    }
    let told = access_log_with(true, vec![LogGap::SilentClose]);
    records
        .history
        .iter_mut()
        .filter(|event| matches!(event.what, Happening::AccessLog { .. }))
        .for_each(|event| event.what = told.clone());
    let cell = summarise(&plan, &records);
    assert!(cell.books.balance(), "{:?}", cell.books);
    let in_flight: u64 = cell.deploy.as_ref().unwrap().at_terminations().iter().sum();
    assert_eq!(in_flight, cell.counts.dropped, "{:?}", cell.deploy);
}

/// It is not known whether the drains were over in time.
#[test]
fn a_drain_of_which_nobody_could_say_that_it_is_over_is_unproven() {
    let mut plan = own(plan());
    plan.expect = vec!["with-drain.drains_expired == 0".parse().unwrap()];
    let mut records = withheld(DRAINED);
    for event in &mut records.history {
        if let Happening::Drained { incarnation, .. } = &event.what {
            event.what = Happening::DrainExpired { incarnation: incarnation.clone(), in_flight: None };
        }
    }
    let cells = vec![summarise(&plan, &withheld(CONTROL)), summarise(&plan, &records)];
    assert_eq!(cells[1].deploy.as_ref().unwrap().drains_unseen, 3);
    let run = judged(&plan, cells);
    let holding = &run.claims[1].holding;
    assert!(matches!(holding, Holding::Unproven(why) if why.contains("it is not known what")), "{holding:?}");
}

#[test]
fn a_new_generation_that_the_log_never_names_is_not_proved() {
    let plan = own(plan());
    let mut records = withheld(DRAINED);
    // Every request after the replacement of web-1 went to the others.
    for (request, line) in records.requests.iter().zip(&mut records.access) {
        if request.due > ms(4000.0) && line.attempts[0].backend.as_deref() == Some("web-1") {
            retell(line, |attempts| attempts[0].backend = Some("web-2".into()));
        }
    }
    records.history.retain(|event| !matches!(event.what, Happening::Confirmed { .. }));
    let cell = summarise(&plan, &records);
    let proofs: Vec<ReplacementProof> =
        cell.deploy.as_ref().unwrap().replacements.iter().map(|r| r.proof).collect();
    assert_eq!(
        proofs,
        [ReplacementProof::NewNeverServed, ReplacementProof::Proved, ReplacementProof::Proved]
    );
    assert_eq!(cell.validity.deploy.unwrap().verdict, Trust::Invalid);
}

#[test]
fn requests_that_the_old_generation_gets_after_it_was_taken_out_void_the_deploy() {
    let plan = own(plan());
    let mut records = withheld(DRAINED);
    // Answered before it is stopped, and sent longer after its deregistration than word of that needs.
    let times = ms(4001.0)..ms(4006.0);
    for event in &mut records.history {
        if matches!(&event.what, Happening::Deregistered { incarnation, .. } if incarnation.backend == "web-1")
        {
            event.at = ms(3880.0);
        }
    }
    for (request, line) in records.requests.iter().zip(&mut records.access) {
        if times.contains(&request.due) {
            retell(line, |attempts| attempts[0].backend = Some("web-1".into()));
        }
    }
    let cell = summarise(&plan, &records);
    let deploy = cell.validity.deploy.unwrap();
    assert_eq!(deploy.verdict, Trust::Invalid);
    assert!(
        deploy.reasons.iter().any(|why| why.contains("after its confirmed deregistration")),
        "{deploy:?}"
    );
}

/// What one program loses shows nothing of another, if there is a control about that one.
#[test]
fn a_zero_is_proved_by_a_control_about_the_same_program() {
    let mut plan = own(plan());
    let of = |plan: &SavedPlan, name: &str| plan.variant(name).expect("the plan has it").clone();
    let (mut other, mut tame) = (of(&plan, CONTROL), of(&plan, CONTROL));
    (other.name, tame.name) = ("other".into(), "tame".into());
    other.topology.pools.iter_mut().filter_map(|pool| pool.service.as_mut()).for_each(|service| {
        service.command = vec!["./other".into()];
    });
    plan.variants = vec![other, tame, of(&plan, DRAINED)];
    let named = |name: &str, like: &str| {
        let mut records = withheld(like);
        records.cell.variant = name.into();
        records
    };
    plan.expect = vec!["with-drain.dropped == 0".parse().unwrap()];
    let proof = |controls: &[&str]| {
        let mut plan = plan.clone();
        plan.control = controls.iter().map(|claim| claim.parse().unwrap()).collect();
        // The control of the same program lost nothing.
        let cells = [named("other", CONTROL), named("tame", DRAINED), withheld(DRAINED)];
        let run = judged(&plan, cells.iter().map(|records| summarise(&plan, records)).collect());
        run.claims.last().unwrap().holding.clone()
    };
    assert_eq!(proof(&["other.dropped > 0"]), Holding::Held, "there is no other");
    let unproven = proof(&["other.dropped > 0", "tame.dropped > 0"]);
    assert!(
        matches!(&unproven, Holding::Unproven(why) if why.contains("`tame.dropped > 0` did not hold")),
        "{unproven:?}"
    );
}
