//! The arguments of `rig compare`: balancers and scenarios, or two saved runs.

use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;
use model::identity::BalancerName;

use super::is_run;
use crate::bundled;
use crate::exit::Failure;

/// What to compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// Balancers, by running scenarios on them; no scenario: all bundled ones.
    Balancers {
        /// At least two.
        balancers: Vec<BalancerName>,
        /// Files, or names of bundled ones.
        scenarios: Vec<String>,
    },
    /// Two saved runs.
    Runs([PathBuf; 2]),
}

/// Arguments that can't be compared.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongTargets {
    #[error("`{0}` is no balancer ({known}), bundled scenario, file or saved run", known = names())]
    Unknown(String),
    #[error("{balancer} is a balancer and {run} a saved run; compare either balancers or saved runs")]
    Mixed { balancer: BalancerName, run: String },
    #[error(
        "{scenario} is a scenario and {run} a saved run; a saved run brings its scenario, so compare it with another run"
    )]
    ScenarioAndRun { scenario: String, run: String },
    #[error("{0} alone can't be compared; name another balancer ({known})", known = names())]
    OneBalancer(BalancerName),
    #[error("no balancer is named; name at least two of {known}, then the scenarios", known = names())]
    NoBalancer,
    #[error(
        "{0} is named twice; two versions of it are nginx@1.22 and nginx@1.31, and two runs: rig compare RUN RUN"
    )]
    Twice(BalancerName),
    #[error("a comparison needs two saved runs, and {} named", if *.0 == 1 { "1 is".to_owned() } else { format!("{} are", .0) })]
    NotTwoRuns(usize),
}

impl From<WrongTargets> for Failure {
    fn from(wrong: WrongTargets) -> Failure {
        let is_unknown = matches!(wrong, WrongTargets::Unknown(_));
        let failure = Failure::usage(wrong);
        match is_unknown {
            true => failure.help(
                "rig compare nginx envoy [SCENARIO…], or rig compare RUN RUN with the directories of two runs",
            ),
            false => failure,
        }
    }
}

fn names() -> String {
    BalancerKind::ALL.map(BalancerKind::name).join(", ")
}

/// The balancer that `word` names, perhaps in one version.
fn balancer(word: &str) -> Option<BalancerName> {
    word.parse().ok().filter(|name: &BalancerName| name.kind().is_some())
}

impl Targets {
    /// Interprets `words`. A balancer's name always means the balancer; a directory of that name is `./nginx`.
    pub(super) fn of(words: &[String]) -> Result<Targets, WrongTargets> {
        let (mut balancers, mut scenarios, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for word in words {
            let path = Path::new(word);
            if let Some(name) = balancer(word) {
                if balancers.contains(&name) {
                    return Err(WrongTargets::Twice(name));
                }
                balancers.push(name);
            } else if is_run(path) {
                runs.push(word.clone());
            } else if bundled::find(path).is_some() || path.is_file() {
                scenarios.push(word.clone());
            } else {
                return Err(WrongTargets::Unknown(word.clone()));
            }
        }
        match (balancers.as_slice(), scenarios.first(), runs.as_slice()) {
            ([balancer, ..], _, [run, ..]) => {
                Err(WrongTargets::Mixed { balancer: *balancer, run: run.clone() })
            }
            ([], Some(scenario), [run, ..]) => {
                Err(WrongTargets::ScenarioAndRun { scenario: scenario.clone(), run: run.clone() })
            }
            ([], None, [a, b]) => Ok(Targets::Runs([a, b].map(PathBuf::from))),
            ([], None, runs) => Err(WrongTargets::NotTwoRuns(runs.len())),
            ([], Some(_), []) => Err(WrongTargets::NoBalancer),
            ([one], _, []) => Err(WrongTargets::OneBalancer(*one)),
            (_, _, []) => Ok(Targets::Balancers { balancers, scenarios }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Result<Targets, WrongTargets> {
        Targets::of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    /// A directory that looks like a saved run.
    fn run() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("plan.json"), "{}").unwrap();
        let path = dir.path().display().to_string();
        (dir, path)
    }

    #[test]
    fn balancers_come_with_scenarios_or_alone() {
        let balancers = vec!["nginx".parse().unwrap(), "envoy".parse().unwrap()];
        let alone = Targets::Balancers { balancers: balancers.clone(), scenarios: vec![] };
        assert_eq!(of(&["nginx", "envoy"]), Ok(alone));
        let with = Targets::Balancers { balancers, scenarios: vec!["drain".into()] };
        assert_eq!(of(&["nginx", "envoy", "drain"]), Ok(with));
        let versions = ["nginx@1.22", "nginx@1.31"].map(|name| name.parse().unwrap()).to_vec();
        let two = Targets::Balancers { balancers: versions, scenarios: vec![] };
        assert_eq!(of(&["nginx@1.22", "nginx@1.31"]), Ok(two));
    }

    #[test]
    fn two_directories_are_runs() {
        let ((_a, a), (_b, b)) = (run(), run());
        assert_eq!(of(&[&a, &b]), Ok(Targets::Runs([a.into(), b.into()])));
    }

    #[test]
    fn what_is_no_comparison_is_told_why() {
        let (_dir, run) = run();
        let nginx: BalancerName = "nginx".parse().unwrap();
        assert_eq!(of(&["nginx"]), Err(WrongTargets::OneBalancer(nginx)));
        assert_eq!(of(&["nginx", "nginx"]), Err(WrongTargets::Twice(nginx)));
        assert_eq!(of(&["nginx@new", "envoy"]), Err(WrongTargets::Unknown("nginx@new".into())));
        assert_eq!(of(&["drain"]), Err(WrongTargets::NoBalancer));
        assert_eq!(of(&["ngnix", "envoy"]), Err(WrongTargets::Unknown("ngnix".into())));
        assert_eq!(of(&[&run]), Err(WrongTargets::NotTwoRuns(1)));
        assert_eq!(of(&["nginx", &run]), Err(WrongTargets::Mixed { balancer: nginx, run: run.clone() }));
        let mixed = WrongTargets::ScenarioAndRun { scenario: "drain".into(), run: run.clone() };
        assert_eq!(of(&["drain", &run]), Err(mixed));
    }
}
