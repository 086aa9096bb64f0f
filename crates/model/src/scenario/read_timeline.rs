//! Reads `timeline`: what happens while the load runs.

use super::capabilities::Balancers;
use super::limits;
use super::problem::{Place, Problem};
use super::read_degrade::degrade;
use super::reader::{Fields, Item, written_last};
use super::{read_routes, read_traffic};
use crate::catalog::Capability;
use crate::sessions::{JwtKeys, STORE, Sessions};
use crate::timeline::{
    Action, CurlRequest, Deploy, Deregister, Drain, Entry, Fault, FaultKind, Keeps, Reload, SplitChange,
    Strategy, Until, When,
};
use crate::topology::{Balance, Layer, Topology};
use crate::units::Span;

/// What the entries act upon.
pub(crate) struct Stage<'s> {
    pub(crate) topology: &'s Topology,
    pub(crate) load_ends: Span,
    /// Whether the load comes from many addresses.
    pub(crate) sources: bool,
    pub(crate) balancers: &'s Balancers<'s>,
}

/// An entry, with what the checks across entries point at.
struct Located<'d> {
    entry: Entry,
    item: Item<'d>,
    when: Option<Item<'d>>,
}

pub(crate) fn timeline(item: Item<'_>, stage: &Stage<'_>) -> Option<Vec<Entry>> {
    let items = item.named(limits::TIMELINE)?;
    let names: Vec<_> = items.iter().map(|item| item.name).collect();
    let entries: Vec<_> = items.iter().filter_map(|item| entry(*item, &names, stage)).collect();
    for (place, located) in entries.iter().enumerate() {
        check_order(located, &entries);
        check_deployed_once(located, &entries[..place]);
        check_split_alone(located, &entries);
    }
    Some(entries.into_iter().map(|located| located.entry).collect())
}

fn entry<'d>(item: Item<'d>, names: &[&str], stage: &Stage<'_>) -> Option<Located<'d>> {
    let mut fields = item.fields()?;
    let (at, after) = (fields.get("at"), fields.get("after"));
    let when = match (at, after) {
        (Some(item), None) => begins_at(item, stage.load_ends),
        (None, Some(item)) => item.known_name("entry of the timeline", names).map(When::After),
        (Some(at), Some(after)) => {
            let last = written_last([at, after])?;
            item.refuse(Problem::new(format!("`{}` has both `at` and `after`", item.name), last.key()))
        }
        (None, None) => item.refuse(
            Problem::new(format!("`{}` does not say when it begins", item.name), item.key())
                .help("add `at: 4s`, or `after: ENTRY`"),
        ),
    };
    let jitter = jitter(fields.get("jitter"), at, when.as_ref(), stage.load_ends);
    let action = action(&mut fields, stage);
    fields.finish();
    let entry = Entry {
        name: item.name.to_owned(),
        // A bad time goes on as the latest, which is too early for nothing.
        when: when.unwrap_or(When::At(*limits::AT.end())),
        jitter,
        action: action?,
    };
    Some(Located { entry, item, when: at.or(after) })
}

fn begins_at(item: Item<'_>, load_ends: Span) -> Option<When> {
    let at = item.quantity(limits::AT)?;
    if at >= load_ends {
        return item.refuse(item.wrong(format!("`at: {at}` is not before the load's end at {load_ends}")));
    }
    Some(When::At(at))
}

/// How much later than `at` an entry may begin.
fn jitter(item: Option<Item<'_>>, at: Option<Item<'_>>, when: Option<&When>, load_ends: Span) -> Span {
    let Some(item) = item else { return Span::default() };
    if at.is_none() {
        let problem = Problem::new("`jitter` shifts `at`, which is missing", item.key());
        item.found.add(problem.help("what comes `after` another entry moves with it"));
    }
    let jitter = item.quantity(limits::AT).unwrap_or_default();
    if let Some(When::At(at)) = when
        && *at < load_ends
        && at.0 + jitter.0 >= load_ends.0
    {
        let latest = Span(at.0 + jitter.0);
        let message = format!(
            "`jitter: {jitter}` makes it {latest} at the latest, not before the load's end at {load_ends}"
        );
        item.found.add(item.wrong(message));
    }
    jitter
}

