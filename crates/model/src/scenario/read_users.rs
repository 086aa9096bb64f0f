//! Reads `users` of the load, and `sticky` and `sessions`, which are about them.

use super::capabilities::Balancers;
use super::limits;
use super::problem::Problem;
use super::reader::Item;
use crate::catalog::Capability;
use crate::sessions::{STORE, Sessions};
use crate::topology::{Balance, Pool, Route, Sticky};
use crate::traffic::{Arrivals, Identity, RequestClass, Skew, Users};
use crate::units::{Rate, Span};

/// Those who make the requests.
pub(super) fn users(item: Item<'_>) -> Option<Users> {
    let mut fields = item.fields()?;
    let count = fields.demand("count").and_then(|item| item.count(limits::USERS));
    let users = Users {
        // A bad count goes on as one that contradicts nothing else.
        count: count.unwrap_or(1),
        skew: fields.read("skew", Skew::None, skew),
        identity: fields.read("identity", Identity::default(), |item| {
            item.word(&[("cookie", Identity::Cookie), ("source_address", Identity::SourceAddress)])
        }),
    };
    fields.finish();
    Some(users)
}

fn skew(item: Item<'_>) -> Option<Skew> {
    if !item.is_map() {
        return item.word_or(&[("none", Skew::None)], "a map such as `{ zipf: 1.1 }`");
    }
    let mut fields = item.fields()?;
    let exponent = fields.demand("zipf").and_then(exponent);
    fields.finish();
    exponent.map(Skew::Zipf)
}

fn exponent(item: Item<'_>) -> Option<f64> {
    let text = item.text("a number")?;
    let (least, most) = (limits::ZIPF.start(), limits::ZIPF.end());
    match text.parse::<f64>() {
        Ok(exponent) if limits::ZIPF.contains(&exponent) => Some(exponent),
        Ok(_) => item.refuse(item.wrong(format!("`zipf` must be from {least} to {most}, found {text}"))),
        Err(_) => item.refuse(item.wrong(format!("`zipf`: expected a number such as 1.1, found `{text}`"))),
    }
}

/// What users ask of the load that they make: a request of each before anything is measured, and cookies of their own.
pub(super) fn check_users(
    item: Item<'_>,
    users: &Users,
    (Rate(rate), arrivals, warmup): (Rate, Arrivals, Span),
    mix: &[RequestClass],
) {
    // A Poisson process may be late: with twice as much time it is not.
    let (each, how) = match arrivals {
        Arrivals::Constant => (1.0, ""),
        Arrivals::Poisson => (2.0, "twice "),
    };
    let least = each * f64::from(users.count);
    if (rate * warmup.seconds() + 1e-6).floor() < least {
        let message = format!(
            "a warm-up of {warmup} at {} is too short for a first request of each of {} users",
            Rate(rate),
            users.count
        );
        let needed = Span::millis((least / rate * 1000.0).ceil() as u64);
        item.found.add(Problem::new(message, item.key()).help(format!(
            "users get their cookies before anything is measured: `warmup: {needed}`, {how}as many requests as users"
        )));
    }
    let cookie =
        |class: &&RequestClass| class.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    if let Some(class) = mix.iter().find(cookie) {
        let message = format!("the class `{}` sends `Cookie` by itself, and users have cookies", class.name);
        item.found.add(Problem::new(message, item.key()).help("take the header out, or the users"));
    }
}

/// Where a pool keeps its sessions.
pub(super) fn sessions(item: Item<'_>) -> Option<Option<Sessions>> {
    let kept = [Sessions::Memory, Sessions::Redis, Sessions::Jwt].map(|kind| (kind.name(), Some(kind)));
    item.word(&[("none", None), kept[0], kept[1], kept[2]])
}

/// A backend that has the session store's name.
pub(super) fn check_store_name(item: Item<'_>, pools: &[Pool]) {
    let stored = pools.iter().any(|pool| pool.sessions == Some(Sessions::Redis));
    if stored && pools.iter().flat_map(|pool| &pool.backends).any(|backend| backend.id == STORE) {
        let message = format!("`{STORE}` is the session store, and a backend is called so as well");
        item.found.add(Problem::new(message, item.key()).help("give the backend another name"));
    }
}

/// `{ cookie: SRV }`. The name goes into the balancers' configurations, one of which has it in a variable's name.
pub(super) fn sticky(item: Item<'_>) -> Option<Option<Sticky>> {
    if !item.is_map() {
        return item.word_or(&[("off", ())], "a map such as `{ cookie: SRV }`").map(|()| None);
    }
    let mut fields = item.fields()?;
    let name = fields.demand("cookie");
    fields.finish();
    let name = name?;
    let cookie = name.text("a cookie's name")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if cookie.is_empty() || cookie.len() > limits::NAME || !cookie.chars().all(fits) {
        let problem = name.wrong(format!("`{cookie}` cannot be the name of a balancer's cookie"));
        return item.refuse(problem.help("letters, digits and `_` are allowed"));
    }
    Some(Some(Sticky { cookie: cookie.to_owned() }))
}

/// A balancer keeps users at backends, not at pools: a route that is sticky leads to one, and every route there agrees.
pub(super) fn check_sticky(item: &Item<'_>, route: &Route, earlier: &[Route]) {
    if route.sticky.is_some() && route.to.only().is_none() {
        let message = format!("`{}` is sticky and splits its requests", route.name);
        let help = "a cookie names a backend of one pool: give the route one, or take `sticky` out";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
    let meets = |other: &&Route| {
        other.sticky != route.sticky && other.to.pools().any(|pool| route.to.pools().any(|name| name == pool))
    };
    if let Some(other) = earlier.iter().find(meets) {
        let message = format!(
            "the routes `{}` and `{}` lead to one pool and differ in `sticky`",
            other.name, route.name
        );
        item.found.add(Problem::new(message, item.key()).help("balancers have one affinity per pool"));
    }
}

/// Users hold one cookie of a name, so that two pools with the same would take it from each other.
pub(super) fn check_cookies(item: &Item<'_>, route: &Route, earlier: &[Route]) {
    let elsewhere = |other: &&Route| {
        route.sticky.is_some() && other.sticky == route.sticky && other.to.only() != route.to.only()
    };
    if let (Some(other), Some(sticky)) = (earlier.iter().find(elsewhere), &route.sticky) {
        let message = format!(
            "the routes `{}` and `{}` lead to different pools by one cookie, `{}`",
            other.name, route.name, sticky.cookie
        );
        item.found.add(Problem::new(message, item.key()).help("give each pool a cookie of its own"));
    }
}

/// Where the cookie alone chooses the backend, nothing is left for `balance` to do.
pub(super) fn check_balance(
    item: Option<Item<'_>>,
    balance: Balance,
    routes: &[Route],
    balancers: &Balancers<'_>,
) {
    let sticky = routes.iter().any(|route| route.sticky.is_some());
    if let (Some(item), true) = (item, sticky && balance != Balance::RoundRobin) {
        let what = "choose by a cookie for those who have it, and so for others";
        balancers.must(Capability::BalanceBesideSticky, what, &item);
    }
}
