//! The keys of `load`: the schedule and the connections.

use std::rc::Rc;

use super::class::{self, class, plain, request};
use super::users;
use crate::generators::{LoadPart, needs, shares};
use crate::scenario::form::{Form, named, number, quantity, share, words};
use crate::scenario::limits;
use crate::scenario::problem::Problem;
use crate::scenario::reader::Item;
use crate::scenario::section::{Read, Section};
use crate::scenario::written::Written;
use crate::split::SplitPart;
use crate::topology::{Backend, Latency, Layer, Pool, Topology};
use crate::traffic::{Arrivals, Cap, RequestClass, Traffic};
use crate::units::{Rate, Share, Span};

/// A load, and what it says of its requests where it has no mix.
#[derive(Clone)]
struct Load {
    traffic: Traffic,
    connections: Option<u32>,
    all: RequestClass,
}

/// A load without requests, with every default. What must be said goes on, where it is bad, as what contradicts nothing
/// else: a rate that is no number is neither too high nor too low.
pub(crate) fn nothing() -> Traffic {
    Traffic { rate: Rate(f64::NAN), duration: *limits::LOAD.end(), ..Traffic::default() }
}

/// The load of `topology`.
pub(crate) fn load<'s>(topology: &Topology) -> Form<'s, Traffic> {
    let topology = Rc::new(topology.clone());
    let (requested, mixed) = (Rc::clone(&topology), Rc::clone(&topology));
    let tls = topology.listener.tls;
    let start = Load { traffic: nothing(), connections: None, all: plain("all", Share(1.0)) };
    let request = request(Section::loose(start.all.clone()), &requested);
    let of_a_class: Rc<[&'static str]> = request.names().collect();
    Section::new("load", "An open-loop load: request i is due at a computed instant.", start)
        .key("rate", quantity(limits::RATE), |it| &mut it.traffic.rate)
        .about("Requests per second, whatever became of earlier ones.")
        .required()
        .key("for", quantity(limits::LOAD), |it| &mut it.traffic.duration)
        .about("How long, from the first measured request on.")
        .required()
        .key("until", words([("end", false), ("settled", true)]), |it| &mut it.traffic.until_settled)
        .about(
            "`settled` ends the load before that, once the timeline has ended and a timeout has passed without a loss.",
        )
        .explained_if(|it| it.traffic.until_settled)
        .key("arrivals", words([("constant", Arrivals::Constant), ("poisson", Arrivals::Poisson)]), |it| {
            &mut it.traffic.arrivals
        })
        .about("Evenly spaced, or by chance at that rate.")
        .key("warmup", quantity(Span::millis(0)..=Span::millis(60_000)), |it| &mut it.traffic.warmup)
        .about("Load before that, which is not measured.")
        .key("timeout", quantity(limits::TIMEOUT), |it| &mut it.traffic.timeout)
        .about("How long a client waits for a whole response.")
        .key("fresh_connections", share(), |it| &mut it.traffic.fresh_connections)
        .about("The share of requests on a connection of their own; the others use kept-alive ones.")
        .key("resumption", words([("on", true), ("off", false)]), |it| &mut it.traffic.resumption)
        .about("Whether clients take up TLS sessions again.")
        // Without TLS there are no sessions, and nothing to say.
        .explained_if(move |it| !it.traffic.resumption || tls.at_listener())
        .maybe("connections", number(limits::CONNECTIONS), |it| &mut it.connections)
        .about("The most connections at a time. A smaller number can make requests wait for one.")
        .unless("as many as the load can need (rate × timeout and some), as far as the machine carries them")
        .explained(|it, written| match it.connections {
            Some(_) => written,
            // Written out, it would be the scenario's own, and could bind on another machine.
            None => Written::Remark(format!(
                "connections: {}, as many as the load can need",
                it.traffic.connections
            )),
        })
        .key("generators", number(limits::GENERATORS), |it| &mut it.traffic.generators)
        .about(
            "Processes that send it, each a part: the requests of a part of the users, or every n-th request. Which \
             request is due when does not depend on it.",
        )
        .maybe("users", users::users(), |it| &mut it.traffic.users)
        .about("The users who make the requests, each with a cookie jar. Without it, requests belong to no user.")
        .key("mix", mix(&mixed), |it| &mut it.traffic.mix)
        .about(
            "Kinds of requests by name, whose shares sum to 100%. Without it, the load itself says \
             what a request is.",
        )
        .optional()
        .include(request.unexplained(), |it| &mut it.all)
        .explained_first(&["rate", "arrivals", "for", "warmup", "timeout", "connections"])
        .form(
            move |read| Some(checked(&read, &topology, &of_a_class)),
            |traffic| {
                let own = traffic.connections_from == Cap::Scenario;
                let connections = own.then_some(traffic.connections);
                Some(Load { traffic: traffic.clone(), connections, all: plain("all", Share(1.0)) })
            },
        )
}

/// The load, once what depends on several keys has been looked at.
fn checked(read: &Read<'_, Load>, topology: &Topology, of_a_class: &[&'static str]) -> Traffic {
    let (load, mix) = (read.item, read.given("mix"));
    if mix.is_some() {
        for item in read.given_of(of_a_class) {
            let problem = Problem::new(format!("`{}` stands beside `mix`", item.name), item.key());
            item.found.add(problem.help("with a mix, each of its classes says it for itself"));
        }
    }
    let (users_item, connections_item) = (read.given("users"), read.given("connections"));
    let connections = connections_item.zip(read.value.connections);
    let all = || vec![class::finished(read, read.value.all.clone(), topology)];
    let mix = if mix.is_some() { read.value.traffic.mix.clone() } else { all() };
    let traffic = Traffic { mix, ..read.value.traffic.clone() };
    let Traffic { rate, duration, warmup, generators, .. } = traffic;
    if let (Some(item), Some(users)) = (users_item, &traffic.users) {
        users::check_users(item, users, (rate, traffic.arrivals, warmup), &traffic.mix);
        if users.count < generators {
            let of = read.given("generators").unwrap_or(load);
            let problem = of.wrong(format!("{generators} generators cannot share {} users", users.count));
            of.found.add(problem.help(
                "a user's requests come from one generator: lower `generators`, or raise `users.count`",
            ));
        }
    }
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
    let (connections, connections_from) =
        cap(load, connections, &traffic, mean_latency(&traffic.mix, topology));
    Traffic { connections, connections_from, ..traffic }
}

