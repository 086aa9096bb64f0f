//! Reads `degrade`: what a half-dead backend does.

use super::limits;
use super::problem::Problem;
use super::read_topology::{latency, slower};
use super::reader::{Item, written_last};
use crate::degrade::{Degrade, Misbehaviour, ResponseStage, WAYS};
use crate::topology::{Backend, Topology};
use crate::units::Share;

pub(crate) fn degrade(item: Item<'_>, lasting: Option<Item<'_>>, topology: &Topology) -> Option<Degrade> {
    let mut fields = item.fields()?;
    let serving: Vec<&Backend> = topology.pools.iter().flat_map(|pool| pool.serving()).collect();
    let names: Vec<_> = serving.iter().map(|backend| backend.id.as_str()).collect();
    let backend = fields.demand("backend").and_then(|item| item.known_name("backend", &names));
    let asked: Vec<_> = WAYS.into_iter().filter_map(|way| fields.get(way.key)).collect();
    fields.finish();
    let lasts = lasting.and_then(|item| item.quantity(limits::FAULT));
    let misbehaviour = match asked.as_slice() {
        [one] => misbehaviour(*one, serving.iter().find(|b| Some(&b.id) == backend.as_ref()).copied()),
        [] => {
            let known: Vec<_> = WAYS.iter().map(|way| format!("`{}`", way.key)).collect();
            let problem = Problem::new("`degrade` does not say how the backend misbehaves", item.key());
            item.refuse(problem.help(format!("add one of {}", known.join(", "))))
        }
        several => {
            let last = written_last(several.iter().copied())?;
            let all: Vec<_> = several.iter().map(|item| format!("`{}`", item.name)).collect();
            let problem =
                Problem::new(format!("`degrade` says more than one of {}", all.join(", ")), last.key());
            item.refuse(
                problem.help("a backend misbehaves in one way at a time: give each an entry of its own"),
            )
        }
    };
    Some(Degrade { backend: backend?, misbehaviour: misbehaviour?, lasts })
}

fn misbehaviour(item: Item<'_>, backend: Option<&Backend>) -> Option<Misbehaviour> {
    match item.name {
        "latency" => latency(item).map(Misbehaviour::Latency),
        // Without a backend, which has been recorded, nothing can be slower.
        "slower" => slower(item, backend?.latency).map(Misbehaviour::Latency),
        "errors" => item.quantity(Share(0.0)..=Share(1.0)).map(Misbehaviour::Errors),
        "health" => item.word(&[("fail", Misbehaviour::Unhealthy)]),
        "silent" => item.word(&[("true", Misbehaviour::Silent)]),
        "reset" => item.word(&ResponseStage::NAMED).map(Misbehaviour::Reset),
        _ => item.word(&ResponseStage::NAMED).map(Misbehaviour::Close),
    }
}
