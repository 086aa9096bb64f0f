//! The keys of `routes`: paths and headers, and the pools that they lead to.

use super::users;
use crate::scenario::form::{Form, Is, either, headers_shape, list, name_of, named, path, share, text};
use crate::scenario::limits;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::Section;
use crate::scenario::shape::{Shape, Text};
use crate::scenario::suggest::suggestion;
use crate::scenario::written::{Written, quoted};
use crate::split::{Split, SplitPart};
use crate::statuses::{Status, Statuses};
use crate::topology::{HeaderMatch, Route};
use crate::units::Share;

/// The routes, the most specific first: a longer path before a shorter one, then a header before none.
pub(super) fn routes<'s>(pools: Vec<String>) -> Form<'s, Vec<Route>> {
    let routes = named(
        limits::ROUTES,
        move |name| route(name, pools.clone()),
        |route| &route.name,
        |item, routes| {
            if item.is_empty_map() {
                item.found.add(item.wrong("a topology needs a route"));
            }
            for (place, (item, route)) in routes.iter().enumerate() {
                let earlier: Vec<_> = routes[..place].iter().map(|(_, route)| route).collect();
                if let Some(other) = earlier.iter().find(|other| tie(other, route)) {
                    item.found.add(told(other, route, item));
                }
                users::check_sticky(item, route, &earlier);
                users::check_cookies(item, route, &earlier);
            }
        },
    );
    let sorted = |mut routes: Vec<Route>| {
        routes.sort_by(|a, b| {
            let header = |route: &Route| {
                route.header.as_ref().map(|header| (header.name.to_lowercase(), header.value.clone()))
            };
            let (longer, path) = (b.path.len().cmp(&a.path.len()), a.path.cmp(&b.path));
            let without = a.header.is_none().cmp(&b.header.is_none());
            longer.then(path).then(without).then(header(a).cmp(&header(b)))
        });
        routes
    };
    routes.map(sorted, |routes| Some(routes.clone()))
}

fn route<'s>(name: &str, pools: Vec<String>) -> Form<'s, Route> {
    // A bad path goes on as the empty one, which every request matches and no other route has.
    let start = Route {
        name: name.to_owned(),
        path: String::new(),
        header: None,
        to: Split::all_to(""),
        sticky: None,
        expect_status: None,
    };
    Section::new("route", "Requests, and the pool that they go to.", start)
        .key("path", path(), |it| &mut it.path)
        .about("The prefix of the paths that take this route; the longest wins.")
        .required()
        .maybe("header", header(), |it| &mut it.header)
        .about(
            "One header and its value, such as `{ X-Canary: \"true\" }`: at one path, it beats a \
             route without.",
        )
        .key("to", split(pools), |it| &mut it.to)
        .about("The pool, or several with shares that sum to 100%.")
        .required()
        .key("sticky", users::sticky(), |it| &mut it.sticky)
        .about("Whether the balancer keeps users at the backends that they had before.")
        .explained_if(|it| it.sticky.is_some())
        .key("expect_status", statuses(), |it| &mut it.expect_status)
        .about(
            "The statuses that count as delivered on this route, unless the class of a request says \
             it.",
        )
        .explained_if(|it| it.expect_status.is_some())
        .on_a_line()
        .form(
            |read| {
                // Without its header, it would be another route.
                let unread = read.given("header").is_some() && !read.knows("header");
                let path = if unread { String::new() } else { read.value.path };
                Some(Route { path, ..read.value })
            },
            |route| Some(route.clone()),
        )
}

/// Whether a request may match both, and nothing says which it then takes.
fn tie(a: &Route, b: &Route) -> bool {
    let headers = match (&a.header, &b.header) {
        (None, None) => true,
        (Some(a), Some(b)) => !a.excludes(b),
        _ => false,
    };
    headers && a.path == b.path && !a.path.is_empty()
}

fn told(first: &Route, second: &Route, item: &Item<'_>) -> Problem {
    let (one, other, path) = (&first.name, &second.name, &first.path);
    match (&first.header, &second.header) {
        (Some(a), Some(b)) => {
            let message = format!(
                "a request for `{path}` can match both `{one}` (`{}: {}`) and `{other}` (`{}: {}`)",
                a.name, a.value, b.name, b.value
            );
            Problem::new(message, item.key())
                .help("at one path, the headers of routes must be different values of the same one")
        }
        _ => {
            Problem::new(format!("the routes `{one}` and `{other}` both have the path `{path}`"), item.key())
                .help("the longest path wins; equal ones would be a tie")
        }
    }
}

