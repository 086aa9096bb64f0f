//! The scenario language as its users meet it: bundled scenarios build, broken ones are told what is wrong.

mod against_the_schema;
mod loads;

use std::fs;
use std::path::Path;

use model::catalog::{BalancerKind, Capability, Catalog, Lack};
use model::claim::Claim;
use model::degrade::{Misbehaviour, ResponseStage};
use model::plan::{Need, Plan, SavedPlan};
use model::scenario::{Choice, Problems, Scenario, Set, explain};
use model::timeline::{Action, Drain, FaultKind, Until, When};
use model::topology::{HealthCheck, Latency, PassiveHealth, Retries, Tail};
use model::traffic::{Cap, RequestClass};
use model::units::{Bytes, Factor, Rate, Share, Span};
use model::version::Version;

fn catalog() -> Catalog {
    use BalancerKind::{Envoy, Haproxy, Nginx};
    Catalog {
        missing: vec![
            (Nginx, Lack::always(Capability::ActiveHealthChecks, "the open-source version has none")),
            (Haproxy, Lack::always(Capability::PassiveHealth, "made up for this test")),
            (Nginx, Lack::always(Capability::PassiveHealthAlone, "made up for this test")),
            (Nginx, Lack::always(Capability::TwoChoices, "made up for this test")),
            (Nginx, Lack::always(Capability::LiveDeregisterAtLayer4, "made up for this test")),
            (Haproxy, Lack::always(Capability::TwoChoices, "made up for this test")),
            (
                Nginx,
                Lack::until(
                    Version::patch(1, 29, 6),
                    Capability::BalanceBesideSticky,
                    "made up for this test",
                ),
            ),
            (Envoy, Lack::always(Capability::ReloadDeregister, "it has no reload")),
        ],
        signs: vec![(Envoy, "UO"), (Haproxy, "sQ"), (Nginx, "no live upstreams")],
    }
}

fn build(file: &str, text: &str, sets: &[&str], choice: &Choice) -> Result<Plan, Problems> {
    let sets: Vec<Set> = sets.iter().map(|set| set.parse().expect("a key and a value")).collect();
    let plan = Plan::build(&Scenario::parse(file, text, &sets)?, &catalog(), choice)?;
    if sets.is_empty() {
        assert_eq!(
            against_the_schema::wrong(text),
            Vec::<String>::new(),
            "the schema refuses what rig accepts: {text}"
        );
    }
    Ok(plan)
}

fn drain() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/drain.yaml"))
        .expect("the scenario is bundled")
}

fn drain_with(sets: &[&str], choice: &Choice) -> Plan {
    build("drain.yaml", &drain(), sets, choice).unwrap_or_else(|problems| panic!("{problems}"))
}

