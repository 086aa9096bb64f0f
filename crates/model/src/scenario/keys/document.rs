//! The keys of the whole document, and of them those that a variant may change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::load::{self, load};
use super::target::target;
use super::timeline::{ActedUpon, timeline};
use super::topology::{self, topology};
use crate::catalog::{BalancerKind, Capability, Catalog, Lack, Release};
use crate::claim::{AnswerPicture, Claim};
use crate::identity::{BalancerName, TARGET};
use crate::plan::{OwnBalancer, SCHEMA, SavedPlan, Variant};
use crate::scenario::capabilities::Balancers;
use crate::scenario::claims::{self, Known, Placed};
use crate::scenario::form::{Form, Is, either, number, text};
use crate::scenario::limits;
use crate::scenario::picture::picture;
use crate::scenario::problem::{Place, Problem};
use crate::scenario::reader::Item;
use crate::scenario::section::Section;
use crate::scenario::shape::{Shape, Text};
use crate::scenario::written::Written;
use crate::target::Target;
use crate::topology::Topology;

/// A document while it is read: a plan without variants, and claims with their places.
#[derive(Clone)]
pub(crate) struct Whole {
    pub(crate) plan: SavedPlan,
    pub(crate) control: Vec<Placed>,
    pub(crate) expect: Vec<Placed>,
    /// What variants inherit is read with each of them.
    inherited: Variant,
}

impl Whole {
    /// The document that says `plan`.
    pub(crate) fn of(plan: &SavedPlan) -> Whole {
        let nowhere = Place::command_line(String::new());
        let placed = |claim: &Claim| Placed { claim: claim.clone(), place: nowhere.clone() };
        let (control, expect) = (&plan.control, &plan.expect);
        Whole {
            control: control.iter().map(placed).collect(),
            expect: expect.iter().map(placed).collect(),
            ..Whole { plan: plan.clone(), ..nothing() }
        }
    }
}

fn nothing() -> Whole {
    let plan = SavedPlan {
        schema: SCHEMA,
        scenario: String::new(),
        question: String::new(),
        seed: 1,
        repeats: 1,
        variants: Vec::new(),
        control: Vec::new(),
        expect: Vec::new(),
        figure: AnswerPicture::of_losses(),
        reading: None,
        unavailable: Vec::new(),
        skipped: Vec::new(),
    };
    Whole { plan, control: Vec::new(), expect: Vec::new(), inherited: no_variant("") }
}

fn no_variant(name: &str) -> Variant {
    Variant {
        name: name.to_owned(),
        balancers: BalancerKind::UNLESS_NAMED.map(BalancerName::from).to_vec(),
        own: BTreeMap::new(),
        target: None,
        topology: Topology::default(),
        traffic: load::nothing(),
        timeline: Vec::new(),
    }
}

