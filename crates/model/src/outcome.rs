//! How one request ended, as the client saw it. What the backends did with it is another matter: the ledger.

use serde::{Deserialize, Serialize};

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
    /// The time-out, counted from the intended start, ran out.
    Timeout,
    /// The time-out ran out and need not have: the generator was late itself, at the beginning or at the end. The
    /// generator never writes it; the judgement says it in the place of what the generator wrote.
    Late,
    /// What arrived isn't HTTP/1.1, or more than the response; in a handshake, the peer broke it off or broke its rules.
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
    /// Every connection was taken by an unfinished request until the time-out ran out.
    Backlog,
    /// No port, no descriptor: the generator's own failing.
    LocalResource(i32),
    /// The generator was late by more than the time-out: its own stall.
    Stall,
    /// The run was interrupted.
    Cancelled,
}

/// The taxonomy of outcomes that counts, tables and expectations use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// The complete expected response, in time.
    Ok,
    /// A complete response with a status other than 2xx, below 500.
    HttpOther,
    /// A complete response with a status of 500 or more.
    #[serde(rename = "http_5xx")]
    Http5xx,
    /// The connection was refused.
    Refused,
    /// The connection attempt was reset.
    ConnectReset,
    /// The connection attempt took too long.
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
    pub const ALL: [OutcomeKind; 15] = [
        OutcomeKind::Ok,
        OutcomeKind::HttpOther,
        OutcomeKind::Http5xx,
        OutcomeKind::Refused,
        OutcomeKind::ConnectReset,
        OutcomeKind::ConnectTimeout,
        OutcomeKind::Reset,
        OutcomeKind::Closed,
        OutcomeKind::BodyMismatch,
        OutcomeKind::Protocol,
        OutcomeKind::Tls,
        OutcomeKind::Timeout,
        OutcomeKind::NotSentBacklog,
        OutcomeKind::GeneratorFault,
        OutcomeKind::Cancelled,
    ];

    /// Whether a user would call it a failed request: everything but a complete expected response, unless the
    /// failing is proved to be the generator's.
    pub fn is_dropped(self) -> bool {
        !matches!(self, OutcomeKind::Ok | OutcomeKind::GeneratorFault | OutcomeKind::Cancelled)
    }
}

impl Outcome {
    /// The kind of this outcome.
    pub fn kind(self) -> OutcomeKind {
        match self {
            Outcome::Answered { body: BodyCheck::Mismatch, .. } => OutcomeKind::BodyMismatch,
            Outcome::Answered { status: 200..=299, .. } => OutcomeKind::Ok,
            Outcome::Answered { status: 500.., .. } => OutcomeKind::Http5xx,
            Outcome::Answered { .. } => OutcomeKind::HttpOther,
            Outcome::Failed { stage, cause } => match (stage, cause) {
                (_, Cause::Late) => OutcomeKind::GeneratorFault,
                (Stage::Connect, Cause::Refused) => OutcomeKind::Refused,
                (Stage::Connect, Cause::Timeout) => OutcomeKind::ConnectTimeout,
                (Stage::Connect, _) => OutcomeKind::ConnectReset,
                (Stage::Tls, Cause::Timeout) => OutcomeKind::Timeout,
                (Stage::Tls, _) => OutcomeKind::Tls,
                (_, Cause::Protocol | Cause::Untrusted) => OutcomeKind::Protocol,
                (_, Cause::Timeout) => OutcomeKind::Timeout,
                (_, Cause::Eof) => OutcomeKind::Closed,
                (_, Cause::Reset | Cause::Refused | Cause::Errno(_)) => OutcomeKind::Reset,
            },
            Outcome::NotSent(NotSent::Backlog) => OutcomeKind::NotSentBacklog,
            Outcome::NotSent(NotSent::LocalResource(_) | NotSent::Stall) => OutcomeKind::GeneratorFault,
            Outcome::NotSent(NotSent::Cancelled) => OutcomeKind::Cancelled,
        }
    }
}
