//! One machine for all tests: two runs at the same time would measure each other.

use std::fs::File;

/// The machine, or a part of it, until this is dropped. The lock is a file's: it holds between processes as well, so that
/// tests may run in one process each, and two checkouts on one machine don't disturb each other.
#[derive(Debug)]
pub struct Machine {
    _lock: File,
}

impl Machine {
    /// The whole machine, for one test alone.
    pub fn alone() -> Machine {
        let _turn = turn();
        let lock = file("machine");
        lock.lock().expect("the lock can be taken");
        Machine { _lock: lock }
    }

    /// A part of it, for a test that judges counts: as many as there are test threads run their cells at once.
    pub fn shared() -> Machine {
        let _turn = turn();
        let lock = file("machine");
        lock.lock_shared().expect("the lock can be taken");
        Machine { _lock: lock }
    }
}

/// Each waits for the one before: a test that needs the machine alone would wait for ever while others share it in turns.
fn turn() -> File {
    let turn = file("turn");
    turn.lock().expect("the turn can be taken");
    turn
}

fn file(name: &str) -> File {
    let name = format!("rig-tests-{}.{name}", rustix::process::getuid().as_raw());
    let path = std::env::temp_dir().join(name);
    let opened = File::options().create(true).append(true).open(&path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