/// The most connections: as many as the load can need, and one more for each source address that keeps its own. A cap
/// that the load, or the part of one generator, can't live with would measure the cap, so it is refused.
fn cap(load: Item<'_>, own: Option<(Item<'_>, u32)>, traffic: &Traffic, latency: Span) -> (u32, Cap) {
    let (rate, most) = (traffic.rate, *limits::CONNECTIONS.end());
    let busy = (rate.0 * latency.seconds()).ceil() as u64;
    let arithmetic = format!("{rate} × {latency} mean latency keeps {busy} requests in flight");
    let needed: u64 = needs(traffic, traffic.generators).iter().sum();
    let derived = u32::try_from(needed.min(most)).unwrap_or(u32::MAX);
    if busy > most {
        let message = format!(
            "the load is too large: {arithmetic}; one address can have {most} connections to another"
        );
        load.found.add(load.wrong(message).help("lower `rate`, or the latency of the backends"));
    }
    let Some((item, connections)) = own else {
        return (derived, if needed <= most { Cap::Load } else { Cap::Machine });
    };
    let capped = Traffic { connections, ..traffic.clone() };
    let problem = if busy > most {
        None
    } else if u64::from(connections) < busy {
        Some(format!("{connections} connections cannot carry the load: {arithmetic}"))
    } else if connections < traffic.generators {
        Some(format!("{connections} connections cannot be divided among {} generators", traffic.generators))
    } else {
        too_few_for_a_part(&capped, latency)
    };
    if let Some(problem) = problem {
        let fewer = if traffic.generators > 1 { ", or lower `generators`" } else { "" };
        let help =
            format!("leave `connections` out: the load then has as many as it can need, {derived}{fewer}");
        item.found.add(item.wrong(problem).help(help));
    }
    (connections, Cap::Scenario)
}

/// The generator whose connections can't carry its part of the load.
fn too_few_for_a_part(traffic: &Traffic, latency: Span) -> Option<String> {
    let parts = LoadPart::all(traffic.generators).zip(shares(traffic, traffic.generators));
    parts.filter(|_| traffic.generators > 1).find_map(|(part, share)| {
        let (rate, connections) = (Rate(traffic.rate.0 * share), traffic.connections_of(part));
        let busy = (rate.0 * latency.seconds()).ceil() as u64;
        (u64::from(connections) < busy).then(|| {
            format!(
                "{} connections are {connections} for generator {} of {}, which cannot carry its part of the load: \
                 {:.0} % of {} × {latency} mean latency keeps {busy} requests in flight",
                traffic.connections,
                part.index + 1,
                part.of,
                share * 100.0,
                traffic.rate
            )
        })
    })
}

/// Kinds of requests, whose shares sum to 100 %.
fn mix<'s>(topology: &Rc<Topology>) -> Form<'s, Vec<RequestClass>> {
    let topology = Rc::clone(topology);
    named(
        limits::CLASSES,
        move |name| class(name, &topology),
        |class| &class.name,
        |item, classes| {
            let sum: f64 = classes.iter().map(|(_, class)| class.share.0).sum();
            // The sum says something only if every share could be read.
            let known = classes.iter().all(|(_, class)| !class.share.0.is_nan());
            if known && (sum - 1.0).abs() > 1e-9 {
                item.found.add(item.wrong(format!("the shares of `mix` sum to {}, not to 100%", Share(sum))));
            }
        },
    )
}

/// The mean time of a request of this mix, its upload included, the load spread evenly within each pool.
fn mean_latency(mix: &[RequestClass], topology: &Topology) -> Span {
    let of_class = |class: &RequestClass| {
        let route = topology.route_of(class);
        let of_part =
            |part: &SplitPart| part.share.0 * topology.pool(&part.pool).map_or(0.0, mean_latency_of_pool);
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
