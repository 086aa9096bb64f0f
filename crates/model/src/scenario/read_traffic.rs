//! Reads `load`: the schedule, the connections, and the kinds of requests.

use super::limits;
use super::problem::Problem;
use super::read_routes::statuses;
use super::read_users;
use super::reader::{Fields, Item};
use crate::split::Part;
use crate::statuses::Statuses;
use crate::topology::{Backend, Latency, Layer, Pool, Topology};
use crate::traffic::{
    Arrivals, Cap, FEWEST_CONNECTIONS, Identity, Method, RequestClass, Traffic, most_in_flight,
};
use crate::units::{Bytes, Factor, Rate, Share, Span};

/// How long a client waits unless the scenario says otherwise. Read on its own, before the topology, whose own
/// timeout follows it.
pub(crate) fn timeout(load: &mut Fields<'_>) -> Span {
    load.read("timeout", Span::millis(10_000), |item| item.quantity(limits::TIMEOUT))
}

/// Reads the rest of the load, to be carried by `topology`.
pub(crate) fn traffic(mut fields: Fields<'_>, timeout: Span, topology: &Topology) -> Traffic {
    let load = fields.item;
    // A bad rate or length goes on as one that contradicts nothing else.
    let rate = fields.require("rate", *limits::RATE.start(), |item| item.quantity(limits::RATE));
    let duration = fields.require("for", *limits::LOAD.end(), |item| item.quantity(limits::LOAD));
    let arrivals = fields.read("arrivals", Arrivals::default(), |item| {
        item.word(&[("constant", Arrivals::Constant), ("poisson", Arrivals::Poisson)])
    });
    let warmup = fields.read("warmup", Span::millis(2000), |item| item.quantity(limits::WARMUP));
    let fresh_connections =
        fields.read("fresh_connections", Share(0.1), |item| item.quantity(Share(0.0)..=Share(1.0)));
    let resumption = fields.read("resumption", true, |item| item.word(&[("on", true), ("off", false)]));
    let mix = mix(&mut fields, topology);
    let latency = mean_latency(&mix, topology);
    let users_item = fields.get("users");
    let users = users_item.and_then(read_users::users);
    if let (Some(item), Some(users)) = (users_item, &users) {
        read_users::check_users(item, users, (rate, arrivals, warmup), &mix);
    }
    let sources =
        users.filter(|users| users.identity == Identity::SourceAddress).map_or(0, |users| users.count);
    let (connections, connections_from) = connections(&mut fields, rate, timeout, latency, sources);
    fields.finish();

    let requests = rate.0 * (duration.seconds() + warmup.seconds());
    if requests > limits::REQUESTS {
        let message = format!(
            "{rate} for {duration} and a warm-up of {warmup} are {requests} requests; at most {} are allowed",
            limits::REQUESTS
        );
        load.found.add(load.wrong(message));
    }
    if rate.0 * duration.seconds() < 1.0 {
        load.found.add(load.wrong(format!("{rate} for {duration} is less than one request")));
    }
    Traffic {
        rate,
        arrivals,
        duration,
        warmup,
        timeout,
        connections,
        connections_from,
        fresh_connections,
        resumption,
        mix,
        users,
    }
}

/// The most connections: as many as the load can need, and one more for each of the `sources` that keep their own. A
/// cap that the load can't live with would measure the cap, so it is refused.
fn connections(
    fields: &mut Fields<'_>,
    rate: Rate,
    timeout: Span,
    latency: Span,
    sources: u32,
) -> (u32, Cap) {
    let most = *limits::CONNECTIONS.end();
    let busy = (rate.0 * latency.seconds()).ceil() as u64;
    let arithmetic = format!("{rate} × {latency} mean latency keeps {busy} requests in flight");
    let needed = most_in_flight(rate, timeout).max(u64::from(FEWEST_CONNECTIONS)) + u64::from(sources);
    let derived = u32::try_from(needed.min(most)).unwrap_or(u32::MAX);
    let from = if needed <= most { Cap::Load } else { Cap::Machine };
    if busy > most {
        let message = format!(
            "the load is too large: {arithmetic}; one address can have {most} connections to another"
        );
        fields
            .item
            .found
            .add(fields.item.wrong(message).help("lower `rate`, or the latency of the backends"));
    }
    let Some(item) = fields.get("connections") else {
        return (derived, from);
    };
    let Some(connections) = item.count(limits::CONNECTIONS) else {
        return (derived, from);
    };
    if u64::from(connections) < busy && busy <= most {
        let problem = item.wrong(format!("{connections} connections cannot carry the load: {arithmetic}"));
        let help = format!("leave `connections` out: the load then has as many as it can need, {derived}");
        item.found.add(problem.help(help));
    }
    (connections, Cap::Scenario)
}

