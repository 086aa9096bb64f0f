//! From what the user names to plans: scenarios read and validated, templates chosen.

use std::path::{Path, PathBuf};

use engine::balancer::Templates;
use model::plan::{Plan, SavedPlan};
use model::scenario::{Choice, LONGEST_FILE, Problems, Scenario, Set, suggestion};

use crate::bundled;
use crate::exit::{Failure, LaidOut, wants_colour};

/// A scenario to run, and how the user asked for it.
pub(super) struct Planned {
    /// As the user wrote it.
    pub(super) path: PathBuf,
    /// The changes by --set.
    pub(super) sets: Vec<Set>,
    /// The chosen balancers, variants and repeats.
    pub(super) choice: Choice,
    pub(super) document: Scenario,
    pub(super) plan: Plan,
    /// The command that does the same again, where that is no `rig run`.
    pub(super) again: Option<Vec<String>>,
}

/// The templates in `directory`, and built-in ones for those that it lacks; and the configurations that `plans` name.
pub(super) fn templates<'p>(
    directory: Option<&Path>,
    plans: impl IntoIterator<Item = &'p Plan>,
) -> Result<Templates, Failure> {
    let templates = directory
        .map_or_else(|| Ok(Templates::embedded()), Templates::with_directory)
        .map_err(Failure::usage)?;
    plans.into_iter().try_fold(templates, |templates, plan| templates.holding(plan)).map_err(Failure::usage)
}

/// Reads scenarios and builds their plans; reports the problems of all of them at once.
pub(super) fn plans(paths: &[PathBuf], sets: &[Set], choice: &Choice) -> Result<Vec<Planned>, Failure> {
    let (mut plans, mut broken) = (Vec::new(), Vec::new());
    for path in paths {
        match plan(path, sets, choice) {
            Ok((document, plan)) => {
                let (path, sets, choice) = (path.clone(), sets.to_vec(), choice.clone());
                plans.push(Planned { path, sets, choice, document, plan, again: None });
            }
            Err(failure) => broken.push(failure.message()),
        }
    }
    if broken.is_empty() { Ok(plans) } else { Err(Failure::usage(LaidOut(broken.join("\n\n")))) }
}

/// Reads a scenario and builds its plan.
pub(super) fn plan(path: &Path, sets: &[Set], choice: &Choice) -> Result<(Scenario, Plan), Failure> {
    let (name, text) = text(path)?;
    let scenario = Scenario::parse(&name, &text, sets).map_err(|found| problems(&found))?;
    let plan =
        Plan::build(&scenario, &engine::balancer::catalog(), choice).map_err(|found| problems(&found))?;
    Ok((scenario, plan.in_directory(&directory(path)?)))
}

/// The plans of the bundled scenarios.
pub(super) fn bundled_plans() -> Result<Vec<SavedPlan>, Failure> {
    let of = |(name, _): &(&str, &str)| Ok((*plan(name.as_ref(), &[], &Choice::default())?.1).clone());
    bundled::all().iter().map(of).collect()
}

/// Refuses a scenario about a `target` where only what rig launches can be used.
pub(super) fn refuse_target(command: &str, path: &Path, sets: &[Set]) -> Result<(), Failure> {
    // What is wrong with it otherwise is said where it is planned.
    let Ok((_, plan)) = plan(path, sets, &Choice::default()) else { return Ok(()) };
    if plan.variants.iter().all(|variant| variant.target.is_none()) {
        return Ok(());
    }
    let (file, name) = (path.display(), &plan.scenario);
    Err(Failure::usage(anyhow::anyhow!(
        "`rig {command}` is about what rig launches, and {name} is about a `target`, which rig does not launch; `rig run {file}` \
         measures it, `rig validate {file}` shows its commands"
    )))
}

/// The directory of a scenario's file; for a bundled scenario, this one.
fn directory(path: &Path) -> Result<PathBuf, Failure> {
    let file = std::path::absolute(path).map_err(Failure::environment)?;
    Ok(file.parent().map_or_else(PathBuf::new, Path::to_owned))
}

/// The text of the file at `path`, or of the bundled scenario of that name, and its name for messages.
fn text(path: &Path) -> Result<(String, String), Failure> {
    let bytes = match (store::read_bounded(path, LONGEST_FILE as u64), bundled::find(path)) {
        (Ok(bytes), _) => bytes,
        (Err(_), Some((name, text))) => return Ok((format!("{name} (bundled)"), text.to_owned())),
        (Err(error), None) => {
            let unread = anyhow::anyhow!("the scenario {} can't be read: {error}", path.display());
            let failure = Failure::usage(unread);
            let name = path.to_str().filter(|name| !name.contains(['/', '.']));
            return Err(match name {
                Some(name) => failure.help(suggestion(name, bundled::all().iter().map(|(name, _)| *name))),
                None => failure,
            });
        }
    };
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(anyhow::anyhow!("{} is not valid UTF-8 at byte {at}", path.display()))
    })?;
    Ok((path.display().to_string(), text))
}

pub(super) fn problems(problems: &Problems) -> Failure {
    let text = if wants_colour() { problems.coloured() } else { problems.to_string() };
    Failure::usage(LaidOut(text))
}
