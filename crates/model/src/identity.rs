//! Who is who: request ids, incarnations of backends, cells.

use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use arrayvec::ArrayString;

use crate::catalog::{BalancerKind, Release, UnknownBalancer};
use crate::interned::{Internable, InternedValues};
use crate::version::Version;
use crate::visible::visible;

/// The place of a request in its cell's schedule, from 0. It travels in the header [`REQUEST_ID_HEADER`] and
/// joins the client's record, the backends' ledger and the balancer's access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Carries the [`RequestId`] on every request of the load, and on nothing else: health checks, readiness
/// probes and curl have none, so the books leave them out.
pub const REQUEST_ID_HEADER: &str = "x-rig-seq";
/// Carries the [`Incarnation`] that answered, on every response of a toy backend.
pub const STAMP_HEADER: &str = "x-rig-backend";
/// Carries the [`Factor`](crate::units::Factor) by which a request's service time is multiplied, such as `20x`, on
/// requests of a class that costs more or less than others.
pub const COST_HEADER: &str = "x-rig-cost";
/// Carries the CRC-32 (IEEE, eight lower-case hex digits) of a body, in both directions.
pub const CHECKSUM_HEADER: &str = "x-rig-crc32";

/// One life of a backend: a process from its start to its exit. Generation 1 is the one that the cell starts
/// with; each replacement or restart counts on. Written `web-1/2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation {
    /// The backend, which is also its name in the balancer's configuration.
    pub backend: String,
    /// Which life of it, from 1.
    pub generation: u32,
}

impl Incarnation {
    /// The incarnation `generation` of `backend`.
    pub fn new(backend: impl Into<String>, generation: u32) -> Incarnation {
        Incarnation { backend: backend.into(), generation }
    }
}

impl Internable for Incarnation {
    fn table() -> &'static InternedValues<Incarnation> {
        static TABLE: InternedValues<Incarnation> = LazyLock::new(Mutex::default);
        &TABLE
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.backend, self.generation)
    }
}

/// A text that isn't `NAME/GENERATION`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` isn't a backend's stamp, such as `web-1/2`")]
pub struct IncarnationError(String);

impl FromStr for Incarnation {
    type Err = IncarnationError;
    fn from_str(text: &str) -> Result<Incarnation, IncarnationError> {
        let wrong = || IncarnationError(text.to_owned());
        let (backend, generation) = text.rsplit_once('/').ok_or_else(wrong)?;
        if backend.is_empty() {
            return Err(wrong());
        }
        Ok(Incarnation::new(backend, generation.parse().map_err(|_| wrong())?))
    }
}

impl Serialize for Incarnation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Incarnation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The longest name of a balancer, in bytes.
pub const LONGEST_NAME: usize = 32;
/// What stands between a kind and the version that is asked for.
pub const VERSION_SIGN: char = '@';

/// What stands between the load and the backends of a cell, by name: a balancer's kind, perhaps with a version
/// (`nginx@1.31`), a name that the scenario gives to one, or [`TARGET`]. The plan knows what it is. Small and `Copy`, as it is the key of every table.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BalancerName(ArrayString<LONGEST_NAME>);

/// The name of what rig did not launch.
pub const TARGET: &str = "target";

impl BalancerName {
    /// The name that stands for [`TARGET`].
    pub fn target() -> BalancerName {
        BalancerName(ArrayString::from(TARGET).unwrap_or_default())
    }
    /// As written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// The kind of that name, if it is one: `nginx`, or `nginx@1.31` of one version.
    pub fn kind(&self) -> Option<BalancerKind> {
        let (kind, version) = self.parts();
        kind.parse().ok().filter(|_| version.is_none_or(|version| version.parse::<Version>().is_ok()))
    }
    /// The version that it asks for, if it is a kind of one.
    pub fn version(&self) -> Option<Version> {
        self.kind().and(self.parts().1)?.parse().ok()
    }
    fn parts(&self) -> (&str, Option<&str>) {
        let of = |(kind, version)| (kind, Some(version));
        self.0.split_once(VERSION_SIGN).map_or((self.as_str(), None), of)
    }
    /// Whether this, as somebody asks for it, means `name`: the very name, or the kind of a name that has a version.
    pub fn means(&self, name: &BalancerName) -> bool {
        self == name || (self.version().is_none() && self.kind().is_some() && self.kind() == name.kind())
    }
}

impl From<BalancerKind> for BalancerName {
    fn from(kind: BalancerKind) -> BalancerName {
        BalancerName(ArrayString::from(kind.name()).unwrap_or_default())
    }
}

impl From<Release> for BalancerName {
    fn from(release: Release) -> BalancerName {
        // As long as a kind and three numbers at most.
        BalancerName(ArrayString::from(&release.to_string()).unwrap_or_default())
    }
}

impl TryFrom<BalancerName> for Release {
    type Error = UnknownBalancer;
    fn try_from(name: BalancerName) -> Result<Release, UnknownBalancer> {
        let kind = name.kind().ok_or_else(|| UnknownBalancer(name.to_string()))?;
        Ok(Release { kind, version: name.version() })
    }
}

/// Whether it is of that kind, in whichever version.
impl PartialEq<BalancerKind> for BalancerName {
    fn eq(&self, kind: &BalancerKind) -> bool {
        self.kind() == Some(*kind)
    }
}

/// The order of tables: kinds in their own order, each by version, then other names by the alphabet.
impl Ord for BalancerName {
    fn cmp(&self, other: &BalancerName) -> std::cmp::Ordering {
        let place = |name: &BalancerName| {
            let kind = BalancerKind::ALL.iter().position(|kind| name.kind() == Some(*kind));
            (kind.unwrap_or(BalancerKind::ALL.len()), name.version())
        };
        (place(self), self.as_str()).cmp(&(place(other), other.as_str()))
    }
}

impl PartialOrd for BalancerName {
    fn partial_cmp(&self, other: &BalancerName) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for BalancerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for BalancerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that can't name a balancer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` can't name a balancer: names have letters, digits, `-`, `_`, `.` and `@`, and at most {LONGEST_NAME} of them",
    visible(.0)
)]
pub struct BalancerNameError(pub String);

impl FromStr for BalancerName {
    type Err = BalancerNameError;
    fn from_str(text: &str) -> Result<BalancerName, BalancerNameError> {
        let wrong = || BalancerNameError(text.to_owned());
        let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        // It is part of a directory's name.
        if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(is_known) {
            return Err(wrong());
        }
        ArrayString::from(text).map(BalancerName).map_err(|_| wrong())
    }
}

impl Serialize for BalancerName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BalancerName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One cell of a run: a balancer × a variant × a repeat. Written `nginx.with-drain.1`, which is also the
/// name of its directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellId {
    /// The balancer under test.
    pub balancer: BalancerName,
    /// The variant's name.
    pub variant: String,
    /// Which repeat, from 1.
    pub repeat: u32,
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.balancer, self.variant, self.repeat)
    }
}
