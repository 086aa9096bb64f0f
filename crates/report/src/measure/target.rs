//! What a client saw of a target that rig did not launch: before, during and after its deploy, who answered, and whether
//! that shows that the deploy happened.

use std::collections::{BTreeMap, BTreeSet};

use model::history::{Event, Happening, TargetContact};
use model::outcome::OutcomeKind;
use model::plan::Variant;
use model::request::Request;
use model::target::CommandName;
use model::units::Nanos;
use serde::{Deserialize, Serialize};

use crate::measure::latency::LatencySummary;
use crate::measure::validity::{Trust, Validity};
use crate::numbers::{first_line, millis};

/// As many answers in a row, none of them from the old generation, show that it is gone.
const IN_A_ROW: usize = 20;
/// Identities that are listed.
const LISTED: usize = 16;

/// What is known of a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Where it is.
    pub url: String,
    /// The addresses that the load went to, in turn.
    pub addresses: Vec<String>,
    /// Addresses that its name has as well and that accepted no connection, each with the reason.
    pub left_out: Vec<String>,
    /// What the first request was answered, before any load.
    pub answer: String,
    /// The commands that were run, in order.
    pub commands: Vec<CommandRecord>,
    /// The measured requests before, during and after the deploy; all of them before, where there was none.
    pub periods: Vec<Period>,
    /// Who answered, by the identity header; `None`: the scenario names no such header.
    pub identities: Option<Vec<IdentityRecord>>,
    /// When the last dropped request was due, in milliseconds after the deploy's end; negative: before that. `None`:
    /// nothing was dropped from the deploy's beginning on, or there was none.
    pub last_loss_ms: Option<f64>,
    /// Why nothing shows that the deploy happened; `None`: something does, or there was none.
    pub not_shown: Option<String>,
}

/// A command that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandRecord {
    /// Its name in the scenario.
    pub command: CommandName,
    /// Its words.
    pub words: String,
    /// When it began, in milliseconds after the first measured request was due.
    pub began_ms: f64,
    /// How long it ran, in milliseconds; `None`: it did not end.
    pub took_ms: Option<f64>,
    /// How it ended.
    pub status: String,
    /// Whether it did what it should.
    pub succeeded: bool,
    /// Its last words, if it did not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// Bytes of its output that `commands.log` does not have; `None`: it has all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unkept_bytes: Option<u64>,
}

/// The requests of one period.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Period {
    /// Which.
    pub name: DeployPeriod,
    /// Requests of it.
    pub requests: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Latency from the intended start, in milliseconds, failures as infinite.
    pub latency_ms: LatencySummary,
}

/// Before, during or after a deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployPeriod {
    /// Ended before its command began.
    Before,
    /// Under way while its commands ran.
    During,
    /// Due after they had ended.
    After,
}

impl DeployPeriod {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            DeployPeriod::Before => "before",
            DeployPeriod::During => "during",
            DeployPeriod::After => "after",
        }
    }
}

/// One who answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityRecord {
    /// What the identity header said; empty: the header was not there.
    pub identity: String,
    /// Answers before the deploy, during it, and after it.
    pub answers: [u64; 3],
    /// When it answered last, in milliseconds after the deploy's end; negative: before that. `None`: there was no deploy.
    pub last_ms: Option<f64>,
}

/// When the deploy began and ended.
#[derive(Clone, Copy)]
struct DeployTimes {
    began: Nanos,
    ended: Option<Nanos>,
}

impl DeployTimes {
    /// The deploys of rig's own sequence, from the first to the last.
    fn step_by_step(history: &[Event]) -> Option<DeployTimes> {
        let began = history.iter().find(|event| matches!(event.what, Happening::DeployStarted { .. }))?.at;
        let mut ends = history.iter().rev();
        let ended = ends.find(|event| matches!(event.what, Happening::DeployFinished { .. }));
        Some(DeployTimes { began, ended: ended.map(|event| event.at) })
    }

    fn of(history: &[Event]) -> Option<DeployTimes> {
        let began = history.iter().find_map(|event| match &event.what {
            Happening::CommandStarted { command, .. } if command.deploys() => Some(event.at),
            _ => None,
        })?;
        let finished = history.iter().any(|event| matches!(event.what, Happening::ActionFinished { .. }));
        let ended = history.iter().rev().find_map(|event| match &event.what {
            Happening::CommandEnded { command, .. } if command.deploys() => Some(event.at),
            _ => None,
        });
        Some(DeployTimes { began, ended: ended.filter(|_| finished) })
    }

