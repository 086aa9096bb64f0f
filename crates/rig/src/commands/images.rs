//! `rig images`: which images containers run from, and why.

use engine::components::programs;
use engine::help::with_help;
use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::error::DockerError;
use engine::runtime::docker::images::{ImageChoice, ImageOf, ImageSource};
use report::render_table;
use report::table::{Cell, Column, Emphasis, Table};

use super::judged::style;
use crate::cli::{self, ListFormat};
use crate::exit::{Exit, Failure, print};
use crate::progress::{Preparation, Show};

/// The first digits of a digest are enough in a table; the JSON has all of it.
const SHORT_DIGEST: usize = "sha256:".len() + 12;

/// Lists the image of everything that has one; with `--fetch`, brings them onto the engine first.
pub(crate) fn perform(wanted: &cli::Images) -> Result<Exit, Failure> {
    let controller =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::environment)?;
    controller.block_on(list(wanted))
}

async fn list(wanted: &cli::Images) -> Result<Exit, Failure> {
    let endpoint = Endpoint::find(&|name| std::env::var_os(name)).map_err(Failure::environment)?;
    let docker = endpoint.connect().await.map_err(Failure::environment)?;
    let executable = std::env::current_exe().map_err(Failure::environment)?;
    let images = ImageSource { docker, pull: wanted.pull.into(), executable };
    let mut choices = Vec::new();
    let mut failed = Vec::new();
    for of in programs().map(|program| ImageOf::Program(program.into())).chain([ImageOf::Agent]) {
        let choice = if wanted.fetch { fetched(&images, of).await } else { images.choose(of).await };
        match choice {
            Ok(choice) => choices.push(choice),
            // The other images are still worth listing.
            Err(error) => failed.push(with_help(&error)),
        }
    }
    print(&match wanted.format {
        ListFormat::Table => render_table(&table(&endpoint, &choices), style(wanted.no_color)),
        ListFormat::Json => {
            let list = serde_json::json!({
                "engine": { "url": endpoint.url, "found_by": endpoint.found_by },
                "images": choices,
            });
            format!("{list:#}\n")
        }
    })?;
    match failed.is_empty() {
        true => Ok(Exit::Held),
        false => Err(Failure::environment(anyhow::anyhow!(failed.join("\n\n")))),
    }
}

async fn fetched(images: &ImageSource, of: ImageOf) -> Result<ImageChoice, DockerError> {
    let progress = Preparation::begin(Show::for_stderr(false), &of.name());
    let used = images.ensure(of, &|words| progress.tell(words)).await?;
    Ok(ImageChoice::made(of, used))
}

fn table(endpoint: &Endpoint, choices: &[ImageChoice]) -> Table {
    let row = |choice: &ImageChoice| {
        let image = match &choice.reference {
            // The digest has a column of its own.
            Some(reference) => Cell::plain(reference.split('@').next().unwrap_or_default()),
            None => Cell::with(Emphasis::Bad, "none"),
        };
        let digest =
            choice.digest.as_deref().map_or("–", |digest| digest.get(..SHORT_DIGEST).unwrap_or(digest));
        let present = if choice.present { "present" } else { "not yet" };
        vec![
            Cell::plain(choice.component.as_str()),
            image,
            Cell::plain(digest),
            Cell::plain(present),
            // An error has a line of help.
            Cell::plain(choice.why.split_whitespace().collect::<Vec<_>>().join(" ")),
        ]
    };
    Table {
        title: format!("Images on {} (from {})", endpoint.url, endpoint.found_by),
        columns: Column::left(["component", "image", "digest", "on the engine", "origin"]).into(),
        rows: choices.iter().map(row).collect(),
        notes: Vec::new(),
    }
}
