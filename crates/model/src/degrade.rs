//! A backend that runs and misbehaves: what it is told to do, and what its health probes then see.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::topology::Latency;
use crate::units::{Share, Span};

/// A running backend is told to misbehave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Degrade {
    /// The backend.
    pub backend: String,
    /// What it does from then on.
    pub misbehaviour: Misbehaviour,
    /// After which it behaves again; `None`: never.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
}

/// What a half-dead backend does. One at a time: the next replaces it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misbehaviour {
    /// Requests are worked on for so long instead.
    Latency(Latency),
    /// This share of the application's requests is answered 500; health stays 200.
    Errors(Share),
    /// Health is answered 503; the application works.
    Unhealthy,
    /// Connections are accepted and requests read, and nothing is ever answered, health included.
    Silent,
    /// The application's responses are broken off by a reset (RST); health stays 200.
    Reset(ResponseStage),
    /// The application's responses are broken off by a close (FIN), so that they are truncated; health stays 200.
    Close(ResponseStage),
}

/// A way to misbehave, as scenarios write it.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its key.
    pub key: &'static str,
    /// What it does to requests, and what a health probe then gets.
    pub about: &'static str,
    /// The status that a health probe gets; `None`: it gets no answer.
    pub probe: Option<u16>,
}

/// Every way: what readers accept, the reference says, and the toy backend does.
pub const WAYS: [Way; 7] = [
    Way {
        key: "latency",
        about: "Requests are worked on for so long; a health probe gets 200.",
        probe: Some(200),
    },
    Way { key: "slower", about: "Multiplies its service times; a health probe gets 200.", probe: Some(200) },
    Way {
        key: "errors",
        about: "That share of requests is answered 500; a health probe gets 200.",
        probe: Some(200),
    },
    Way {
        key: "health",
        about: "Requests are answered as before; a health probe gets 503.",
        probe: Some(503),
    },
    Way {
        key: "silent",
        about: "Connections are accepted, requests read, and nothing is answered; a health probe gets no answer.",
        probe: None,
    },
    Way {
        key: "reset",
        about: "Responses end there by RST: before, inside the head, inside the body; a health probe gets 200.",
        probe: Some(200),
    },
    Way {
        key: "close",
        about: "Responses end there by FIN: truncated; a health probe gets 200.",
        probe: Some(200),
    },
];

/// Where in a response it is broken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStage {
    /// Before its first byte.
    Before,
    /// In the middle of its head.
    Head,
    /// In the middle of its body; before its end, if it has none.
    Body,
}

impl ResponseStage {
    /// Every stage with the name that scenarios use.
    pub const NAMED: [(&str, ResponseStage); 3] =
        [("before", ResponseStage::Before), ("head", ResponseStage::Head), ("body", ResponseStage::Body)];
}

impl Misbehaviour {
    /// Whether requests that it received may stay without a response by its own doing.
    pub fn leaves_unanswered(self) -> bool {
        match self {
            Misbehaviour::Silent | Misbehaviour::Reset(_) | Misbehaviour::Close(_) => true,
            Misbehaviour::Latency(_) | Misbehaviour::Errors(_) | Misbehaviour::Unhealthy => false,
        }
    }
}

impl fmt::Display for Misbehaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misbehaviour::Latency(latency) if latency.from == latency.to => {
                write!(f, "latency {}", latency.from)
            }
            Misbehaviour::Latency(latency) => write!(f, "latency {} to {}", latency.from, latency.to),
            Misbehaviour::Errors(share) => write!(f, "errors {share}"),
            Misbehaviour::Unhealthy => f.write_str("health fails"),
            Misbehaviour::Silent => f.write_str("silent"),
            Misbehaviour::Reset(stage) => write!(f, "reset {}", place(*stage)),
            Misbehaviour::Close(stage) => write!(f, "close {}", place(*stage)),
        }
    }
}

fn place(stage: ResponseStage) -> &'static str {
    match stage {
        ResponseStage::Before => "before the response",
        ResponseStage::Head => "in the head",
        ResponseStage::Body => "in the body",
    }
}
