//! Which controls and promises validation lets pass.

use model::catalog::{BalancerKind, Catalog};
use model::plan::Plan;
use model::scenario::{Choice, Scenario};

const BASE: &str = "name: controlled
question: Which claims rest on which controls?
topology: { pools: { web: { backends: 3, sessions: memory } }, routes: { all: { path: /, to: web } } }
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
    let on = |kind| Choice { balancers: Some(vec![kind]), ..Choice::default() };
    let build = |kind| build("nginx-only.dropped > 0", "drained.dropped == 0", &on(kind));
    assert!(build(BalancerKind::Nginx).is_ok());
    assert!(build(BalancerKind::Envoy).is_err());
}
