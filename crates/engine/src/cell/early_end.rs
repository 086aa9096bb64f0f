//! What ends a cell before its time: a balancer that exits, a pod that is lost; and the balancer's last words about it.

use super::error::CellError;
use super::incumbent::Incumbent;
use super::log_tail::last_lines;
use super::testbed::Testbed;
use crate::balancer::adapter;
use crate::program::{STDERR_FILE, STDOUT_FILE};
use crate::runtime::Runtime;

/// Lines of a balancer's own words that an error shows.
const WORDS: usize = 20;

impl<R: Runtime> Testbed<'_, R> {
    pub(super) fn exited(&self, balancer: &Incumbent<'_, R>) -> CellError {
        CellError::BalancerExited {
            kind: self.kind,
            status: balancer.exited().unwrap_or_default(),
            words: self.last_words(),
            config: self.order.dir.config_dir(),
        }
    }

    pub(super) async fn unexpected_exit(&self, balancer: &Incumbent<'_, R>) -> CellError {
        tokio::select! {
            // First, so that it has been recorded when the cell ends by it.
            biased;
            never = balancer.follow() => match never {},
            _ = balancer.exit() => {}
        }
        self.exited(balancer)
    }

    /// Ends when a pod loses what keeps its address.
    pub(super) async fn pod_lost(&self) -> CellError {
        let pods = self.backends.pods.values().chain([&self.balancer_pod]).chain(&self.generator_pods);
        let pods = pods.chain(self.backends.services.iter().map(|service| &service.pod));
        let pods = pods.chain(self.backends.names.iter().map(|names| &names.pod));
        let lost = pods.map(|pod| {
            Box::pin(async move { CellError::PodLost { pod: pod.name.clone(), status: pod.lost().await } })
        });
        futures_util::future::select_all(lost).await.0
    }

    /// The end of what the balancer wrote about itself.
    pub(super) fn last_words(&self) -> String {
        let access = adapter(self.kind).logs().access;
        let own_words = self.own_words();
        let names = own_words.iter().filter(|name| **name != access);
        let words = last_lines(names.map(|name| self.site.directory.join(name)), WORDS);
        if words.is_empty() { "    (no output)".into() } else { words }
    }

    pub(super) fn own_words(&self) -> Vec<&'static str> {
        let mut names = vec![STDERR_FILE, STDOUT_FILE, adapter(self.kind).logs().notices];
        names.dedup();
        names.sort_unstable();
        names.dedup();
        names
    }
}
