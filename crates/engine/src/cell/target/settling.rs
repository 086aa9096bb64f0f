//! When a deploy has settled: a client's timeout has passed since its end without a further loss.

use std::time::Duration;

use model::job::Progress;
use tokio::sync::watch;

/// Watches the load after the timeline.
pub(super) struct Settling {
    /// Whether the load is to end once all has settled.
    pub(super) wanted: bool,
    /// The client's timeout: who is hit by the deploy's last moment may wait so long until it shows.
    pub(super) timeout: Duration,
    /// How far the generator is.
    pub(super) progress: watch::Receiver<Option<Progress>>,
}

impl Settling {
    /// Waits until one timeout has passed without a loss; returns whether the load should end then.
    pub(super) async fn settled(&self) -> bool {
        if !self.wanted {
            return false;
        }
        let mut progress = self.progress.clone();
        let dropped = |progress: &Option<Progress>| progress.map_or(0, |progress| progress.dropped);
        let mut lost = dropped(&progress.borrow());
        let mut quiet_from = tokio::time::Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(quiet_from + self.timeout) => return true,
                changed = progress.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    let now = dropped(&progress.borrow());
                    if now > lost {
                        (lost, quiet_from) = (now, tokio::time::Instant::now());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(dropped: u64) -> Option<Progress> {
        Some(Progress { dropped, ..Progress::default() })
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_starts_the_wait_again() {
        let (seen, progress) = watch::channel(dropped(3));
        let settling = Settling { wanted: true, timeout: Duration::from_secs(5), progress };
        let begun = tokio::time::Instant::now();
        let losses = async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            seen.send(dropped(4)).unwrap();
            tokio::time::sleep(Duration::from_secs(4)).await;
            seen.send(dropped(4)).unwrap();
        };
        let (settled, ()) = tokio::join!(settling.settled(), losses);
        assert!(settled);
        assert_eq!(begun.elapsed().as_secs(), 9);
    }

    #[tokio::test]
    async fn a_load_with_a_fixed_end_is_not_cut() {
        let (_seen, progress) = watch::channel(None);
        assert!(!Settling { wanted: false, timeout: Duration::from_secs(5), progress }.settled().await);
    }
}
