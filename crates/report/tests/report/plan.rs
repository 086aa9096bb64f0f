//! The plan and the environment that the hand-built cells belong to.

use model::catalog::BalancerKind;
use model::claim::{AnswerPicture, Claim, Comparison, Metric, Operand, Reading};
use model::plan::{SCHEMA, SavedPlan, Variant};
use model::records::{BalancerBuild, Environment};
use model::timeline::{Action, Deploy, Drain, Entry, Leaving, When};
use model::topology::{Backend, Latency, Pool, Topology};
use model::traffic::{Cap, Traffic};
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
        boot: Span::millis(500),
        latency: Latency { from: Span::millis(98), to: Span::millis(98), tail: None },
        queue: 0,
        body: Bytes(100),
        ..Backend::default()
    };
    let deploy = Deploy {
        pool: "web".into(),
        leaving: Leaving { drain, ..Leaving::ABRUPT },
        ready_within: Span::millis(5000),
        ..Deploy::default()
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
                ..Pool::default()
            }],
            health_check: None,
            client_keepalive: None,
            response_timeout: Span::millis(60_000),
            workers: 2,
            ..Topology::default()
        },
        traffic: Traffic {
            rate: Rate(400.0),
            duration: Span::millis(20_000),
            warmup: Span::millis(0),
            timeout: Span::millis(5_000),
            connections: 200,
            connections_from: Cap::Scenario,
            fresh_connections: Share(0.0),
            ..Traffic::default()
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
        figure: AnswerPicture::of_losses(),
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
