//! One toy backend on a runtime, launched as a cell launches its own: proof that a runtime works here, before
//! anything is measured on it.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use model::identity::Incarnation;
use model::job::{BackendJob, BackendStatus, Frame, Job, STATUS_PATH};
use model::topology::Backend;
use model::units::Bytes;

use super::error::CellError;
use super::frames::{greet, next_frame, tell};
use crate::checkup::Check;
use crate::runtime::{Launch, PodOrder, Process, Reach, Runs, Runtime};

/// What a trial checks, in this order.
pub const CHECKS: [&str; 3] = ["components", "addresses", "CPU time"];

/// How long the backend may take to listen.
const LISTEN_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const NAME: &str = "trial";
const NO_CONTAINERS: &str = "rig run SCENARIO --runtime process   # needs no containers";
const LEDGER: &str = "ledger.ndjson";

/// Launches a backend on `runtime`, whose files go to `directory` (absolute, and there), asks it something from
/// here, reads its CPU time, and ends it.
pub async fn trial(runtime: &impl Runtime, directory: &Path) -> Vec<Check> {
    let [components, addresses, cpu] = CHECKS;
    let mut checks = match launched(runtime, directory).await {
        Ok((process, address)) => vec![
            seen(&directory.join(LEDGER)),
            reached(address).await,
            match runtime.cpu_time(&process.handle).await {
                Ok(time) => Check::ok(cpu, format!("from {}", time.source)),
                Err(error) => Check::broken(cpu, &error, NO_CONTAINERS),
            },
        ],
        Err(error) => {
            let without = |name| Check::not_checked(name, "nothing could be launched");
            vec![Check::broken(components, &error, NO_CONTAINERS), without(addresses), without(cpu)]
        }
    };
    if let Err(error) = runtime.end().await {
        checks.push(Check::broken("ending", &error, "rig clean"));
    }
    checks
}

async fn launched(runtime: &impl Runtime, directory: &Path) -> Result<(Process, SocketAddr), CellError> {
    runtime.open(&[directory]).await?;
    let pod = runtime.pod(PodOrder { name: NAME, ports: 1, reach: Reach::Cell, port: None }).await?;
    let incarnation = Incarnation::new(NAME, 1);
    let failed = |reason| CellError::BackendFailed { incarnation: incarnation.clone(), reason };
    let address = *pod.addresses.first().ok_or_else(|| failed("its pod has no address".to_owned()))?;
    let launch = Launch {
        component: (&incarnation).into(),
        pod: &pod,
        runs: Runs::Agent("backend"),
        arguments: vec![],
        variables: vec![],
        directory: directory.to_owned(),
        leaves: Vec::new(),
    };
    let mut process = runtime.start(launch).await?;
    greet(&mut process).await?;
    tell(&mut process, &job(&incarnation, address, directory)).await?;
    match next_frame(&mut process, LISTEN_WITHIN).await? {
        Frame::Listening => Ok((process, address)),
        other => Err(failed(format!("expected it to listen, got {other:?}"))),
    }
}

fn job(incarnation: &Incarnation, listen: SocketAddr, directory: &Path) -> Job {
    Job::Backend(BackendJob {
        incarnation: incarnation.clone(),
        listen,
        backend: Backend { id: NAME.to_owned(), queue: 0, body: Bytes(1), ..Backend::default() },
        health_path: "/health".to_owned(),
        unhealthy: false,
        seed: 0,
        ledger: directory.join(LEDGER),
        tls: None,
        sessions: None,
    })
}

/// A backend that listens has opened its ledger; where that is must be here.
fn seen(ledger: &Path) -> Check {
    let [components, ..] = CHECKS;
    match ledger.try_exists() {
        Ok(true) => Check::ok(components, "a toy backend ran, and the files that it writes are here"),
        Ok(false) | Err(_) => Check::failed(
            components,
            format!("a toy backend ran, but what it wrote to {} is not here", ledger.display()),
            NO_CONTAINERS,
        ),
    }
}

async fn reached(address: SocketAddr) -> Check {
    let [_, addresses, _] = CHECKS;
    let answer = async {
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WITHIN).build()?;
        http.get(format!("http://{address}{STATUS_PATH}")).send().await?.json::<BackendStatus>().await
    };
    match answer.await {
        Ok(status) if status.incarnation.backend == NAME => {
            Check::ok(addresses, format!("{address} answers to rig itself"))
        }
        Ok(status) => Check::failed(
            addresses,
            format!("{} answers at {address}, which is another's", status.incarnation),
            "rig clean",
        ),
        Err(error) => {
            let reason = if error.is_timeout() { "no answer in time".to_owned() } else { error.to_string() };
            let route =
                format!("ip route get {}   # must lead to the network of the containers", address.ip());
            Check::failed(addresses, format!("rig can't reach {address}: {reason}"), route)
        }
    }
}
