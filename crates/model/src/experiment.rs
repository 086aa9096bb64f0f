//! What a plan does, in one sentence: the load, who serves it, and what happens meanwhile. It stands above every report,
//! so that no figure is read without knowing what it is a figure of.

use crate::plan::{SavedPlan, Variant};
use crate::sessions::JwtKeys;
use crate::target::Target;
use crate::timeline::{
    Action, Batch, Deploy, Deregister, Drain, Entry, Fault, FaultKind, Keeps, Leaving, ReloadProcess,
    Strategy, Termination, ToldAfter, Until, When,
};
use crate::tls::Tls;
use crate::topology::{Backend, Latency, Layer, Pool, Topology};
use crate::traffic::{Arrivals, Method, RequestClass, Traffic};
use crate::units::{Factor, Share, Span};

/// A space at which no form is cut.
const TOGETHER: &str = "\u{a0}";

/// The sentence about `plan`, without its full stop: `400 requests/s (constant) for 20 s …`.
pub fn experiment(plan: &SavedPlan) -> String {
    let of = |clause: fn(&Variant) -> String| told(&plan.variants, |variant| Some(clause(variant)));
    let load = of(|variant| load(&variant.traffic));
    let pools = of(|variant| variant.target.as_ref().map_or_else(|| pools(&variant.topology), against));
    let others = [of(|variant| listener(&variant.topology)), of(|variant| classes(&variant.traffic))];
    let happenings = entries(plan).into_iter().map(|(name, place)| {
        told(&plan.variants, |variant| {
            let entry = variant.timeline.iter().filter(|entry| entry.name == name).nth(place)?;
            happening(variant, entry)
        })
    });
    let first = [load, pools].into_iter().filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join(", ");
    let rest = others.into_iter().chain(happenings).filter(|clause| !clause.is_empty());
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("; ").replace(TOGETHER, " ")
}

/// The entries of all timelines, each once, in the order in which they first stand in one.
fn entries(plan: &SavedPlan) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for variant in &plan.variants {
        for (at, entry) in variant.timeline.iter().enumerate() {
            let place = variant.timeline[..at].iter().filter(|earlier| earlier.name == entry.name).count();
            if !found.contains(&(&entry.name, place)) {
                found.push((&entry.name, place));
            }
        }
    }
    found
}

/// A clause of every variant: once where all agree, else each form with the variants that have it; what the forms have in
/// common at their beginning is said once.
fn told(variants: &[Variant], clause: impl Fn(&Variant) -> Option<String>) -> String {
    let mut forms: Vec<(String, Vec<&str>)> = Vec::new();
    for variant in variants {
        let Some(text) = clause(variant) else { continue };
        match forms.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(&variant.name),
            None => forms.push((text, vec![&variant.name])),
        }
    }
    match forms.as_slice() {
        [] => return String::new(),
        [(text, names)] if names.len() == variants.len() => return text.clone(),
        _ => forms.retain(|(text, _)| !text.is_empty()),
    }
    let common = common_words(&forms);
    let tail = |(text, names): &(String, Vec<&str>)| {
        let tail = text.split(' ').skip(common).collect::<Vec<_>>().join(" ");
        format!("{tail} ({})", names.join(", "))
    };
    let head = forms.iter().flat_map(|(text, _)| text.split(' ')).take(common);
    let tails: Vec<_> = forms.iter().map(tail).collect();
    head.map(str::to_owned).chain([tails.join(", or ")]).collect::<Vec<_>>().join(" ")
}

/// How many words all forms begin with, where each has a word more.
fn common_words(forms: &[(String, Vec<&str>)]) -> usize {
    let words: Vec<Vec<&str>> = forms.iter().map(|(text, _)| text.split(' ').collect()).collect();
    let [first, others @ ..] = words.as_slice() else { return 0 };
    if others.is_empty() {
        return 0;
    }
    let shortest = words.iter().map(Vec::len).min().unwrap_or(1) - 1;
    (0..shortest).take_while(|at| others.iter().all(|other| other[*at] == first[*at])).count()
}

fn load(traffic: &Traffic) -> String {
    let arrivals = match traffic.arrivals {
        Arrivals::Constant => "constant",
        Arrivals::Poisson => "Poisson arrivals",
    };
    let users = traffic.users.map_or(String::new(), |users| format!(" of {} users", users.count));
    let from = match traffic.generators {
        1 => String::new(),
        n => format!(" from {n} generators"),
    };
    let fresh = match traffic.fresh_connections {
        Share(0.0) => ", on reused connections".to_owned(),
        share => format!(", {} on fresh connections", percent(share)),
    };
    let (rate, duration, timeout) = (traffic.rate.0, time(traffic.duration), time(traffic.timeout));
    let until = if traffic.until_settled { "until all has settled, for at most " } else { "for " };
    format!("{rate} requests/s{users}{from} ({arrivals}) {until}{duration}, timeout {timeout}{fresh}")
}

