//! How what stands in a cell comes down: load ended → backends idle → balancer stopped gracefully → everything else.

use std::time::Duration;

use model::component::Component;
use model::history::Happening;
use tokio::time::Instant;

use super::error::CellError;
use super::incumbent::Incumbent;
use super::testbed::Testbed;
use crate::balancer::adapter;
use crate::help::with_help;
use crate::runtime::Runtime;

/// How long a balancer may take to stop gracefully; then its log counts as incomplete.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long backends may take to have nothing in flight after the load has ended.
const IDLE_WITHIN: Duration = Duration::from_secs(5);

impl<R: Runtime> Testbed<'_, R> {
    /// The load has ended; what was given up after a timeout may still be worked on.
    pub(super) async fn wait_until_idle(&self) {
        let begun = Instant::now();
        let serving: Vec<String> = self.site.backends.keys().cloned().collect();
        // What a service of the user's still has, it can't be asked.
        for backend in serving.into_iter().filter(|backend| !self.backends.is_own(backend)) {
            while begun.elapsed() < IDLE_WITHIN {
                match self.backends.status(&backend).await {
                    Ok(status) if status.in_flight > 0 => tokio::time::sleep(Duration::from_millis(20)).await,
                    _ => break,
                }
            }
        }
    }

    pub(super) async fn stop_balancer(&self, balancer: &Incumbent<'_, R>) {
        let kind = self.kind;
        let component = Component::Balancer;
        // It has died by itself, as the history says.
        if balancer.exited().is_some() {
            return;
        }
        for process in balancer.all() {
            if let Err(error) = self.runtime.signal(&process, adapter(kind).graceful_stop()).await {
                self.recorder.record(Happening::Warning { message: with_help(&error) });
            }
        }
        match balancer.all_ended(STOP_WITHIN).await {
            Some((status, clean)) => {
                self.log_is_whole.set(clean);
                self.recorder.record(Happening::Exited { component, status, expected: true });
            }
            None => self.recorder.record(Happening::Warning {
                message: format!("{kind} did not stop gracefully within {} s", STOP_WITHIN.as_secs()),
            }),
        }
    }

    pub(super) async fn stop_services(&self) {
        for service in &self.backends.services {
            service.stop().await;
        }
        if let Some(names) = &self.backends.names {
            names.stop().await;
        }
    }

    /// Ends whatever still runs: the balancer and the backends after a whole cell, anything after half a one.
    ///
    /// # Errors
    /// If something is still there.
    pub(super) async fn end(&self) -> Result<(), CellError> {
        // What has died by itself until here is reported as such.
        self.backends.report_exits();
        self.backends.expect_the_end();
        let ended = self.runtime.end().await;
        self.backends.report_exits();
        Ok(ended?)
    }
}