/// Exactly one action.
fn action(fields: &mut Fields<'_>, stage: &Stage<'_>) -> Option<Action> {
    let owner = fields.item;
    let (deploy_item, reload_item) = (fields.get("deploy"), fields.get("reload"));
    let degrade_item = fields.get("degrade");
    let (split_item, curl_item) = (fields.get("split"), fields.get("curl"));
    let faults: Vec<_> = FaultKind::ALL
        .into_iter()
        .filter_map(|kind| fields.get(kind.name()).map(|item| (kind, item)))
        .collect();
    let lasting = fields.get("for");
    let ending_by_themselves = [deploy_item, reload_item, split_item, curl_item];
    let others = ending_by_themselves.into_iter().chain([degrade_item]).flatten();
    let actions: Vec<_> = others.chain(faults.iter().map(|(_, item)| *item)).collect();
    if let [_, _, ..] = actions.as_slice() {
        let last = written_last(actions.iter().copied())?;
        let both: Vec<_> = actions.iter().map(|item| format!("`{}`", item.name)).collect();
        let problem = Problem::new(
            format!("`{}` does more than one thing: {}", owner.name, both.join(", ")),
            last.key(),
        );
        return owner.refuse(problem.help("give each action an entry of its own"));
    }
    if let (Some(item), Some(lasting)) = (ending_by_themselves.into_iter().flatten().next(), lasting) {
        let problem = format!("`for` heals a fault; a {} ends by itself", item.name);
        owner.found.add(Problem::new(problem, lasting.key()));
    }
    if let Some(item) = deploy_item {
        return deploy(item, stage).map(Action::Deploy);
    }
    if let Some(item) = degrade_item {
        return degrade(item, lasting, stage.topology).map(Action::Degrade);
    }
    if let Some(item) = split_item {
        return split_change(item, stage.topology).map(Action::Split);
    }
    if let Some(item) = curl_item {
        return curl(item).map(Action::Curl);
    }
    if let Some(item) = reload_item {
        return reload(item, stage.balancers).map(Action::Reload);
    }
    if let [(kind, item)] = faults.as_slice() {
        return fault(*kind, *item, lasting, stage.topology).map(Action::Fault);
    }
    let problem = Problem::new(format!("`{}` does nothing", owner.name), owner.key());
    let known: Vec<_> = FaultKind::ALL.iter().map(|kind| format!("`{}`", kind.name())).collect();
    owner.refuse(
        problem
            .help(format!("add one of `deploy`, `reload`, `degrade`, `split`, `curl`, {}", known.join(", "))),
    )
}

/// New shares of a route that has shares: its balancers are set up for that.
fn split_change(item: Item<'_>, topology: &Topology) -> Option<SplitChange> {
    let mut fields = item.fields()?;
    let routes: Vec<_> = topology.routes.iter().map(|route| route.name.as_str()).collect();
    let route_item = fields.demand("route");
    let route = route_item.and_then(|item| item.known_name("route", &routes));
    let pools: Vec<_> = topology.pools.iter().map(|pool| pool.name.as_str()).collect();
    let to = fields.demand("to").and_then(|item| read_routes::split(item, &pools).map(|to| (item, to)));
    fields.finish();
    if topology.listener.layer == Layer::Four {
        let problem = Problem::new("a listener at layer 4 sees no requests that could be split", item.key());
        item.found.add(problem.help("`listener: { layer: 7 }`, or no `split`"));
    }
    let (route, (to_item, to)) = (route?, to?);
    let split_before = topology.route(&route).map(|known| &known.to);
    if let (Some(known), Some(place)) = (split_before, route_item)
        && known.pools().ne(to.pools())
    {
        let message = format!("the route `{route}` goes to `{known}`, in whose place `{to}` cannot be put");
        let help = "the route and its splits name the same pools in the same order; `0%` is a share";
        let last = written_last([place, to_item]).unwrap_or(place);
        item.found.add(last.wrong(message).help(help));
    }
    Some(SplitChange { route, to })
}

fn curl(item: Item<'_>) -> Option<CurlRequest> {
    let mut fields = item.fields()?;
    let path = fields.require("path", "/".to_owned(), read_traffic::path);
    let headers = fields.read("headers", Vec::new(), read_traffic::headers);
    let times = fields.read("times", 1, |item| item.count(limits::CURLS));
    fields.finish();
    Some(CurlRequest { path, headers, times })
}

fn fault(kind: FaultKind, item: Item<'_>, lasting: Option<Item<'_>>, topology: &Topology) -> Option<Fault> {
    let mut backends: Vec<_> =
        topology.pools.iter().flat_map(|pool| pool.serving()).map(|b| b.id.as_str()).collect();
    backends.extend(topology.has_session_store().then_some(STORE));
    let backend = item.known_name("backend", &backends);
    let of_a_store = matches!(kind, FaultKind::Crash | FaultKind::Term | FaultKind::Freeze);
    if backend.as_deref() == Some(STORE) && topology.has_session_store() && !of_a_store {
        let problem = item.wrong(format!("`{}` cannot befall the session store", kind.name()));
        item.found.add(problem.help("`crash`, `term` and `freeze` can"));
    }
    let lasts = lasting.and_then(|item| item.quantity(limits::FAULT));
    Some(Fault { kind, backend: backend?, lasts })
}

