//! What a cell is made of that rig launches and follows, and how such a process ended.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identity::Incarnation;

/// A part of a cell. Written `balancer`, `balancer worker`, `old balancer`, `generator`, `generator_2`, `dns_server`, `rig`, or as an
/// incarnation: `web-1/2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The balancer.
    Balancer,
    /// A worker of the balancer, which has no process of its own in rig's view.
    Worker,
    /// A process of the balancer that served before the one that does.
    Predecessor,
    /// What sends the load.
    Generator,
    /// One of several that send the load, from 1. No backend is called so, as names have no underscores.
    NumberedGenerator(u32),
    /// The DNS server by which the balancer finds backends. No backend is called so, as names have no underscores.
    DnsServer,
    /// rig itself.
    Rig,
    /// One life of a backend, or of a service beside the backends.
    Life(Incarnation),
    /// What an earlier version of rig called something that this one does not know.
    Unknown(String),
}

/// What comes before the number of a generator that has one.
const NUMBERED: &str = "generator_";

/// The components that are there once, with their names.
const NAMED: [(&str, Component); 6] = [
    ("balancer", Component::Balancer),
    ("balancer worker", Component::Worker),
    ("old balancer", Component::Predecessor),
    ("generator", Component::Generator),
    ("dns_server", Component::DnsServer),
    ("rig", Component::Rig),
];

impl Component {
    /// Which life of a backend it is, if it is one.
    pub fn life(&self) -> Option<&Incarnation> {
        match self {
            Component::Life(incarnation) => Some(incarnation),
            _ => None,
        }
    }

    /// Whether it sends the load, or a part of it.
    pub fn is_generator(&self) -> bool {
        matches!(self, Component::Generator | Component::NumberedGenerator(_))
    }

    /// Whether it is this life.
    pub fn is(&self, incarnation: &Incarnation) -> bool {
        self.life() == Some(incarnation)
    }
}

impl From<Incarnation> for Component {
    fn from(incarnation: Incarnation) -> Component {
        Component::Life(incarnation)
    }
}

impl From<&Incarnation> for Component {
    fn from(incarnation: &Incarnation) -> Component {
        Component::Life(incarnation.clone())
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Component::Life(incarnation) => incarnation.fmt(f),
            Component::Unknown(name) => f.pad(name),
            Component::NumberedGenerator(n) => f.pad(&format!("{NUMBERED}{n}")),
            named => f.pad(NAMED.iter().find(|(_, it)| it == named).map_or("", |(name, _)| name)),
        }
    }
}

impl FromStr for Component {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Component, Infallible> {
        let named = NAMED.iter().find(|(name, _)| *name == text).map(|(_, it)| it.clone());
        let numbered = || text.strip_prefix(NUMBERED)?.parse().ok().map(Component::NumberedGenerator);
        let life = || text.parse().ok().map(Component::Life);
        Ok(named.or_else(numbered).or_else(life).unwrap_or_else(|| Component::Unknown(text.to_owned())))
    }
}

impl Serialize for Component {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Component {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How a process ended, in the system's words: `exit status: 0`, `signal: 9 (SIGKILL)`, or why that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExitStatus(String);

impl ExitStatus {
    const CODE: &str = "exit status: ";
    const SIGNAL: &str = "signal: ";

    /// It returned `code`.
    pub fn of_code(code: impl fmt::Display) -> ExitStatus {
        ExitStatus(format!("{}{code}", ExitStatus::CODE))
    }

    /// `signal` ended it.
    pub fn of_signal(signal: impl fmt::Display) -> ExitStatus {
        ExitStatus(format!("{}{signal}", ExitStatus::SIGNAL))
    }

    /// How it ended is not known, and this is why.
    pub fn unknown(reason: impl Into<String>) -> ExitStatus {
        ExitStatus(reason.into())
    }

    /// What it returned.
    pub fn code(&self) -> Option<u32> {
        self.number(ExitStatus::CODE)
    }

    /// Whether it ended as one that has done all it wanted to.
    pub fn is_success(&self) -> bool {
        self.code() == Some(0)
    }

    /// The signal that ended it. A shell, and the Docker engine, say it as a code of 128 and more.
    pub fn signal(&self) -> Option<u32> {
        let said = || self.code().filter(|code| *code > 128).map(|code| code - 128);
        self.number(ExitStatus::SIGNAL).or_else(said)
    }

    fn number(&self, after: &str) -> Option<u32> {
        self.0.strip_prefix(after)?.split_whitespace().next()?.parse().ok()
    }
}

impl From<std::process::ExitStatus> for ExitStatus {
    fn from(status: std::process::ExitStatus) -> ExitStatus {
        ExitStatus(status.to_string())
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_what_its_text_says() {
        let names = [
            "balancer",
            "balancer worker",
            "generator",
            "generator_2",
            "dns_server",
            "rig",
            "web-1/2",
            "redis/1",
            "what it was",
        ];
        for name in names {
            let component: Component = name.parse().unwrap();
            assert_eq!(component.to_string(), name);
            let saved = serde_json::to_string(&component).unwrap();
            assert_eq!(saved, format!("{name:?}"));
            assert_eq!(serde_json::from_str::<Component>(&saved).unwrap(), component);
        }
        assert!("web-1/2".parse::<Component>().unwrap().is(&Incarnation::new("web-1", 2)));
        assert!("balancer".parse::<Component>().unwrap().life().is_none());
        assert_eq!("generator_2".parse::<Component>().unwrap(), Component::NumberedGenerator(2));
        assert!(!"generator_two".parse::<Component>().unwrap().is_generator());
    }

    #[test]
    fn a_status_is_read_as_the_system_words_it() {
        let (killed, by_engine) = (ExitStatus::unknown("signal: 9 (SIGKILL)"), ExitStatus::of_code(137));
        assert_eq!((killed.signal(), by_engine.signal()), (Some(9), Some(9)));
        assert_eq!(ExitStatus::of_signal(9).signal(), Some(9));
        let done = ExitStatus::of_code(0);
        assert!(done.is_success() && done.signal().is_none());
        let lost = ExitStatus::unknown("its exit could not be collected");
        assert!(!lost.is_success() && lost.code().is_none() && lost.signal().is_none());
        assert_eq!(ExitStatus::of_code(101).code(), Some(101));
    }
}