/// The whole scenario. Claims are about `variants`.
pub(crate) fn document<'s>(variants: &'s [Known<'s>], catalog: &'s Catalog) -> Section<'s, Whole> {
    let claims = move || {
        let claim = || text(Text::Claim, |_| None::<String>).shape();
        Form::new(
            Is::List,
            move || Shape::List { of: Box::new(claim()), least: 0, most: limits::CLAIMS },
            move |item| claims::claims(item, variants, catalog),
            |claims: &Vec<Placed>| {
                Written::list(claims.iter().map(|placed| Written::quoted(&placed.claim.text)))
            },
        )
    };
    let question = |item: Item<'_>| item.text("a question").map(str::to_owned);
    Section::new("scenario", "A question to load balancers, and the experiment that answers it.", nothing())
        .key("name", text(Text::Name, |item: Item<'_>| item.own_name()).written(Written::plain), |it| {
            &mut it.plan.scenario
        })
        .about("Names the scenario, and its directory below `results/`.")
        .required()
        .key("question", text(Text::Prose, question), |it| &mut it.plan.question)
        .about("What the scenario asks; reports begin with it.")
        .required()
        .include(variant("", catalog, None).elsewhere(), |it| &mut it.inherited)
        .part("variants", patches(catalog), |_| None, |_, ()| {})
        .about(
            "What is compared: merge patches (RFC 7386) over everything else of the scenario. Maps \
             merge key by key, `null` removes a key, anything else replaces.",
        )
        .unless("one variant, called `base`, which changes nothing")
        .explained(move |it, _| {
            let each = |it: &Variant| variant(&it.name, catalog, None).write(it);
            Written::map(it.plan.variants.iter().map(|it| (it.name.as_str(), each(it))))
        })
        .key("control", claims(), |it| &mut it.control)
        .about(
            "Negative controls: claims that must hold, such as that a deploy without draining loses \
             requests. A claim that few or none were lost in a deploy or fault needs one on another \
             variant with the same load and the same deploy or fault.",
        )
        .optional()
        .key("expect", claims(), |it| &mut it.expect)
        .about("Claims that make the run pass or fail.")
        .optional()
        .key("figure", text(Text::Figure, move |item| picture(item, variants, catalog)), |it| {
            &mut it.plan.figure
        })
        .about(
            "What the picture of the answer shows of every cell: a metric, or one beside another that it is held against. \
             `[*]` is each of its parts.",
        )
        .maybe("reading", text(Text::Prose, move |item| claims::prose(item, variants, catalog)), |it| {
            &mut it.plan.reading
        })
        .about(
            "What the figures mean, printed for each balancer. Figures stand in braces, such as \
             `{with-drain.dropped}`.",
        )
        .key("seed", number(0..=u64::MAX), |it| &mut it.plan.seed)
        .about("Seed of arrivals, service times and the order of cells.")
        .key("repeat", number(limits::REPEAT), |it| &mut it.plan.repeats)
        .about("How often each cell is run.")
        .explained_first(&["name", "question", "seed", "repeat", "control", "expect", "figure", "reading"])
}

/// The patches by their variants' names, which are merged before they are read.
fn patches<'s>(catalog: &'s Catalog) -> Form<'s, ()> {
    let shape = move || {
        let patch = Shape::Patch(variant("", catalog, None).outline());
        Shape::Named { names: Text::Name, of: Box::new(patch), most: limits::VARIANTS }
    };
    Form::new(Is::Map, shape, |_| Some(()), |()| Written::Nothing)
}

/// The balancers that were chosen on the command line.
#[derive(Clone, Copy)]
pub(crate) struct BalancerChoice<'s> {
    /// Their names.
    pub(crate) names: &'s [BalancerName],
    /// Whether the variant has a list of its own, which says where it can run.
    pub(crate) within: bool,
}

impl BalancerChoice<'_> {
    /// Those of `asked` that were chosen, or the versions of them. A list of kinds that stands for the whole scenario gives way
    /// to the choice.
    fn of(self, asked: Vec<ChosenBalancers>) -> Vec<ChosenBalancers> {
        let is_open = !self.within && asked.iter().all(|(name, own)| own.is_none() && name.kind().is_some());
        if !is_open {
            return asked.into_iter().flat_map(|(name, own)| kept(name, own.as_ref(), self.names)).collect();
        }
        let mut chosen: Vec<BalancerName> = Vec::new();
        for choice in self.names.iter().filter(|name| name.kind().is_some()) {
            let meant: Vec<BalancerName> =
                asked.iter().map(|(name, _)| *name).filter(|name| choice.means(name)).collect();
            let meant = if meant.is_empty() { vec![*choice] } else { meant };
            chosen.extend(meant.into_iter().filter(|name| !chosen.contains(name)).collect::<Vec<_>>());
        }
        chosen.into_iter().map(|name| (name, None)).collect()
    }
}

