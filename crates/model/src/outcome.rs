//! How one request ended, as the client saw it. What the backends did with it is another matter: the ledger.

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::errno::Errno;

/// The one end of a scheduled request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A complete response arrived in time.
    Answered {
        /// Its status.
        status: u16,
        /// What the checksum said.
        body: BodyCheck,
        /// Whether the scenario expects this status, by `expect_status`; `None`: it does not say, and expects 2xx.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<bool>,
    },
    /// The request was begun and no complete response arrived.
    Failed {
        /// How far it had come.
        stage: Stage,
        /// What ended it.
        cause: Cause,
    },
    /// The request was due and never begun.
    NotSent(NotSent),
}

/// Whether a response's body is the one that the backend meant to send. Its length is checked by the framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyCheck {
    /// The checksum matched.
    Verified,
    /// The checksum did not match.
    Mismatch,
    /// The response carries no checksum: it is the balancer's own.
    Unstamped,
}

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Writing the request.
    Send,
    /// Waiting for the first byte of the response.
    FirstByte,
    /// Inside the response's head.
    Head,
    /// Inside the response's body.
    Body,
}

/// What ended a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// ECONNREFUSED.
    Refused,
    /// ECONNRESET, ECONNABORTED or EPIPE.
    Reset,
    /// The peer closed (FIN).
    Eof,
    /// The timeout, counted from the intended start, ran out.
    Timeout,
    /// The timeout ran out and need not have: the generator was late itself, at the beginning or at the end. The
    /// generator never writes it; the judgement says it in the place of what the generator wrote.
    Late,
    /// What arrived isn't HTTP/1.1; in a handshake, the peer broke it off or broke its rules.
    Protocol,
    /// The peer's certificate can't be verified.
    Untrusted,
    /// Another error of the system, by number.
    Errno(i32),
}

/// Why a request was never begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotSent {
    /// Every connection was taken by an unfinished request until the timeout ran out.
    Backlog,
    /// No port, no descriptor: the generator's own failing.
    LocalResource(i32),
    /// The generator was late by more than the timeout: its own stall.
    Stall,
    /// The run was interrupted.
    Cancelled,
}

/// The taxonomy of outcomes that counts, tables and expectations use.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, strum::VariantArray,
)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The complete expected response, in time, with a status of 2xx.
    Ok,
    /// The complete expected response, in time, with another status that the scenario declares by `expect_status`.
    ExpectedStatus,
    /// A complete response with a status below 500 that was not expected.
    HttpOther,
    /// A complete response with a status of 500 or more that was not expected.
    #[serde(rename = "http_5xx")]
    Http5xx,
    /// The connection was refused.
    Refused,
    /// No way there: no route, the host or its network is down, or a rule of the client's machine forbids it.
    Unreachable,
    /// The connection attempt was reset.
    ConnectReset,
    /// The connection attempt took too long, by the client's timeout or the kernel's.
    ConnectTimeout,
    /// Reset after the connection stood.
    Reset,
    /// Closed (FIN) before the response was complete.
    Closed,
    /// The body isn't what the backend sent.
    BodyMismatch,
    /// Not HTTP.
    Protocol,
    /// The TLS handshake failed.
    Tls,
    /// No complete response in time.
    Timeout,
    /// Never sent, because unfinished requests held every connection.
    NotSentBacklog,
    /// The generator's own failing.
    GeneratorFault,
    /// Neither counted for nor against: the run was interrupted.
    Cancelled,
}

impl OutcomeKind {
    /// Every kind, in the order of tables.
    pub const ALL: &'static [OutcomeKind] = OutcomeKind::VARIANTS;

    /// Whether a user would call it a failed request: everything but a complete expected response, unless the
    /// failing is proved to be the generator's.
    pub fn is_dropped(self) -> bool {
        !self.is_delivered() && !matches!(self, OutcomeKind::GeneratorFault | OutcomeKind::Cancelled)
    }

    /// Whether the complete expected response arrived in time.
    pub fn is_delivered(self) -> bool {
        matches!(self, OutcomeKind::Ok | OutcomeKind::ExpectedStatus)
    }
}

impl Outcome {
    /// The kind of this outcome.
    pub fn kind(self) -> OutcomeKind {
        match self {
            Outcome::Answered { status, body, expected } => answered(status, body, expected),
            Outcome::Failed { stage, cause } => failed(stage, cause),
            Outcome::NotSent(NotSent::Backlog) => OutcomeKind::NotSentBacklog,
            Outcome::NotSent(NotSent::LocalResource(_) | NotSent::Stall) => OutcomeKind::GeneratorFault,
            Outcome::NotSent(NotSent::Cancelled) => OutcomeKind::Cancelled,
        }
    }

    /// The number of the system's error that it ended with, if it is known by nothing else.
    pub fn errno(self) -> Option<Errno> {
        match self {
            Outcome::Failed { cause: Cause::Errno(number), .. }
            | Outcome::NotSent(NotSent::LocalResource(number)) => Some(Errno(number)),
            _ => None,
        }
    }
}

fn answered(status: u16, body: BodyCheck, expected: Option<bool>) -> OutcomeKind {
    let succeeded = (200..300).contains(&status);
    match status {
        _ if body == BodyCheck::Mismatch => OutcomeKind::BodyMismatch,
        _ if expected.unwrap_or(succeeded) && succeeded => OutcomeKind::Ok,
        _ if expected == Some(true) => OutcomeKind::ExpectedStatus,
        500.. => OutcomeKind::Http5xx,
        _ => OutcomeKind::HttpOther,
    }
}

fn failed(stage: Stage, cause: Cause) -> OutcomeKind {
    let timed_out = match cause {
        Cause::Errno(number) => Errno(number).is_timeout(),
        _ => cause == Cause::Timeout,
    };
    match (stage, cause) {
        (_, Cause::Late) => OutcomeKind::GeneratorFault,
        (Stage::Connect, _) if timed_out => OutcomeKind::ConnectTimeout,
        _ if timed_out => OutcomeKind::Timeout,
        (Stage::Tls, _) => OutcomeKind::Tls,
        (Stage::Connect, Cause::Refused) => OutcomeKind::Refused,
        // Whatever else keeps a connection from being opened is named by its number.
        (Stage::Connect, Cause::Errno(_)) => OutcomeKind::Unreachable,
        (Stage::Connect, _) => OutcomeKind::ConnectReset,
        (_, Cause::Errno(number)) if Errno(number).is_unreachable() => OutcomeKind::Unreachable,
        (_, Cause::Protocol | Cause::Untrusted) => OutcomeKind::Protocol,
        (_, Cause::Eof) => OutcomeKind::Closed,
        (_, Cause::Reset | Cause::Refused | Cause::Errno(_) | Cause::Timeout) => OutcomeKind::Reset,
    }
}

#[cfg(test)]
#[path = "outcome_tests.rs"]
mod tests;
