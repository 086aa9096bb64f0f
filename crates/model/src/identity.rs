//! Who is who: request ids, incarnations of backends, cells.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::catalog::BalancerKind;

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

/// One cell of a run: a balancer × a variant × a repeat. Written `nginx.with-drain.1`, which is also the
/// name of its directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellId {
    /// The balancer under test.
    pub balancer: BalancerKind,
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
