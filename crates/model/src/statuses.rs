//! Statuses of responses: `404`, `2xx`, or several of them.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::QuantityError;

/// A status, or a hundred of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// One, such as 404.
    Exactly(u16),
    /// All that begin with this digit: `4xx`.
    Class(u16),
}

/// Some statuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Statuses(pub Vec<Status>);

impl Statuses {
    /// These, unless they are what is expected anyway: 2xx.
    pub(crate) fn unusual(self) -> Option<Statuses> {
        (self.0 != [Status::Class(2)]).then_some(self)
    }

    /// Whether `status` is one of them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|known| match known {
            Status::Exactly(exactly) => status == *exactly,
            Status::Class(class) => status / 100 == *class,
        })
    }
}

impl FromStr for Status {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Status, QuantityError> {
        // A status below 200 is never a response's last word.
        let status = match text.strip_suffix("xx") {
            Some(class) => class.parse().ok().filter(|class| (2..=5).contains(class)).map(Status::Class),
            None => text.parse().ok().filter(|status| (200..=599).contains(status)).map(Status::Exactly),
        };
        status.filter(|_| text.len() == 3).ok_or_else(|| QuantityError {
            wanted: "a status from 200 to 599 such as `404`, or a class of them such as `2xx`",
            found: text.to_owned(),
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Exactly(status) => write!(f, "{status}"),
            Status::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [status] => write!(f, "{status}"),
            several => {
                let texts: Vec<_> = several.iter().map(Status::to_string).collect();
                write!(f, "[{}]", texts.join(", "))
            }
        }
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
