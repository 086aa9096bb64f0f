//! The keys of a class of requests, which a load without a mix has itself.

use std::rc::Rc;

use super::routes::statuses;
use crate::scenario::form::{Form, Is, headers_shape, name_of, quantity, share, text, words};
use crate::scenario::limits;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::scenario::shape::{Shape, Text};
use crate::scenario::written::{Written, quoted};
use crate::split::SplitPart;
use crate::topology::{Layer, Pool, Topology};
use crate::traffic::{Method, RequestClass};
use crate::units::{Bytes, Factor, Share, Span};

/// A share that could not be read.
const UNREAD: Share = Share(f64::NAN);

pub(super) fn class<'s>(name: &str, topology: &Rc<Topology>) -> Form<'s, RequestClass> {
    let of = Rc::clone(topology);
    let section = Section::new("class", "One kind of requests of a mix.", plain(name, UNREAD))
        .key("share", share(), |it| &mut it.share)
        .about("Its share of all requests.")
        .required();
    request(section, topology)
        .explained_first(&[
            "share",
            "method",
            "host",
            "path",
            "headers",
            "expect",
            "expect_status",
            "body",
            "cost",
        ])
        .form(move |read| Some(finished(&read, read.value.clone(), &of)), |class| Some(class.clone()))
}

/// A class with every default.
pub(super) fn plain(name: &str, share: Share) -> RequestClass {
    RequestClass { name: name.to_owned(), share, ..RequestClass::default() }
}

/// What a class, or a load of one class, says of its requests.
pub(super) fn request<'s>(
    section: Section<'s, RequestClass>,
    topology: &Topology,
) -> Section<'s, RequestClass> {
    section
        .key(
            "method",
            words([Method::Get, Method::Head, Method::Post].map(|method| (method.name(), method))),
            |it| &mut it.method,
        )
        .about("The method; a POST can have a body.")
        .key("path", target(), |it| &mut it.path)
        .about("What is asked for: a path, with or without a query.")
        .maybe("host", host(), |it| &mut it.host)
        .about("The name that is asked for, in `Host`. The first of a mix is also the name in TLS (SNI), which the certificate bears.")
        .unless("the listener's address, or `rig.test` over TLS")
        .key("headers", headers(), |it| &mut it.headers)
        .about("Headers; a list of values repeats one.")
        .key("body", quantity(limits::BODY), |it| &mut it.body)
        .about("The size of a request's body.")
        .maybe("upload", quantity(Span::millis(1)..=Span::millis(60_000)), |it| &mut it.upload)
        .about(
            "The body is sent evenly over this time, so that a request can be in the middle of it \
             when its backend goes.",
        )
        .unless("at once")
        .key("cost", quantity(Factor(0.01)..=Factor(1000.0)), |it| &mut it.cost)
        .about("Multiplies the service time of these requests.")
        .maybe("expect", expectation(topology), |it| &mut it.expected_pool)
        .about("Who should answer: another is counted as `misrouted`.")
        .key("expect_status", statuses(), |it| &mut it.expect_status)
        .about(
            "The statuses that count as delivered, such as `404`, `[200, 404]` or `3xx`; any other is \
             dropped.",
        )
        .unless("what the route says, else `2xx`")
}

/// Who should answer.
fn expectation<'s>(topology: &Topology) -> Form<'s, String> {
    let pools = topology.pools.iter().map(|pool| pool.name.clone()).collect();
    Section::new("expect", "Who should answer.", String::new())
        .key("pool", name_of("pool", pools), |it| it)
        .about("The pool whose stamp a response should bear.")
        .required()
        .on_a_line()
        .whole()
}

/// The class, once what depends on several of its keys has been looked at.
pub(super) fn finished<N>(read: &Read<'_, N>, class: RequestClass, topology: &Topology) -> RequestClass {
    let found = read.item.found;
    let RequestClass { method, body, .. } = &class;
    if let Some(item) = read.given("body").filter(|_| *body > Bytes(0) && *method != Method::Post) {
        let problem = Problem::new(format!("a {} has no body", method.name()), item.key());
        found.add(problem.help("`method: POST` has one"));
    }
    if let (Some(item), Bytes(0)) = (read.given("upload"), body) {
        let problem = Problem::new("`upload` needs a body to be sent over that time", item.key());
        found.add(problem.help("add `method: POST, body: 2KiB`"));
    }
    let asked = read.given("path");
    let path = if asked.is_none() || read.knows("path") { class.path.clone() } else { String::new() };
    let route = topology.route_of(&RequestClass { path: path.clone(), ..class.clone() });
    // Without any route that is the problem, and it has been recorded.
    if route.is_none() && !path.is_empty() && !topology.routes.is_empty() {
        let place = asked.map_or(read.item.place(), |item| item.place());
        let problem =
            Problem::new(format!("no route matches the path `{path}`, which the load requests"), place);
        found.add(problem.help("add a route, such as `all: { path: /, to: POOL }`"));
    }
    check_cost(read.given("cost"), class.cost, route.map_or(&[][..], |route| route.to.parts()), topology);
    let expect_status = match (read.given("expect_status"), topology.listener.layer) {
        (None, Layer::Seven) => route.and_then(|route| route.expect_status.clone()),
        _ => class.expect_status,
    };
    RequestClass { path, expect_status, ..class }
}

