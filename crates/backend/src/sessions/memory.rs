//! Sessions in the memory of the process: they live and die with the incarnation.

use std::cell::RefCell;
use std::collections::HashMap;

/// Counters by session.
#[derive(Default)]
pub(super) struct Memory(RefCell<HashMap<String, u64>>);

impl Memory {
    pub(super) fn begin(&self, id: &str) {
        self.0.borrow_mut().insert(id.to_owned(), 1);
    }

    /// Adds one; `None`: there is no such session.
    pub(super) fn count(&self, id: &str) -> Option<u64> {
        let mut sessions = self.0.borrow_mut();
        let count = sessions.get_mut(id)?;
        *count += 1;
        Some(*count)
    }
}
