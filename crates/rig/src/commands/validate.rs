//! `rig validate`: every problem of every file, at once.

use model::scenario::{Choice, explain};

use crate::cli::Validate;
use crate::commands::plan;
use crate::exit::{Exit, Failure, LaidOut, print_plain, with_causes};

/// Checks every file and reports all of them before it fails.
pub(crate) fn perform(wanted: &Validate) -> Result<Exit, Failure> {
    let mut broken = Vec::new();
    for path in &wanted.scenarios {
        match plan(path, &wanted.sets, &Choice::default()) {
            Ok((_, plan)) if wanted.explain => print_plain(&explain(&plan))?,
            Ok((_, plan)) => {
                let cells = plan.cells().len();
                print_plain(&format!(
                    "{}: ok, {} variants, {cells} cells\n",
                    path.display(),
                    plan.variants.len()
                ))?;
            }
            Err(failure) => broken.push(with_causes(&failure.error)),
        }
    }
    if broken.is_empty() {
        return Ok(Exit::Held);
    }
    Err(Failure::usage(LaidOut(broken.join("\n\n"))))
}
