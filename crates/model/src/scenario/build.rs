//! Builds the plan: every variant read and checked, then what was chosen of them.

use super::capabilities::Balancers;
use super::choice::Choice;
use super::claims::{self, Known};
use super::controls;
use super::document::Scenario;
use super::limits;
use super::problem::{Found, Place, Problem, Problems};
use super::read_timeline::{self, Stage};
use super::read_topology;
use super::read_traffic;
use super::reader::Item;
use super::suggest::suggestion;
use super::tree::{Key, Node, Value};
use crate::catalog::{BalancerKind, Catalog};
use crate::claim::Claim;
use crate::plan::{Plan, SCHEMA, SavedPlan, Variant};
use crate::timeline::Strategy;
use crate::topology::{Backend, Pool, Topology};
use crate::traffic::Traffic;

/// Keys that a variant may patch.
const PATCHABLE: [&str; 4] = ["balancers", "topology", "load", "timeline"];
/// Keys that belong to the whole document.
const WHOLE: [&str; 8] = ["name", "question", "seed", "repeat", "variants", "control", "expect", "reading"];
/// The variant of a scenario that has none.
const ONLY: &str = "base";

impl Plan {
    /// Checks a scenario for the balancers of `catalog` and makes the plan of what is chosen; reports every
    /// problem there is. All variants are checked, whatever is chosen. A negative control is run even if it is
    /// not chosen, and claims about variants that aren't run are left out.
    pub fn build(scenario: &Scenario, catalog: &Catalog, choice: &Choice) -> Result<Plan, Problems> {
        let found = Found::default();
        let item = Item::document(scenario.document(), &found);
        let patches = variant_patches(item);
        let variants: Vec<_> = patches
            .iter()
            .map(|(name, patch)| {
                let in_variant = Found::default();
                let document = scenario.variant(name, patch);
                let variant = variant(name, Item::document(&document, &in_variant), catalog, choice);
                let variant = variant.filter(|_| in_variant.is_empty());
                found.absorb(name, in_variant);
                (*name, variant)
            })
            .collect();
        let known: Vec<Known<'_>> =
            variants.iter().map(|(name, variant)| (*name, variant.as_ref())).collect();
        let mut whole = whole(item, &known, catalog);
        let fail_on = claims::fail_on(&choice.fail_on, &known, catalog, &found);
        controls::check_promises(&fail_on, &whole.control, &known, &found);
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

/// The keys of the whole document. The plan has no variants yet.
pub(super) fn whole(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> SavedPlan {
    let mut plan = SavedPlan {
        schema: SCHEMA,
        scenario: String::new(),
        question: String::new(),
        seed: 1,
        repeats: 1,
        variants: Vec::new(),
        control: Vec::new(),
        expect: Vec::new(),
        reading: None,
        unavailable: Vec::new(),
    };
    let Some(mut fields) = item.fields() else {
        return plan;
    };
    plan.scenario = fields.require("name", String::new(), |item| item.own_name());
    plan.question =
        fields.require("question", String::new(), |item| item.text("a question").map(str::to_owned));
    plan.seed = fields.read("seed", plan.seed, |item| item.whole(0..=u64::MAX));
    plan.repeats = fields.read("repeat", plan.repeats, |item| item.count(limits::REPEAT));
    let control = fields.read("control", Vec::new(), |item| claims::claims(item, variants, catalog));
    let expect = fields.read("expect", Vec::new(), |item| claims::claims(item, variants, catalog));
    controls::check_controls(&control, item.found);
    plan.control = control.into_iter().map(|written| written.claim).collect();
    controls::check_promises(&expect, &plan.control, variants, item.found);
    plan.expect = expect.into_iter().map(|written| written.claim).collect();
    plan.reading = fields.get("reading").and_then(|item| claims::prose(item, variants, catalog));
    fields.leave(&PATCHABLE);
    fields.leave(&["variants"]);
    fields.finish();
    plan
}

/// The variants' names and patches; one empty patch if the document has none.
pub(super) fn variant_patches(document: Item<'_>) -> Vec<(&str, Node)> {
    let only = || vec![(ONLY, Node { place: document.node.place.clone(), value: Value::Map(Vec::new()) })];
    let Some(items) = document.fields().and_then(|mut fields| fields.get("variants")) else {
        return only();
    };
    let variants = items.named(limits::VARIANTS).unwrap_or_default();
    if variants.is_empty() {
        return items.refuse(items.wrong("`variants` is empty")).unwrap_or_else(only);
    }
    variants.into_iter().map(|item| (item.name, patch(item))).collect()
}

/// A variant's patch, without the keys that it must not have.
fn patch(item: Item<'_>) -> Node {
    let place = item.node.place.clone();
    let Some(mut fields) = item.fields() else {
        return Node { place, value: Value::Map(Vec::new()) };
    };
    for key in WHOLE {
        if let Some(item) = fields.get(key) {
            let problem = Problem::new(format!("a variant cannot change `{key}`"), item.key());
            item.found.add(problem.help("it belongs to the whole scenario"));
        }
    }
    fields.leave(&PATCHABLE);
    fields.finish();
    let Value::Map(entries) = &item.node.value else {
        return item.node.clone();
    };
    let patchable = |(key, _): &&(Key, Node)| PATCHABLE.contains(&key.text.as_str());
    Node { place, value: Value::Map(entries.iter().filter(patchable).cloned().collect()) }
}

/// One variant of the merged document.
pub(super) fn variant(name: &str, document: Item<'_>, catalog: &Catalog, choice: &Choice) -> Option<Variant> {
    let mut fields = document.fields()?;
    let kinds = fields.read("balancers", BalancerKind::ALL.to_vec(), balancers);
    let is_chosen =
        |kind: &BalancerKind| choice.balancers.as_ref().is_none_or(|chosen| chosen.contains(kind));
    let kinds: Vec<_> = kinds.into_iter().filter(is_chosen).collect();
    let balancers = Balancers { catalog, kinds };

    let load = fields.demand("load");
    let mut load = load.and_then(|item| item.fields());
    let timeout = load.as_mut().map(read_traffic::timeout).unwrap_or_default();
    let topology = fields.demand("topology");
    let topology = topology.and_then(|item| read_topology::topology(item, &balancers, timeout));
    let timeline = fields.get("timeline");
    let topology = topology?;
    let load = load?;
    let load_item = load.item;
    let traffic = read_traffic::traffic(load, timeout, &topology);
    check_sessions(load_item, &topology, &traffic);
    let sources = traffic.has_sources();
    let stage = Stage { topology: &topology, load_ends: traffic.duration, sources, balancers: &balancers };
    let timeline = timeline.and_then(|item| read_timeline::timeline(item, &stage)).unwrap_or_default();
    let mut variant =
        Variant { name: name.to_owned(), balancers: balancers.kinds, topology, traffic, timeline };
    add_spares(&mut variant);
    Some(variant)
}

/// Sessions are of users.
fn check_sessions(load: Item<'_>, topology: &Topology, traffic: &Traffic) {
    if let (Some(pool), None) = (topology.pools.iter().find(|pool| pool.sessions.is_some()), &traffic.users) {
        let message = format!("`{}` keeps sessions, and the load has no users", pool.name);
        load.found.add(Problem::new(message, load.key()).help("add `users: { count: 60 }`"));
    }
}

fn balancers(item: Item<'_>) -> Option<Vec<BalancerKind>> {
    let words = BalancerKind::ALL.map(|kind| (kind.name(), kind));
    let mut kinds = Vec::new();
    for item in item.list(BalancerKind::ALL.len())? {
        match item.word(&words) {
            Some(kind) if kinds.contains(&kind) => {
                item.found.add(item.wrong(format!("{kind} is named twice")))
            }
            Some(kind) => kinds.push(kind),
            None => {}
        }
    }
    if kinds.is_empty() {
        return item.refuse(item.wrong("`balancers` names none"));
    }
    Some(kinds)
}

/// A surge deploy needs an address more than the pool has backends.
fn add_spares(variant: &mut Variant) {
    let surged: Vec<_> = variant
        .deploys()
        .filter(|deploy| deploy.strategy == Strategy::Surge)
        .map(|deploy| deploy.pool.clone())
        .collect();
    let pools = &mut variant.topology.pools;
    let mut taken: Vec<_> =
        pools.iter().flat_map(|pool| &pool.backends).map(|backend| backend.id.clone()).collect();
    for pool in pools.iter_mut().filter(|pool| surged.contains(&pool.name)) {
        if let Some(spare) = spare(pool, &taken) {
            taken.push(spare.id.clone());
            pool.backends.push(spare);
        }
    }
}

/// It has the settings of the pool's first backend, whose place it is the first to take, and the next number
/// that no backend has.
fn spare(pool: &Pool, taken: &[String]) -> Option<Backend> {
    let first = pool.backends.first()?;
    let mut names = (pool.backends.len() + 1..).map(|n| format!("{}-{n}", pool.name));
    let id = names.find(|name| !taken.contains(name))?;
    Some(Backend { id, spare: true, ..first.clone() })
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
    let nothing_runs =
        variants.iter().all(|(_, variant)| variant.is_some_and(|variant| variant.balancers.is_empty()));
    if let (Some(kinds), true) = (&choice.balancers, nothing_runs) {
        let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        let place = Place::command_line(format!("--balancer {}", kinds.join(",")));
        found.add(Problem::new("no variant runs on the chosen balancers", &place));
    }
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
