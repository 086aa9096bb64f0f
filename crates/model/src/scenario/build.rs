//! Builds the plan: every variant read and checked, then what was chosen of them.

use super::choice::Choice;
use super::claims::{self, Known};
use super::controls;
use super::document::Scenario;
use super::keys::{self, BalancerChoice, Whole, document};
use super::limits;
use super::problem::{Found, Place, Problem, Problems};
use super::reader::Item;
use super::section::Read;
use super::services;
use super::suggest::suggestion;
use super::tree::{Key, Node, Value};
use crate::catalog::{BalancerKind, Catalog};
use crate::claim::Claim;
use crate::identity::BalancerName;
use crate::plan::{Plan, SavedPlan, Variant};
use crate::target::Target;
use crate::timeline::{Action, Batch, Deploy, Drain, Leaving, Strategy};
use crate::topology::Topology;
use crate::traffic::Traffic;
use crate::units::Span;

/// The variant of a scenario that has none.
const ONLY: &str = "base";

impl Plan {
    /// Checks a scenario for the balancers of `catalog` and makes the plan of what is chosen; reports every
    /// problem there is. All variants are checked, whatever is chosen. A negative control is run even if it is
    /// not chosen, and claims about variants that aren't run are left out.
    pub fn build(scenario: &Scenario, catalog: &Catalog, choice: &Choice) -> Result<Plan, Problems> {
        let found = Found::default();
        let item = Item::document(scenario.document(), &found);
        let patches = variant_patches(item, catalog);
        let variants: Vec<_> = patches
            .iter()
            .map(|(name, patch)| {
                let in_variant = Found::default();
                let document = scenario.variant(name, patch);
                let names = choice.balancers.as_deref();
                let wanted = names.map(|names| BalancerChoice { names, within: says_where(patch) });
                let variant = variant(name, Item::document(&document, &in_variant), catalog, wanted);
                let variant = variant.filter(|_| in_variant.is_empty());
                found.absorb(name, in_variant);
                (*name, variant)
            })
            .collect();
        let known: Vec<Known<'_>> =
            variants.iter().map(|(name, variant)| (*name, variant.as_ref())).collect();
        let mut whole = whole(item, &known, catalog);
        let fail_on = claims::fail_on(&choice.fail_on, &known, catalog, &found);
        if !choice.without_controls {
            controls::check_promises(&fail_on, &whole.control, &known, &found);
        }
        let fail_on: Vec<_> = fail_on.into_iter().map(|written| written.claim).collect();
        whole.expect.extend(fail_on.iter().cloned());
        check_choice(choice, &known, &found);
        let problems = found.take(variants.len());
        if !problems.is_empty() {
            return Err(Problems::new(problems));
        }
        let variants = variants.into_iter().filter_map(|(_, variant)| variant).collect();
        let plan = chosen(SavedPlan { variants, ..whole }, choice);
        let unread = fail_on.iter().zip(&choice.fail_on).filter(|(claim, _)| !plan.expect.contains(claim));
        let unread: Vec<_> = unread.map(|(_, text)| claims::about_nothing_that_runs(text)).collect();
        if unread.is_empty() { Ok(Plan::checked(plan)) } else { Err(Problems::new(unread)) }
    }
}

/// What belongs to the whole document. The plan has no variants yet.
pub(super) fn whole(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> SavedPlan {
    let Whole { plan, control, expect, .. } = document(variants, catalog).read_or_start(item);
    controls::check_controls(&control, item.found);
    let control: Vec<_> = control.into_iter().map(|placed| placed.claim).collect();
    controls::check_promises(&expect, &control, variants, item.found);
    let expect = expect.into_iter().map(|placed| placed.claim).collect();
    SavedPlan { control, expect, ..plan }
}

/// The variants' names and patches; one empty patch if the document has none.
pub(super) fn variant_patches<'d>(document: Item<'d>, catalog: &Catalog) -> Vec<(&'d str, Node)> {
    let only = || vec![(ONLY, Node { place: document.node.place.clone(), value: Value::Map(Vec::new()) })];
    let Some(items) = document.below("variants") else {
        return only();
    };
    let variants = items.named(limits::VARIANTS).unwrap_or_default();
    if variants.is_empty() {
        return items.refuse(items.wrong("`variants` is empty")).unwrap_or_else(only);
    }
    variants.into_iter().map(|item| (item.name, patch(item, catalog))).collect()
}