/// The keys that a variant may change. Of its balancers, those are kept that are `wanted`.
pub(crate) fn variant<'s>(
    name: &str,
    catalog: &'s Catalog,
    wanted: Option<BalancerChoice<'s>>,
) -> Section<'s, Variant> {
    let kept = move |asked: Vec<ChosenBalancers>| match wanted {
        Some(wanted) => wanted.of(asked),
        None => asked,
    };
    let mut start = no_variant(name);
    start.balancers = kept(start.balancers.iter().map(|name| (*name, None)).collect())
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let asked = |it: &Variant| {
        let own = |name: &BalancerName| (*name, it.own.get(name).cloned());
        Some(it.balancers.iter().map(own).collect())
    };
    let able = move |it: &Variant| Balancers { catalog, releases: it.releases() };
    Section::new("variant", "What this variant changes.", start)
        .part("balancers", balancers(catalog).map(kept, |asked| Some(asked.clone())), asked, |it, asked| {
            it.balancers = asked.iter().map(|(name, _)| *name).collect();
            it.own = asked.into_iter().filter_map(|(name, own)| Some((name, own?))).collect();
        })
        .about(
            "The load balancers that are asked: of rig's kinds, each perhaps in one version (`nginx@1.31`), or by \
             name with configurations of your own.",
        )
        .unless("nginx, haproxy and envoy")
        .explained_if(|it| it.target.is_none())
        .part(
            "target",
            target(),
            |it| it.target.clone(),
            move |it, target: Target| {
                it.balancers =
                    kept(vec![(BalancerName::target(), None)]).into_iter().map(|(name, _)| name).collect();
                it.topology = topology::of_target(&target);
                it.target = Some(target);
            },
        )
        .about("What the load goes to, where rig launches neither balancer nor backends.")
        .unless("rig launches what `topology` says")
        .following("topology", move |it| topology(able(it)), |it| &mut it.topology)
        .about("What stands: backends, routes, the balancer's set-up.")
        .unless("with `target` there is none")
        .explained_if(|it| it.target.is_none())
        .following("load", |it| load(&it.topology), |it| &mut it.traffic)
        .about("The requests, sent on a schedule that does not wait for responses.")
        .required()
        .following(
            "timeline",
            move |it| {
                let (topology, load_ends) = (it.topology.clone(), it.traffic.duration);
                timeline(ActedUpon {
                    topology,
                    load_ends,
                    sources: it.traffic.has_sources(),
                    balancers: able(it),
                })
            },
            |it| &mut it.timeline,
        )
        .about("What happens while the load runs, by name.")
        .one_of(&["topology", "target"])
}

/// A balancer, and its own configuration if it has one.
type ChosenBalancers = (BalancerName, Option<OwnBalancer>);

/// What runs of a balancer of the scenario, by what the user chose: itself, or the versions of it.
fn kept(name: BalancerName, own: Option<&OwnBalancer>, chosen: &[BalancerName]) -> Vec<ChosenBalancers> {
    let is_chosen = chosen.iter().any(|choice| choice.means(&name));
    let versions = chosen.iter().filter(|choice| **choice != name && own.is_none() && name.means(choice));
    let versions = versions.map(|version| (*version, None));
    is_chosen.then(|| (name, own.cloned())).into_iter().chain(versions).collect()
}

/// rig's own by their kinds, or by name with configurations of the user's.
fn balancers<'s>(catalog: &'s Catalog) -> Form<'s, Vec<ChosenBalancers>> {
    let write = move |asked: &Vec<ChosenBalancers>| match asked.iter().any(|(_, own)| own.is_some()) {
        false => Written::list(asked.iter().map(|(name, _)| Written::plain(name))),
        true => Written::map(
            asked.iter().filter_map(|(name, it)| Some((name.as_str(), own(catalog).write(it.as_ref()?)))),
        ),
    };
    either(of_kinds(), of_names(catalog)).written(write)
}