    /// Which period a request belongs to: what was under way when the deploy began could be lost by it.
    fn when(deploy: Option<DeployTimes>, request: &Request) -> DeployPeriod {
        match deploy {
            Some(DeployTimes { began, .. }) if request.end < began => DeployPeriod::Before,
            Some(DeployTimes { ended: Some(ended), .. }) if request.due >= ended => DeployPeriod::After,
            Some(_) => DeployPeriod::During,
            None => DeployPeriod::Before,
        }
    }
}

/// What is known of the target of `variant`; `None`: it has none.
pub(crate) fn record(
    variant: &Variant,
    history: &[Event],
    recorded: &[&Request],
    measured: &[&Request],
    origin: Nanos,
) -> Option<TargetRecord> {
    let target = variant.target.as_ref()?;
    let deploy = DeployTimes::of(history);
    let mut record = TargetRecord { url: target.url.to_string(), ..TargetRecord::default() };
    for event in history {
        if let Happening::TargetReached(TargetContact { addresses, left_out, answer, .. }) = &event.what {
            (record.addresses, record.left_out) = (addresses.clone(), left_out.clone());
            record.answer.clone_from(answer);
        }
    }
    record.commands = commands(history, origin);
    let timeout_ms = variant.traffic.timeout.as_millis();
    record.periods = [DeployPeriod::Before, DeployPeriod::During, DeployPeriod::After]
        .into_iter()
        .filter_map(|name| {
            let requests: Vec<_> = measured
                .iter()
                .copied()
                .filter(|request| DeployTimes::when(deploy, request) == name)
                .collect();
            let dropped = requests.iter().filter(|request| is_dropped(request)).count() as u64;
            (!requests.is_empty()).then(|| Period {
                name,
                requests: requests.len() as u64,
                dropped,
                latency_ms: LatencySummary::of(requests.iter().copied(), timeout_ms),
            })
        })
        .collect();
    if target.identity_header.is_some() {
        record.identities = Some(identities(deploy, measured));
    }
    if let Some(DeployTimes { began, ended: Some(ended) }) = deploy {
        let lost = measured.iter().filter(|request| is_dropped(request) && request.end >= began);
        record.last_loss_ms = lost.map(|request| request.due).max().map(|due| due.millis_from(ended));
    }
    record.not_shown =
        deploy.and_then(|deploy| not_shown(target.identity_header.as_deref(), deploy, recorded));
    Some(record)
}

fn is_dropped(request: &Request) -> bool {
    request.outcome.kind().is_dropped()
}

fn commands(history: &[Event], origin: Nanos) -> Vec<CommandRecord> {
    let mut found: Vec<(CommandRecord, Nanos)> = Vec::new();
    for event in history {
        match &event.what {
            Happening::CommandStarted { command, words } => {
                let record = CommandRecord {
                    command: *command,
                    words: words.clone(),
                    began_ms: event.at.millis_from(origin),
                    took_ms: None,
                    status: "it did not end".to_owned(),
                    succeeded: false,
                    said: String::new(),
                    unkept_bytes: None,
                };
                found.push((record, event.at));
            }
            Happening::CommandEnded { command, status, succeeded, said, unkept } => {
                let open =
                    found.iter_mut().rev().find(|(it, _)| it.command == *command && it.took_ms.is_none());
                if let Some((record, began)) = open {
                    record.took_ms = Some(event.at.millis_from(*began));
                    (record.status, record.said) = (status.clone(), said.clone());
                    (record.succeeded, record.unkept_bytes) = (*succeeded, *unkept);
                }
            }
            _ => {}
        }
    }
    found.into_iter().map(|(record, _)| record).collect()
}

/// Who answered by the header that a service of the user's has; `None`: it has none.
pub(crate) fn identities_of_service(
    variant: &Variant,
    history: &[Event],
    measured: &[&Request],
) -> Option<Vec<IdentityRecord>> {
    variant.topology.services().find_map(|service| service.identity_header.as_ref())?;
    Some(identities(DeployTimes::step_by_step(history), measured))
}

