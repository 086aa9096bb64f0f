//! `rig validate --explain`: a plan written out in the scenario language, with every default.

use std::fmt::{Display, Write};

use crate::claim::Claim;
use crate::degrade::{Degrade, Misbehaviour};
use crate::plan::{SavedPlan, Variant};
use crate::sessions::{JwtKeys, Sessions};
use crate::timeline::{Action, Drain, Entry, Strategy, When};
use crate::timeline::{Deploy, Deregister, Fault, Until};
use crate::tls::Tls;
use crate::topology::{
    Backend, Balance, Latency, Layer, Limits, OnTerm, PassiveHealth, Pool, Retries, Threshold, Topology,
    UpstreamKeepalive,
};
use crate::traffic::{Arrivals, Cap, Identity, Skew, Traffic};
use crate::units::Span;

/// Every resolved value of every variant. The text is itself a scenario, which builds the same plan.
pub fn explain(plan: &SavedPlan) -> String {
    let mut out = Lines::default();
    out.line(0, format_args!("name: {}", plan.scenario));
    out.line(0, format_args!("question: {}", quoted(&plan.question)));
    out.line(0, format_args!("seed: {}", plan.seed));
    out.line(0, format_args!("repeat: {}", plan.repeats));
    claims(&mut out, "control", &plan.control);
    claims(&mut out, "expect", &plan.expect);
    if let Some(reading) = &plan.reading {
        out.line(0, format_args!("reading: {}", quoted(&reading.to_string())));
    }
    out.line(0, format_args!("variants:"));
    for variant in &plan.variants {
        explain_variant(&mut out, variant);
    }
    out.0
}

/// Indented lines.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, depth: usize, text: impl Display) {
        writeln!(self.0, "{:indent$}{text}", "", indent = 2 * depth).expect("a String takes any text");
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => write!(out, "\\U{:08x}", u32::from(c)).expect("a String takes any text"),
            c => out.push(c),
        }
    }
    out + "\""
}

fn claims(out: &mut Lines, key: &str, claims: &[Claim]) {
    let texts: Vec<_> = claims.iter().map(|claim| quoted(&claim.text)).collect();
    out.line(0, format_args!("{key}: [{}]", texts.join(", ")));
}

fn explain_variant(out: &mut Lines, variant: &Variant) {
    let balancers: Vec<_> = variant.balancers.iter().map(|kind| kind.name()).collect();
    out.line(1, format_args!("{}:", variant.name));
    out.line(2, format_args!("balancers: [{}]", balancers.join(", ")));
    topology(out, &variant.topology);
    traffic(out, &variant.traffic, variant.topology.listener.tls);
    let empty = if variant.timeline.is_empty() { " {}" } else { "" };
    out.line(2, format_args!("timeline:{empty}"));
    for entry in &variant.timeline {
        timeline_entry(out, entry);
    }
}

fn topology(out: &mut Lines, topology: &Topology) {
    out.line(2, "topology:");
    out.line(3, "pools:");
    for pool in &topology.pools {
        explain_pool(out, pool);
    }
    out.line(3, "routes:");
    for route in &topology.routes {
        let header = route.header.as_ref().map_or(String::new(), |header| {
            format!(", header: {{ {}: {} }}", quoted(&header.name), quoted(&header.value))
        });
        let (name, path) = (&route.name, quoted(&route.path));
        let sticky = route.sticky.as_ref();
        let sticky =
            sticky.map_or(String::new(), |it| format!(", sticky: {{ cookie: {} }}", quoted(&it.cookie)));
        let expected = route.expect_status.as_ref();
        let expected = expected.map_or(String::new(), |it| format!(", expect_status: {it}"));
        out.line(4, format_args!("{name}: {{ path: {path}{header}, to: {}{sticky}{expected} }}", route.to));
    }
    let layer = match topology.listener.layer {
        Layer::Four => 4,
        Layer::Seven => 7,
    };
    out.line(3, format_args!("listener: {{ layer: {layer}, tls: {} }}", topology.listener.tls.name()));
    let balance = match topology.balance {
        Balance::RoundRobin => "round_robin",
        Balance::LeastConnections => "least_connections",
        Balance::TwoChoices => "two_choices",
        Balance::SourceHash => "source_hash",
    };
    out.line(3, format_args!("balance: {balance}"));
    match &topology.health_check {
        None => out.line(3, "health_check: off"),
        Some(check) => {
            let (path, every, timeout) = (quoted(&check.path), check.every, check.timeout);
            let (fall, rise) = (check.fall, check.rise);
            out.line(3, format_args!(
                "health_check: {{ path: {path}, every: {every}, timeout: {timeout}, fall: {fall}, rise: {rise} }}"
            ));
        }
    }
    match topology.retries {
        Retries::Off => out.line(3, "retries: off"),
        Retries::Default => out.line(3, "retries: default"),
        Retries::On { tries } => out.line(3, format_args!("retries: {{ tries: {tries} }}")),
    }
    match topology.passive_health {
        PassiveHealth::Off => out.line(3, "passive_health: off"),
        PassiveHealth::Default => out.line(3, "passive_health: default"),
        PassiveHealth::On { fails, out_for } => {
            out.line(3, format_args!("passive_health: {{ fails: {fails}, for: {out_for} }}"));
        }
    }
    out.line(3, format_args!("panic: {}", threshold(topology.panic)));
    out.line(3, format_args!("max_ejection: {}", threshold(topology.max_ejection)));
    let limits = if topology.limits == Limits::Off { "off" } else { "default" };
    out.line(3, format_args!("limits: {limits}"));
    let kept = if topology.upstream_keepalive == UpstreamKeepalive::On { "on" } else { "default" };
    out.line(3, format_args!("upstream_keepalive: {kept}"));
    match topology.client_keepalive {
        None => out.line(3, "client_keepalive: off"),
        Some(span) => out.line(3, format_args!("client_keepalive: {span}")),
    }
    out.line(3, format_args!("response_timeout: {}", topology.response_timeout));
    match topology.reload_grace {
        None => out.line(3, "reload_grace: off"),
        Some(span) => out.line(3, format_args!("reload_grace: {span}")),
    }
    out.line(3, format_args!("workers: {}", topology.workers));
}