/// `{ X-Canary: "true" }`. Name and value go into the balancers' configurations, so they hold nothing that means
/// something there.
fn header<'s>() -> Form<'s, HeaderMatch> {
    let read = |item: Item<'_>| {
        let items = item.entries(limits::HEADERS)?;
        let [header] = items.as_slice() else {
            let help = "such as `header: { X-Canary: \"true\" }`";
            return item.refuse(item.wrong("a route matches one header").help(help));
        };
        let token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if header.name.is_empty() || header.name.len() > limits::NAME || !header.name.chars().all(token) {
            let problem =
                Problem::new(format!("`{}` is not a header's name for a route", header.name), header.key());
            return item.refuse(problem.help("letters, digits and hyphens are allowed"));
        }
        let value = header.text("a header's value")?;
        if !HeaderMatch::can_be(value) {
            let problem = header.wrong(format!("a route cannot match the value `{value}`"));
            return item.refuse(problem.help("letters, digits and `- . _ ~ : / = @` are allowed"));
        }
        Some(HeaderMatch { name: header.name.to_owned(), value: value.to_owned() })
    };
    let write =
        |it: &HeaderMatch| Written::Plain(format!("{{ {}: {} }}", quoted(&it.name), quoted(&it.value)));
    Form::new(Is::Map, || headers_shape(Shape::Text(Text::HeaderValue)), read, write)
}

/// One status or class of statuses, or a list of them; `None`: those that are expected anyway.
pub(super) fn statuses<'s>() -> Form<'s, Option<Statuses>> {
    let status = || {
        text(Text::Status, |item| {
            let text = item.text("a status")?;
            match text.parse::<Status>() {
                Ok(status) => Some(status),
                Err(error) => item.refuse(item.wrong(format!("`{}`: {error}", item.name))),
            }
        })
    };
    let several = list(status(), 1, limits::STATUSES).checked(|item, statuses| {
        if statuses.is_empty() {
            let problem = item.wrong("`expect_status` needs a status");
            item.found.add(problem.help("such as `[200, 404]`, or `2xx`"));
        }
    });
    let one = status().map(|status| vec![status], |_| None);
    either(one, several)
        .map(|statuses| Statuses(statuses).unusual(), |_| None)
        .written(|statuses| statuses.as_ref().map_or(Written::Plain("2xx".to_owned()), Written::plain))
}

/// A pool, or several with shares that sum to 100 %.
pub(super) fn split<'s>(pools: Vec<String>) -> Form<'s, Split> {
    let one = name_of("pool", pools.clone()).map(Split::all_to, |_| None);
    let shape = || Shape::Named { names: Text::Name, of: Box::new(share().shape()), most: limits::POOLS };
    either(one, Form::new(Is::Map, shape, move |item| shares(item, &pools), Written::plain))
}

fn shares(item: Item<'_>, pools: &[String]) -> Option<Split> {
    let mut parts = Vec::new();
    let items = item.named(limits::POOLS)?;
    for item in &items {
        if !pools.is_empty() && !pools.iter().any(|pool| pool == item.name) {
            let problem = Problem::new(format!("there is no pool `{}`", item.name), item.key());
            item.found.add(problem.help(suggestion(item.name, pools.iter().map(String::as_str))));
        }
        let share = share().read(*item)?;
        parts.push(SplitPart { pool: item.name.to_owned(), share });
    }
    let sum: f64 = parts.iter().map(|part| part.share.0).sum();
    if (sum - 1.0).abs() > 1e-9 {
        let problem = item.wrong(format!("the shares of `{}` sum to {}, not to 100%", item.name, Share(sum)));
        return item.refuse(problem);
    }
    let finest = f64::from(Split::PARTS);
    let too_fine = |part: &&SplitPart| ((part.share.0 * finest).round() - part.share.0 * finest).abs() > 1e-6;
    if let Some(part) = parts.iter().find(too_fine) {
        let message = format!("a share of {} is finer than balancers can split", part.share);
        return item.refuse(item.wrong(message).help("hundredths of a percent are the finest"));
    }
    Some(Split::of(parts))
}
