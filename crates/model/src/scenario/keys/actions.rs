//! The keys that say what an entry of the timeline does.

use std::rc::Rc;

use super::class::{headers, target};
use super::degrade::degrade;
use super::deploy::deploy;
use super::routes::split;
use super::scale::{add, remove};
use super::timeline::{ActedUpon, Draft};
use crate::catalog::Capability;
use crate::scenario::form::{Form, name_of, number, quantity, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::{Item, written_last};
use crate::scenario::section::{Read, Section};
use crate::sessions::STORE;
use crate::timeline::{
    Action, CurlRequest, Fault, FaultKind, Keeps, Reload, ReloadProcess, Roll, SplitChange,
};
use crate::topology::{Layer, Topology};
use crate::units::Span;

/// Declares a key for one kind of action.
macro_rules! action {
    ($section:expr, $key:literal, $form:expr, $action:ident, $about:literal) => {
        $section
            .maybe(
                $key,
                $form.map(Action::$action, |action| match action {
                    Action::$action(it) => Some(it.clone()),
                    _ => None,
                }),
                |draft| &mut draft.action,
            )
            .about($about)
    };
}

/// Every action, one of which an entry has.
pub(super) fn actions<'s>(section: Section<'s, Draft>, stage: &Rc<ActedUpon<'s>>) -> Section<'s, Draft> {
    let section =
        action!(section, "deploy", deploy(stage), Deploy, "Replaces a pool's backends one after another.");
    let section = action!(section, "remove", remove(stage), Remove, "Takes a backend away: scaling in.");
    let section = action!(section, "add", add(stage), Add, "Starts one more backend: scaling out.");
    let section = action!(section, "reload", reload(stage), Reload, "Reloads the balancer; `{}` is once.");
    let section =
        action!(section, "degrade", degrade(stage), Degrade, "Tells a running backend to misbehave.");
    let section = action!(section, "split", split_change(stage), Split, "Changes the shares of a route.");
    let section = action!(section, "curl", curl(), Curl, "Asks by curl; the transcript is in the report.");
    let section = action!(
        section,
        "roll",
        roll(),
        Roll,
        "Deploys the target by its command `roll`; `{}` is all of it."
    );
    let fault = |section: Section<'s, Draft>, kind: FaultKind| {
        let of_kind = move |action: &Action| match action {
            Action::Fault(fault) if fault.kind == kind => Some(fault.backend.clone()),
            _ => None,
        };
        let fault = move |backend| Action::Fault(Fault { kind, backend, lasts: None });
        let form = victim(kind, stage).map(fault, of_kind);
        section.maybe(kind.name(), form, |draft| &mut draft.action).about(about(kind))
    };
    FaultKind::ALL.iter().copied().fold(section, fault)
}

fn about(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Crash => {
            "SIGKILL to that backend; its address refuses connections. Healed by starting it again."
        }
        FaultKind::Term => {
            "SIGTERM, so that `on_term` decides about requests in flight. Healed by starting it again."
        }
        FaultKind::Freeze => "Its process stands still: connections are accepted and never answered.",
        FaultKind::Partition => "Its network is cut: packets vanish both ways. Needs containers.",
        FaultKind::HostLoss => "A crash whose address vanishes: silence, not refusal. Needs containers.",
    }
}

fn roll<'s>() -> Form<'s, Roll> {
    Section::new("roll", "The deploy of a target at once.", Roll {}).on_a_line().whole()
}

/// A backend, or the session store, if that can befall it.
fn victim<'s>(kind: FaultKind, stage: &ActedUpon<'_>) -> Form<'s, String> {
    let mut backends = stage.backends();
    let stored = stage.topology.has_session_store();
    backends.extend(stored.then(|| STORE.to_owned()));
    let of_a_store = matches!(kind, FaultKind::Crash | FaultKind::Term | FaultKind::Freeze);
    name_of("backend", backends).checked(move |item, backend| {
        if backend == STORE && stored && !of_a_store {
            let problem = item.wrong(format!("`{}` cannot befall the session store", kind.name()));
            item.found.add(problem.help("`crash`, `term` and `freeze` can"));
        }
    })
}

/// New shares of a route that has shares: its balancers are set up for that.
fn split_change<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, SplitChange> {
    let routes = stage.topology.routes.iter().map(|route| route.name.clone()).collect();
    let stage = Rc::clone(stage);
    let start = SplitChange { route: String::new(), to: crate::split::Split::all_to("") };
    Section::new("split", "New shares of a route.", start)
        .key("route", name_of("route", routes), |it| &mut it.route)
        .about("A route that has shares.")
        .required()
        .key("to", split(stage.pools()), |it| &mut it.to)
        .about("Its new shares, of the same pools in the same order.")
        .required()
        .on_a_line()
        .form(
            move |read| {
                check_split(&read, &stage.topology);
                (read.knows("route") && read.knows("to")).then_some(read.value)
            },
            |split| Some(split.clone()),
        )
}

