//! Prints the job of one of rig's agents, for `tools/bench.py`, which runs it beside other tools:
//! `agent_job load ADDRESS RATE SECONDS CONNECTIONS RECORDS` or `agent_job backend ADDRESS MILLISECONDS LEDGER`. Whoever
//! begins a load sets its `origin`.

use std::error::Error;

use model::generators::LoadPart;
use model::identity::Incarnation;
use model::job::{BackendJob, Job, LoadJob};
use model::topology::{Backend, Latency};
use model::traffic::{Cap, RequestClass, Traffic};
use model::units::{Bytes, Nanos, Rate, Share, Span};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let job = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["load", address, rate, seconds, connections, records] => Job::Load(LoadJob {
            targets: vec![address.parse()?],
            host: None,
            identity_header: None,
            // Set by who begins it.
            origin: Nanos(0),
            traffic: traffic(rate.parse()?, seconds.parse()?, connections.parse()?),
            seed: 1,
            part: LoadPart::WHOLE,
            records: records.into(),
            tls: None,
        }),
        ["backend", address, milliseconds, ledger] => Job::Backend(BackendJob {
            incarnation: Incarnation::new("web-1", 1),
            listen: address.parse()?,
            backend: backend(Span::millis(milliseconds.parse()?)),
            health_path: "/health".into(),
            unhealthy: false,
            seed: 1,
            ledger: ledger.into(),
            tls: None,
            sessions: None,
        }),
        _ => {
            return Err(
                "usage: agent_job load ADDRESS RATE SECONDS CONNECTIONS RECORDS | agent_job backend ADDRESS \
                        MILLISECONDS LEDGER"
                    .into(),
            );
        }
    };
    println!("{}", serde_json::to_string(&job)?);
    Ok(())
}

fn traffic(rate: f64, seconds: u64, connections: u32) -> Traffic {
    Traffic {
        rate: Rate(rate),
        duration: Span::millis(seconds * 1000),
        warmup: Span::millis(0),
        timeout: Span::millis(5000),
        connections,
        connections_from: Cap::Scenario,
        fresh_connections: Share(0.0),
        mix: vec![RequestClass { name: "all".into(), ..RequestClass::default() }],
        ..Traffic::default()
    }
}

fn backend(latency: Span) -> Backend {
    Backend {
        id: "web-1".into(),
        latency: Latency { from: latency, to: latency, tail: None },
        body: Bytes(100),
        ..Backend::default()
    }
}
