//! The Docker runtime: the engine, the images, and a trial of both.

use std::path::{Path, PathBuf};

use engine::cell::trial::CHECKS;
use engine::checkup::Check;
use engine::components::programs;
use engine::program::ProgramVersion;
use engine::room::nearest;
use engine::runtime::docker::checkup::{Answering, container_files};
use engine::runtime::docker::images::{ImageOf, Pull};
use engine::runtime::docker::{DockerError, DockerRuntime, Engine};

use super::{CheckSection, usable};

const LOOK: &str = "docker info   # shows whether the engine works";

/// Checks the engine; `progress` gets the steps that take time.
pub(super) async fn section(executable: PathBuf, results: &Path, progress: &dyn Fn(&str)) -> CheckSection {
    let (runs, checks) = match Answering::find(&|name| std::env::var_os(name)).await {
        Ok(engine) => checks(&engine, executable, results, progress).await,
        Err(error) => (Vec::new(), vec![Check::broken("engine", &error, LOOK)]),
    };
    CheckSection { name: "docker", title: "Docker runtime", runs: Some(runs), checks }
}

/// The balancers that it can run, and what was checked.
async fn checks(
    engine: &Answering,
    executable: PathBuf,
    results: &Path,
    progress: &dyn Fn(&str),
) -> (Vec<&'static str>, Vec<Check>) {
    // Before the trial creates something itself.
    let leftovers = engine.leftovers().await;
    progress("looking for images");
    let (mut servers, mut agents) = (Vec::new(), Vec::new());
    for (of, check) in engine.images(programs(), executable.clone()).await {
        match of {
            // Without what not all need, only some scenarios can't run.
            ImageOf::Program(ProgramVersion { program, .. }) => servers.push((
                program,
                if program.needed_because.is_some() { check.wanted_by_some() } else { check },
            )),
            ImageOf::Agent => agents.push(check),
        }
    }
    let location = engine.location();
    let trial = match location.iter().chain(&agents).find(|check| check.has_failed()) {
        Some(obstacle) => untried(&format!("`{}` failed", obstacle.name)),
        None => {
            progress("running a toy backend in a container");
            tried(engine, executable, results, progress).await
        }
    };
    let works = !location.iter().chain(&agents).chain(&trial).any(Check::has_failed);
    let runs = if works { usable(&servers) } else { Vec::new() };
    let images = servers.into_iter().map(|(_, check)| check).chain(agents);
    let checks = [engine.engine()]
        .into_iter()
        .chain(location)
        .chain(images)
        .chain(trial)
        .chain(engine.facts())
        .chain([leftovers]);
    (runs, checks.collect())
}

fn untried(why: &str) -> Vec<Check> {
    CHECKS.map(|name| Check::not_checked(name, why)).into_iter().chain([container_files(None)]).collect()
}

/// Runs a toy backend as a cell would, with its files where those of a run would be.
async fn tried(
    answering: &Answering,
    executable: PathBuf,
    results: &Path,
    progress: &dyn Fn(&str),
) -> Vec<Check> {
    let [components, ..] = CHECKS;
    let directory = match Scratch::make(results) {
        Ok(directory) => directory,
        Err(error) => return untried(&format!("its directory can't be created: {error}")),
    };
    let (docker, endpoint) = (answering.docker.clone(), answering.endpoint.clone());
    let mut engine = match Engine::new(docker, endpoint, Pull::Missing, executable).await {
        Ok(engine) => engine,
        Err(error) => return vec![Check::broken(components, &error, LOOK)],
    };
    if let Err(error) = engine.begin(&[], progress).await {
        let left = engine.abandon().await.err();
        let checks = [Some(error), left].into_iter().flatten();
        return checks.map(|error| Check::broken(components, &error, LOOK)).collect();
    }
    let mut checks = engine::cell::trial(&DockerRuntime::new(&engine), &directory.0).await;
    checks.push(container_files(engine.open_files()));
    let closed: Result<(), DockerError> = engine.close().await;
    checks.extend(closed.err().map(|error| Check::broken("ending", &error, "rig clean")));
    checks
}

/// A directory that is removed when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    /// Next to the results, because an engine may not see other directories.
    fn make(results: &Path) -> std::io::Result<Scratch> {
        let parent = std::path::absolute(nearest(results))?;
        let path = parent.join(format!(".rig-doctor-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // If it can't be removed, it is small and easy to see.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