/// Whether a variant's patch names the balancers that it can run on.
fn says_where(patch: &Node) -> bool {
    matches!(&patch.value, Value::Map(entries) if entries.iter().any(|(key, _)| key.text == "balancers"))
}

/// A variant's patch, without the keys that it must not have.
fn patch(item: Item<'_>, catalog: &Catalog) -> Node {
    let entries = item.map().unwrap_or_default();
    let whole: Vec<_> = document(&[], catalog).names().collect();
    let patchable: Vec<_> = keys::variant("", catalog, None).names().collect();
    for key in whole.iter().filter(|key| !patchable.contains(key)) {
        if let Some(item) = item.below(key) {
            let problem = Problem::new(format!("a variant cannot change `{key}`"), item.key());
            item.found.add(problem.help("it belongs to the whole scenario"));
        }
    }
    if item.is_map() {
        item.refuse_others(&whole);
    }
    let is_patch = |(key, _): &&(Key, Node)| patchable.contains(&key.text.as_str());
    let value = Value::Map(entries.iter().filter(is_patch).cloned().collect());
    Node { place: item.node.place.clone(), value }
}

/// One variant of the merged document.
pub(super) fn variant(
    name: &str,
    document: Item<'_>,
    catalog: &Catalog,
    wanted: Option<BalancerChoice<'_>>,
) -> Option<Variant> {
    let section = keys::variant(name, catalog, wanted);
    let read = section.read_among_others(document)?;
    check_target(&read, document);
    services::check(&read.value, document);
    check_own(&read.value, document);
    let (load, mut variant) = (read.given("load"), read.value);
    check_sessions(load?, &variant.topology, &variant.traffic);
    let given = document.below("topology").and_then(|topology| topology.below("response_timeout"));
    if given.is_none() {
        // So that it is the client that gives up, and no 504 of the balancer hides a hang.
        variant.topology.response_timeout = Span(variant.traffic.timeout.0 + Span::millis(1000).0);
    }
    add_spares(&mut variant);
    Some(variant)
}

/// A load goes to what rig launches or to a target, and a timeline asks for what can be done there.
fn check_target(read: &Read<'_, Variant>, document: Item<'_>) {
    let found = document.found;
    let variant = &read.value;
    let (topology, target) = (read.given("topology"), read.given("target"));
    match (&topology, &target) {
        (None, None) => {
            let problem = document.wrong("`topology` is missing, or `target`");
            found.add(problem.help("`topology` is what rig launches, `target` what it does not"));
        }
        (Some(_), Some(target)) => {
            let problem = Problem::new("`target` stands beside `topology`", target.key());
            found.add(
                problem.help("rig launches what `topology` says, and leaves a `target` as it is: keep one"),
            );
        }
        _ => {}
    }
    if let (Some(balancers), Some(_)) = (read.given("balancers"), &target) {
        let problem = Problem::new("`balancers` stands beside `target`", balancers.key());
        found.add(problem.help("rig launches no balancer there: leave it out"));
    }
    if let (Some(load), Some(Target { url, .. })) = (read.given("load"), &variant.target)
        && variant.traffic.has_sources()
        && !url.takes_sources()
    {
        let users = load.below("users").unwrap_or(load);
        let message = format!(
            "users with source addresses can't reach {}: their addresses are of 127.0.0.0/8",
            url.host
        );
        let help = "`identity: cookie` works with every target, source addresses with one of this machine: `url: http://127.0.0.1:8080`";
        found.add(Problem::new(message, users.key()).help(help));
    }
    let timeline = document.below("timeline");
    for entry in &variant.timeline {
        let Some(item) = timeline.and_then(|timeline| timeline.below(&entry.name)) else { continue };
        if let Err((message, help)) = possible(&entry.action, variant.target.as_ref()) {
            found.add(Problem::new(message, item.key()).help(help));
        }
    }
}