/// The service time is multiplied by it: the slowest draw of any backend that it meets stays within the limit of a
/// latency.
fn check_cost(item: Option<Item<'_>>, cost: Factor, parts: &[SplitPart], topology: &Topology) {
    let pools = parts.iter().filter_map(|part| topology.pool(&part.pool));
    let slowest = pools.flat_map(Pool::serving).map(|backend| backend.latency.slowest().0).max();
    let slowest = Span(slowest.unwrap_or_default().mul_f64(cost.0));
    let most = *limits::LATENCY.end();
    if let Some(item) = item.filter(|_| slowest > most) {
        let message = format!("`cost` makes the slowest request {slowest}; at most {most} is allowed");
        item.found.add(item.wrong(message));
    }
}

/// A path with or without a query.
pub(super) fn target<'s>() -> Form<'s, String> {
    text(Text::Target, |item: Item<'_>| {
        let text = item.text("a path")?;
        if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_graphic() && c != '#') {
            let message =
                format!("`path`: expected a path that begins with `/`, without spaces, found `{text}`");
            return item.refuse(item.wrong(message));
        }
        Some(text.to_owned())
    })
}

/// A host name, without a port.
fn host<'s>() -> Form<'s, String> {
    text(Text::HostName, |item| {
        let name = item.text("a host name")?;
        let fits = |label: &str| {
            let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !label.is_empty() && label.len() <= 63 && label.chars().all(inside)
        };
        if name.len() > limits::HOST || !name.split('.').all(fits) {
            let help = "such as `shop.example.com`: letters, digits and hyphens between dots, and no port";
            return item.refuse(item.wrong(format!("`{name}` is no host name")).help(help));
        }
        Some(name.to_owned())
    })
}

/// Headers that the generator sets itself, or that would change what a request is.
const RESERVED: [&str; 6] =
    ["host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"];

/// Names with a value each, or a list of them: the header is then repeated.
pub(super) fn headers<'s>() -> Form<'s, Vec<(String, String)>> {
    let shape = || {
        let value = Shape::Text(Text::HeaderValue);
        let several = Shape::List { of: Box::new(value.clone()), least: 0, most: limits::HEADERS };
        headers_shape(Shape::Either(vec![value, several]))
    };
    Form::new(Is::Map, shape, read_headers, |headers| write_headers(headers))
}

/// Whether a header may be called so: a token (RFC 9110, section 5.6.2).
pub(super) fn is_header_name(name: &str) -> bool {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    !name.is_empty() && name.len() <= limits::KEY && name.chars().all(token)
}

fn read_headers(item: Item<'_>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for item in item.entries(limits::HEADERS)? {
        let name = item.name.to_ascii_lowercase();
        if !is_header_name(&name) {
            item.found.add(Problem::new(format!("`{}` is not a header's name", item.name), item.key()));
        } else if RESERVED.contains(&name.as_str()) || name.starts_with("x-rig-") {
            item.found.add(Problem::new(format!("rig itself sets the header `{}`", item.name), item.key()));
        }
        let values = if item.is_list() { item.list(limits::HEADERS)? } else { vec![item] };
        for item in values {
            let Some(value) = item.text("a header's value") else {
                continue;
            };
            if !value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
                item.found.add(item.wrong(format!("the header `{}` may hold visible ASCII only", item.name)));
            }
            headers.push((item.name.to_owned(), value.to_owned()));
        }
    }
    Some(headers)
}

/// A header that is repeated has a list of values.
fn write_headers(headers: &[(String, String)]) -> Written {
    let header = |same: &[(String, String)]| match same {
        [(name, value)] => format!("{}: {}", quoted(name), quoted(value)),
        several => {
            let values: Vec<_> = several.iter().map(|(_, value)| quoted(value)).collect();
            format!("{}: [{}]", quoted(&several[0].0), values.join(", "))
        }
    };
    let all: Vec<_> = headers.chunk_by(|(a, _), (b, _)| a == b).map(header).collect();
    Written::Plain(format!("{{{}}}", all.join(", ")))
}
