//! Whose something is that outlives a killed rig, and whether that owner still lives.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The process that things were made for, told apart from later ones with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub(crate) pid: u32,
    /// When it started, in clock ticks after the boot (field 22 of /proc/PID/stat).
    started: u64,
    /// The boot of its kernel.
    boot: String,
    /// Its namespace of process ids.
    namespace: String,
}

/// Whether an owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerState {
    /// It runs.
    Lives,
    /// It is gone.
    Gone,
    /// It can't be seen from here: it is on another machine, or in a container.
    Unknown,
}

impl Owner {
    /// This process.
    ///
    /// # Errors
    /// /proc does not tell.
    pub fn this() -> std::io::Result<Owner> {
        let pid = std::process::id();
        Ok(Owner {
            pid,
            started: start_of(pid)
                .ok_or_else(|| std::io::Error::other("/proc/self/stat has no start time"))?,
            boot: agent::clock::boot_id()?,
            namespace: namespace()?,
        })
    }

    /// Whether it lives, as far as this process can see.
    pub fn owner_state(&self) -> OwnerState {
        let here = agent::clock::boot_id().is_ok_and(|boot| boot == self.boot)
            && namespace().is_ok_and(|namespace| namespace == self.namespace);
        match (here, start_of(self.pid)) {
            (false, _) => OwnerState::Unknown,
            (true, Some(started)) if started == self.started => OwnerState::Lives,
            (true, _) => OwnerState::Gone,
        }
    }
}

fn namespace() -> std::io::Result<String> {
    Ok(std::fs::read_link("/proc/self/ns/pid")?.display().to_string())
}

fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // pid (comm) state …; comm may hold anything, even parentheses.
    let mut fields = stat.rsplit(')').next()?.split_whitespace();
    // One that has ended and has not been collected yet holds nothing any more.
    fields.next().filter(|state| !matches!(*state, "Z" | "X"))?;
    fields.nth(18)?.parse().ok()
}

/// The file in a directory that says whose it is.
const FILE: &str = "owner";

/// Writes into `directory` that it is this process's.
///
/// # Errors
/// It can't be written.
pub fn mark(directory: &Path) -> std::io::Result<()> {
    std::fs::write(directory.join(FILE), format!("{}\n", Owner::this()?))
}

/// Whether the owner of `directory` lives; `Unknown` where it names none.
pub fn state_of(directory: &Path) -> OwnerState {
    const LONGEST: u64 = 4096;
    let owner = store::read_bounded(&directory.join(FILE), LONGEST).ok();
    let owner = owner.and_then(|text| String::from_utf8_lossy(&text).trim().parse::<Owner>().ok());
    owner.map_or(OwnerState::Unknown, |owner| owner.owner_state())
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.pid, self.started, self.boot, self.namespace)
    }
}

/// A label that is no owner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no owner")]
pub struct NoOwner(String);

impl FromStr for Owner {
    type Err = NoOwner;
    fn from_str(text: &str) -> Result<Owner, NoOwner> {
        let wrong = || NoOwner(text.to_owned());
        let mut words = text.split(' ');
        let mut word = || words.next().ok_or_else(wrong);
        Ok(Owner {
            pid: word()?.parse().map_err(|_| wrong())?,
            started: word()?.parse().map_err(|_| wrong())?,
            boot: word()?.to_owned(),
            namespace: word()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_survives_its_label() {
        let owner = Owner::this().unwrap();
        assert_eq!(owner.to_string().parse(), Ok(owner.clone()));
        assert_eq!(owner.owner_state(), OwnerState::Lives);
    }

    #[test]
    fn a_directory_says_whose_it_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(state_of(directory.path()), OwnerState::Unknown);
        mark(directory.path()).unwrap();
        assert_eq!(state_of(directory.path()), OwnerState::Lives);
        let gone = Owner { started: 0, ..Owner::this().unwrap() };
        std::fs::write(directory.path().join(FILE), gone.to_string()).unwrap();
        assert_eq!(state_of(directory.path()), OwnerState::Gone);
    }

    #[test]
    fn a_later_process_with_the_same_number_is_somebody_else() {
        let this = Owner::this().unwrap();
        assert_eq!(Owner { started: this.started + 1, ..this.clone() }.owner_state(), OwnerState::Gone);
        assert_eq!(Owner { namespace: "pid:[1]".into(), ..this.clone() }.owner_state(), OwnerState::Unknown);
        assert_eq!(Owner { boot: "another".into(), ..this }.owner_state(), OwnerState::Unknown);
    }
}
