//! One request's fate: what the client saw (delivery) beside what the backends did (execution) and what the
//! balancer's log admits. Every oddity is either a named [`Exception`], by a predicate over this one id, or
//! a [`Finding`] that nothing explains.

mod exception;
mod finding;

use std::time::Duration;

use model::access_log::{LogGap, Logged, Reason};
use model::ledger::Execution;
use model::outcome::{Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::request::Request;
use model::sessions::SessionState;
use serde::{Deserialize, Serialize};

pub use exception::Exception;
pub use finding::{Equation, Finding};

use self::exception::sent_again;
use crate::analysis::evidence::{Evidence, LogState};
use crate::numbers::words;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// What the client saw.
    pub kind: OutcomeKind,
    /// How often backends received it (R).
    pub receipts: usize,
    /// How often they finished it (F).
    pub finishes: usize,
    /// Why it was dropped; `None`: it was not.
    pub sub_cause: Option<SubCause>,
    /// Whether it ended well although an attempt at a backend had failed.
    pub masked: bool,
    /// The named exceptions that apply.
    pub exceptions: Vec<Exception>,
    /// What nothing explains, with the equation that it violates.
    pub unmatched: Vec<(Equation, Finding)>,
}

impl Fate {
    fn except(&mut self, exception: Exception) {
        if !self.exceptions.contains(&exception) {
            self.exceptions.push(exception);
        }
    }
    fn find(&mut self, equation: Equation, finding: Finding) {
        if !self.unmatched.contains(&(equation, finding)) {
            self.unmatched.push((equation, finding));
        }
    }
}

/// What the ledger says about a dropped request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubCause {
    /// A backend had received it and died with it.
    KilledInService,
    /// No backend received it.
    NotExecuted,
    /// A backend finished it; the response got lost on its way.
    FinishedUndelivered,
    /// A backend answered so itself.
    AnsweredByBackend,
    /// A backend answered so because its session store was away.
    StoreAway,
    /// A backend received it, and the client or the balancer gave up before it was finished.
    GivenUp,
    /// A degraded backend received it and broke its response off.
    BrokenOff,
    /// The ledger can't tell.
    Undetermined,
    /// What the balancer's log says, where the ledger has nothing to add.
    #[serde(untagged)]
    Told(Reason),
}

impl SubCause {
    /// In words.
    pub fn words(self) -> String {
        match self {
            SubCause::NotExecuted => "never reached a backend".to_owned(),
            cause => words(cause),
        }
    }
}

/// Judges one request by its own records alone; time counts only as proximity to events.
pub fn fate(request: &Request, executions: &[&Execution], logged: &[&Logged], evidence: &Evidence) -> Fate {
    let (kind, attempts) = (request.outcome.kind(), attempts(logged));
    let finishes = executions.iter().filter(|e| e.finished.is_some()).count();
    let mut fate = Fate {
        kind,
        receipts: executions.len(),
        finishes,
        sub_cause: None,
        masked: kind.is_delivered() && (attempts > 1 || finishes < executions.len()),
        exceptions: Vec::new(),
        unmatched: Vec::new(),
    };
    match_record(&mut fate, request, evidence);
    if !evidence.client_only {
        match_delivery(&mut fate, request, executions, logged, evidence);
    }
    match_receipts(&mut fate, executions, logged, evidence);
    match_unfinished(&mut fate, request, executions, logged, evidence);
    match_log(&mut fate, request, executions, logged, evidence);
    match_attempts(&mut fate, request, executions, logged, evidence);
    fate.sub_cause = kind.is_dropped().then(|| sub_cause(&fate, request, logged, evidence));
    fate
}

/// How often the balancer admits to having tried.
fn attempts(logged: &[&Logged]) -> usize {
    logged.iter().map(|line| line.attempts.len()).max().unwrap_or(0)
}

/// What one record says by itself.
fn match_record(fate: &mut Fate, request: &Request, evidence: &Evidence) {
    let waited = request.end.since(request.due);
    let early = |timeout: Duration| waited + Duration::from_millis(1) < timeout;
    if timed_out(request) && evidence.timeout.is_some_and(early) {
        fate.find(Equation::RecordHolds, Finding::TimedOutEarly);
    }
    let headless = match request.outcome {
        Outcome::NotSent(_) => true,
        Outcome::Failed { stage, .. } => !matches!(stage, Stage::Head | Stage::Body),
        Outcome::Answered { .. } => false,
    };
    if request.served_by.is_some() && headless {
        fate.find(Equation::RecordHolds, Finding::StampedWithoutHead);
    }
}