fn of_names<'s>(catalog: &'s Catalog) -> Form<'s, Vec<ChosenBalancers>> {
    let read = move |item: Item<'_>| {
        let mut asked: Vec<ChosenBalancers> = Vec::new();
        for item in item.named(limits::BALANCERS)? {
            let name = item.name.parse::<BalancerName>().ok().filter(|name| name.as_str() != TARGET);
            let Some(name) = name.filter(|name| name.kind().is_none()) else {
                let help = "such as `mine`: the names of rig's kinds, and `target`, are taken";
                let message = format!("`{}` can't name a configuration", item.name);
                item.found.add(Problem::new(message, item.key()).help(help));
                continue;
            };
            asked.extend(own(catalog).read(item).map(|own| (name, Some(own))));
        }
        if asked.is_empty() && item.is_empty_map() {
            return item.refuse(item.wrong("`balancers` names none"));
        }
        Some(asked)
    };
    let shape = move || Shape::Named {
        names: Text::Name,
        of: Box::new(own(catalog).shape()),
        most: limits::BALANCERS,
    };
    Form::new(Is::Map, shape, read, |_| Written::Nothing)
}

/// A balancer with a configuration of the user's.
fn own<'s>(catalog: &'s Catalog) -> Form<'s, OwnBalancer> {
    let kind = release().checked(move |item, release| {
        if let Some(Lack { reason, .. }) = catalog.lacks(*release, Capability::OwnConfiguration) {
            let problem =
                item.wrong(format!("{release} cannot run a configuration of your own here: {reason}"));
            item.found.add(problem.help(format!("`balancers: [{release}]` runs it with rig's own")));
        }
    });
    let config = || text(Text::Prose, |item: Item<'_>| item.text("the path of a file").map(str::to_owned));
    let start = OwnBalancer { kind: BalancerKind::ALL[0], version: None, config: PathBuf::new() };
    let written = |path: &PathBuf| Some(path.display().to_string());
    Section::new("balancer", "A balancer with a configuration of your own.", start)
        .part(
            "kind",
            kind,
            |it| Some(Release { kind: it.kind, version: it.version }),
            |it, Release { kind, version }| (it.kind, it.version) = (kind, version),
        )
        .about("What it is, perhaps in one version: `nginx`, or `nginx@1.31`.")
        .required()
        .key("config", config().map(PathBuf::from, written), |it| &mut it.config)
        .about("Its configuration: the template that `rig adopt` writes, by its path from the scenario.")
        .required()
        .on_a_line()
        .form(
            |read| (read.knows("kind") && read.knows("config")).then_some(read.value),
            |own| Some(own.clone()),
        )
}

fn of_kinds<'s>() -> Form<'s, Vec<ChosenBalancers>> {
    let read = move |item: Item<'_>| {
        let mut names: Vec<BalancerName> = Vec::new();
        for item in item.list(limits::BALANCERS)? {
            match release().read(item).map(BalancerName::from) {
                Some(name) if names.contains(&name) => {
                    item.found.add(item.wrong(format!("{name} is named twice")))
                }
                Some(name) => names.push(name),
                None => {}
            }
        }
        if names.is_empty() {
            return item.refuse(item.wrong("`balancers` names none"));
        }
        Some(names.into_iter().map(|name| (name, None)).collect())
    };
    let shape = || Shape::List { of: Box::new(release().shape()), least: 1, most: limits::BALANCERS };
    Form::new(Is::List, shape, read, |_| Written::Nothing)
}

/// A kind of balancer, perhaps in one version.
fn release<'s>() -> Form<'s, Release> {
    let kinds = BalancerKind::ALL.map(|kind| (kind.name(), Release::from(kind)));
    let named = kinds.map(|(name, _)| name);
    let read = move |item: Item<'_>| {
        let name = item.scalar()?.parse::<BalancerName>().ok().filter(|name| name.version().is_some());
        match name.and_then(|name| Release::try_from(name).ok()) {
            Some(release) => Some(release),
            None => item.word_or(&kinds, "one of them in a version, such as `nginx@1.31`"),
        }
    };
    let shape = move || Shape::Either(vec![Shape::Words(named.to_vec()), Shape::Text(Text::Release)]);
    Form::new(Is::Scalar, shape, read, Written::plain)
}
