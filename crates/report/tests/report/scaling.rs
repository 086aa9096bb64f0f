//! Backends that are removed and added, read as replacements without a successor or a predecessor.

use model::history::{Happening, Scaling};
use model::plan::SavedPlan;
use model::records::CellRecords;
use model::timeline::{Action, Addition, Deregister, Drain, Entry, Leaving, Removal, When};
use model::units::Span;
use report::summarise;
use report::validity::Trust;
use report::verdict::Holding;

use crate::build::*;

/// The deploy of a variant, as removals each of which an addition follows.
fn scaled(variant: &str) -> (SavedPlan, CellRecords) {
    let (mut plan, mut records) = (plan(), cell(variant));
    for variant in &mut plan.variants {
        let drain = if variant.name == DRAINED { Drain::Auto } else { Drain::Off };
        let when = || When::At(Span::millis(4000));
        let entry = |name: String, action| Entry { name, when: when(), jitter: Span::default(), action };
        let entries = BACKENDS.iter().flat_map(|backend| {
            let (leaving, ready_within) = (Leaving { drain, ..Leaving::ABRUPT }, Span::millis(5000));
            let backend = (*backend).to_owned();
            let removal = Action::Remove(Removal { backend: backend.clone(), leaving });
            let register = Deregister::Live;
            let addition = Action::Add(Addition { backend: backend.clone(), register, ready_within });
            [entry(format!("in-{backend}"), removal), entry(format!("out-{backend}"), addition)]
        });
        variant.timeline = entries.collect();
    }
    let step = |what| Happening::Scaling(what);
    let mut history = Vec::new();
    for mut event in std::mem::take(&mut records.history) {
        let at = event.at;
        let exited = match &event.what {
            Happening::Exited { component, .. } => component.life().cloned(),
            _ => None,
        };
        event.what = match event.what {
            Happening::DeployStarted { .. }
            | Happening::DeployFinished { .. }
            | Happening::ActionStarted { .. }
            | Happening::ActionFinished { .. } => continue,
            Happening::Replacing { old, .. } => {
                step(Scaling::Removing { entry: "in".into(), incarnation: old, drain: Drain::Auto })
            }
            Happening::Replaced { new, .. } => step(Scaling::Added { incarnation: new }),
            other => other,
        };
        history.push(event);
        if let Some(old) = exited.filter(|old: &model::identity::Incarnation| old.generation == 1) {
            let new = inc(&old.backend, 2);
            let mut push = |what| history.push(model::history::Event { at, what: step(what) });
            push(Scaling::Removed { incarnation: old });
            push(Scaling::Adding { entry: "out".into(), incarnation: new });
        }
    }
    records.history = history;
    (plan, records)
}

#[test]
fn removals_and_additions_are_read_like_the_halves_of_a_replacement() {
    let (plan, records) = scaled(DRAINED);
    let cell = summarise(&plan, &records);
    let record = cell.deploy.as_ref().expect("something was scaled");
    let counts = record.scaling;
    assert_eq!((counts.removals, counts.removed, counts.additions, counts.added), (3, 3, 3, 3));
    assert_eq!(
        (record.replaced, record.planned, record.done()),
        (0, 0, "3 of 3 removed, 3 of 3 added".into())
    );
    let replaced = summarise(&crate::build::plan(), &crate::build::cell(DRAINED));
    let deployed = replaced.deploy.as_ref().expect("a deploy");
    assert_eq!(record.at_deregistrations(), deployed.at_deregistrations());
    assert_eq!(record.waits(), deployed.waits());
    assert_eq!(record.new_shares(), deployed.new_shares());
    let names: Vec<_> = record.replacements[..2].iter().map(|it| it.name()).collect();
    assert_eq!(names, ["the removal of web-1/1", "the addition of web-1/2"]);
}

#[test]
fn what_a_removal_costs_is_attributed_as_in_a_deploy() {
    let (plan, records) = scaled(CONTROL);
    let deployed = summarise(&crate::build::plan(), &crate::build::cell(CONTROL));
    assert!(!deployed.dropped.is_empty());
    assert_eq!(summarise(&plan, &records).dropped, deployed.dropped);
}

#[test]
fn claims_about_scaling_can_be_about_all_of_it() {
    let (mut plan, records) = scaled(DRAINED);
    plan.control = Vec::new();
    plan.expect = ["with-drain.removed == all", "with-drain.added == 2", "with-drain.sent_after_signal == 0"]
        .map(|text| text.parse().expect("a claim"))
        .into();
    let cell = summarise(&plan, &records);
    let validity = cell.validity.deploy.as_ref().expect("its validity");
    assert_eq!(validity.verdict, Trust::Valid, "{validity:?}");
    let run = report::judge(&plan, &environment(), vec![cell], vec![]);
    let holdings: Vec<_> = run.claims.iter().map(|claim| claim.holding.clone()).collect();
    assert_eq!(holdings, [Holding::Held, Holding::Failed, Holding::Held]);
}

#[test]
fn a_removal_that_did_not_end_is_not_trusted() {
    let (plan, mut records) = scaled(DRAINED);
    let last = |what: &Happening| matches!(what, Happening::Scaling(Scaling::Removed { incarnation }) if incarnation.backend == "web-3");
    records.history.retain(|event| !last(&event.what));
    let validity = summarise(&plan, &records).validity.deploy.expect("its validity");
    assert_eq!(validity.verdict, Trust::Invalid);
    assert!(validity.reasons.contains(&"the removal of web-3/1 did not end".to_owned()), "{validity:?}");
}
