//! The keys of `degrade`: what a half-dead backend does.

use std::rc::Rc;

use super::pool::{latency, slower};
use super::timeline::ActedUpon;
use crate::degrade::{Degrade, Misbehaviour, ResponseStage, WAYS};
use crate::scenario::form::{Form, name_of, share, words};
use crate::scenario::problem::Problem;
use crate::scenario::reader::written_last;
use crate::scenario::section::{Read, Section};
use crate::scenario::suggest::listed;

/// Who misbehaves, and how.
#[derive(Clone, Default)]
struct DegradeDraft {
    backend: String,
    misbehaviour: Option<Misbehaviour>,
}

pub(super) fn degrade<'s>(stage: &Rc<ActedUpon<'s>>) -> Form<'s, Degrade> {
    let section = Section::new("degrade", "How a half-dead backend behaves.", DegradeDraft::default())
        .key("backend", name_of("backend", stage.backends()), |it| &mut it.backend)
        .about("Who misbehaves.")
        .required();
    let ways = WAYS.map(|way| way.key);
    let section = WAYS.into_iter().fold(section, |section, way| {
        if way.key != "slower" {
            return section.maybe(way.key, one_way(way.key), |it| &mut it.misbehaviour).about(way.about);
        }
        let stage = Rc::clone(stage);
        let times = move |it: &DegradeDraft| {
            let before = stage.topology.backend(&it.backend).map(|backend| backend.latency);
            slower(before.unwrap_or_default()).map(|it| Some(Misbehaviour::Latency(it)), |_| None)
        };
        section.following(way.key, times, |it| &mut it.misbehaviour).about(way.about).optional()
    });
    section.one_of(&ways).on_a_line().form(
        move |read| {
            one_of(&ways, &read)?;
            let DegradeDraft { backend, misbehaviour } = read.value;
            Some(Degrade { backend, misbehaviour: misbehaviour?, lasts: None })
        },
        |it| Some(DegradeDraft { backend: it.backend.clone(), misbehaviour: Some(it.misbehaviour) }),
    )
}

fn one_way<'s>(key: &str) -> Form<'s, Misbehaviour> {
    match key {
        "latency" => latency().map(Misbehaviour::Latency, |it| match it {
            Misbehaviour::Latency(latency) => Some(*latency),
            _ => None,
        }),
        "errors" => share().map(Misbehaviour::Errors, |it| match it {
            Misbehaviour::Errors(share) => Some(*share),
            _ => None,
        }),
        "health" => words([("fail", Misbehaviour::Unhealthy)]),
        "silent" => words([("true", Misbehaviour::Silent)]),
        "reset" => words(ResponseStage::NAMED.map(|(word, stage)| (word, Misbehaviour::Reset(stage)))),
        _ => words(ResponseStage::NAMED.map(|(word, stage)| (word, Misbehaviour::Close(stage)))),
    }
}

/// A backend misbehaves in one way at a time; `None`: that has been recorded, or there is no backend.
fn one_of(ways: &[&'static str], read: &Read<'_, DegradeDraft>) -> Option<()> {
    let item = read.item;
    match read.given_of(ways).as_slice() {
        [_] => read.knows("backend").then_some(()),
        [] => {
            let problem = Problem::new("`degrade` does not say how the backend misbehaves", item.key());
            item.refuse(problem.help(format!("add one of {}", listed(ways.iter().copied()))))
        }
        several => {
            let last = written_last(several.iter().copied())?;
            let all = listed(several.iter().map(|item| item.name));
            let problem = Problem::new(format!("`degrade` says more than one of {all}"), last.key());
            item.refuse(
                problem.help("a backend misbehaves in one way at a time: give each an entry of its own"),
            )
        }
    }
}