fn against(target: &Target) -> String {
    format!("against {}, which rig did not launch", target.url)
}

fn pools(topology: &Topology) -> String {
    match topology.pools.as_slice() {
        [pool] => format!("against {}", pool_words(pool)),
        pools => {
            let each: Vec<_> =
                pools.iter().map(|pool| format!("{} ({})", pool.name, pool_words(pool))).collect();
            format!("against the pools {}", list(&each))
        }
    }
}

fn pool_words(pool: &Pool) -> String {
    if let Some(service) = &pool.service {
        let serving = pool.serving().count();
        let what =
            service.image.as_deref().or(service.command.first().map(String::as_str)).unwrap_or_default();
        let noun = if serving == 1 { "backend" } else { "backends" };
        return format!("{serving} {noun} of the user's own service, `{what}`");
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for backend in pool.serving() {
        let words = service(backend);
        match kinds.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => kinds.push((words, 1)),
        }
    }
    let kind = |(n, (words, count)): (usize, &(String, usize))| {
        let (noun, verb) = if *count == 1 { (" backend", "takes") } else { (" backends", "take") };
        format!("{count}{} that {verb} {words}", if n == 0 { noun } else { "" })
    };
    let each: Vec<_> = kinds.iter().enumerate().map(kind).collect();
    let sessions = pool.sessions.map_or(String::new(), |kept| format!(", sessions in {}", kept.name()));
    let found = pool.discovery.map_or(String::new(), |it| {
        format!(", found by DNS with a TTL of {}", time(it.ttl).replace(' ', TOGETHER))
    });
    format!("{}{sessions}{found}", list(&each))
}

/// How long a backend takes, and for how many at once.
fn service(backend: &Backend) -> String {
    let at_once = backend.at_once.map_or(String::new(), |n| format!(" for {n} at once"));
    let weight = if backend.weight == 1 { String::new() } else { format!(" at weight {}", backend.weight) };
    let backup = if backend.backup { " as a backup" } else { "" };
    format!("{}{at_once}{weight}{backup}", latency(&backend.latency))
}

fn latency(latency: &Latency) -> String {
    let tail = latency.tail.map_or(String::new(), |it| format!(" ({}: {})", percent(it.share), time(it.at)));
    let (from, to) = (time(latency.from), time(latency.to));
    let body = match (from.rsplit_once(TOGETHER), to.rsplit_once(TOGETHER)) {
        _ if from == to => to,
        (Some((number, unit)), Some((_, same))) if unit == same => format!("{number}–{to}"),
        _ => format!("{from}–{to}"),
    };
    (body + &tail).replace(' ', TOGETHER)
}

/// Nothing of what goes without saying: HTTP, without TLS.
fn listener(topology: &Topology) -> String {
    let layer = (topology.listener.layer == Layer::Four).then(|| "the listener works at layer 4".to_owned());
    let tls = (topology.listener.tls != Tls::Off).then(|| format!("TLS: {}", topology.listener.tls.name()));
    layer.into_iter().chain(tls).collect::<Vec<_>>().join(", ")
}

