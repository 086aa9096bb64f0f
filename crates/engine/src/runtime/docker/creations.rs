//! Requests that make something on the engine. One that is given up half-way makes it all the same, after rig
//! has looked for what is to be removed: so these come to their end even if they are not waited for any more.

use std::sync::Arc;

use tokio::sync::RwLock;

/// The requests that are under way.
#[derive(Debug, Default)]
pub(super) struct Creations {
    under_way: Arc<RwLock<()>>,
}

impl Creations {
    /// Does `request`, to its end.
    pub(super) async fn create<T: Send + 'static>(
        &self,
        request: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let under_way = Arc::clone(&self.under_way).read_owned().await;
        let made = tokio::spawn(async move {
            let made = request.await;
            drop(under_way);
            made
        });
        match made.await {
            Ok(made) => made,
            // It is never aborted.
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }

    /// Waits until none is under way.
    pub(super) async fn settled(&self) {
        drop(self.under_way.write().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_request_that_is_given_up_is_waited_for() {
        let creations = Creations::default();
        let (answer, answered) = oneshot::channel::<()>();
        let (made, mut is_made) = oneshot::channel();
        let request = creations.create(async move {
            answered.await.unwrap();
            made.send(()).unwrap();
        });
        // It is on its way, and its sender loses interest.
        tokio::select! {
            biased;
            () = request => panic!("there was no answer"),
            () = tokio::task::yield_now() => {}
        }
        tokio::select! {
            biased;
            () = creations.settled() => panic!("one is under way"),
            () = tokio::task::yield_now() => {}
        }
        answer.send(()).unwrap();
        creations.settled().await;
        is_made.try_recv().unwrap();
    }
}
