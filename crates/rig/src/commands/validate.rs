//! `rig validate`: reports every problem of every file at once.

use engine::preflight::preflight;
use engine::room::Room;
use model::scenario::{Choice, explain};

use super::planning::{plan, templates};
use super::targets::commands;
use crate::cli::Validate;
use crate::exit::{Exit, Failure, LaidOut, print_plain};

/// Checks every file and reports all of them before it fails.
pub(crate) fn perform(wanted: &Validate) -> Result<Exit, Failure> {
    // Whatever the scenarios are, a directory that can't be used is an error.
    templates(wanted.proxy_configs.as_deref(), [])?;
    let mut broken = Vec::new();
    for path in &wanted.scenarios {
        let planned = plan(path, &wanted.sets, &Choice::default());
        let checked = planned.and_then(|(_, plan)| {
            let templates = templates(wanted.proxy_configs.as_deref(), [&plan])?;
            preflight(&plan, &templates).map_err(Failure::usage)?;
            Ok(plan)
        });
        match checked {
            Ok(plan) if wanted.explain => print_plain(&explain(&plan))?,
            Ok(plan) => {
                let cells = plan.cells().len();
                print_plain(&format!(
                    "{}: ok, {} variants, {cells} cells, {}\n",
                    path.display(),
                    plan.variants.len(),
                    Room::of(&plan, 1)
                ))?;
                print_plain(&commands(&plan))?;
            }
            Err(failure) => broken.push(failure.message()),
        }
    }
    if broken.is_empty() {
        return Ok(Exit::Held);
    }
    Err(Failure::usage(LaidOut(broken.join("\n\n"))))
}
