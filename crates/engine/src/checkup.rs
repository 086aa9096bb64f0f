//! What was looked at to see whether rig can work here, what was found, and what to do about it.

use serde::Serialize;

use crate::help::Help;

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in a word or two.
    pub name: String,
    /// What that means for rig.
    pub state: CheckState,
    /// What was found; of what was not checked, why not.
    pub found: String,
    /// What to do about it: a command where one exists.
    pub fix: Option<String>,
}

/// What the outcome of a check means for rig.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// As it should be, or merely worth knowing.
    Ok,
    /// rig works, and its figures are worse than they could be, or soon will be.
    Limits,
    /// What needs it can't be done.
    Failed,
    /// It could not be looked at.
    NotChecked,
}

impl Check {
    /// All is well.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Check {
        Check { name: name.into(), state: CheckState::Ok, found: found.into(), fix: None }
    }

    /// It limits figures.
    pub fn limits(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name: name.into(), state: CheckState::Limits, found: found.into(), fix: Some(fix.into()) }
    }

    /// It keeps something from working.
    pub fn failed(name: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Check {
        Check { name: name.into(), state: CheckState::Failed, found: found.into(), fix: Some(fix.into()) }
    }

    /// It keeps something from working, as `error` says; its help is the fix, else `otherwise`.
    pub fn broken(name: impl Into<String>, error: &impl Help, otherwise: &str) -> Check {
        Check::failed(name, error.to_string(), error.help().unwrap_or_else(|| otherwise.to_owned()))
    }

    /// This check of something that only some scenarios need: what is missing limits rig, and stops nothing else.
    #[must_use]
    pub fn wanted_by_some(self) -> Check {
        match self.state {
            CheckState::Failed => Check { state: CheckState::Limits, ..self },
            _ => self,
        }
    }

    /// It could not be looked at, and why.
    pub fn not_checked(name: impl Into<String>, why: impl Into<String>) -> Check {
        Check { name: name.into(), state: CheckState::NotChecked, found: why.into(), fix: None }
    }

    /// Whether it keeps something from working.
    pub fn has_failed(&self) -> bool {
        self.state == CheckState::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostError;

    #[test]
    fn the_help_of_an_error_is_the_fix() {
        let error = HostError::AddressBusy { address: "127.0.0.1:80".into(), help: "free it\nor not".into() };
        let check = Check::broken("address", &error, "look");
        assert_eq!(check.found, "127.0.0.1:80 is taken by another program");
        assert_eq!(check.fix.as_deref(), Some("free it\nor not"));
        let check = Check::broken("address", &HostError::Certificates("no more".into()), "look");
        assert_eq!(check.fix.as_deref(), Some("look"));
    }
}