/// Nothing where all requests are the plainest there is.
fn classes(traffic: &Traffic) -> String {
    if let [class] = traffic.mix.as_slice() {
        if (class.method, class.path.as_str(), class.cost) == (Method::Get, "/", Factor::ONE) {
            return String::new();
        }
        return format!("each is {}", request(class));
    }
    let each = |class: &RequestClass| format!("{} {} ({})", percent(class.share), class.name, request(class));
    traffic.mix.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn request(class: &RequestClass) -> String {
    let body = match class.body.0 {
        0 => String::new(),
        _ => format!(" with {}", class.body),
    };
    let upload = class.upload.map_or(String::new(), |span| format!(" sent over {}", time(span)));
    let cost = match class.cost {
        Factor::ONE => String::new(),
        Factor(times) => format!(", {times} times the work"),
    };
    format!("{} {}{body}{upload}{cost}", class.method.name(), class.path)
}

/// `None`: it changes nothing that the load could meet.
fn happening(variant: &Variant, entry: &Entry) -> Option<String> {
    let when = match &entry.when {
        When::At(at) if entry.jitter == Span::default() => format!("at {}", time(*at)),
        When::At(at) => format!("between {} and {}", time(*at), time(Span(at.0 + entry.jitter.0))),
        When::After(other) => format!("after {other}"),
    };
    let what = match &entry.action {
        Action::Deploy(it) => deploy(it),
        Action::Remove(it) => {
            let told = told_by(it.leaving.deregister, it.tells_the_balancer());
            format!("{} is removed, {}{told}", it.backend, leaves(&it.leaving))
        }
        Action::Add(it) => match it.register {
            Deregister::Live => format!("{} is added", it.backend),
            Deregister::Reload => format!("{} is added, registered by a reload", it.backend),
        },
        Action::Fault(it) => fault(it),
        Action::Degrade(it) => {
            format!("{} is degraded ({}){}", it.backend, it.misbehaviour, lasting(it.lasts))
        }
        Action::Split(it) => format!("the split of route {} changes to {}", it.route, it.to),
        Action::Reload(it) => {
            let forgets = match it.keeps {
                Keeps::Rotation => "",
                Keeps::Configuration => " from its original file",
                Keeps::State => " from its original file and the state that it saved",
            };
            let often = match it.times {
                1 => String::new(),
                times => format!(" {times} times, every {}", time(it.every)),
            };
            let by = match it.process {
                ReloadProcess::Kept => "",
                ReloadProcess::Takeover => " by a new process that takes its sockets over",
                ReloadProcess::Rebind => " by a new process that binds its address",
            };
            format!("the balancer is reloaded{by}{forgets}{often}")
        }
        Action::Roll(_) => {
            let command = variant.target.as_ref().and_then(|target| target.commands.roll.as_ref())?;
            // Its words stay together where forms are compared.
            format!("it is deployed by `{}`", command.shown().replace(' ', TOGETHER))
        }
        Action::Curl(_) => return None,
    };
    // Of two times neither is understood without the other.
    Some(format!("{} {what}", when.replace(' ', TOGETHER)))
}

fn deploy(deploy: &Deploy) -> String {
    let spare = match (deploy.strategy, deploy.new_address) {
        (Strategy::InPlace, false) => "",
        (Strategy::Surge, false) => " over a spare address",
        (Strategy::InPlace, true) => " by new ones at new addresses",
        (Strategy::Surge, true) => " by new ones at new addresses, which start first",
    };
    let (drain, told) =
        (leaves(&deploy.leaving), told_by(deploy.leaving.deregister, deploy.tells_the_balancer()));
    let unhealthy =
        if deploy.new_generation_unhealthy { ", by a generation that is never healthy" } else { "" };
    let keys = match deploy.jwt_keys {
        JwtKeys::Same => String::new(),
        keys => format!(", keys of tokens {}", keys.name()),
    };
    let batch = match deploy.batch {
        Batch::Of(1) => "one by one".to_owned(),
        Batch::Of(size) => format!("{size} at a time"),
        Batch::All => "all at once".to_owned(),
    };
    format!("the pool {} is replaced {batch}{spare}, {drain}{told}{unhealthy}{keys}", deploy.pool)
}

/// How backends leave.
fn leaves(leaving: &Leaving) -> String {
    let window = |bound: &str| match leaving.until {
        Until::Idle => format!("drained until idle, {bound} at most"),
        Until::Window => format!("drained for {bound}"),
    };
    match leaving.drain {
        Drain::Off if leaving.termination.is_some() => {
            leaving.termination.map(terminated).unwrap_or_default()
        }
        Drain::Off => "without draining".to_owned(),
        Drain::Auto => window("a window from the baseline"),
        Drain::For(span) => window(&time(span)),
    }
}

fn told_by(how: Deregister, tells: bool) -> &'static str {
    match how {
        Deregister::Reload if tells => ", deregistered by a reload",
        _ => "",
    }
}

/// How an orchestrator ends a backend.
fn terminated(it: Termination) -> String {
    let told = match it.told_after {
        ToldAfter::Between(from, to) if from == to => format!("told after {}", time(from)),
        ToldAfter::Between(from, to) => format!("told after {} to {}", time(from), time(to)),
        ToldAfter::Never => "never told".to_owned(),
    };
    let stops = match it.pre_stop == Span::default() {
        true => "at once".to_owned(),
        false => format!("after {}", time(it.pre_stop)),
    };
    format!("the balancer {told} and the backend terminated {stops}")
}

fn fault(fault: &Fault) -> String {
    let what = match fault.kind {
        FaultKind::Crash => "is killed",
        FaultKind::Term => "is terminated",
        FaultKind::Freeze => "is frozen",
        FaultKind::Partition => "is cut off",
        FaultKind::HostLoss => "is lost with its host",
    };
    format!("{} {what}{}", fault.backend, lasting(fault.lasts))
}

fn lasting(span: Option<Span>) -> String {
    span.map_or(String::new(), |span| format!(" for {}", time(span)))
}

/// `4 s`, `1.5 s`, `250 ms`, `0.25 ms`.
fn time(span: Span) -> String {
    match span.seconds() {
        seconds if seconds >= 1.0 => format!("{}{TOGETHER}s", rounded(seconds)),
        seconds => format!("{}{TOGETHER}ms", rounded(seconds * 1e3)),
    }
}

fn percent(share: Share) -> String {
    format!("{}{TOGETHER}%", rounded(share.0 * 100.0))
}

/// Without the digits that only binary fractions have.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

/// `a`, `a and b`, `a, b and c`.
fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