fn threshold(threshold: Threshold) -> String {
    match threshold {
        Threshold::Off => "off".to_owned(),
        Threshold::Default => "default".to_owned(),
        Threshold::At(share) => share.to_string(),
    }
}

fn explain_pool(out: &mut Lines, pool: &Pool) {
    out.line(4, format_args!("{}:", pool.name));
    out.line(5, format_args!("health_path: {}", pool.health_path));
    out.line(5, format_args!("sessions: {}", pool.sessions.map_or("none", Sessions::name)));
    out.line(5, "backends:");
    for backend in &pool.backends {
        explain_backend(out, backend);
    }
}

fn explain_backend(out: &mut Lines, backend: &Backend) {
    if backend.spare {
        return out.line(6, format_args!("# {}: a spare, which the surge deploy adds", backend.id));
    }
    let at_once = backend.at_once.map_or("unlimited".to_owned(), |n| n.to_string());
    let on_term = match backend.on_term {
        OnTerm::Exit => "exit",
        OnTerm::Finish => "finish",
    };
    out.line(6, format_args!("{}:", backend.id));
    out.line(7, format_args!("boot: {}", backend.boot));
    out.line(7, format_args!("latency: {}", latency(&backend.latency)));
    out.line(7, format_args!("at_once: {at_once}"));
    out.line(7, format_args!("queue: {}", backend.queue));
    out.line(7, format_args!("body: {}", backend.body));
    out.line(7, format_args!("on_term: {on_term}"));
    out.line(7, format_args!("health_in_queue: {}", backend.health_in_queue));
}

fn latency(latency: &Latency) -> String {
    let body = if latency.from == latency.to {
        format!("fixed: {}", latency.from)
    } else {
        format!("uniform: [{}, {}]", latency.from, latency.to)
    };
    match latency.tail {
        Some(tail) => format!("{{ {body}, tail: {{ share: {}, at: {} }} }}", tail.share, tail.at),
        None => format!("{{ {body} }}"),
    }
}

fn traffic(out: &mut Lines, traffic: &Traffic, tls: Tls) {
    let arrivals = match traffic.arrivals {
        Arrivals::Constant => "constant",
        Arrivals::Poisson => "poisson",
    };
    out.line(2, "load:");
    out.line(3, format_args!("rate: {}", traffic.rate));
    out.line(3, format_args!("arrivals: {arrivals}"));
    out.line(3, format_args!("for: {}", traffic.duration));
    out.line(3, format_args!("warmup: {}", traffic.warmup));
    out.line(3, format_args!("timeout: {}", traffic.timeout));
    match traffic.connections_from {
        Cap::Scenario => out.line(3, format_args!("connections: {}", traffic.connections)),
        // Written out, it would be the scenario's own, and could bind on another machine.
        Cap::Load | Cap::Machine => {
            out.line(3, format_args!("# connections: {}, as many as the load can need", traffic.connections));
        }
    }
    out.line(3, format_args!("fresh_connections: {}", traffic.fresh_connections));
    // Without TLS there are no sessions, and nothing to say.
    match traffic.resumption {
        false => out.line(3, "resumption: off"),
        true if tls.at_listener() => out.line(3, "resumption: on"),
        true => {}
    }
    if let Some(it) = &traffic.users {
        let skew = match it.skew {
            Skew::None => "none".to_owned(),
            Skew::Zipf(exponent) => format!("{{ zipf: {exponent} }}"),
        };
        let identity = match it.identity {
            Identity::Cookie => "cookie",
            Identity::SourceAddress => "source_address",
        };
        out.line(3, format_args!("users: {{ count: {}, skew: {skew}, identity: {identity} }}", it.count));
    }
    out.line(3, "mix:");
    for class in &traffic.mix {
        out.line(4, format_args!("{}:", class.name));
        out.line(5, format_args!("share: {}", class.share));
        out.line(5, format_args!("method: {}", class.method.name()));
        out.line(5, format_args!("path: {}", quoted(&class.path)));
        out.line(5, format_args!("headers: {}", headers(&class.headers)));
        if let Some(pool) = &class.expected_pool {
            out.line(5, format_args!("expect: {{ pool: {pool} }}"));
        }
        match &class.expect_status {
            Some(statuses) => out.line(5, format_args!("expect_status: {statuses}")),
            None => out.line(5, "expect_status: 2xx"),
        }
        out.line(5, format_args!("body: {}", class.body));
        out.line(5, format_args!("cost: {}", class.cost));
        if let Some(upload) = class.upload {
            out.line(5, format_args!("upload: {upload}"));
        }
    }
}

