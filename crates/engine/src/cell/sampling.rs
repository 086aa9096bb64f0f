//! Looks at what backends and balancer have in hand, again and again while the load runs. A look that is not
//! answered before the next one is due is left out; nothing here can fail a cell.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::future::join_all;
use model::history::Happening;
use model::job::BackendStatus;
use model::sample::{Sample, sample_every};
use model::units::Nanos;
use store::SampleWriter;
use tokio::time::MissedTickBehavior;

use super::backends::Backends;
use super::control::Control;
use super::recorder::Observation;
use crate::balancer::View;
use crate::runtime::Runtime;

/// The balancer is asked at each look of so many: its answer costs its own CPU time, which is measured as well.
const LOOKS_PER_VIEW: u32 = 5;

/// Samples until it is dropped.
pub(super) async fn sample<R: Runtime>(
    backends: &Backends<'_, R>,
    control: &Control<'_, R>,
    mut writer: SampleWriter,
) -> Infallible {
    let every = sample_every(backends.topology().backends().count());
    let mut looks = tokio::time::interval(every);
    // A late look is not made up for: two at once would see the same.
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    for look in (0..LOOKS_PER_VIEW).cycle() {
        looks.tick().await;
        let view = async { if look == 0 { of_the_balancer(control, every).await } else { None } };
        let (statuses, view) = tokio::join!(of_backends(backends, every), view);
        let (at, statuses): (Vec<_>, Vec<_>) = statuses.into_iter().unzip();
        backends.recorder.show(Observation::Backends(&statuses));
        let mut samples: Vec<Sample> =
            at.into_iter().zip(statuses).map(|(at, status)| Sample::Backend { at, status }).collect();
        if let Some((at, view)) = view {
            backends.recorder.show(Observation::View(&view));
            samples.extend(view.into_iter().map(|seen| Sample::Balancer {
                at,
                backend: seen.backend,
                in_flight: seen.in_flight,
            }));
        }
        if let Err(error) = writer.append(&samples) {
            // The report misses what comes after, and says so.
            let message = format!("no more samples are taken: {error}");
            backends.recorder.record(Happening::Warning { message });
            break;
        }
    }
    std::future::pending().await
}

async fn of_backends<R: Runtime>(
    backends: &Backends<'_, R>,
    within: Duration,
) -> Vec<(Nanos, BackendStatus)> {
    let asked = backends.pods.keys().filter(|backend| !backends.is_own(backend));
    let looks = asked.map(|backend| async move {
        // A spare that has not been launched yet.
        backends.running(backend)?;
        let status = backends.status_within(backend, within).await.ok()?;
        Some((agent::clock::now(), status))
    });
    join_all(looks).await.into_iter().flatten().collect()
}

async fn of_the_balancer<R: Runtime>(control: &Control<'_, R>, within: Duration) -> Option<(Nanos, View)> {
    let view = tokio::time::timeout(within, control.view()).await.ok()?.ok()??;
    Some((agent::clock::now(), view))
}