/// Equation 3. Where the log tells nothing of the request, what the plan allows is all there is.
fn match_receipts(fate: &mut Fate, executions: &[&Execution], logged: &[&Logged], evidence: &Evidence) {
    let (equation, attempts) = (Equation::SentAsToldAndAllowed, attempts(logged));
    if evidence.retries_off && attempts > 1 {
        fate.find(equation, Finding::RetriedThoughOff);
    }
    let untold = logged.is_empty() || evidence.gaps.contains(&LogGap::RetriesUntold);
    let told = if untold { !evidence.retries_off } else { fate.receipts <= attempts };
    if fate.receipts > 1 && !told {
        match sent_again(executions, logged, evidence) {
            true => fate.except(Exception::SentAgain),
            false => fate.find(equation, Finding::ReceivedSeveralTimes),
        }
    }
}

/// Equation 2, both ways.
fn match_delivery(
    fate: &mut Fate,
    request: &Request,
    executions: &[&Execution],
    logged: &[&Logged],
    evidence: &Evidence,
) {
    let equation = Equation::DeliveryMatchesExecution;
    if fate.kind == OutcomeKind::Ok {
        match &request.served_by {
            None if evidence.without_ledgers() => {}
            None => fate.find(equation, Finding::OkWithoutStamp),
            Some(stamp) if !executions.iter().any(|e| e.by == *stamp && e.finished.is_some()) => {
                fate.find(equation, Finding::OkNotFinished);
            }
            Some(_) => {}
        }
    } else if fate.kind == OutcomeKind::ExpectedStatus && request.served_by.is_some() {
        let finished = |e: &&Execution| Some(&e.by) == request.served_by.as_ref() && e.finished.is_some();
        if !executions.iter().any(finished) {
            fate.find(equation, Finding::OkNotFinished);
        }
    } else if never_sent(request) {
        if fate.receipts > 0 {
            fate.find(equation, Finding::ReceivedThoughNeverSent);
        }
    } else if fate.kind != OutcomeKind::Cancelled && fate.finishes > 0 && !answered_by_backend(request) {
        let explained = |execution: &&Execution| {
            let lost = |finished| {
                evidence.died_before(&execution.by, request.end)
                    || evidence.reloaded(finished, request.end)
                    || evidence.cut_by_a_reload(request)
                    || cut_off(request, execution, evidence)
            };
            execution.finished.is_some_and(lost)
        };
        let given_up = timed_out(request) || gateway_timeout(request, logged) || withheld(logged);
        if given_up || evidence.died_with_balancer(request).is_some() || executions.iter().any(explained) {
            fate.except(Exception::FinishedUndelivered);
        } else {
            fate.find(equation, Finding::FinishedButLost);
        }
    }
}

/// Equation 4.
fn match_unfinished(
    fate: &mut Fate,
    request: &Request,
    executions: &[&Execution],
    logged: &[&Logged],
    evidence: &Evidence,
) {
    let attempts = attempts(logged);
    for execution in executions.iter().filter(|e| e.finished.is_none()) {
        if evidence.killed(&execution.by, execution.received, request.end) {
            fate.except(Exception::KilledInService);
        } else if timed_out(request) || logged.iter().any(|line| admits_client_abort(line)) {
            fate.except(Exception::ClientAbort);
        } else if gateway_timeout(request, logged)
            || logged.iter().any(|line| line.reason == Some(Reason::BalancerEnded))
            || attempts > 1
            || (fate.receipts > 1 && evidence.gaps.contains(&LogGap::RetriesUntold))
            || evidence.died_with_balancer(request).is_some()
            || cut_off(request, execution, evidence)
            || (fate.kind.is_dropped() && evidence.reloaded_before(request.end))
            || evidence.cut_by_a_reload(request)
        {
            fate.except(Exception::BalancerAbort);
        } else if evidence.unanswering(&execution.by.backend, execution.received, request.end) {
            fate.except(Exception::BrokenOff);
        } else if fate.kind != OutcomeKind::Cancelled {
            fate.find(Equation::UnfinishedIsExplained, Finding::NeverFinished);
        }
    }
}

