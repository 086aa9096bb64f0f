//! What the engine says has happened: that faults have taken effect, and the exits of containers.

use model::component::ExitStatus;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bollard::Docker;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::error::DockerError;

/// What is listened to.
const ACTIONS: [&str; 7] = ["die", "destroy", "kill", "pause", "unpause", "connect", "disconnect"];

/// The engine's events since rig began to listen.
#[derive(Debug)]
pub(super) struct Events {
    heard: Arc<Heard>,
    listener: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Heard {
    all: Mutex<All>,
    news: Notify,
}

#[derive(Debug, Default)]
struct All {
    seen: Vec<SeenEvents>,
    exits: HashMap<String, watch::Sender<Option<ExitStatus>>>,
    /// Why there will be no more.
    ended: Option<String>,
}

/// One event, of a container.
#[derive(Debug)]
struct SeenEvents {
    container: String,
    action: String,
}

impl Events {
    /// Begins to listen.
    pub(super) fn listen(docker: &Docker) -> Events {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned(), "network".to_owned()]),
            ("event", ACTIONS.map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::default().filters(&filters).build();
        let mut stream = Box::pin(docker.events(Some(options)));
        let heard = Arc::new(Heard::default());
        let told = Arc::clone(&heard);
        let listener = tokio::spawn(async move {
            let why = loop {
                match stream.next().await {
                    Some(Ok(message)) => told.take(message),
                    Some(Err(error)) => break error.to_string(),
                    None => break "the engine ended its stream of events".to_owned(),
                }
            };
            told.end(&why);
        });
        Events { heard, listener }
    }

    /// Watches for the exit of `container`.
    pub(super) fn exit_of(&self, container: &str) -> watch::Receiver<Option<ExitStatus>> {
        let mut all = self.heard.lock();
        let lost = all.ended.clone();
        let exits = all.exits.entry(container.to_owned());
        let exit = exits.or_insert_with(|| watch::Sender::new(None));
        if let Some(why) = lost {
            exit.send_replace(Some(ExitStatus::unknown(why)));
        }
        exit.subscribe()
    }

    /// Why nothing more will be heard, if that is so.
    pub(super) fn ended(&self) -> Option<String> {
        self.heard.lock().ended.clone()
    }

    /// How many events there have been: where to look for later ones.
    pub(super) fn count(&self) -> usize {
        self.heard.lock().seen.len()
    }

    /// Waits until `action` has befallen `container`, in an event after the first `count` that comes `within` so long.
    pub(super) async fn saw(
        &self,
        container: &str,
        action: &'static str,
        count: usize,
        within: Duration,
    ) -> Result<(), DockerError> {
        let missing = |reason: String| DockerError::NoEvent { action, reason };
        let look = async {
            loop {
                let news = self.heard.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                {
                    let all = self.heard.lock();
                    let wanted = |seen: &&SeenEvents| seen.container == container && seen.action == action;
                    if all.seen.iter().skip(count).any(|seen| wanted(&seen)) {
                        return Ok(());
                    }
                    if let Some(why) = &all.ended {
                        return Err(missing(why.clone()));
                    }
                }
                news.await;
            }
        };
        match tokio::time::timeout(within, look).await {
            Ok(found) => found,
            Err(_) => Err(missing(format!("none came within {} s", within.as_secs()))),
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, message: EventMessage) {
        let (Some(action), Some(actor)) = (message.action, message.actor) else { return };
        let attributes = actor.attributes.unwrap_or_default();
        // A network's event names the network, and the container beside it.
        let container = match action.as_str() {
            "connect" | "disconnect" => attributes.get("container").cloned(),
            _ => actor.id,
        };
        let Some(container) = container else { return };
        let mut all = self.lock();
        if action == "die"
            && let Some(exit) = all.exits.get(&container)
        {
            let code = attributes.get("exitCode").map_or("unknown", String::as_str);
            exit.send_replace(Some(ExitStatus::of_code(code)));
        }
        all.seen.push(SeenEvents { container, action });
        drop(all);
        self.news.notify_waiters();
    }

    /// Nothing more will be heard: what still ran is lost from sight.
    fn end(&self, why: &str) {
        let mut all = self.lock();
        all.ended = Some(why.to_owned());
        for exit in all.exits.values() {
            exit.send_if_modified(|status| {
                let lost = status.is_none();
                if lost {
                    *status = Some(ExitStatus::unknown(format!("lost from sight: {why}")));
                }
                lost
            });
        }
        drop(all);
        self.news.notify_waiters();
    }
}