fn check_split(read: &Read<'_, SplitChange>, topology: &Topology) {
    let item = read.item;
    if topology.listener.layer == Layer::Four {
        let problem = Problem::new("a listener at layer 4 sees no requests that could be split", item.key());
        item.found.add(problem.help("`listener: { layer: 7 }`, or no `split`"));
    }
    let SplitChange { route, to } = &read.value;
    let (Some(place), Some(to_place)) = (read.given("route"), read.given("to")) else { return };
    let split_before = topology.route(route).map(|known| &known.to);
    if let Some(known) = split_before.filter(|known| read.knows("to") && known.pools().ne(to.pools())) {
        let message = format!("the route `{route}` goes to `{known}`, in whose place `{to}` cannot be put");
        let help = "the route and its splits name the same pools in the same order; `0%` is a share";
        let last = written_last([place, to_place]).unwrap_or(place);
        item.found.add(last.wrong(message).help(help));
    }
}

fn curl<'s>() -> Form<'s, CurlRequest> {
    let start = CurlRequest { path: "/".to_owned(), headers: Vec::new(), times: 1 };
    Section::new("curl", "A request by curl.", start)
        .key("path", target(), |it| &mut it.path)
        .about("What is asked for.")
        .required()
        .key("headers", headers(), |it| &mut it.headers)
        .about("Headers; a list of values repeats one.")
        .key("times", number(1..=100), |it| &mut it.times)
        .about("How often, each time on a connection of its own.")
        .on_a_line()
        .whole()
}

/// `{}` is one reload.
fn reload<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Reload> {
    let (stage, second) = (Rc::clone(stage), Rc::clone(stage));
    let every = Span::millis(10)..=Span::millis(3_600_000);
    let start = Reload { every: *every.start(), ..Reload::default() };
    Section::new("reload", "Reloads of the balancer.", start)
        .key("times", number(1..=1000), |it| &mut it.times)
        .about("How often, each once the one before has taken effect.")
        .key("every", quantity(every), |it| &mut it.every)
        .about("The time between two; needed for more than one.")
        .optional()
        .key(
            "keeps",
            words([
                ("rotation", Keeps::Rotation),
                ("configuration", Keeps::Configuration),
                ("state", Keeps::State),
            ])
            .checked(move |item, keeps| match keeps {
                Keeps::Rotation => {}
                Keeps::Configuration => {
                    let what = "forget at a reload who is out of rotation";
                    stage.balancers.must(Capability::ForgetfulReload, what, &item);
                }
                Keeps::State => {
                    let what = "save the state of its servers and load it at a reload";
                    stage.balancers.must(Capability::SavedState, what, &item);
                }
            }),
            |it| &mut it.keeps,
        )
        .about(
            "What it keeps of what the balancer was told while it ran: `rotation` renders its file \
             again, without the backends that are out; `configuration` reads the file that it was started \
             from, so that a backend which is being drained gets requests again; `state` as well, and \
             what HAProxy has saved of its servers by `show servers state` just before.",
        )
        .key(
            "process",
            words([
                ("kept", ReloadProcess::Kept),
                ("takeover", ReloadProcess::Takeover),
                ("rebind", ReloadProcess::Rebind),
            ])
            .checked(move |item, process| match process {
                ReloadProcess::Kept => {}
                ReloadProcess::Takeover => {
                    let what = "hand its listening sockets over to a new process";
                    second.balancers.must(Capability::Takeover, what, &item);
                }
                ReloadProcess::Rebind => {
                    let what = "start a new process that binds its address beside it";
                    second.balancers.must(Capability::Rebind, what, &item);
                }
            }),
            |it| &mut it.process,
        )
        .about(
            "Which process serves after it: `kept`, the same; `takeover`, a new one that is given the listening sockets \
             of the old one (HAProxy's `-x` with `-sf`, Envoy's hot restart); `rebind`, a new one that binds the \
             address itself before the old one lets go of it (HAProxy's `-sf` alone).",
        )
        .on_a_line()
        .form(|read| often(&read), |reload| Some(*reload))
}

/// A single reload has nothing to be apart from; several do.
fn often(read: &Read<'_, Reload>) -> Option<Reload> {
    let item: Item<'_> = read.item;
    let times = read.value.times;
    match (read.given("times"), read.given("every")) {
        (None, Some(every)) if read.knows("every") => {
            let problem = Problem::new("`every` means nothing for a single reload", every.key());
            item.refuse(problem.help("say how many: `times: 10`"))
        }
        (Some(_), None) if times > 1 => {
            let problem = Problem::new(format!("{times} reloads, and not how far apart"), item.key());
            item.refuse(problem.help("add `every: 500ms`"))
        }
        _ => Some(read.value),
    }
}