/// Equation 5.
fn match_log(
    fate: &mut Fate,
    request: &Request,
    executions: &[&Execution],
    logged: &[&Logged],
    evidence: &Evidence,
) {
    match (logged, request.outcome) {
        // No line is about a request: two-way or client-only books.
        _ if evidence.client_only
            || matches!(evidence.log, LogState::PerConnection | LogState::WithoutIds) => {}
        (_, Outcome::NotSent(NotSent::Cancelled)) => {}
        ([], Outcome::NotSent(_)) => {}
        ([], Outcome::Failed { .. })
            if closed_silently(request, evidence) && a_death_explains(request, executions, evidence) =>
        {
            fate.except(Exception::SilentClose);
        }
        // HAProxy logs the 503 that it meant to send, and closes a reused connection instead of sending it.
        ([line], Outcome::Failed { .. })
            if closed_silently(request, evidence)
                && reused(request)
                && line.status >= 500
                && tried_who_was_gone(request, line, evidence) =>
        {
            fate.except(Exception::SilentClose);
        }
        ([], Outcome::Failed { stage, .. }) if fate.receipts == 0 && request.first_byte.is_none() => {
            // Without a whole log only a connection that never stood proves that nothing arrived.
            if evidence.log == LogState::Whole || matches!(stage, Stage::Connect | Stage::Tls) {
                fate.except(Exception::NeverReachedBalancer);
            } else {
                fate.except(Exception::LogLost);
            }
        }
        // An old worker that is cut off takes with it what it would have logged.
        ([], Outcome::Failed { .. })
            if evidence.reloaded_before(request.end) || evidence.cut_by_a_reload(request) =>
        {
            fate.except(Exception::LogLost)
        }
        ([], _) if evidence.log != LogState::Whole || evidence.worker_died_about(request.end) => {
            fate.except(Exception::LogLost)
        }
        ([], _) => fate.find(Equation::LogAgrees, Finding::NotLogged),
        // HAProxy 3.2 logs the 500 that it meant to send when it was told to end what it had in hand.
        ([line], Outcome::Failed { .. })
            if line.reason == Some(Reason::BalancerEnded) && evidence.cut_by_a_reload(request) => {}
        ([line], outcome) => match_log_line(fate, outcome, line),
        _ => fate.find(Equation::LogAgrees, Finding::LoggedSeveralTimes),
    }
}

fn match_log_line(fate: &mut Fate, outcome: Outcome, line: &Logged) {
    match outcome {
        Outcome::Answered { status, .. } if status == line.status => {}
        Outcome::Failed { cause, .. }
            if matches!(cause, Cause::Timeout | Cause::Late) || admits_client_abort(line) =>
        {
            fate.except(Exception::ClientAbort);
        }
        // No status was sent, and the client got none.
        Outcome::Failed { .. } if line.status == 0 => {}
        Outcome::Failed { .. } if (200..300).contains(&line.status) => fate.except(Exception::LoggedOkLost),
        _ => fate.find(Equation::LogAgrees, Finding::StatusDiffers),
    }
}

/// Every attempt that the log admits to was received, or its backend could not read then.
fn match_attempts(
    fate: &mut Fate,
    request: &Request,
    executions: &[&Execution],
    logged: &[&Logged],
    evidence: &Evidence,
) {
    // Without ledgers it is not known what was received.
    for attempt in logged.iter().filter(|_| !evidence.own_services).flat_map(|line| &line.attempts) {
        // An attempt whose line names no backend can't be looked up.
        let Some(backend) = &attempt.backend else {
            continue;
        };
        if executions.iter().any(|e| e.by.backend == *backend) {
            continue;
        }
        if evidence.gone(backend, request.released, request.end) {
            fate.except(Exception::UnreadAtDeath);
        } else if logged.iter().any(|line| never_connected(line)) {
            fate.except(Exception::NeverConnected);
        } else if !fate.exceptions.contains(&Exception::ClientAbort) {
            // Else the client left while its request was on the way.
            fate.find(Equation::LogAgrees, Finding::AttemptNotReceived);
        }
    }
}

/// What the ledger says, and in the balancer's words what it can't.
fn sub_cause(fate: &Fate, request: &Request, logged: &[&Logged], evidence: &Evidence) -> SubCause {
    let has = |exception| fate.exceptions.contains(&exception);
    // That the client left is its own record's to say.
    let told = logged.last().and_then(|line| line.reason).filter(|reason| *reason != Reason::ClientAbort);
    if fate.receipts == 0 {
        // Without ledgers it is not known whether a request was executed.
        let untold = if evidence.without_ledgers() { SubCause::Undetermined } else { SubCause::NotExecuted };
        told.map_or(untold, SubCause::Told)
    } else if store_was_away(request) {
        SubCause::StoreAway
    } else if answered_by_backend(request) {
        SubCause::AnsweredByBackend
    } else if has(Exception::KilledInService) {
        SubCause::KilledInService
    } else if told == Some(Reason::GatewayTimeout) {
        SubCause::Told(Reason::GatewayTimeout)
    } else if has(Exception::FinishedUndelivered) {
        SubCause::FinishedUndelivered
    } else if fate.finishes < fate.receipts && (has(Exception::ClientAbort) || has(Exception::BalancerAbort))
    {
        SubCause::GivenUp
    } else if has(Exception::BrokenOff) {
        SubCause::BrokenOff
    } else {
        told.map_or(SubCause::Undetermined, SubCause::Told)
    }
}