/// The mean time of a request of this mix, its upload included, the load spread evenly within each pool.
fn mean_latency(mix: &[RequestClass], topology: &Topology) -> Span {
    let of_class = |class: &RequestClass| {
        let route = topology.route_of(&class.path, &class.headers);
        let of_part =
            |part: &Part| part.share.0 * topology.pool(&part.pool).map_or(0.0, mean_latency_of_pool);
        let served: f64 = route.map_or(0.0, |route| route.to.parts().iter().map(of_part).sum());
        let upload = class.upload.map_or(0.0, |upload| upload.seconds());
        class.share.0 * (upload + class.cost.0 * served)
    };
    let seconds: f64 = match topology.listener.layer {
        Layer::Seven => mix.iter().map(of_class).sum(),
        // Whatever is asked for, any backend of any pool may get it.
        Layer::Four => mean_latency_of(topology.pools.iter().flat_map(|pool| pool.serving())),
    };
    // To whole microseconds, which is what the arithmetic of a message needs.
    Span(std::time::Duration::from_micros((seconds * 1e6).round() as u64))
}

fn mean_latency_of_pool(pool: &Pool) -> f64 {
    mean_latency_of(pool.serving())
}

fn mean_latency_of<'b>(backends: impl Iterator<Item = &'b Backend>) -> f64 {
    let mean = |backend: &Backend| {
        let Latency { from, to, tail } = backend.latency;
        let (share, at) = tail.map_or((0.0, 0.0), |tail| (tail.share.0, tail.at.seconds()));
        (1.0 - share) * (from.seconds() + to.seconds()) / 2.0 + share * at
    };
    let means: Vec<f64> = backends.map(mean).collect();
    means.iter().sum::<f64>() / means.len().max(1) as f64
}

const OF_A_CLASS: [&str; 8] =
    ["method", "path", "headers", "body", "cost", "expect", "expect_status", "upload"];

/// The kinds of requests: those of `mix`, or a single one that the load itself describes.
fn mix(fields: &mut Fields<'_>, topology: &Topology) -> Vec<RequestClass> {
    let Some(mix) = fields.get("mix") else {
        return vec![RequestClass { name: "all".into(), share: Share(1.0), ..class(fields, topology) }];
    };
    for key in OF_A_CLASS {
        if let Some(item) = fields.get(key) {
            let problem = Problem::new(format!("`{key}` stands beside `mix`"), item.key());
            item.found.add(problem.help("with a mix, each of its classes says it for itself"));
        }
    }
    let read = |item: Item<'_>| {
        let mut fields = item.fields()?;
        let share = fields.demand("share").and_then(|item| item.quantity(Share(0.0)..=Share(1.0)));
        let class = RequestClass {
            name: item.name.to_owned(),
            share: share.unwrap_or_default(),
            ..class(&mut fields, topology)
        };
        fields.finish();
        Some((class, share))
    };
    let classes: Vec<_> =
        mix.named(limits::CLASSES).unwrap_or_default().into_iter().filter_map(read).collect();
    // The sum says something only if every share could be read.
    let shares: Option<Vec<f64>> = classes.iter().map(|(_, share)| share.map(|share| share.0)).collect();
    let sum = shares.map(|shares| shares.iter().sum::<f64>());
    if let Some(sum) = sum.filter(|sum| (sum - 1.0).abs() > 1e-9) {
        mix.found.add(mix.wrong(format!("the shares of `mix` sum to {}, not to 100%", Share(sum))));
    }
    classes.into_iter().map(|(class, _)| class).collect()
}