/// A configuration of the user's names the servers that it has.
fn check_own(variant: &Variant, document: Item<'_>) {
    let Some(pool) = variant.topology.pools.iter().find(|pool| pool.discovery.is_some()) else { return };
    if let (Some(name), Some(item)) = (variant.own.keys().next(), document.below("balancers")) {
        let message =
            format!("`{name}` is your own configuration, which rig does not teach to find `{}`", pool.name);
        let help = "remove `discovery`, or run rig's own: `balancers: [haproxy, envoy]`";
        document.found.add(Problem::new(message, item.key()).help(help));
    }
}

/// Whether what rig launches, or `target`, can be treated so; else what is wrong, and what to do.
fn possible(action: &Action, target: Option<&Target>) -> Result<(), (String, &'static str)> {
    let wrong = |message: &str, help| Err((message.to_owned(), help));
    let Some(Target { commands, .. }) = target else {
        return match action {
            Action::Roll(_) => {
                wrong("`roll` is the command of a `target`", "`deploy` replaces what rig launched")
            }
            _ => Ok(()),
        };
    };
    match action {
        Action::Roll(_) if commands.roll.is_none() => {
            wrong("the target has no command `roll`", "add `target: { commands: { roll: [./deploy.sh] } }`")
        }
        Action::Roll(_) => Ok(()),
        Action::Deploy(deploy) => match deploy {
            _ if commands.launch.is_none() => wrong(
                "the target has no commands for the steps of a deploy",
                "give it `terminate`, `launch` and `ready`, or deploy it at once with `roll: {}`",
            ),
            Deploy { leaving: Leaving { drain: Drain::Auto, .. }, .. } => wrong(
                "`drain: auto` is derived from the ledgers of rig's own backends, which a target has not",
                "say how long a drain may take, such as `drain: 5s`",
            ),
            Deploy { leaving: Leaving { drain: Drain::For(_), .. }, .. } if commands.deregister.is_none() => {
                wrong(
                    "a drain needs the commands `deregister` and `register`",
                    "add them to `target: { commands: … }`, or `drain: off`",
                )
            }
            Deploy { leaving: Leaving { termination: Some(_), .. }, .. } => wrong(
                "`told_after` is for what rig launched: a target's commands tell its balancer when they do",
                "let the command `deregister` wait, or deploy it at once with `roll: {}`",
            ),
            Deploy { strategy: Strategy::Surge, .. } => wrong(
                "a target is deployed in place: rig knows no further addresses of it",
                "leave `strategy` out, or deploy it at once with `roll: {}`",
            ),
            Deploy { new_generation_unhealthy: true, .. } => {
                wrong("rig can't make the backends of a target unhealthy", "let its command `launch` do that")
            }
            _ => Ok(()),
        },
        // A new action is refused until it is said here that a target can do it.
        _ => wrong(
            "that can be done only to what rig launched",
            "with a `target`, the timeline can `roll` or `deploy` it",
        ),
    }
}

/// Sessions are of users.
fn check_sessions(load: Item<'_>, topology: &Topology, traffic: &Traffic) {
    if let (Some(pool), None) = (topology.pools.iter().find(|pool| pool.sessions.is_some()), &traffic.users) {
        let message = format!("`{}` keeps sessions, and the load has no users", pool.name);
        load.found.add(Problem::new(message, load.key()).help("add `users: { count: 60 }`"));
    }
}

