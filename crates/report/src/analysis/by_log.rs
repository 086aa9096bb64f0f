//! Who had which request, where the backends are a service of the user's: by the balancer's log, which names the backend of
//! each attempt, and by the client's times. Execution and receipt are not known by that: it says who was asked, and no
//! longer than its client waited.

use std::collections::BTreeMap;

use model::access_log::LogGap;
use model::history::{Event, Happening};
use model::identity::Incarnation;
use model::ledger::Execution;
use model::outcome::{Cause, Outcome, Stage};
use model::request::Request;
use model::units::Nanos;

use super::evidence::UNNOTICED;
use super::joined::Joined;

/// One life of a backend.
struct LoggedLife {
    by: Incarnation,
    from: Nanos,
    until: Nanos,
}

/// What each backend had in hand: from when its client sent a request until that ended for it.
pub(crate) fn executions(history: &[Event], joined: &Joined<'_>, gaps: &[LogGap]) -> Vec<Execution> {
    let lives = lives(history);
    let mut found = Vec::new();
    for (id, traces) in joined.iter() {
        let Some((request, sent)) = traces.requests.first().and_then(|it| Some((*it, it.sent?))) else {
            continue;
        };
        let attempts: Vec<&str> = traces
            .logged
            .iter()
            .flat_map(|line| &line.attempts)
            .filter_map(|attempt| attempt.backend.as_deref())
            .collect();
        if attempts.is_empty() && gaps.contains(&LogGap::SilentClose) {
            let by = closed_silently(request).then(|| died_with(&lives, request, sent)).flatten();
            found.extend(by.map(|by| Execution {
                id,
                by: by.into(),
                received: sent,
                finished: Some(request.end),
                late: None,
            }));
        }
        for (n, backend) in attempts.iter().enumerate() {
            let answered = n + 1 == attempts.len() && request.outcome.kind().is_delivered();
            let Some(by) = lives.get(*backend).and_then(|lives| at_work(lives, request, sent, answered))
            else {
                continue;
            };
            let finished = Some(request.end);
            found.push(Execution { id, by: by.into(), received: sent, finished, late: None });
        }
    }
    found
}

/// The life that had `request`: of several that ran meanwhile, the last one answered it, or the first one lost it.
fn at_work(lives: &[LoggedLife], request: &Request, sent: Nanos, answered: bool) -> Option<Incarnation> {
    let mut meanwhile = lives.iter().filter(|life| life.from <= request.end && sent <= life.until);
    let life = if answered { meanwhile.next_back() } else { meanwhile.next() };
    life.map(|life| life.by.clone())
}

/// Whether a connection was closed as a balancer does it that writes no line where a backend has died.
fn closed_silently(request: &Request) -> bool {
    matches!(request.outcome, Outcome::Failed { stage: Stage::Send | Stage::FirstByte, cause: Cause::Eof })
}

/// The only life that ended while `request` was under way.
fn died_with(
    lives: &BTreeMap<String, Vec<LoggedLife>>,
    request: &Request,
    sent: Nanos,
) -> Option<Incarnation> {
    let ended = |life: &&LoggedLife| sent <= life.until && life.until <= request.end + UNNOTICED;
    let mut ended = lives.values().flatten().filter(ended);
    let only = ended.next()?;
    ended.next().is_none().then(|| only.by.clone())
}

fn lives(history: &[Event]) -> BTreeMap<String, Vec<LoggedLife>> {
    let mut lives: BTreeMap<String, Vec<LoggedLife>> = BTreeMap::new();
    for event in history {
        match &event.what {
            Happening::Launched { component, .. } => {
                let Some(by) = component.life() else { continue };
                let of = lives.entry(by.backend.clone()).or_default();
                of.push(LoggedLife { by: by.clone(), from: event.at, until: Nanos(i64::MAX) });
            }
            Happening::Exited { component, .. } => {
                let Some(by) = component.life() else { continue };
                let of = lives.get_mut(&by.backend).and_then(|of| of.iter_mut().find(|life| life.by == *by));
                if let Some(life) = of {
                    life.until = event.at;
                }
            }
            _ => {}
        }
    }
    lives
}
