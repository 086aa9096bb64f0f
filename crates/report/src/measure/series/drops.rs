//! The dropped requests, one by one.

use model::identity::RequestId;
use model::request::Request;

use super::Axis;
use crate::analysis::attribution::DropSource;

/// How many dropped requests are listed; the rest is counted.
pub const LISTED: usize = 200;

/// Dropped requests, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Drops {
    /// The first [`LISTED`] of them.
    pub listed: Vec<DroppedRequest>,
    /// How many there are.
    pub total: u64,
}

/// One dropped request.
#[derive(Clone, Debug, PartialEq)]
pub struct DroppedRequest {
    /// Which.
    pub id: RequestId,
    /// When it was due, in seconds.
    pub due: f64,
    /// How long after that its client was told, in milliseconds.
    pub after_ms: f64,
    /// Its class in the mix.
    pub class: String,
    /// Where it was lost.
    pub source: DropSource,
}

impl Drops {
    pub(super) fn of<'a>(axis: &Axis, each: impl Iterator<Item = (&'a Request, DropSource)>) -> Drops {
        let mut drops = Drops::default();
        for (request, source) in each {
            drops.total += 1;
            if drops.listed.len() < LISTED {
                drops.listed.push(DroppedRequest {
                    id: request.id,
                    due: axis.at(request.due),
                    after_ms: request.end.millis_from(request.due),
                    class: request.class.to_string(),
                    source,
                });
            }
        }
        drops
    }
}
