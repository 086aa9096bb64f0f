//! Whether a balancer sends a request again, and which.

use serde::{Deserialize, Serialize};

use crate::units::{Share, Span};

/// Whether the balancer sends a failed request again, to another backend if there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retries {
    /// Never: one attempt per request.
    #[default]
    Off,
    /// As the balancer does it where its configuration says nothing.
    Default,
    /// So.
    On(Retry),
}

impl Retries {
    /// So many attempts in all, for what each balancer can tell.
    pub fn of(tries: u32) -> Retries {
        Retries::On(Retry::of(tries))
    }
}

/// How a balancer sends a request again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub tries: u32,
    /// For which causes; `None`: for those that the balancer's template has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Vec<RetryCause>>,
    /// How long it waits before the second attempt; `None`: as the balancer does it where its configuration says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Span>,
    /// How many of the requests in flight may be repeated ones; `None`: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Share>,
}

impl Retry {
    /// So many attempts in all.
    pub fn of(tries: u32) -> Retry {
        Retry { tries, on: None, backoff: None, budget: None }
    }

    /// Whether `cause` is among those that it says.
    pub fn says(&self, cause: RetryCause) -> bool {
        self.on.iter().flatten().any(|known| *known == cause)
    }

    /// The statuses that it says.
    pub fn statuses(&self) -> Vec<u16> {
        self.on.iter().flatten().filter_map(|cause| cause.status()).collect()
    }
}

/// What an attempt came to that makes the balancer send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryCause {
    /// No connection: it was refused, or was not made in time. The backend never had the request.
    Refused,
    /// The connection broke before a response.
    Reset,
    /// No response within the time that the balancer waits for one.
    Timeout,
    /// The backend answered 500.
    #[serde(rename = "500")]
    ServerError,
    /// The backend answered 502.
    #[serde(rename = "502")]
    BadGateway,
    /// The backend answered 503.
    #[serde(rename = "503")]
    Unavailable,
    /// The backend answered 504.
    #[serde(rename = "504")]
    LateGateway,
}

impl RetryCause {
    /// Every cause, with its name in scenarios.
    pub const ALL: [(&str, RetryCause); 7] = [
        ("refused", RetryCause::Refused),
        ("reset", RetryCause::Reset),
        ("timeout", RetryCause::Timeout),
        ("500", RetryCause::ServerError),
        ("502", RetryCause::BadGateway),
        ("503", RetryCause::Unavailable),
        ("504", RetryCause::LateGateway),
    ];

    /// The status that the backend answered with; `None`: it did not answer.
    pub fn status(self) -> Option<u16> {
        match self {
            RetryCause::Refused | RetryCause::Reset | RetryCause::Timeout => None,
            RetryCause::ServerError => Some(500),
            RetryCause::BadGateway => Some(502),
            RetryCause::Unavailable => Some(503),
            RetryCause::LateGateway => Some(504),
        }
    }
}