/// Who answered how often, those who did most often first.
fn identities(deploy: Option<DeployTimes>, measured: &[&Request]) -> Vec<IdentityRecord> {
    let mut found: BTreeMap<&str, ([u64; 3], Nanos)> = BTreeMap::new();
    for request in measured.iter().filter(|request| request.outcome.kind() == OutcomeKind::Ok) {
        let identity = request.identity.as_deref().unwrap_or_default();
        let (answers, last) = found.entry(identity).or_insert(([0; 3], request.end));
        answers[DeployTimes::when(deploy, request) as usize] += 1;
        *last = request.end.max(*last);
    }
    let ended = deploy.and_then(|deploy| deploy.ended);
    let mut records: Vec<_> = found
        .into_iter()
        .map(|(identity, (answers, last))| IdentityRecord {
            identity: identity.to_owned(),
            answers,
            last_ms: ended.map(|ended| last.millis_from(ended)),
        })
        .collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.answers.iter().sum::<u64>()));
    records.truncate(LISTED);
    records
}

/// Why nothing shows that the deploy happened: that in the end only those answered who had not answered before it.
fn not_shown(header: Option<&str>, deploy: DeployTimes, recorded: &[&Request]) -> Option<String> {
    let Some(header) = header else {
        let help = "name a response header that tells the versions or instances apart (identity_header)";
        return Some(format!("nothing shows that the deploy happened: {help}"));
    };
    let mut answers: Vec<&Request> =
        recorded.iter().copied().filter(|request| request.outcome.kind() == OutcomeKind::Ok).collect();
    answers.sort_by_key(|request| request.end);
    let identity = |request: &&Request| request.identity.as_deref().map(str::to_owned);
    let old: BTreeSet<String> =
        answers.iter().filter(|request| request.end < deploy.began).filter_map(identity).collect();
    if old.is_empty() {
        return Some(format!(
            "nothing shows that the deploy happened: no answer before it had the header {header}"
        ));
    }
    let is_old =
        |request: &&Request| request.identity.as_deref().is_none_or(|identity| old.contains(identity));
    let since = answers.iter().rev().take_while(|request| !is_old(request)).count();
    let named = old.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match since {
        IN_A_ROW.. => None,
        0 => Some(format!(
            "nothing shows that the deploy happened: the last answer was still {header}: {}",
            answers.last().and_then(identity).unwrap_or(named)
        )),
        few => Some(format!(
            "the deploy was not seen to end: only the last {few} answers were not from {named}; {IN_A_ROW} in a row show it"
        )),
    }
}

/// Trust in the deploy of a target having been put to the test; `None`: the variant has none.
pub(crate) fn validity(
    variant: &Variant,
    history: &[Event],
    measured: &[&Request],
    origin: Nanos,
) -> Option<Validity> {
    variant.target.as_ref()?;
    if variant.timeline.is_empty() {
        return None;
    }
    let mut validity = Validity::default();
    let Some(deploy) = DeployTimes::of(history) else {
        validity.lower(Trust::Invalid, "no command of the deploy was run");
        return Some(validity);
    };
    for event in history {
        match &event.what {
            Happening::CommandEnded { command, status, succeeded: false, said, .. } if command.deploys() => {
                let said =
                    said.lines().last().map_or(String::new(), |last| format!(": {}", first_line(last)));
                validity.lower(Trust::Invalid, format!("the command `{command}` failed ({status}){said}"));
            }
            Happening::DeployAborted { reason, .. } => {
                validity.lower(Trust::Invalid, format!("the deploy was aborted: {}", first_line(reason)));
            }
            _ => {}
        }
    }
    let load_ends = origin + variant.traffic.duration.0;
    match deploy.ended {
        None => validity.lower(Trust::Invalid, "the deploy had not ended when the load did"),
        Some(ended) if ended + variant.traffic.timeout.0 > load_ends => {
            let left = millis(load_ends.millis_from(ended).max(0.0));
            let reason = format!(
                "the deploy ended {left} before the load did, which is less than a timeout ({}): what it cost last did not show",
                variant.traffic.timeout
            );
            validity.lower(Trust::Invalid, reason);
        }
        Some(_) => {}
    }
    let before = measured.iter().filter(|request| is_dropped(request) && request.end < deploy.began).count();
    if before > 0 {
        let reason = format!(
            "{before} requests were dropped before the deploy began: what was dropped later can't be told from that"
        );
        validity.lower(Trust::Invalid, reason);
    }
    if !measured.iter().any(|request| request.end < deploy.began) {
        validity.lower(Trust::Invalid, "no request ended before the deploy began: there is no baseline");
    }
    Some(validity)
}
