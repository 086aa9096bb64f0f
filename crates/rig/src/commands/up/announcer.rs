//! Announces what happens to a running topology, line by line.

use std::cell::{Cell, RefCell};

use engine::cell::Observation;
use model::history::{Happening, WindowDerivation};
use model::job::Progress;
use model::timeline::Drain;
use model::units::Nanos;
use tokio::sync::mpsc;

use crate::exit::tell;

/// Announces to standard error, and to the shell that asked for a deploy.
pub(super) struct Announcer {
    began: Nanos,
    progress: Cell<Option<Progress>>,
    /// The progress that was announced last.
    announced: Cell<Option<Progress>>,
    listener: RefCell<Option<mpsc::UnboundedSender<String>>>,
    /// Whether the last deploy was aborted.
    aborted: Cell<bool>,
}

impl Announcer {
    pub(super) fn new() -> Announcer {
        Announcer {
            began: agent::clock::now(),
            progress: Cell::default(),
            announced: Cell::default(),
            listener: RefCell::default(),
            aborted: Cell::new(false),
        }
    }

    /// From now on, lines also go to a new listener.
    pub(super) fn listen(&self) -> mpsc::UnboundedReceiver<String> {
        let (sender, lines) = mpsc::unbounded_channel();
        self.listener.replace(Some(sender));
        lines
    }

    /// Whether the last deploy was aborted.
    pub(super) fn was_aborted(&self) -> bool {
        self.aborted.get()
    }

    /// Takes in an observation of the engine.
    pub(super) fn observe(&self, observation: Observation<'_>) {
        match observation {
            Observation::Progress(progress) => self.progress.set(Some(progress)),
            Observation::Event(event) => {
                match event.what {
                    Happening::DeployStarted { .. } => self.aborted.set(false),
                    Happening::DeployAborted { .. } => self.aborted.set(true),
                    _ => {}
                }
                if let Some(words) = words(&event.what) {
                    self.tell(event.at, &words);
                }
            }
            Observation::Backends(_) | Observation::View(_) | Observation::Said(_) => {}
        }
    }

    fn tell(&self, at: Nanos, words: &str) {
        let progress = self.progress.get();
        let news = progress.filter(|_| self.announced.replace(progress) != progress);
        let load = news.map_or_else(String::new, |Progress { ok, dropped, .. }| {
            format!("   load: {ok} ok, {dropped} dropped")
        });
        let line = format!("{:>8.2} s  {words}{load}", at.millis_from(self.began) / 1e3);
        tell(&line);
        if let Some(listener) = &*self.listener.borrow() {
            // The other shell may be gone.
            let _ = listener.send(line);
        }
    }
}

/// The words for an event; `None`: it is not announced.
fn words(event: &Happening) -> Option<String> {
    Some(match event {
        Happening::DeployStarted { pool, drain, backends, .. } => {
            let drain = match drain {
                Drain::Off => "without draining".to_owned(),
                Drain::Auto => "drained for as long as the slowest request takes".to_owned(),
                Drain::For(window) => format!("drained for up to {window}"),
            };
            format!("{pool}: deploy of {}, {drain}", backends.join(", "))
        }
        Happening::DrainWindow { window, derived: Some(WindowDerivation { slowest, samples }) } => {
            let (window, slowest) = (window.as_millis(), slowest.as_millis());
            format!(
                "drain window {window:.0} ms: 1.2 × {slowest:.0} ms, the slowest of {samples} requests, + 250 ms"
            )
        }
        Happening::Deregistering { incarnation } => format!("{incarnation}: deregister"),
        Happening::Deregistered { incarnation, proof } => format!("{incarnation}: deregistered ({proof})"),
        Happening::Drained { incarnation, waited, proof } => {
            format!("{incarnation}: drained after {:.0} ms ({proof})", waited.as_millis())
        }
        Happening::DrainExpired { incarnation, in_flight } => {
            let left = in_flight.map_or("an unknown number".to_owned(), |n| n.to_string());
            format!("{incarnation}: drain window expired with {left} in flight")
        }
        Happening::Terminated { incarnation, signal } => format!("{incarnation}: {signal}"),
        Happening::Exited { component, status, .. } => format!("{component}: {status}"),
        Happening::Replacing { old, new } => format!("{old} → {new}"),
        Happening::Ready { component, proof } => format!("{component}: ready ({proof})"),
        Happening::Registering { incarnation } => format!("{incarnation}: register"),
        Happening::Registered { incarnation, proof } => format!("{incarnation}: registered ({proof})"),
        Happening::Confirmed { incarnation, share, of } => {
            format!("{incarnation}: confirmed, {:.0} % of {of} requests", 100.0 * share.0)
        }
        Happening::Reached { incarnation, probes } => {
            format!("{incarnation}: answered a new client ({probes} probes)")
        }
        Happening::Unconfirmed { incarnation, share, of } => {
            format!("{incarnation}: gets {:.0} % of {of} requests, less than its share", 100.0 * share.0)
        }
        Happening::DeployFinished { replaced, .. } => format!("deploy finished: {replaced} replaced"),
        Happening::DeployAborted { incarnation, reason } => {
            format!("deploy aborted, {incarnation} gets no requests: {reason}")
        }
        Happening::Interrupted => "stopping".to_owned(),
        Happening::Warning { message } | Happening::Failed { message } => message.clone(),
        _ => return None,
    })
}
