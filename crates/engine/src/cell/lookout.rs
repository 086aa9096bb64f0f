//! Looks at the balancer's view while backends are ill: when does it say that one is down, and up again?

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use model::history::Happening;
use model::units::{Nanos, Span};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use super::control::Control;
use super::recorder::Recorder;
use crate::balancer::BackendView;
use crate::runtime::Runtime;

/// How often the view is looked at: the resolution of what is found, beside the time that an answer takes.
const EVERY: Duration = Duration::from_millis(20);

/// What changed about a backend, and when.
struct News {
    backend: String,
    ill: bool,
    at: Nanos,
}

/// Where faults are told to whoever looks.
pub(super) struct Lookout {
    news: mpsc::UnboundedSender<News>,
    sees: bool,
}

/// The other end of a [`Lookout`].
pub(super) struct Looking(mpsc::UnboundedReceiver<News>);

/// A lookout; `sees` says whether the balancer has a view.
pub(super) fn lookout(sees: bool) -> (Lookout, Looking) {
    let (news, looking) = mpsc::unbounded_channel();
    (Lookout { news, sees }, Looking(looking))
}

impl Lookout {
    /// How often the view is looked at; `None`: there is none.
    pub(super) fn every(&self) -> Option<Span> {
        self.sees.then_some(Span(EVERY))
    }

    /// `backend` is ill since `at`, or well again.
    pub(super) fn tell(&self, backend: &str, ill: bool, at: Nanos) {
        if self.sees {
            // Nobody looks any more when the load is over.
            let _ = self.news.send(News { backend: backend.to_owned(), ill, at });
        }
    }
}

/// What is known of a watched backend.
struct Watched {
    /// What is looked for: that the view says up.
    up: bool,
    /// When the view last said otherwise.
    before: Nanos,
    found: bool,
}

/// Follows what a lookout is told, for as long as it is polled.
pub(super) async fn follow<R: Runtime>(
    control: &Control<'_, R>,
    recorder: &Recorder<'_>,
    mut looking: Looking,
) -> Infallible {
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    let mut unreadable = false;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let idle = watched.values().all(|watched| watched.found);
        let news = tokio::select! {
            biased;
            news = looking.0.recv() => news,
            _ = ticks.tick(), if !idle => {
                let asked = agent::clock::now();
                match control.view().await {
                    Ok(view) => compare(recorder, &mut watched, &view.unwrap_or_default(), asked),
                    // One look less. Said once: a balancer that answers nothing more would say it fifty times a second.
                    Err(error) if !unreadable => {
                        unreadable = true;
                        let message = format!("looking for ill backends: {error}");
                        recorder.record(Happening::Warning { message });
                    }
                    Err(_) => {}
                }
                continue;
            }
        };
        match news {
            Some(News { backend, ill: true, at }) => {
                watched.insert(backend, Watched { up: false, before: at, found: false });
            }
            // What was never seen down has no return to be seen.
            Some(News { backend, ill: false, at }) => {
                if let Some(Watched { up: false, found: true, .. }) = watched.remove(&backend) {
                    watched.insert(backend, Watched { up: true, before: at, found: false });
                }
            }
            // Nothing more will happen, and what is looked for may still be seen.
            None if idle => std::future::pending().await,
            None => drop(ticks.tick().await),
        }
    }
}

/// Records what a view that was asked for at `asked` says for the first time.
fn compare(
    recorder: &Recorder<'_>,
    watched: &mut BTreeMap<String, Watched>,
    view: &[BackendView],
    asked: Nanos,
) {
    let now = agent::clock::now();
    for (backend, watched) in watched.iter_mut().filter(|(_, watched)| !watched.found) {
        // What was asked before the fault is no answer to it.
        if asked < watched.before {
            continue;
        }
        let seen = view.iter().find(|seen| seen.backend == *backend);
        if seen.is_some_and(|seen| seen.up) != watched.up {
            watched.before = asked;
            continue;
        }
        watched.found = true;
        let words = seen.map_or_else(|| "not listed".to_owned(), |seen| seen.words.clone());
        let (backend, before) = (backend.clone(), watched.before);
        recorder.record_at(
            now,
            match watched.up {
                true => Happening::SeenUp { backend, words, before },
                false => Happening::SeenDown { backend, words, before },
            },
        );
    }
}
