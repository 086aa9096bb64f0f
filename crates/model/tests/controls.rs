//! Which controls and promises validation lets pass.

use model::catalog::{BalancerKind, Catalog};
use model::claim::{Claim, Metric};
use model::control::Says;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};

const BASE: &str = "name: controlled
question: Which claims rest on which controls?
topology:
  pools: { web: { backends: 3, sessions: memory }, api: { backends: 2 } }
  routes: { some: { path: /api, to: api }, all: { path: /, to: web } }
load: { rate: 100/s, for: 10s, users: { count: 60 } }
timeline: { rollout: { at: 1s, deploy: { pool: web, drain: off } } }
variants:
  undrained: {}
  drained: { timeline: { rollout: { deploy: { drain: auto } } } }
  calm: { timeline: { rollout: null } }
  busy: { load: { rate: 200/s } }
  short: { load: { for: 8s } }
  long: { load: { for: 20s } }
  crashed: { timeline: { rollout: null, one: { at: 1s, crash: web-1 } } }
  stopped: { timeline: { rollout: null, one: { at: 1s, term: web-2 }, sick: { at: 1s, degrade: { backend: web-1, health: fail } } } }
  elsewhere: { timeline: { rollout: null, one: { at: 1s, crash: api-1 } } }
  deployed-and-crashed: { timeline: { one: { at: 1s, crash: web-1 } } }
  nginx-only: { balancers: [nginx] }
";

fn build(control: &str, expect: &str, choice: &Choice) -> Result<Plan, String> {
    let text = format!("{BASE}control: [ {control} ]\nexpect: [ {expect} ]\n");
    let scenario = Scenario::parse("controlled.yaml", &text, &[]).map_err(|problems| problems.to_string())?;
    Plan::build(&scenario, &Catalog::default(), choice).map_err(|problems| problems.to_string())
}

fn refusal(control: &str, expect: &str) -> Option<String> {
    build(control, expect, &Choice::default()).err()
}

#[test]
fn a_promise_of_few_losses_needs_a_control_with_the_same_load_and_harm() {
    for (control, expect) in [
        ("undrained.dropped > 0", "drained.dropped == 0"),
        ("undrained.dropped >= 1", "drained.reset <= 3"),
        ("undrained.ok < undrained.scheduled", "drained.ok == drained.scheduled"),
        ("undrained.closed == 3", "drained.dropped < 0.1 × undrained.dropped"),
        ("short.dropped > 0", "drained.dropped == 0"),
        ("crashed.dropped > 0", "stopped.dropped < 20"),
        ("undrained.sessions_lost != 0", "drained.sessions_lost == 0"),
        ("undrained.duplicates > 0", "drained.duplicates == 0"),
        ("undrained.dropped > 0", "deployed-and-crashed.dropped == 0"),
        // Nothing happens to it, or little is not what is promised.
        ("", "calm.dropped == 0"),
        ("", "drained.dropped > 0"),
        ("", "drained.ok > 0"),
        ("", "drained.masked == 0, drained.drains_expired == 0, drained.p99 < 1s"),
    ] {
        assert_eq!(refusal(control, expect), None, "{expect} beside {control}");
    }
    for (control, expect, why) in [
        (
            "",
            "drained.dropped == 0",
            "if `undrained` loses some, add `control: [ \"undrained.dropped > 0\" ]`",
        ),
        ("", "drained.dropped < 40", "no control shows that `drained` could lose anything"),
        ("", "drained.ok >= 990", "`drained.ok >= 990` would prove nothing"),
        ("", "drained.dropped <= 0.1 × undrained.dropped", "no control shows"),
        ("drained.dropped > 0", "drained.dropped == 0", "the control `drained` is the same variant"),
        ("undrained.replaced == 3", "drained.dropped == 0", "`undrained.replaced == 3` is not about losses"),
        ("undrained.p50 > 1ms", "drained.dropped == 0", "`undrained.p50 > 1ms` is not about losses"),
        ("calm.dropped > 0", "drained.dropped == 0", "`calm` does not have the same deploy or fault"),
        ("crashed.dropped > 0", "drained.dropped == 0", "`crashed` does not have the same deploy or fault"),
        ("elsewhere.dropped > 0", "stopped.dropped < 20", "does not have the same deploy or fault"),
        (
            "deployed-and-crashed.dropped > 0",
            "drained.dropped == 0",
            "does not have the same deploy or fault",
        ),
        (
            "busy.dropped > 0",
            "drained.dropped == 0",
            "`busy` has another load (200/s for 10s, not 100/s for 10s)",
        ),
        ("long.dropped > 0", "drained.dropped == 0", "`long` has another load (100/s for 20s"),
        ("undrained.dropped > 0", "drained.sessions_lost == 0", "shows nothing of `sessions_lost`"),
        ("nginx-only.dropped > 0", "drained.dropped == 0", "lose anything on haproxy and envoy"),
    ] {
        let refused =
            refusal(control, expect).unwrap_or_else(|| panic!("{expect} beside {control} is accepted"));
        assert!(refused.contains(why), "{expect} beside {control}: {refused}");
    }
}

