//! What ends a cell before its time: a balancer that exits, a pod that is lost; and the balancer's last words about it.

use std::convert::Infallible;

use model::history::{BALANCER, Happening};

use super::stand::Stand;
use crate::balancer::{STDERR_FILE, STDOUT_FILE, adapter};
use crate::error::EngineError;
use crate::runtime::{Handle, Runtime};

/// Bytes at the end of a log in which its last words are looked for.
pub(super) const LAST_BYTES: u64 = 64 << 10;
/// Lines of a balancer's own words that an error shows.
const WORDS: usize = 20;

impl<R: Runtime> Stand<'_, R> {
    pub(super) fn exited(&self, balancer: &Handle) -> EngineError {
        EngineError::BalancerExited {
            kind: self.order.cell.balancer,
            status: balancer.exited().unwrap_or_default(),
            words: self.last_words(),
            config: self.order.dir.config_dir(),
        }
    }

    pub(super) async fn unexpected_exit(&self, balancer: &Handle) -> EngineError {
        tokio::select! {
            never = self.note_exit(balancer) => match never {},
            () = async { let _ = balancer.exit.clone().wait_for(Option::is_some).await; } => {}
        }
        self.exited(balancer)
    }

    /// Writes down when the balancer exits.
    pub(super) async fn note_exit(&self, balancer: &Handle) -> Infallible {
        let _ = balancer.exit.clone().wait_for(Option::is_some).await;
        let status = balancer.exited().unwrap_or_default();
        let component = BALANCER.to_owned();
        self.recorder.record(Happening::Exited { component, status, expected: false });
        std::future::pending().await
    }

    /// Ends when a pod loses what keeps its address.
    pub(super) async fn pod_lost(&self) -> EngineError {
        let pods = self.backends.pods.values().chain([&self.balancer_pod, &self.generator_pod]);
        let pods = pods.chain(self.backends.store.as_ref().map(|store| &store.pod));
        let lost = pods.map(|pod| {
            Box::pin(async move { EngineError::PodLost { pod: pod.name.clone(), status: pod.lost().await } })
        });
        futures_util::future::select_all(lost).await.0
    }

    /// The end of what the balancer wrote about itself.
    pub(super) fn last_words(&self) -> String {
        let access = adapter(self.order.cell.balancer).logs().access;
        let lines: Vec<String> = self
            .own_words()
            .iter()
            .filter(|name| **name != access)
            .filter_map(|name| store::read_end(&self.site.directory.join(name), LAST_BYTES).ok())
            .flat_map(|bytes| String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let shown: Vec<String> =
            lines[lines.len().saturating_sub(WORDS)..].iter().map(|line| format!("    {line}")).collect();
        if shown.is_empty() { "    (it said nothing)".into() } else { shown.join("\n") }
    }

    pub(super) fn own_words(&self) -> Vec<&'static str> {
        let mut names = vec![STDERR_FILE, STDOUT_FILE, adapter(self.order.cell.balancer).logs().notices];
        names.dedup();
        names.sort_unstable();
        names.dedup();
        names
    }
}