/// Whether a connection was closed before a byte of the response, by a balancer that is known to do so.
fn closed_silently(request: &Request, evidence: &Evidence) -> bool {
    let Outcome::Failed { stage, cause } = request.outcome else { return false };
    evidence.gaps.contains(&LogGap::SilentClose)
        && matches!(stage, Stage::Send | Stage::FirstByte)
        && cause == Cause::Eof
}

/// Whether its connection had carried a request before.
fn reused(request: &Request) -> bool {
    request.on.is_some_and(|on| on.nth >= 2)
}

/// Whether the log names a backend that was dead, frozen or cut off meanwhile.
fn tried_who_was_gone(request: &Request, line: &Logged, evidence: &Evidence) -> bool {
    let tried = line.attempts.iter().filter_map(|attempt| attempt.backend.as_deref());
    tried.into_iter().any(|backend| evidence.gone(backend, request.released, request.end))
}

/// Whether a backend answered that its session store was away.
pub(crate) fn store_was_away(request: &Request) -> bool {
    request.session.as_ref().is_some_and(|session| session.state == SessionState::Unavailable)
}

/// Whether a complete response bears a backend's stamp: delivered, whatever it says.
fn answered_by_backend(request: &Request) -> bool {
    request.served_by.is_some() && matches!(request.outcome, Outcome::Answered { .. })
}

/// Whether a backend died with the request, or shortly before it ended, or was told to break it off; any backend, if none had it.
/// A balancer may try to connect for some time before it gives up what a dead backend had.
fn a_death_explains(request: &Request, executions: &[&Execution], evidence: &Evidence) -> bool {
    match executions {
        [] => evidence.some_death_before(request.end),
        received => received.iter().any(|e| {
            evidence.died_before(&e.by, request.end)
                || (e.finished.is_none() && evidence.killed(&e.by, e.received, request.end))
                || evidence.unanswering(&e.by.backend, e.received, request.end)
        }),
    }
}

/// Whether the backend was cut off at some time between the last step that the request had reached when its client
/// was told, and that. A request that was sent into a cut may be received, and finished, long after.
fn cut_off(request: &Request, execution: &Execution, evidence: &Evidence) -> bool {
    let steps = [execution.finished, Some(execution.received), request.sent];
    let reached = steps.into_iter().flatten().find(|at| *at <= request.end);
    evidence.unreachable(&execution.by.backend, reached.unwrap_or(request.due), request.end)
}

fn never_sent(request: &Request) -> bool {
    match request.outcome {
        // A cancelled request may have been under way.
        Outcome::NotSent(NotSent::Cancelled) => false,
        Outcome::NotSent(_) => true,
        Outcome::Failed { stage, .. } => matches!(stage, Stage::Connect | Stage::Tls),
        Outcome::Answered { .. } => false,
    }
}

fn timed_out(request: &Request) -> bool {
    matches!(request.outcome, Outcome::Failed { cause: Cause::Timeout | Cause::Late, .. })
}

/// The balancer says that a backend took too long, whatever it then answered.
fn gateway_timeout(request: &Request, logged: &[&Logged]) -> bool {
    let tried = |line: &&Logged| line.attempts.iter().any(|attempt| attempt.status == Some(504));
    let answered = matches!(request.outcome, Outcome::Answered { status: 504, .. });
    answered || logged.iter().any(|line| line.status == 504 || tried(line))
}

/// The balancer says that it answered in the place of a backend.
fn withheld(logged: &[&Logged]) -> bool {
    logged.iter().any(|line| line.reason == Some(Reason::ResponseWithheld))
}

fn admits_client_abort(line: &Logged) -> bool {
    line.reason == Some(Reason::ClientAbort)
}

fn never_connected(line: &Logged) -> bool {
    let unconnected = |reason: Reason| matches!(reason, Reason::ConnectRefused | Reason::ConnectTimeout);
    line.reason.is_some_and(|reason| unconnected(reason) || reason.is_limit())
}