/// `{}` is one reload.
fn reload(item: Item<'_>, balancers: &Balancers<'_>) -> Option<Reload> {
    let mut fields = item.fields()?;
    let keeps = fields.read("keeps", Keeps::default(), |item| {
        let keeps = item.word(&[("rotation", Keeps::Rotation), ("nothing", Keeps::Nothing)])?;
        if keeps == Keeps::Nothing {
            balancers.must(Capability::ForgetfulReload, "forget at a reload who is out of rotation", &item);
        }
        Some(keeps)
    });
    let (times_item, every_item) = (fields.get("times"), fields.get("every"));
    fields.finish();
    let times = match times_item {
        Some(item) => item.count(limits::RELOADS)?,
        None => 1,
    };
    let every = match every_item {
        Some(item) => item.quantity(limits::RELOAD_EVERY)?,
        // Between a single reload and the next one that never comes.
        None if times == 1 => *limits::RELOAD_EVERY.start(),
        None => {
            let problem = Problem::new(format!("{times} reloads, and not how far apart"), item.key());
            return item.refuse(problem.help("add `every: 500ms`"));
        }
    };
    if let (Some(every), None) = (every_item, times_item) {
        let problem = Problem::new("`every` means nothing for a single reload", every.key());
        return item.refuse(problem.help("say how many: `times: 10`"));
    }
    Some(Reload { times, every, keeps })
}

fn deploy(item: Item<'_>, stage: &Stage<'_>) -> Option<Deploy> {
    let mut fields = item.fields()?;
    let pools: Vec<_> = stage.topology.pools.iter().map(|pool| pool.name.as_str()).collect();
    let pool_item = fields.demand("pool");
    let pool = pool_item.and_then(|item| item.known_name("pool", &pools));
    let drain_item = fields.demand("drain");
    let drain = drain_item.and_then(drain);
    let (until_item, deregister_item) = (fields.get("until"), fields.get("deregister"));
    let keys_item = fields.get("jwt_keys");
    let deploy = Deploy {
        pool: pool.unwrap_or_default(),
        strategy: fields.read("strategy", Strategy::default(), |item| {
            item.word(&[("in_place", Strategy::InPlace), ("surge", Strategy::Surge)])
        }),
        drain: drain.unwrap_or(Drain::Off),
        until: until_item
            .and_then(|item| item.word(&[("idle", Until::Idle), ("window", Until::Window)]))
            .unwrap_or_default(),
        deregister: deregister_item
            .and_then(|item| item.word(&[("live", Deregister::Live), ("reload", Deregister::Reload)]))
            .unwrap_or_default(),
        ready_within: fields.read("ready_within", Span::millis(15_000), |item| item.quantity(limits::READY)),
        new_generation_unhealthy: fields
            .read("new_generation", false, |item| item.word(&[("healthy", false), ("unhealthy", true)])),
        jwt_keys: keys_item.and_then(jwt_keys).unwrap_or_default(),
    };
    fields.finish();

    let serving = stage.topology.pool(&deploy.pool).map(|pool| pool.serving().count());
    if let (Some(item), Some(1), Strategy::InPlace) = (pool_item, serving, deploy.strategy) {
        let message =
            format!("`{}` has one backend: while it is replaced in place, nobody serves", deploy.pool);
        item.found.add(
            item.wrong(message).help("give the pool a second backend, or deploy with `strategy: surge`"),
        );
    }
    let sessions = stage.topology.pool(&deploy.pool).and_then(|pool| pool.sessions);
    if let (Some(item), true) =
        (keys_item, deploy.jwt_keys != JwtKeys::Same && sessions != Some(Sessions::Jwt))
    {
        let problem = Problem::new(format!("`{}` keeps no sessions in tokens", deploy.pool), item.key());
        item.found.add(problem.help("`jwt_keys` goes with `sessions: jwt` of the pool"));
    }
    if stage.topology.balance == Balance::SourceHash && !stage.sources {
        let problem = Problem::new("`balance: source_hash` cannot stand beside a deploy", item.key());
        let why = "the load has one address, so one backend gets every request: give it users with addresses of \
                   their own, `load: { users: { count: 60, identity: source_address } }`, or choose another `balance`";
        item.found.add(problem.help(why));
    }
    // What follows judges by the drain, so it must be known.
    drain?;
    let meaningless = [
        until_item.filter(|_| deploy.drain == Drain::Off),
        deregister_item.filter(|_| !deploy.tells_the_balancer()),
    ];
    for item in meaningless.into_iter().flatten() {
        let problem = Problem::new(format!("`{}` means nothing with `drain: off`", item.name), item.key());
        item.found.add(problem.help(format!("a variant removes it with `{}: null`", item.name)));
    }
    if deploy.tells_the_balancer() {
        let (capability, what) = match deploy.deregister {
            Deregister::Live if stage.topology.listener.layer == Layer::Four => {
                let what = "take a backend out while it runs, at layer 4";
                (Capability::LiveDeregisterAtLayer4, what)
            }
            Deregister::Live => (Capability::LiveDeregister, "take a backend out while it runs"),
            Deregister::Reload => (Capability::ReloadDeregister, "take a backend out by a reload"),
        };
        stage.balancers.must(capability, what, &deregister_item.or(drain_item).unwrap_or(item));
    }
    Some(deploy)
}

