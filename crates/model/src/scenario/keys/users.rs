//! The keys of `users` of the load, and of `sticky`, which is about them.

use crate::catalog::Capability;
use crate::scenario::capabilities::Balancers;
use crate::scenario::form::{Form, number, text, words};
use crate::scenario::limits;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::Section;
use crate::scenario::shape::Text;
use crate::scenario::written::Written;
use crate::topology::{Balance, Route, Sticky, Topology};
use crate::traffic::{Arrivals, Identity, RequestClass, Skew, Users};
use crate::units::{Rate, Span};

/// Those who make the requests.
pub(super) fn users<'s>() -> Form<'s, Users> {
    // A bad count goes on as one that contradicts nothing else.
    let start = Users { count: 1, skew: Skew::None, identity: Identity::default() };
    Section::new("users", "Those who make the requests.", start)
        .key("count", number(1..=10_000), |it| &mut it.count)
        .about("How many; the warm-up has to have a request of each.")
        .required()
        .key("skew", skew(), |it| &mut it.skew)
        .about("How requests are spread over users.")
        .key(
            "identity",
            words([("cookie", Identity::Cookie), ("source_address", Identity::SourceAddress)]),
            |it| &mut it.identity,
        )
        .about(
            "What tells users apart for a balancer: their cookies, or a source address of each as \
             well. Addresses need local processes.",
        )
        .on_a_line()
        .whole()
}

fn skew<'s>() -> Form<'s, Skew> {
    let exponent = text(Text::Exponent, |item: Item<'_>| {
        let text = item.text("a number")?;
        let (least, most) = (limits::ZIPF.start(), limits::ZIPF.end());
        match text.parse::<f64>() {
            Ok(exponent) if limits::ZIPF.contains(&exponent) => Some(exponent),
            Ok(_) => item.refuse(item.wrong(format!("`zipf` must be from {least} to {most}, found {text}"))),
            Err(_) => {
                item.refuse(item.wrong(format!("`zipf`: expected a number such as 1.1, found `{text}`")))
            }
        }
    });
    let zipf = |skew: &Skew| match skew {
        Skew::Zipf(exponent) => Some(*exponent),
        Skew::None => None,
    };
    Section::new("skew", "How much more some users ask than others.", *limits::ZIPF.start())
        .key("zipf", exponent.written(Written::plain), |it| it)
        .about("The n-th busiest user's part is proportional to n to the power of minus this.")
        .required()
        .on_a_line()
        .whole()
        .map(Skew::Zipf, zipf)
        .or_words([("none", Skew::None)], "a map such as `{ zipf: 1.1 }`")
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

/// `{ cookie: SRV }`. The name goes into the balancers' configurations, one of which has it in a variable's name.
pub(super) fn sticky<'s>() -> Form<'s, Option<Sticky>> {
    let cookie = text(Text::CookieName, |item: Item<'_>| {
        let cookie = item.text("a cookie's name")?;
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if cookie.is_empty() || cookie.len() > limits::NAME || !cookie.chars().all(fits) {
            let problem = item.wrong(format!("`{cookie}` cannot be the name of a balancer's cookie"));
            return item.refuse(problem.help("letters, digits and `_` are allowed"));
        }
        Some(cookie.to_owned())
    });
    Section::new("sticky", "Affinity of users to backends.", Sticky { cookie: String::new() })
        .key("cookie", cookie, |it| &mut it.cookie)
        .about("The name of the balancer's cookie.")
        .required()
        .on_a_line()
        .form(|read| read.knows("cookie").then_some(read.value), |sticky| Some(sticky.clone()))
        .some()
        .or_words([("off", None)], "a map such as `{ cookie: SRV }`")
}

/// A balancer keeps users at backends, not at pools: a route that is sticky leads to one, and every route there agrees.
pub(super) fn check_sticky(item: &Item<'_>, route: &Route, earlier: &[&Route]) {
    if route.sticky.is_some() && route.to.only().is_none() {
        let message = format!("`{}` is sticky and splits its requests", route.name);
        let help = "a cookie names a backend of one pool: give the route one, or take `sticky` out";
        item.found.add(Problem::new(message, item.key()).help(help));
    }
    let meets = |other: &&&Route| {
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
pub(super) fn check_cookies(item: &Item<'_>, route: &Route, earlier: &[&Route]) {
    let elsewhere = |other: &&&Route| {
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
pub(super) fn check_balance(item: Option<Item<'_>>, topology: &Topology, balancers: &Balancers<'_>) {
    let sticky = topology.routes.iter().any(|route| route.sticky.is_some());
    if let (Some(item), true) = (item, sticky && topology.balance != Balance::RoundRobin) {
        let what = "choose by a cookie for those who have it, and so for others";
        balancers.must(Capability::BalanceBesideSticky, what, &item);
    }
}