/// A surge deploy needs as many spare addresses as it replaces backends at the same time; one that gives each
/// new generation a new address needs as many as the pool has backends.
fn add_spares(variant: &mut Variant) {
    let moves = variant.deploys().filter(|deploy| deploy.moves());
    let at_once = |deploy: &Deploy| if deploy.new_address { Batch::All } else { deploy.batch };
    let moved: Vec<(String, Batch)> = moves.map(|deploy| (deploy.pool.clone(), at_once(deploy))).collect();
    let pools = &mut variant.topology.pools;
    let mut taken: Vec<_> =
        pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.id.clone()).collect();
    for pool in pools.iter_mut() {
        let backends = pool.serving().count();
        let of_this = moved.iter().filter(|(name, _)| *name == pool.name);
        let spares = of_this.map(|(_, batch)| batch.size(backends)).max().unwrap_or(0);
        for _ in pool.backends.len() - backends..spares {
            let Some(spare) = keys::next_spare(pool, &taken) else { break };
            taken.push(spare.id.clone());
            pool.backends.push(spare);
        }
    }
}

/// What was asked for on the command line must exist.
fn check_choice(choice: &Choice, variants: &[Known<'_>], found: &Found) {
    let names: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
    for name in choice.variants.iter().flatten().filter(|name| !names.contains(&name.as_str())) {
        let place = Place::command_line(format!("--variant {name}"));
        let problem = Problem::new(format!("there is no variant `{name}`"), &place);
        found.add(problem.help(suggestion(name, names.iter().copied())));
    }
    if let Some(repeats) = choice.repeats.filter(|repeats| !limits::REPEAT.contains(&u64::from(*repeats))) {
        let (least, most) = (limits::REPEAT.start(), limits::REPEAT.end());
        let place = Place::command_line(format!("--repeat {repeats}"));
        found.add(Problem::new(format!("`repeat` must be from {least} to {most}"), &place));
    }
    for name in choice.balancers.iter().flatten().filter(|name| !is_known(**name, variants)) {
        let place = Place::command_line(format!("--balancer {name}"));
        let own = variants.iter().filter_map(|(_, variant)| *variant).flat_map(|variant| variant.own.keys());
        let known: Vec<_> = BalancerKind::ALL
            .map(BalancerKind::name)
            .into_iter()
            .chain(own.map(BalancerName::as_str))
            .collect();
        let problem = Problem::new(format!("there is no balancer `{name}`"), &place);
        found.add(problem.help(suggestion(name.as_str(), known.iter().copied())));
    }
    let nothing_runs =
        variants.iter().all(|(_, variant)| variant.is_some_and(|variant| variant.balancers.is_empty()));
    if let (Some(kinds), true) = (&choice.balancers, nothing_runs && found.is_empty()) {
        let place = Place::command_line(format!("--balancer {}", comma_separated(kinds)));
        found.add(Problem::new("no variant runs on the chosen balancers", &place));
    }
}

fn is_known(name: BalancerName, variants: &[Known<'_>]) -> bool {
    let named = |(_, variant): &Known<'_>| variant.is_some_and(|it| it.balancers.contains(&name));
    name.kind().is_some() || variants.iter().any(named)
}

fn comma_separated(names: &[BalancerName]) -> String {
    names.iter().map(BalancerName::as_str).collect::<Vec<_>>().join(",")
}

/// What is run of a checked scenario. A control that was not chosen is run where a chosen variant's claims ask for it.
fn chosen(plan: SavedPlan, choice: &Choice) -> SavedPlan {
    let named =
        |name: &str| choice.variants.as_ref().is_none_or(|names| names.iter().any(|chosen| chosen == name));
    let is_control = |variant: &Variant| {
        let about = |claim: &&Claim| claim.variants().any(|name| name == variant.name);
        plan.control.iter().filter(about).any(|control| controls::is_asked_for(control, &plan, named))
    };
    let is_chosen =
        |variant: &&Variant| !variant.balancers.is_empty() && (named(&variant.name) || is_control(variant));
    let variants: Vec<_> = plan.variants.iter().filter(is_chosen).cloned().collect();
    let runs =
        |claim: &Claim| claim.variants().all(|name| variants.iter().any(|variant| variant.name == name));
    SavedPlan {
        control: plan.control.iter().filter(|claim| runs(claim)).cloned().collect(),
        expect: plan.expect.iter().filter(|claim| runs(claim)).cloned().collect(),
        repeats: choice.repeats.unwrap_or(plan.repeats),
        seed: choice.seed.unwrap_or(plan.seed),
        variants,
        ..plan
    }
}
