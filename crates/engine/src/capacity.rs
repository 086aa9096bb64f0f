//! Whether this machine has what a plan needs of it. What it lacks would be charged to the balancer, so it is looked at
//! before anything is launched.

use model::plan::{SavedPlan, Variant};
use model::topology::{Backend, Latency};
use model::traffic::Identity;

use crate::help::Help;
use crate::host::limits::{ProcessLimits, RAISE, WIDEN, files_for};

/// The fewest connections that a load has at its worst moments.
const FEWEST: u64 = 16;
/// A load that is served has more than the mean in flight at times.
const CHANCE: f64 = 2.0;

/// The machine allows less of something than a load needs.
#[derive(Debug, thiserror::Error)]
#[error("the load of `{variant}` needs {needed} {what}, and this machine allows {has}")]
pub struct TooSmall {
    /// Whose load.
    variant: String,
    /// Of what.
    what: &'static str,
    /// How much the load needs.
    needed: u64,
    /// How much there is.
    has: u64,
    /// How to get more.
    raise: &'static str,
}

impl Help for TooSmall {
    fn help(&self) -> Option<String> {
        Some(format!("{}\n        or lower `load.rate`", self.raise))
    }
}

/// Whether `limits` are enough for every variant of `plan`.
///
/// # Errors
/// If they are not: with what is needed, what there is, and what to do.
pub fn check(limits: ProcessLimits, plan: &SavedPlan) -> Result<(), TooSmall> {
    let runs = |variant: &&Variant| plan.why_unavailable(&variant.name).is_none();
    for variant in plan.variants.iter().filter(runs) {
        let connections = connections(variant);
        let short = |what, needed: u64, has: Option<u64>, raise| match has {
            Some(has) if has < needed => {
                Err(TooSmall { variant: variant.name.clone(), what, needed, has, raise })
            }
            _ => Ok(()),
        };
        short("open files in a process", files_for(connections), limits.open_files, RAISE)?;
        short("local ports (net.ipv4.ip_local_port_range)", connections, limits.ports, WIDEN)?;
    }
    Ok(())
}

/// The connections that the load of a variant has at once while it is served.
fn connections(variant: &Variant) -> u64 {
    let traffic = &variant.traffic;
    let backends = || variant.topology.pools.iter().flat_map(|pool| &pool.backends);
    let latency = backends().map(mean_of).sum::<f64>() / backends().count().max(1) as f64;
    let request = |class: &model::traffic::RequestClass| {
        let upload = class.upload.map_or(0.0, |upload| upload.0.as_secs_f64());
        class.share.0 * (class.cost.0 * latency + upload)
    };
    let busy = traffic.rate.0 * traffic.mix.iter().map(request).sum::<f64>();
    // A fresh connection's port is used again after a second.
    let fresh = traffic.rate.0 * traffic.fresh_connections.0;
    let users = traffic.users.filter(|users| users.identity == Identity::SourceAddress);
    let kept = users.map_or(0, |users| u64::from(users.count));
    FEWEST.max((CHANCE * busy + fresh).ceil() as u64) + kept
}

fn mean_of(backend: &Backend) -> f64 {
    let Latency { from, to, tail } = backend.latency;
    let usual = f64::midpoint(from.0.as_secs_f64(), to.0.as_secs_f64());
    let (share, slow) = tail.map_or((0.0, 0.0), |tail| (tail.share.0, tail.at.0.as_secs_f64()));
    (1.0 - share) * usual + share * slow
}

#[cfg(test)]
mod tests {
    use model::plan::Plan;
    use model::scenario::{Choice, Scenario};

    use super::*;
    use crate::balancer::catalog;
    use crate::help::with_help;

    /// 400 a second of 100 ms keep 40 in flight: twice that, and 40 fresh ones.
    fn plan() -> SavedPlan {
        let text = "name: a\nquestion: Is it enough?\ntopology:\n  pools: { web: { backends: 2, latency: 100ms } }\n  \
                    routes: { all: { path: /, to: web } }\nload: { rate: 400/s, for: 2s, fresh_connections: 10% }\n";
        let scenario = Scenario::parse("a.yaml", text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = Plan::build(&scenario, &catalog(), &Choice::default());
        (*plan.unwrap_or_else(|problems| panic!("{problems}"))).clone()
    }

    fn refused(open_files: Option<u64>, ports: Option<u64>) -> Option<String> {
        check(ProcessLimits { open_files, ports }, &plan()).err().map(|error| with_help(&error))
    }

    #[test]
    fn too_few_files_or_ports_are_told_with_figure_limit_and_remedy() {
        assert_eq!(refused(Some(880), Some(120)), None);
        assert_eq!(refused(None, None), None);
        let files = refused(Some(879), Some(120)).unwrap();
        assert!(files.contains("needs 880 open files in a process") && files.contains("879"), "{files}");
        assert!(files.contains("\n  help: sudo prlimit"), "{files}");
        let ports = refused(Some(880), Some(119)).unwrap();
        assert!(ports.contains("needs 120 local ports") && ports.contains("119"), "{ports}");
    }
}