fn jwt_keys(item: Item<'_>) -> Option<JwtKeys> {
    item.word(&[JwtKeys::Same, JwtKeys::Replaced, JwtKeys::Overlapping].map(|keys| (keys.name(), keys)))
}

fn drain(item: Item<'_>) -> Option<Drain> {
    if item.is_number() {
        return item.quantity(limits::DRAIN).map(Drain::For);
    }
    item.word_or(&[("off", Drain::Off), ("auto", Drain::Auto)], "a duration such as `300ms`")
}

/// A deploy leaves a pool's backends on other places than it found them, so a second one would begin from places
/// that the plan doesn't know.
fn check_deployed_once(located: &Located<'_>, earlier: &[Located<'_>]) {
    let Some(pool) = deployed(&located.entry) else { return };
    if let Some(first) = earlier.iter().find(|other| deployed(&other.entry) == Some(pool)) {
        let message = format!("`{}` and `{}` both deploy `{pool}`", first.entry.name, located.entry.name);
        let help = "a timeline has one deploy per pool: give the other a variant of its own";
        located.item.found.add(Problem::new(message, located.item.key()).help(help));
    }
}

/// Where a balancer is told shares by a new configuration, that would undo what it has been told of backends.
fn check_split_alone(located: &Located<'_>, all: &[Located<'_>]) {
    let deploys = |other: &&Located<'_>| matches!(other.entry.action, Action::Deploy(_));
    if let (Action::Split(_), Some(other)) = (&located.entry.action, all.iter().find(deploys)) {
        let message = format!("`{}` splits while `{}` deploys", located.entry.name, other.entry.name);
        let help = "a timeline has deploys or splits: give one of them a variant of its own";
        located.item.found.add(Problem::new(message, located.item.key()).help(help));
    }
}

/// The pool that an entry deploys, if it is a deploy and says so.
fn deployed(entry: &Entry) -> Option<&str> {
    match &entry.action {
        Action::Deploy(deploy) => Some(deploy.pool.as_str()).filter(|pool| !pool.is_empty()),
        Action::Fault(_) | Action::Degrade(_) | Action::Split(_) | Action::Curl(_) | Action::Reload(_) => {
            None
        }
    }
}

/// Follows `after` to the entry that begins by the clock: there must be one, and a drain window that is derived
/// from the baseline needs some before it.
fn check_order(located: &Located<'_>, all: &[Located<'_>]) {
    let Entry { name, action, .. } = &located.entry;
    let found = located.item.found;
    let place: &Place = located.when.map_or(located.item.key(), |item| item.place());
    let mut seen = vec![name.as_str()];
    let mut when = &located.entry.when;
    let begins = loop {
        match when {
            When::At(begins) => break *begins,
            When::After(other) if other == name => {
                seen.push(name);
                return found.add(Problem::new(
                    format!("`{name}` waits for itself: {}", seen.join(" after ")),
                    place,
                ));
            }
            // A circle that this entry only leads into is told by its own members.
            When::After(other) if seen.contains(&other.as_str()) => return,
            When::After(other) => match all.iter().find(|located| located.entry.name == *other) {
                Some(next) => {
                    seen.push(other);
                    when = &next.entry.when;
                }
                // It has problems of its own, or doesn't exist, which has been recorded.
                None => return,
            },
        }
    };
    if matches!(action, Action::Deploy(deploy) if deploy.drain == Drain::Auto) && begins < limits::BASELINE {
        let message = format!("`{name}` begins {begins} into the load, too early for `drain: auto`");
        let help =
            format!("its window is derived from a baseline of at least {}: begin later", limits::BASELINE);
        found.add(Problem::new(message, place).help(help));
    }
}
