//! Backends, or services, that die by themselves: a result, which the load goes on to show.

use model::detection::Symptom;

use super::backends::Loss;
use super::error::CellError;
use super::fleet::CellFleet;
use super::timeline::look_out;
use crate::runtime::Runtime;

/// The code that a toy backend returns which has a bug: that of a panic.
const PANIC: u32 = 101;

/// Follows backends and services for as long as it is polled; ends when a backend says, or shows, that it could not go on:
/// that is rig's own failure.
pub(super) async fn follow<R: Runtime>(fleet: &CellFleet<'_, R>) -> CellError {
    let services = async {
        // Each is recorded by who notices it. Backends answer without their store, and say so.
        loop {
            fleet.backends.service_lost().await;
        }
    };
    let backends = async {
        loop {
            let loss: Loss = fleet.backends.next_loss().await;
            let is_toy = !fleet.backends.is_own(&loss.incarnation.backend);
            if loss.words.is_some() || (is_toy && loss.status.code() == Some(PANIC)) {
                break loss.failure();
            }
            let (backend, now) = (&loss.incarnation.backend, agent::clock::now());
            look_out(fleet, backend, Some(Symptom::Refuses), now);
        }
    };
    tokio::select! {
        failed = backends => failed,
        never = services => match never {},
    }
}
