//! Reads `routes`: paths and headers, and the pools that they lead to.

use super::limits;
use super::problem::Problem;
use super::read_topology::path;
use super::read_users;
use super::reader::Item;
use super::suggest::suggestion;
use crate::split::{Part, Split};
use crate::statuses::Statuses;
use crate::topology::{HeaderMatch, Route};
use crate::units::Share;

/// Reads the routes and puts the most specific first: a longer path before a shorter one, then a header before none.
pub(super) fn routes(item: Item<'_>, pools: &[&str]) -> Option<Vec<Route>> {
    let items = item.named(limits::ROUTES)?;
    if items.is_empty() {
        item.found.add(item.wrong("a topology needs a route"));
    }
    let mut routes: Vec<Route> = Vec::new();
    for item in items {
        let Some(mut fields) = item.fields() else { continue };
        let header_item = fields.get("header");
        let route = Route {
            name: item.name.to_owned(),
            // A bad path goes on as the empty one, which every request matches and no other route has.
            path: fields.require("path", String::new(), path),
            header: header_item.and_then(header),
            to: fields.require("to", Split::all_to(""), |item| split(item, pools)),
            sticky: fields.read("sticky", None, read_users::sticky),
            expect_status: fields.get("expect_status").and_then(statuses).and_then(Statuses::unusual),
        };
        fields.finish();
        let unread = header_item.is_some() && route.header.is_none();
        if let Some(other) = routes.iter().find(|other| !unread && tie(other, &route)) {
            item.found.add(told(other, &route, &item));
        }
        read_users::check_sticky(&item, &route, &routes);
        read_users::check_cookies(&item, &route, &routes);
        routes.push(route);
    }
    routes.sort_by(|a, b| {
        let header = |route: &Route| route.header.as_ref().map(|h| (h.name.to_lowercase(), h.value.clone()));
        let (longer, path) = (b.path.len().cmp(&a.path.len()), a.path.cmp(&b.path));
        longer.then(path).then(a.header.is_none().cmp(&b.header.is_none())).then(header(a).cmp(&header(b)))
    });
    Some(routes)
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
fn header(item: Item<'_>) -> Option<HeaderMatch> {
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
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/=@".contains(c);
    if value.is_empty() || !value.chars().all(fits) {
        let problem = header.wrong(format!("a route cannot match the value `{value}`"));
        return item.refuse(problem.help("letters, digits and `- . _ ~ : / = @` are allowed"));
    }
    Some(HeaderMatch { name: header.name.to_owned(), value: value.to_owned() })
}

/// One status or class of statuses, or a list of them.
pub(super) fn statuses(item: Item<'_>) -> Option<Statuses> {
    let items = if item.is_list() { item.list(limits::STATUSES)? } else { vec![item] };
    if items.is_empty() {
        return item
            .refuse(item.wrong("`expect_status` needs a status").help("such as `[200, 404]`, or `2xx`"));
    }
    let one = |item: Item<'_>| {
        let text = item.text("a status")?;
        match text.parse() {
            Ok(status) => Some(status),
            Err(error) => item.refuse(item.wrong(format!("`{}`: {error}", item.name))),
        }
    };
    items.into_iter().map(one).collect::<Option<Vec<_>>>().map(Statuses)
}

/// A pool, or several with shares that sum to 100 %.
pub(super) fn split(item: Item<'_>, pools: &[&str]) -> Option<Split> {
    if !item.is_map() {
        return item.known_name("pool", pools).map(Split::all_to);
    }
    let mut parts = Vec::new();
    let items = item.named(limits::POOLS)?;
    for item in &items {
        if !pools.is_empty() && !pools.contains(&item.name) {
            let problem = Problem::new(format!("there is no pool `{}`", item.name), item.key());
            item.found.add(problem.help(suggestion(item.name, pools.iter().copied())));
        }
        let share = item.quantity(Share(0.0)..=Share(1.0))?;
        parts.push(Part { pool: item.name.to_owned(), share });
    }
    let sum: f64 = parts.iter().map(|part| part.share.0).sum();
    if (sum - 1.0).abs() > 1e-9 {
        let problem = item.wrong(format!("the shares of `{}` sum to {}, not to 100%", item.name, Share(sum)));
        return item.refuse(problem);
    }
    let finest = f64::from(Split::PARTS);
    let too_fine = |part: &&Part| ((part.share.0 * finest).round() - part.share.0 * finest).abs() > 1e-6;
    if let Some(part) = parts.iter().find(too_fine) {
        let message = format!("a share of {} is finer than balancers can split", part.share);
        return item.refuse(item.wrong(message).help("hundredths of a percent are the finest"));
    }
    Some(Split::of(parts))
}