#[test]
fn a_control_of_losses_has_to_fail_where_there_are_none_and_a_condition_may_say_anything() {
    for control in [
        "undrained.dropped >= 0",
        "undrained.dropped < 5",
        "undrained.dropped == 0",
        "undrained.dropped != 3",
        "undrained.reset <= 3",
        "undrained.dropped >= 2 × calm.dropped",
        "undrained.ok > 1",
        "undrained.ok == undrained.scheduled",
        "undrained.ok <= undrained.scheduled",
        "undrained.ok < 900",
    ] {
        let refused = refusal(control, "").unwrap_or_else(|| panic!("{control} is accepted"));
        assert!(refused.contains("can hold where nothing is lost"), "{refused}");
        assert!(refused.contains("write `undrained."), "{refused}");
    }
    for control in
        ["\"undrained.queue_max[web-1] > 10\"", "undrained.imbalance < 1.1", "undrained.replaced == 3"]
    {
        assert_eq!(refusal(control, ""), None);
    }
}

#[test]
fn a_control_is_run_for_those_who_rest_on_it_and_for_nobody_else() {
    let runs = |chosen: &str| {
        let variants = Some(vec![chosen.to_owned()]);
        let control = "undrained.dropped > 0, crashed.dropped > 0, calm.sessions_lost > 0";
        let expect = "drained.dropped == 0, stopped.dropped < 2 × deployed-and-crashed.dropped";
        let plan = build(control, expect, &Choice { variants, ..Choice::default() }).unwrap();
        plan.variants.iter().map(|variant| variant.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(runs("drained"), ["undrained", "drained", "calm"]);
    assert_eq!(runs("busy"), ["calm", "busy"]);
    // Its claim is left out, as the other variant isn't run.
    assert_eq!(runs("stopped"), ["calm", "stopped"]);
}

#[test]
fn what_must_not_hold_rests_on_a_control_as_well() {
    let fail_on = |text: &str| Choice { fail_on: vec![text.to_owned()], ..Choice::default() };
    assert!(build("undrained.dropped > 0", "", &fail_on("drained.dropped > 0")).is_ok());
    let refused = build("", "", &fail_on("drained.dropped > 0")).unwrap_err();
    assert!(refused.contains("--fail-on drained.dropped > 0"), "{refused}");
}

#[test]
fn a_chosen_balancer_needs_a_control_of_its_own_only() {
    let on = |kind: BalancerKind| Choice { balancers: Some(vec![kind.into()]), ..Choice::default() };
    let build = |kind| build("nginx-only.dropped > 0", "drained.dropped == 0", &on(kind));
    assert!(build(BalancerKind::Nginx).is_ok());
    assert!(build(BalancerKind::Envoy).is_err());
}

fn claim(text: &str) -> Claim {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_claim_promises_few_losses_if_it_bounds_them_from_above_or_what_went_well_from_below() {
    for (text, loss) in [
        ("a.reset == 0", Metric::Reset),
        ("a.reset < 5", Metric::Reset),
        ("a.reset <= 0.5 × b.dropped", Metric::Reset),
        // What went well bounds losses only if nearly all of it has to.
        ("a.ok == all", Metric::Dropped),
        ("a.ok > 1", Metric::Dropped),
        ("a.ok >= 0.95 × a.scheduled", Metric::Dropped),
        ("a.ok == 0.5 × b.ok", Metric::Dropped),
        ("a.sessions_kept >= 2", Metric::SessionsLost),
    ] {
        assert_eq!(claim(text).promises_few(), Some(loss), "{text}");
    }
    for text in [
        "a.reset > 0",
        "a.reset >= 0",
        "a.reset != 3",
        "a.ok < 5",
        "a.ok <= 5",
        "a.ok >= 1",
        "a.ok >= 0.5 × a.scheduled",
        // How those that were lost were lost is no promise that they are few.
        "a.reset == a.dropped",
        "a.reset <= 0.5 × dropped",
        "a.masked == 0",
        "a.p99 < 1s",
    ] {
        assert_eq!(claim(text).promises_few(), None, "{text}");
    }
}

#[test]
fn a_claim_says_that_something_was_lost_if_it_cannot_hold_where_nothing_was() {
    let (loss, perhaps) = (Says::Loss(Metric::Dropped), Says::Perhaps(Metric::Dropped));
    for (text, says) in [
        ("a.dropped > 0", loss),
        ("a.dropped == all", loss),
        ("a.dropped >= all", loss),
        ("a.dropped == 3", loss),
        ("a.dropped != 0", loss),
        ("a.dropped >= 0", perhaps),
        ("a.dropped != 3", perhaps),
        ("a.dropped <= all", perhaps),
        // All of what went well is the variant's own schedule and nothing else.
        ("a.ok < all", loss),
        ("a.ok != all", loss),
        ("a.ok <= all", perhaps),
        ("a.ok < a.scheduled", loss),
        ("a.ok < b.scheduled", perhaps),
        ("a.ok < a.replaced", perhaps),
        ("a.ok <= 0.9 × a.scheduled", loss),
        ("a.ok < 1.1 × a.scheduled", perhaps),
        ("a.ok != a.scheduled", loss),
        ("a.ok != 0.9 × a.scheduled", perhaps),
        ("a.replaced == 3", Says::Nothing),
    ] {
        assert_eq!(claim(text).says(), says, "{text}");
    }
}
