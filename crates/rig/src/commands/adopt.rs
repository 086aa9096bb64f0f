//! `rig adopt`: takes over a configuration as somebody runs it, and writes the scenario that tests it.

use std::path::{Path, PathBuf};

use engine::adoption::checked;
use engine::balancer::{Adoption, COMPANIONS, Note, Templates, adopt};
use model::plan::Plan;
use model::scenario::{Choice, Scenario};
use model::visible::visible;

use super::planning::problems;
use crate::cli::{Adopt, Eject};
use crate::exit::{Exit, Failure, print_plain};

/// What the scenario calls the balancer.
const BALANCER: &str = "mine";

/// Writes scenario, template and the files beside it; prints what was changed, mapped, and left out.
pub(crate) fn perform(wanted: &Adopt) -> Result<Exit, Failure> {
    let (kind, adoption) = adopt(&wanted.file, wanted.kind).map_err(Failure::usage)?;
    let stem = wanted.file.file_stem().unwrap_or_default().to_string_lossy();
    let name = wanted.name.clone().unwrap_or_else(|| scenario_name(&stem, kind.name()));
    let out = wanted.out.clone().unwrap_or_else(|| PathBuf::from(&name));
    let file = wanted.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let config = format!("{file}.template");
    let scenario = |adoption: &Adoption| adoption.scenario(&name, BALANCER, kind, &config);
    let plan = |adoption: &Adoption| {
        let text = scenario(adoption);
        let read = Scenario::parse(&format!("{name}.yaml"), &text, &[]).map_err(|found| problems(&found))?;
        Plan::build(&read, &engine::balancer::catalog(), &Choice::default()).map_err(|found| problems(&found))
    };
    let first = plan(&adoption)?;
    let (adoption, said) = checked(kind, adoption, &first).map_err(Failure::usage)?;
    plan(&adoption)?;
    let mut files = vec![
        (out.join(format!("{name}.yaml")), scenario(&adoption)),
        (out.join(&config), adoption.template()),
    ];
    files.extend(
        adoption
            .files
            .iter()
            .map(|(path, text)| (out.join(COMPANIONS).join(path.trim_start_matches('/')), text.clone())),
    );
    // All or nothing: a file that is there already stops it before anything is written.
    if let Some((taken, _)) = files.iter().find(|(path, _)| !wanted.force && path.symlink_metadata().is_ok())
    {
        return Err(unwritten(taken, &std::io::ErrorKind::AlreadyExists.into()));
    }
    for (path, text) in &files {
        write(path, text, wanted.force)?;
    }
    let mut told = adoption.diff();
    told.push_str(&list("mapped", &adoption.mapped));
    told.push_str(&list("not taken over", &adoption.left));
    told.push_str(&format!("\n{said}\n"));
    if let Some(tries) = adoption.tries {
        told.push_str(&format!(
            "it tries a failed request up to {tries} times: what that hides is counted as masked, and the load has POSTs, which it may \
             not repeat\n"
        ));
    }
    if adoption.deployed().is_none() {
        told.push_str("no pool has two backends: while its only one is replaced no backend serves, so that the scenario deploys none\n");
    }
    let scenario = files[0].0.display();
    told.push_str(&format!("written: {scenario}, {}\nnext: rig run {scenario}\n", files[1].0.display()));
    print_plain(&visible(&told))?;
    Ok(Exit::Held)
}

/// `rig templates eject`: writes rig's own templates of one kind.
pub(crate) fn eject(wanted: &Eject) -> Result<Exit, Failure> {
    let written = Templates::eject(wanted.kind, &wanted.directory).map_err(Failure::usage)?;
    print_plain(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
    Ok(Exit::Held)
}

fn list(title: &str, notes: &[Note]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let line = |note: &Note| {
        let Note { place, what, fix } = note;
        let fix = if fix.is_empty() { String::new() } else { format!("\n    fix: {fix}") };
        format!("  {place}: {what}{fix}\n")
    };
    format!("\n{title}:\n{}", notes.iter().map(line).collect::<String>())
}

/// A name that scenarios may have.
fn scenario_name(stem: &str, kind: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(plain).take(40).collect();
    let name = name.trim_matches('-').to_owned();
    let name = if name.is_empty() { kind.to_owned() } else { name };
    format!("my-{name}")
}

fn unwritten(path: &Path, error: &std::io::Error) -> Failure {
    let failure = Failure::usage(anyhow::anyhow!("{} can't be written: {error}", path.display()));
    match error.kind() == std::io::ErrorKind::AlreadyExists {
        true => failure.help("`--out DIR` chooses another directory, `--force` overwrites"),
        false => failure,
    }
}

fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let unwritten = |error: std::io::Error| unwritten(path, &error);
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(unwritten)?;
    let mut options = std::fs::OpenOptions::new();
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    let mut file = options.write(true).open(path).map_err(unwritten)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(unwritten)
}
