//! The plan and the environment that the hand-built cells belong to.

use model::catalog::BalancerKind;
use model::claim::{Claim, Comparison, Metric, Operand, Reading};
use model::plan::{SCHEMA, SavedPlan, Variant};
use model::records::{BalancerBuild, Environment};
use model::sessions::JwtKeys;
use model::timeline::{Action, Batch, Deploy, Drain, Entry, Leaving, Strategy, When};
use model::topology::{Backend, Balance, Latency, Listener, OnTerm, PassiveHealth, Pool, Retries, Topology};
use model::traffic::{Arrivals, Traffic};
use model::units::{Bytes, Rate, Share, Span};

use crate::build::{BACKENDS, CONTROL, DRAINED};

fn claim(variant: &str, metric: Metric, comparison: Comparison, count: u64, text: &str) -> Claim {
    Claim {
        text: text.into(),
        left: Reading { variant: variant.into(), metric, facet: None },
        comparison,
        right: Operand::Count(count),
        gate: false,
    }
}

fn variant(name: &str, drain: Drain) -> Variant {
    let backend = |id: &&str| Backend {
        id: (*id).into(),
        spare: false,
        weight: 1,
        backup: false,
        boot: Span::millis(500),
        latency: Latency { from: Span::millis(98), to: Span::millis(98), tail: None },
        at_once: None,
        queue: 0,
        body: Bytes(100),
        on_term: OnTerm::Exit,
        health_in_queue: false,
    };
    let deploy = Deploy {
        pool: "web".into(),
        strategy: Strategy::InPlace,
        leaving: Leaving { drain, ..Leaving::ABRUPT },
        ready_within: Span::millis(5000),
        new_generation_unhealthy: false,
        jwt_keys: JwtKeys::Same,
        batch: Batch::default(),
        new_address: false,
    };
    Variant {
        name: name.into(),
        balancers: vec![BalancerKind::Nginx.into()],
        own: std::collections::BTreeMap::new(),
        target: None,
        topology: Topology {
            pools: vec![Pool {
                name: "web".into(),
                backends: BACKENDS.iter().map(backend).collect(),
                health_path: "/health".into(),
                grace: model::topology::GRACE,
                sessions: None,
                service: None,
                discovery: None,
            }],
            routes: vec![],
            listener: Listener::default(),
            balance: Balance::RoundRobin,
            health_check: None,
            retries: Retries::Off,
            slow_start: None,
            passive_health: PassiveHealth::Off,
            client_keepalive: None,
            response_timeout: Span::millis(60_000),
            panic: Default::default(),
            max_ejection: Default::default(),
            limits: Default::default(),
            upstream_keepalive: Default::default(),
            reload_grace: Some(Span::millis(30_000)),
            workers: 2,
        },
        traffic: Traffic {
            rate: Rate(400.0),
            arrivals: Arrivals::Constant,
            duration: Span::millis(20_000),
            until_settled: false,
            warmup: Span::millis(0),
            timeout: Span::millis(5_000),
            connections: 200,
            connections_from: model::traffic::Cap::Scenario,
            generators: 1,
            fresh_connections: Share(0.0),
            resumption: true,
            mix: vec![],
            users: None,
        },
        timeline: vec![Entry {
            jitter: Span::default(),
            name: "rollout".into(),
            when: When::At(Span::millis(4000)),
            action: Action::Deploy(deploy),
        }],
    }
}

pub(crate) fn plan() -> SavedPlan {
    SavedPlan {
        reading: "Lost: {without-drain.dropped}; drained: {with-drain.dropped}.".parse().ok(),
        schema: SCHEMA,
        scenario: "drain".into(),
        question: "Does draining take a deploy from dropped requests to zero?".into(),
        seed: 7,
        repeats: 1,
        unavailable: vec![],
        skipped: vec![],
        variants: vec![variant(CONTROL, Drain::Off), variant(DRAINED, Drain::Auto)],
        control: vec![claim(CONTROL, Metric::Dropped, Comparison::Greater, 0, "without-drain.dropped > 0")],
        expect: vec![
            claim(DRAINED, Metric::Dropped, Comparison::Equal, 0, "with-drain.dropped == 0"),
            claim(DRAINED, Metric::Replaced, Comparison::Equal, 3, "with-drain.replaced == 3"),
        ],
    }
}

pub(crate) fn environment() -> Environment {
    let build =
        BalancerBuild { version: "1.22.1".into(), binary: "nginx".into(), ..BalancerBuild::default() };
    Environment {
        rig: "0.1.0".into(),
        started: "2026-11-22T13:51:48Z".into(),
        kernel: "6.1.0".into(),
        cpu: "A CPU".into(),
        cpus: 2,
        load_average: 0.25,
        open_files: 65536,
        balancers: [("nginx".to_owned(), build)].into(),
        ..Environment::default()
    }
}
