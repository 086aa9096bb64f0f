//! The arguments of `rig compare`: balancers and scenarios, or two saved runs.

use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;

use super::is_run;
use crate::bundled;

/// What to compare.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Targets {
    /// Balancers, by running scenarios on them; no scenario: all bundled ones.
    Balancers {
        /// At least two.
        kinds: Vec<BalancerKind>,
        /// Files, or names of bundled ones.
        scenarios: Vec<String>,
    },
    /// Two saved runs.
    Runs([PathBuf; 2]),
}

/// Arguments that can't be compared.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum WrongTargets {
    #[error(
        "`{0}` is no balancer ({known}), bundled scenario, file or saved run\n  \
         help: rig compare nginx envoy [SCENARIO…], or rig compare RUN RUN with the directories of two runs",
        known = names()
    )]
    Unknown(String),
    #[error("{balancer} is a balancer and {run} a saved run; compare either balancers or saved runs")]
    Mixed { balancer: BalancerKind, run: String },
    #[error(
        "{scenario} is a scenario and {run} a saved run; a saved run brings its scenario, so compare it with another run"
    )]
    ScenarioAndRun { scenario: String, run: String },
    #[error("{0} alone can't be compared; name another balancer ({known})", known = names())]
    OneBalancer(BalancerKind),
    #[error("no balancer is named; name at least two of {known}, then the scenarios", known = names())]
    NoBalancer,
    #[error("{0} is named twice; to compare two versions of it, compare saved runs: rig compare RUN RUN")]
    Twice(BalancerKind),
    #[error("a comparison needs two saved runs, and {} named", if *.0 == 1 { "1 is".to_owned() } else { format!("{} are", .0) })]
    NotTwoRuns(usize),
}

fn names() -> String {
    BalancerKind::ALL.map(BalancerKind::name).join(", ")
}

impl Targets {
    /// Interprets `words`. A balancer's name always means the balancer; a directory of that name is `./nginx`.
    pub(super) fn of(words: &[String]) -> Result<Targets, WrongTargets> {
        let (mut kinds, mut scenarios, mut runs) = (Vec::new(), Vec::new(), Vec::new());
        for word in words {
            let path = Path::new(word);
            if let Ok(kind) = word.parse::<BalancerKind>() {
                if kinds.contains(&kind) {
                    return Err(WrongTargets::Twice(kind));
                }
                kinds.push(kind);
            } else if is_run(path) {
                runs.push(word.clone());
            } else if bundled::find(path).is_some() || path.is_file() {
                scenarios.push(word.clone());
            } else {
                return Err(WrongTargets::Unknown(word.clone()));
            }
        }
        match (kinds.as_slice(), scenarios.first(), runs.as_slice()) {
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
            (_, _, []) => Ok(Targets::Balancers { kinds, scenarios }),
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
        let kinds = vec!["nginx".parse().unwrap(), "envoy".parse().unwrap()];
        let alone = Targets::Balancers { kinds: kinds.clone(), scenarios: vec![] };
        assert_eq!(of(&["nginx", "envoy"]), Ok(alone));
        let with = Targets::Balancers { kinds, scenarios: vec!["drain".into()] };
        assert_eq!(of(&["nginx", "envoy", "drain"]), Ok(with));
    }

    #[test]
    fn two_directories_are_runs() {
        let ((_a, a), (_b, b)) = (run(), run());
        assert_eq!(of(&[&a, &b]), Ok(Targets::Runs([a.into(), b.into()])));
    }

    #[test]
    fn what_is_no_comparison_is_told_why() {
        let (_dir, run) = run();
        let nginx: BalancerKind = "nginx".parse().unwrap();
        assert_eq!(of(&["nginx"]), Err(WrongTargets::OneBalancer(nginx)));
        assert_eq!(of(&["nginx", "nginx"]), Err(WrongTargets::Twice(nginx)));
        assert_eq!(of(&["drain"]), Err(WrongTargets::NoBalancer));
        assert_eq!(of(&["ngnix", "envoy"]), Err(WrongTargets::Unknown("ngnix".into())));
        assert_eq!(of(&[&run]), Err(WrongTargets::NotTwoRuns(1)));
        assert_eq!(of(&["nginx", &run]), Err(WrongTargets::Mixed { balancer: nginx, run: run.clone() }));
        let mixed = WrongTargets::ScenarioAndRun { scenario: "drain".into(), run: run.clone() };
        assert_eq!(of(&["drain", &run]), Err(mixed));
    }
}
