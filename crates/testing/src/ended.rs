//! How `rig` ended, and what the run showed.

use std::fmt;
use std::ops::Deref;

use model::identity::BalancerName;
use report::deploy::DeployRecord;
use report::validity::Trust;
use report::verdict::Holding;
use report::{CellSummary, RunSummary};
use serde::de::DeserializeOwned;

use crate::sandbox::Sandbox;

/// A `rig` that has ended, and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// Where it ran.
    pub sandbox: Sandbox,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n{}{}", self.code, self.out, self.err)
    }
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ended {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Asserts that standard output has `words`.
    #[track_caller]
    pub fn says(self, words: &str) -> Ended {
        assert!(self.out.contains(words), "no `{words}`: {self}");
        self
    }

    /// Asserts that standard error has `words`.
    #[track_caller]
    pub fn complains(self, words: &str) -> Ended {
        assert!(self.err.contains(words), "no `{words}`: {self}");
        self
    }

    /// Asserts that standard output is empty.
    #[track_caller]
    pub fn says_nothing(self) -> Ended {
        assert_eq!(self.out, "", "{self}");
        self
    }

    /// Asserts that there is no file in its directory.
    #[track_caller]
    pub fn leaves_nothing(self) -> Ended {
        assert_eq!(self.sandbox.files(), Vec::<std::path::PathBuf>::new(), "{self}");
        self
    }

    /// As a run that printed its summary.
    #[track_caller]
    pub fn run(self) -> Run {
        Run { summary: self.summary(), code: self.code, said: self.err, sandbox: self.sandbox }
    }

    /// Its standard output, read as the summary of a run.
    #[track_caller]
    pub fn summary(&self) -> RunSummary {
        self.read()
    }

    /// Its standard output, read as JSON.
    #[track_caller]
    pub fn read<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

/// A run that has ended, and its summary.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it showed.
    pub summary: RunSummary,
    /// The exit code.
    pub code: i32,
    /// Standard error.
    pub said: String,
    /// Where it ran.
    pub sandbox: Sandbox,
}

impl Deref for Run {
    type Target = RunSummary;

    fn deref(&self) -> &RunSummary {
        &self.summary
    }
}

impl Run {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Run {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// Asserts that it said nothing beside its results.
    #[track_caller]
    pub fn quietly(&self) -> &Run {
        assert_eq!(self.said, "");
        self
    }

    /// A cell.
    #[track_caller]
    pub fn cell(&self, balancer: impl Into<BalancerName>, variant: &str) -> &CellSummary {
        let balancer = balancer.into();
        let is_it = |cell: &&CellSummary| cell.balancer == balancer && cell.variant == variant;
        self.cells.iter().find(is_it).unwrap_or_else(|| panic!("no cell {balancer} {variant}: {self}"))
    }

    /// Whether a claim holds, which the scenario words so.
    #[track_caller]
    pub fn claim(&self, balancer: impl Into<BalancerName>, text: &str) -> &Holding {
        let balancer = balancer.into();
        let claim = self.claims.iter().find(|claim| claim.balancer == balancer && claim.text == text);
        &claim.unwrap_or_else(|| panic!("no claim `{text}` for {balancer}: {self}")).holding
    }
}

/// What tells why a run ended as it did.
impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit {}, {:?}\n{}", self.code, self.verdict, self.said)?;
        for claim in &self.claims {
            writeln!(f, "{} {}: {:?} ({})", claim.balancer, claim.text, claim.holding, claim.observed)?;
        }
        for cell in &self.cells {
            writeln!(f, "{} {}: {:?}", cell.balancer, cell.variant, cell.validity)?;
            cell.failures.iter().try_for_each(|failure| writeln!(f, "  {failure}"))?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "{problem:?}"))
    }
}

/// Asserts that a cell's counts can be trusted.
#[track_caller]
pub fn counts_are_trusted(cell: &CellSummary) {
    assert_ne!(
        cell.validity.counts.verdict,
        Trust::Invalid,
        "{} {}: {:?}",
        cell.balancer,
        cell.variant,
        cell.validity
    );
}

/// Asserts that a cell's client, backends and balancer agree on every request.
#[track_caller]
pub fn books_balance(cell: &CellSummary) {
    assert!(cell.books.unmatched.is_empty(), "{} {}: {:?}", cell.balancer, cell.variant, cell.books);
}

/// What a cell's deploy did.
#[track_caller]
pub fn deploy(cell: &CellSummary) -> &DeployRecord {
    cell.deploy.as_ref().unwrap_or_else(|| panic!("{} {} has no deploy", cell.balancer, cell.variant))
}
