//! Looks at the balancer's view while the load runs: when does it say that a backend is down, and up again?

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

/// How often the view is looked at while a backend is ill: the resolution of what is found, beside the time that an
/// answer takes.
const EVERY: Duration = Duration::from_millis(20);

/// As seldom as that at most.
const SELDOM: Duration = Duration::from_millis(250);
/// How long after a fault, or its healing, the view is looked at more often.
const CLOSELY: Duration = Duration::from_secs(10);

/// Whom something befell, and when.
struct News {
    backend: String,
    at: Nanos,
}

/// How often it is looked at otherwise, given how often the balancer probes: each answer costs its own CPU time.
pub(super) fn calm(probes: Option<Span>) -> Duration {
    probes.map_or(SELDOM, |every| (every.0 / 4).clamp(Duration::from_millis(50), SELDOM))
}

/// Where faults are told to whoever looks.
pub(super) struct Lookout {
    news: mpsc::UnboundedSender<News>,
    sees: bool,
}

/// The other end of a [`Lookout`].
pub(super) struct Looking(mpsc::UnboundedReceiver<News>);

/// A lookout; `sees` says whether the balancer's view tells who is down.
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
    pub(super) fn tell(&self, backend: &str, at: Nanos) {
        if self.sees {
            // When the load is over, no one reads this any more.
            let _ = self.news.send(News { backend: backend.to_owned(), at });
        }
    }
}

/// What is known of a backend.
struct Watched {
    /// Whether the view said up when it was last asked, and when that was.
    up: bool,
    before: Nanos,
}

/// Follows the balancer's view for as long as it is polled, and records whenever it changes its mind; more closely while
/// a backend is ill. What a deploy does to those that it is replacing is told elsewhere.
pub(super) async fn follow<R: Runtime>(
    control: &Control<'_, R>,
    recorder: &Recorder<'_>,
    calm: Duration,
    out: impl Fn(&str) -> bool,
    mut looking: Looking,
) -> Infallible {
    if !control.sees_health() {
        return std::future::pending().await;
    }
    let mut watched: BTreeMap<String, Watched> = BTreeMap::new();
    // Since when each is ill, or has been well again.
    let mut close: BTreeMap<String, Nanos> = BTreeMap::new();
    let mut unreadable = false;
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = agent::clock::now();
    loop {
        tokio::select! {
            biased;
            Some(News { backend, at }) = looking.0.recv() => drop(close.insert(backend, at)),
            _ = ticks.tick() => {
                let asked = agent::clock::now();
                close.retain(|_, since| asked.since(*since) < CLOSELY);
                if close.is_empty() && asked < next {
                    continue;
                }
                next = asked + calm;
                match control.view().await {
                    Ok(view) => compare(recorder, &mut watched, &view.unwrap_or_default(), asked, &out),
                    // One look less. Said once: a balancer that answers nothing more would say it fifty times a second.
                    Err(error) if !unreadable => {
                        unreadable = true;
                        let message = format!("looking for ill backends: {error}");
                        recorder.record(Happening::Warning { message });
                    }
                    Err(_) => {}
                }
            }
        }
    }
}

/// Records what a view that was asked for at `asked` says otherwise than the one before.
fn compare(
    recorder: &Recorder<'_>,
    watched: &mut BTreeMap<String, Watched>,
    view: &[BackendView],
    asked: Nanos,
    out: &impl Fn(&str) -> bool,
) {
    let now = agent::clock::now();
    for seen in view {
        let known = watched.entry(seen.backend.clone()).or_insert(Watched { up: seen.up, before: asked });
        let changed = known.up != seen.up && !out(&seen.backend);
        if changed {
            let (backend, words, before) = (seen.backend.clone(), seen.words.clone(), known.before);
            recorder.record_at(
                now,
                match seen.up {
                    true => Happening::SeenUp { backend, words, before },
                    false => Happening::SeenDown { backend, words, before },
                },
            );
        }
        *known =
            Watched { up: if changed || !out(&seen.backend) { seen.up } else { known.up }, before: asked };
    }
}
