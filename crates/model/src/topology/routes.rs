//! Routes: which requests go to which pools.

use serde::{Deserialize, Serialize};

use crate::split::Split;
use crate::statuses::Statuses;

/// Sends requests to pools: those whose path begins with `path` and that have the header, if one is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// A path prefix that begins with `/`.
    pub path: String,
    /// A header that requests must have; at one path it comes before the route without one.
    #[serde(default)]
    pub header: Option<HeaderMatch>,
    /// The pools.
    pub to: Split,
    /// The cookie by which the balancer sends a user to the same backend again; `None`: it doesn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// The statuses that its requests expect, unless their class says it; `None`: 2xx.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect_status: Option<Statuses>,
}

/// Affinity of users to backends, at the balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sticky {
    /// The name of the balancer's cookie.
    pub cookie: String,
}

/// A header with a value. The name may be written in any case, the value must be the same. A repeated header is one
/// list, as its values between commas are (RFC 9110, section 5.3): one of them must be the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderMatch {
    /// Its name, as the scenario writes it.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl HeaderMatch {
    /// Whether a route can match `value`: it goes into the balancers' configurations, so it holds nothing that means something
    /// there.
    pub fn can_be(value: &str) -> bool {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-._~:/=@".contains(c);
        !value.is_empty() && value.chars().all(fits)
    }

    /// Whether a request matches both only if it repeats the header; the values' order then decides.
    pub fn excludes(&self, other: &HeaderMatch) -> bool {
        self.name.eq_ignore_ascii_case(&other.name) && self.value != other.value
    }

    /// Whether a request with `headers` has it.
    pub fn is_in(&self, headers: &[(String, String)]) -> bool {
        let occurrences = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&self.name));
        occurrences.flat_map(|(_, value)| value.split(',')).any(|value| value.trim() == self.value)
    }
}