/// What a scenario says when `text` is added to a small sound one.
fn small_with(text: &str) -> Plan {
    let small = "name: small\nquestion: Does it build?\ntopology:\n  pools: { web: { backends: 3 } }\n  \
                 routes: { all: { path: /, to: web } }\nload: { rate: 100/s, for: 10s }\n";
    build("small.yaml", &format!("{small}{text}"), &[], &Choice::default())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_bundled_scenario_builds_with_the_values_that_it_shows() {
    let plan = drain_with(&[], &Choice::default());
    assert_eq!((plan.scenario.as_str(), plan.seed, plan.repeats), ("drain", 1, 1));
    assert_eq!(plan.control[0].text, "without-drain.dropped > 0");
    assert_eq!(plan.expect[1].text, "with-drain.replaced == all");
    assert_eq!(plan.cells().len(), 6);

    let [without, with] = plan.variants.as_slice() else { panic!("two variants") };
    assert_eq!((without.name.as_str(), with.name.as_str()), ("without-drain", "with-drain"));
    assert_eq!((&without.topology, &without.traffic), (&with.topology, &with.traffic));
    assert_eq!(without.deploys().next().unwrap().leaving.drain, Drain::Off);
    assert_eq!(with.deploys().next().unwrap().leaving.drain, Drain::Auto);
    assert_eq!(with.deploys().next().unwrap().leaving.until, Until::Idle);
    assert_eq!(with.timeline[0].when, When::At(Span::millis(4000)));

    let topology = &with.topology;
    let ids: Vec<_> = topology.pools[0].backends.iter().map(|backend| backend.id.as_str()).collect();
    assert_eq!(ids, ["web-1", "web-2", "web-3"]);
    let backend = topology.backend("web-2").unwrap();
    let tail = Tail { share: Share(0.02), at: Span::millis(800) };
    assert_eq!(backend.latency, Latency { from: Span::millis(50), to: Span::millis(400), tail: Some(tail) });
    assert_eq!((backend.boot, backend.body, backend.queue), (Span::millis(500), Bytes(1024), 1000));
    assert_eq!((&topology.retries, topology.passive_health), (&Retries::Off, PassiveHealth::Off));
    let check = HealthCheck {
        path: "/health".into(),
        every: Span::millis(500),
        timeout: Span::millis(250),
        fall: 2,
        rise: 1,
    };
    assert_eq!(topology.health_check, Some(check));
    assert_eq!(topology.response_timeout, Span::millis(3000));

    let traffic = &with.traffic;
    assert_eq!((traffic.rate, traffic.duration), (Rate(400.0), Span::millis(20_000)));
    // 400/s × 2 s, and six times the square root of that, and one.
    assert_eq!((traffic.connections, traffic.connections_from), (971, Cap::Load));
    assert_eq!((traffic.mix.len(), traffic.mix[0].name.as_str()), (1, "all"));
}

#[test]
fn every_broken_scenario_is_told_what_is_wrong_and_where() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 25);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let name = file.file_stem().unwrap().to_str().unwrap();
        let sets: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# set: ")).collect();
        let problems = build(&format!("{name}.yaml"), &text, &sets, &Choice::default())
            .expect_err(&format!("{name} should not build"));
        insta::with_settings!({ snapshot_suffix => name, omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!("broken", problems.to_string());
        });
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken/several-at-once.yaml"));
    let problems = build("several.yaml", &text.unwrap(), &[], &Choice::default()).unwrap_err();
    let mut lines: Vec<_> = problems.iter().map(|problem| problem.place.line()).collect();
    lines.dedup();
    assert_eq!(lines, [1, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn a_problem_can_be_coloured_for_a_terminal() {
    let problems = build("small.yaml", "name: a\n", &[], &Choice::default()).unwrap_err();
    assert!(problems.coloured().contains('\u{1b}'));
    assert!(!problems.to_string().contains('\u{1b}'));
}

#[test]
fn a_control_is_run_even_if_it_is_not_chosen() {
    let choice = Choice { variants: Some(vec!["with-drain".into()]), ..Choice::default() };
    assert_eq!(drain_with(&[], &choice).variants.len(), 2);
}

#[test]
fn claims_about_variants_that_are_not_run_are_left_out() {
    let choice = Choice {
        variants: Some(vec!["without-drain".into()]),
        balancers: Some(vec![BalancerKind::Envoy.into()]),
        repeats: Some(5),
        seed: Some(7),
        ..Choice::default()
    };
    let plan = drain_with(&[], &choice);
    assert_eq!((plan.variants.len(), plan.control.len(), plan.expect.len()), (1, 1, 0));
    assert_eq!((plan.cells().len(), plan.seed), (5, 7));
}

#[test]
fn what_must_not_hold_is_an_expectation_of_the_opposite() {
    let fail_on =
        ["with-drain.reset > 0", "with-drain.p99 >= 2 × without-drain.p99"].map(str::to_owned).into();
    let plan = drain_with(&[], &Choice { fail_on, ..Choice::default() });
    let texts: Vec<_> =
        plan.expect[plan.expect.len() - 2..].iter().map(|claim| claim.text.as_str()).collect();
    assert_eq!(texts, ["with-drain.reset <= 0", "with-drain.p99 < 2 × without-drain.p99"]);
    for claim in &plan.expect {
        let parsed = claim.text.parse::<Claim>().unwrap();
        assert_eq!(Claim { gate: claim.gate, ..parsed.clone() }, *claim);
        assert_eq!(claim.forbidden().forbidden(), Claim { gate: true, ..parsed });
    }
}

#[test]
fn what_must_not_hold_is_told_what_is_wrong_with_it_and_where() {
    let fail_on = ["with-drian.reset > 0", "with-drain.resets > 0"].map(str::to_owned).into();
    let problems = build("drain.yaml", &drain(), &[], &Choice { fail_on, ..Choice::default() }).unwrap_err();
    insta::assert_snapshot!(problems);
    let choice = Choice {
        variants: Some(vec!["without-drain".into()]),
        fail_on: vec!["with-drain.reset > 0".into()],
        ..Choice::default()
    };
    insta::assert_snapshot!(build("drain.yaml", &drain(), &[], &choice).unwrap_err());
}

#[test]
fn a_choice_of_what_does_not_exist_is_refused() {
    let choice = Choice { variants: Some(vec!["with-drian".into()]), repeats: Some(0), ..Choice::default() };
    let problems = build("drain.yaml", &drain(), &[], &choice).unwrap_err();
    insta::assert_snapshot!(problems, @r"
    error: there is no variant `with-drian`
     --> command line:1:1
      |
    1 | --variant with-drian
      | ^^^^^^^^^^^^^^^^^^^^
      |
      = help: did you mean `with-drain`?

    error: `repeat` must be from 1 to 100
     --> command line:1:1
      |
    1 | --repeat 0
      | ^^^^^^^^^^
    ");
}

#[test]
fn a_choice_of_balancers_leaves_the_unable_ones_out_of_account() {
    let choice = Choice { balancers: Some(vec![BalancerKind::Envoy.into()]), ..Choice::default() };
    let set = ["topology.balance=two_choices"];
    assert!(build("drain.yaml", &drain(), &set, &choice).is_ok());
    assert!(build("drain.yaml", &drain(), &set, &Choice::default()).is_err(),);
}

#[test]
fn a_surge_adds_a_spare_backend_that_does_not_serve() {
    let plan =
        small_with("timeline: { rollout: { at: 4s, deploy: { pool: web, drain: off, strategy: surge } } }\n");
    let pool = &plan.variants[0].topology.pools[0];
    assert_eq!((pool.backends.len(), pool.serving().count()), (4, 3));
    let spare = &pool.backends[3];
    assert_eq!((spare.id.as_str(), spare.spare), ("web-4", true));
}

#[test]
fn a_spare_takes_a_name_that_no_backend_has() {
    let plan = small_with(
        "variants: { a: { topology: { pools: { web: { backends: { web-1: {}, web-3: {} } } } }, \
         timeline: { rollout: { at: 4s, deploy: { pool: web, drain: auto, strategy: surge } } } } }\n",
    );
    let ids: Vec<_> = plan.variants[0].topology.pools[0].backends.iter().map(|b| b.id.as_str()).collect();
    assert_eq!(ids, ["web-1", "web-3", "web-4"]);
}

#[test]
fn a_scenario_without_variants_has_one_called_base() {
    let plan = small_with("expect: [ base.dropped == 0 ]\n");
    assert_eq!(plan.variants[0].name, "base");
    assert_eq!(plan.variants[0].traffic.connections, 1191);
}

#[test]
fn faults_last_until_healed_or_for_good() {
    let plan =
        small_with("timeline: { a: { at: 1s, crash: web-1 }, b: { after: a, freeze: web-2, for: 2s } }\n");
    let faults = plan.variants[0].timeline.iter().map(|entry| match &entry.action {
        Action::Fault(fault) => (fault.kind, fault.backend.as_str(), fault.lasts),
        other => panic!("{other:?} is no fault"),
    });
    assert_eq!(
        faults.collect::<Vec<_>>(),
        [(FaultKind::Crash, "web-1", None), (FaultKind::Freeze, "web-2", Some(Span::millis(2000)))]
    );
}

/// One variant per kind of fault, some healed and some for good, and one with none.
const EVERY_FAULT: &str = "variants:
  crash: { timeline: { a: { at: 1s, crash: web-1, for: 2s } } }
  term: { timeline: { a: { at: 1s, term: web-1, for: 2s } } }
  freeze: { timeline: { a: { at: 1s, freeze: web-1 } } }
  partition: { timeline: { a: { at: 1s, partition: web-1, for: 2s } } }
  host-loss: { timeline: { a: { at: 1s, host_loss: web-1 }, b: { after: a, partition: web-2, for: 1s } } }
  calm: {}
control: [ partition.dropped > 0 ]
expect: [ crash.dropped > 0, host-loss.dropped > 2 × calm.dropped ]
";

#[test]
fn every_kind_of_fault_has_a_name_in_the_language() {
    let plan = small_with(EVERY_FAULT);
    let kinds = plan.variants.iter().filter_map(|variant| variant.faults().next()).map(|fault| fault.kind);
    assert_eq!(kinds.collect::<Vec<_>>(), FaultKind::ALL);
}

/// One entry per way to misbehave.
const DEGRADED: &str = "timeline:
  slow: { at: 1s, jitter: 250ms, degrade: { backend: web-1, slower: 10x }, for: 1s }
  slower: { after: slow, degrade: { backend: web-1, latency: { uniform: [1s, 2s] } } }
  errors: { at: 1s, degrade: { backend: web-2, errors: 30% } }
  sick: { at: 1s, degrade: { backend: web-3, health: fail } }
  silent: { at: 2s, degrade: { backend: web-3, silent: true } }
  reset: { at: 3s, degrade: { backend: web-3, reset: before } }
  close: { at: 4s, degrade: { backend: web-3, close: body } }
";

#[test]
fn a_degraded_backend_misbehaves_in_one_way_and_slower_is_resolved() {
    let plan = small_with(DEGRADED);
    let entries = &plan.variants[0].timeline;
    let degraded: Vec<_> = entries
        .iter()
        .map(|entry| match &entry.action {
            Action::Degrade(degrade) => (degrade.backend.as_str(), degrade.misbehaviour, degrade.lasts),
            other => panic!("{other:?} degrades nothing"),
        })
        .collect();
    let latency = plan.variants[0].topology.pools[0].backends[0].latency;
    let slow = Latency { from: Span(latency.from.0 * 10), to: Span(latency.to.0 * 10), tail: None };
    assert_eq!(degraded[0], ("web-1", Misbehaviour::Latency(slow), Some(Span::millis(1000))));
    assert_eq!((entries[0].jitter, entries[1].jitter), (Span::millis(250), Span::default()));
    let rest: Vec<_> = degraded[2..].iter().map(|(_, misbehaviour, _)| *misbehaviour).collect();
    assert_eq!(
        rest,
        [
            Misbehaviour::Errors(Share(0.3)),
            Misbehaviour::Unhealthy,
            Misbehaviour::Silent,
            Misbehaviour::Reset(ResponseStage::Before),
            Misbehaviour::Close(ResponseStage::Body),
        ]
    );
}

/// What local processes can't do.
fn needs_containers(need: Need) -> Option<&'static str> {
    let network = matches!(need, Need::Fault(FaultKind::Partition | FaultKind::HostLoss));
    network.then_some("local processes share one network")
}

#[test]
fn variants_that_a_runtime_cannot_run_have_no_cells_and_the_rest_goes_on() {
    let whole = small_with(EVERY_FAULT);
    let plan = whole.within("process", needs_containers).unwrap();
    let left: Vec<_> = plan.cells().into_iter().map(|cell| cell.variant).collect();
    assert_eq!(left[..4], ["crash", "term", "freeze", "calm"]);
    assert_eq!((whole.cells().len(), left.len()), (18, 12));
    assert_eq!(
        plan.why_unavailable("host-loss"),
        Some(
            "process runtime: no `partition` (local processes share one network), \
             no `host_loss` (local processes share one network)"
        )
    );
    assert_eq!(plan.why_unavailable("calm"), None);
    assert_eq!((&plan.variants, &plan.expect), (&whole.variants, &whole.expect));
    assert_eq!(whole.within("docker", |_| None).unwrap(), whole);
}

#[test]
fn users_with_addresses_of_their_own_need_a_runtime_that_has_them() {
    let plan =
        small_with("variants: { a: {}, b: { load: { users: { count: 3, identity: source_address } } } }\n");
    let within = plan.within("docker", |need| (need == Need::SourceAddresses).then_some("one address each"));
    let reason = "docker runtime: no `identity: source_address` (one address each)";
    assert_eq!(within.unwrap().why_unavailable("b"), Some(reason));
}

#[test]
fn a_runtime_that_can_run_no_cell_is_refused_with_the_reason() {
    let plan = small_with("timeline: { cut: { at: 1s, partition: web-1 } }\n");
    assert_eq!(
        plan.within("process", needs_containers).unwrap_err().to_string(),
        "no cell is left to run: base: process runtime: no `partition` (local processes share one network); \
         choose another runtime, or other variants"
    );
}

#[test]
fn a_plan_that_was_saved_before_runtimes_differed_can_still_be_read() {
    let plan = small_with("");
    let mut saved = serde_json::to_value(&*plan).unwrap();
    saved.as_object_mut().unwrap().remove("unavailable").unwrap();
    assert_eq!(serde_json::from_value::<SavedPlan>(saved).unwrap(), *plan);
}

#[test]
fn an_explained_plan_is_a_scenario_that_builds_the_same_plan() {
    let rich = small_with(
        r#"balancers: [envoy, nginx]
variants:
  a:
    balancers: [envoy]
    topology:
      pools: { web: { latency: { fixed: 20ms, tail: { share: 7%, at: 1s } }, at_once: 20, backends: { web-1: { slower: 10x }, web-2: { on_term: finish } } } }
      routes: { api: { path: /api, to: web } }
      balance: two_choices
      health_check: off
      retries: { tries: 3 }
      passive_health: { fails: 2, for: 10s }
      client_keepalive: off
      reload_grace: off
    load: { arrivals: poisson, mix: { get: { share: 99.5%, cost: 2.5x, path: "/api?x=1", headers: { X-A: "b \"c\"" } }, post: { share: 0.5%, method: POST, body: 2KiB, upload: 500ms } } }
    timeline:
      up: { at: 2s, deploy: { pool: web, drain: 300ms, until: window, strategy: surge, new_generation: unhealthy } }
      down: { after: up, crash: web-1, for: 1s }
      again: { after: down, reload: { every: 500ms, times: 10 } }
      once: { at: 3s, reload: {} }
  b: { topology: { retries: default, passive_health: default } }
  statuses:
    topology: { routes: { all: { expect_status: [2xx, 404] } } }
    load: { connections: 200, mix: { a: { share: 50%, method: HEAD, expect_status: 2xx }, b: { share: 50%, expect_status: [301, 4xx] } } }
  c:
    balancers: [haproxy]
    topology:
      pools: { canary: { backends: 1 } }
      listener: { layer: 4 }
      routes: { all: { to: { web: 99.5%, canary: 0.5% } }, one: { path: /, header: { X-Canary: "true" }, to: canary } }
    load: { headers: { X-A: [b, c], x-a: d }, expect: { pool: canary } }
  d:
    topology: { pools: { canary: { backends: 1 } }, routes: { all: { to: { web: 100%, canary: 0% } } } }
    timeline: { more: { at: 1s, split: { route: all, to: { web: 0%, canary: 100% } } }, ask: { after: more, curl: { path: "/?a", headers: { X-A: [b, c] } } } }
  e:
    topology:
      pools: { web: { sessions: jwt }, shop: { backends: 2, sessions: redis } }
      routes: { all: { path: /, to: web, sticky: { cookie: SRV_1 } }, shop: { path: /shop, to: shop } }
    load: { users: { count: 60, skew: { zipf: 1.5 } } }
    timeline:
      rollout: { at: 2s, deploy: { pool: web, drain: auto, jwt_keys: overlapping } }
      stop: { at: 3s, crash: redis, for: 500ms }
  e-undrained:
    topology:
      pools: { web: { sessions: jwt } }
    load: { users: { count: 60 } }
    timeline: { rollout: { at: 2s, deploy: { pool: web, drain: off, jwt_keys: replaced } } }
  f:
    topology: { pools: { web: { sessions: memory } }, balance: source_hash }
    load: { users: { count: 60, identity: source_address } }
    timeline: { rollout: { at: 2s, deploy: { pool: web, drain: off } } }
control: [ e-undrained.sessions_lost > 0, e-undrained.updates_lost >= 1 ]
expect: [ e.sessions_lost == 0, f.users_moved > 0, e.updates_lost == 0, f.sessions_kept > 0, d.misrouted == 0, d.split_disagreements == 0, "d.pool_share[canary] > 1%", "a.share[web-1] > 1%", a.p99 < 2 × b.p99, "a.queue_mean[web-1] < 1.5", a.imbalance >= 1 ]
"#,
    );
    for plan in [drain_with(&[], &Choice::default()), rich, small_with(EVERY_FAULT), small_with(DEGRADED)] {
        let text = explain(&plan);
        let again = build("explained.yaml", &text, &[], &Choice::default());
        assert_eq!(again.unwrap_or_else(|problems| panic!("{problems}")), plan);
    }
}

#[test]
fn every_default_is_explained() {
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("explained", explain(&small_with("")));
    });
}