/// A header that is repeated has a list of values.
fn headers(headers: &[(String, String)]) -> String {
    let header = |same: &[(String, String)]| match same {
        [(name, value)] => format!("{}: {}", quoted(name), quoted(value)),
        several => {
            let values: Vec<_> = several.iter().map(|(_, value)| quoted(value)).collect();
            format!("{}: [{}]", quoted(&several[0].0), values.join(", "))
        }
    };
    let all: Vec<_> = headers.chunk_by(|(a, _), (b, _)| a == b).map(header).collect();
    format!("{{{}}}", all.join(", "))
}

fn timeline_entry(out: &mut Lines, entry: &Entry) {
    out.line(3, format_args!("{}:", entry.name));
    match &entry.when {
        When::At(at) => out.line(4, format_args!("at: {at}")),
        When::After(other) => out.line(4, format_args!("after: {other}")),
    }
    if entry.jitter != Span::default() {
        out.line(4, format_args!("jitter: {}", entry.jitter));
    }
    match &entry.action {
        Action::Deploy(it) => deploy(out, it),
        Action::Fault(it) => fault(out, it),
        Action::Degrade(it) => degrade(out, it),
        Action::Split(it) => {
            out.line(4, format_args!("split: {{ route: {}, to: {} }}", it.route, it.to));
        }
        Action::Curl(it) => {
            let (path, headers) = (quoted(&it.path), headers(&it.headers));
            out.line(4, format_args!("curl: {{ path: {path}, headers: {headers}, times: {} }}", it.times));
        }
        Action::Reload(it) => {
            let keeps = it.keeps.name();
            out.line(
                4,
                format_args!("reload: {{ times: {}, every: {}, keeps: {keeps} }}", it.times, it.every),
            )
        }
    }
}

fn deploy(out: &mut Lines, deploy: &Deploy) {
    out.line(4, "deploy:");
    out.line(5, format_args!("pool: {}", deploy.pool));
    let strategy = match deploy.strategy {
        Strategy::InPlace => "in_place",
        Strategy::Surge => "surge",
    };
    out.line(5, format_args!("strategy: {strategy}"));
    match deploy.drain {
        Drain::Off => out.line(5, "drain: off"),
        Drain::Auto => out.line(5, "drain: auto"),
        Drain::For(window) => out.line(5, format_args!("drain: {window}")),
    }
    if deploy.drain != Drain::Off {
        let until = match deploy.until {
            Until::Idle => "idle",
            Until::Window => "window",
        };
        out.line(5, format_args!("until: {until}"));
    }
    if deploy.tells_the_balancer() {
        let deregister = match deploy.deregister {
            Deregister::Live => "live",
            Deregister::Reload => "reload",
        };
        out.line(5, format_args!("deregister: {deregister}"));
    }
    out.line(5, format_args!("ready_within: {}", deploy.ready_within));
    let health = if deploy.new_generation_unhealthy { "unhealthy" } else { "healthy" };
    out.line(5, format_args!("new_generation: {health}"));
    if deploy.jwt_keys != JwtKeys::Same {
        out.line(5, format_args!("jwt_keys: {}", deploy.jwt_keys.name()));
    }
}

fn fault(out: &mut Lines, fault: &Fault) {
    out.line(4, format_args!("{}: {}", fault.kind.name(), fault.backend));
    if let Some(lasts) = fault.lasts {
        out.line(4, format_args!("for: {lasts}"));
    }
}

fn degrade(out: &mut Lines, degrade: &Degrade) {
    let misbehaviour = match degrade.misbehaviour {
        Misbehaviour::Latency(it) => format!("latency: {}", latency(&it)),
        Misbehaviour::Errors(share) => format!("errors: {share}"),
        Misbehaviour::Unhealthy => "health: fail".to_owned(),
        Misbehaviour::Silent => "silent: true".to_owned(),
        Misbehaviour::Reset(stage) => format!("reset: {}", stage.name()),
        Misbehaviour::Close(stage) => format!("close: {}", stage.name()),
    };
    out.line(4, format_args!("degrade: {{ backend: {}, {misbehaviour} }}", degrade.backend));
    if let Some(lasts) = degrade.lasts {
        out.line(4, format_args!("for: {lasts}"));
    }
}