/// What a class, or a load of one class, says of its requests.
fn class(fields: &mut Fields<'_>, topology: &Topology) -> RequestClass {
    let owner = fields.item;
    let method = fields.read("method", Method::default(), |item| {
        item.word(&[("GET", Method::Get), ("HEAD", Method::Head), ("POST", Method::Post)])
    });
    let body_item = fields.get("body");
    let body = body_item.and_then(|item| item.quantity(limits::BODY)).unwrap_or(Bytes(0));
    if let Some(item) = body_item.filter(|_| body > Bytes(0) && method != Method::Post) {
        let problem = Problem::new(format!("a {} has no body", method.name()), item.key());
        item.found.add(problem.help("`method: POST` has one"));
    }
    let upload_item = fields.get("upload");
    let upload = upload_item.and_then(|item| item.quantity(limits::UPLOAD));
    if let (Some(item), Bytes(0)) = (upload_item, body) {
        let problem = Problem::new("`upload` needs a body to be sent over that time", item.key());
        item.found.add(problem.help("add `method: POST, body: 2KiB`"));
    }
    let asked = fields.get("path");
    let path = asked.map_or(Some("/".to_owned()), path);
    let headers = fields.read("headers", Vec::new(), headers);
    let expected_pool = fields.read("expect", None, |item| expectation(item, topology));
    // Without any route that is the problem, and it has been recorded.
    let unmatched = |path: &&str| !topology.routes.is_empty() && topology.route_of(path, &headers).is_none();
    if let Some(path) = path.as_deref().filter(unmatched) {
        let place = asked.map_or(owner.place(), |item| item.place());
        let problem =
            Problem::new(format!("no route matches the path `{path}`, which the load requests"), place);
        owner.found.add(problem.help("add a route, such as `all: { path: /, to: POOL }`"));
    }
    let path = path.unwrap_or_default();
    let of_the_route = || {
        let route = topology.route_of(&path, &headers).filter(|_| topology.listener.layer == Layer::Seven);
        route.and_then(|route| route.expect_status.clone())
    };
    let expect_status = fields.get("expect_status").map_or_else(of_the_route, statuses);
    let expect_status = expect_status.and_then(Statuses::unusual);
    RequestClass {
        name: String::new(),
        share: Share::default(),
        method,
        cost: fields.read("cost", Factor::ONE, |item| cost(item, &path, &headers, topology)),
        path,
        headers,
        body,
        expected_pool,
        expect_status,
        upload,
    }
}

/// What the service time is multiplied by. The slowest draw of any backend that it meets stays within the limit of
/// a latency.
fn cost(item: Item<'_>, path: &str, headers: &[(String, String)], topology: &Topology) -> Option<Factor> {
    let cost = item.quantity(limits::COST)?;
    let parts = topology.route_of(path, headers).map_or(&[][..], |route| route.to.parts());
    let pools = parts.iter().filter_map(|part| topology.pool(&part.pool));
    let slowest = pools.flat_map(Pool::serving).map(|backend| backend.latency.slowest().0).max();
    let slowest = Span(slowest.unwrap_or_default().mul_f64(cost.0));
    let most = *limits::LATENCY.end();
    if slowest > most {
        return item.refuse(
            item.wrong(format!("`cost` makes the slowest request {slowest}; at most {most} is allowed")),
        );
    }
    Some(cost)
}

/// Who should answer.
fn expectation(item: Item<'_>, topology: &Topology) -> Option<Option<String>> {
    let mut fields = item.fields()?;
    let pools: Vec<_> = topology.pools.iter().map(|pool| pool.name.as_str()).collect();
    let pool = fields.demand("pool").and_then(|item| item.known_name("pool", &pools));
    fields.finish();
    Some(pool)
}

/// A path with or without a query.
pub(super) fn path(item: Item<'_>) -> Option<String> {
    let text = item.text("a path")?;
    if !text.starts_with('/') || !text.chars().all(|c| c.is_ascii_graphic() && c != '#') {
        let message = format!("`path`: expected a path that begins with `/`, without spaces, found `{text}`");
        return item.refuse(item.wrong(message));
    }
    Some(text.to_owned())
}

/// Headers that the generator sets itself, or that would change what a request is.
const RESERVED: [&str; 6] =
    ["host", "connection", "content-length", "transfer-encoding", "expect", "upgrade"];

/// Names with a value each, or a list of them: the header is then repeated.
pub(super) fn headers(item: Item<'_>) -> Option<Vec<(String, String)>> {
    let mut headers = Vec::new();
    for item in item.entries(limits::HEADERS)? {
        let name = item.name.to_ascii_lowercase();
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > limits::KEY || !name.chars().all(token) {
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
