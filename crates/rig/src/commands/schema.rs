//! `rig schema`: the scenario language, for editors and for people.

use model::scenario::{reference, schema};

use crate::cli::{Schema, SchemaFormat};
use crate::exit::{Exit, Failure, print};

/// Prints it.
pub(crate) fn perform(wanted: &Schema) -> Result<Exit, Failure> {
    print(&match wanted.format {
        SchemaFormat::Json => schema(),
        SchemaFormat::Markdown => reference(),
    })?;
    Ok(Exit::Held)
}
