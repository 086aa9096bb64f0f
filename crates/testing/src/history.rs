//! A cell's history, as rig wrote it.

use std::ops::Deref;

use model::history::{Event, Happening};
use rustix::process::Pid;

/// What happened in a cell so far, in order.
#[derive(Clone, Debug)]
pub struct History {
    /// The lines of the file.
    pub text: String,
    events: Vec<Event>,
}

impl History {
    /// Every line of `text` but the last must be whole: that one may be on its way.
    pub fn parse(text: String) -> History {
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        let event = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        History { events: whole.lines().map(event).collect(), text }
    }

    /// Whether it has the event `name`, which is its tag in the file.
    pub fn has(&self, name: &str) -> bool {
        self.text.contains(&format!("\"event\":\"{name}\""))
    }

    /// What `pick` picks of its events, in order.
    pub fn all<'h, T>(&'h self, pick: impl FnMut(&'h Happening) -> Option<T>) -> Vec<T> {
        self.events.iter().map(|event| &event.what).filter_map(pick).collect()
    }

    /// Every process that was launched.
    pub fn launched(&self) -> Vec<u32> {
        self.all(|event| match event {
            Happening::Launched { pid, .. } => Some(*pid),
            _ => None,
        })
    }

    /// The first process of a component.
    pub fn pid_of(&self, wanted: &str) -> Pid {
        let pids = self.all(|event| match event {
            Happening::Launched { component, pid } if component.to_string() == wanted => Some(*pid),
            _ => None,
        });
        let pid = pids.first().unwrap_or_else(|| panic!("no {wanted} was launched: {}", self.text));
        Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap()
    }
}

impl Deref for History {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.events
    }
}
