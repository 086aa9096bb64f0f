//! `rig render`: the configuration that a balancer would get, with example addresses.

use engine::balancer::{Rotation, adapter, example_site};
use engine::templates::Templates;
use model::scenario::Choice;

use crate::cli::Render;
use crate::commands::plan;
use crate::exit::{Exit, Failure, print_plain};

/// Prints every file with its name.
pub(crate) fn perform(wanted: &Render) -> Result<Exit, Failure> {
    let choice = Choice {
        balancers: Some(vec![wanted.balancer]),
        variants: wanted.variant.clone().map(|name| vec![name]),
        ..Choice::default()
    };
    let (_, plan) = plan(&wanted.scenario, &wanted.sets, &choice)?;
    let variant = match &wanted.variant {
        Some(name) => plan.variant(name),
        None => plan.variants.first(),
    };
    let variant =
        variant.ok_or_else(|| Failure::usage(anyhow::anyhow!("the scenario has no such variant")))?;
    let templates =
        wanted.proxy_configs.as_deref().map_or_else(Templates::embedded, Templates::with_directory);
    let site = example_site(variant);
    let files = adapter(wanted.balancer)
        .files(&variant.topology, &site, &Rotation::initial(&variant.topology), &templates)
        .map_err(Failure::environment)?;
    for file in files.iter().filter(|file| !file.text.is_empty()) {
        print_plain(&format!(
            "# ==> {} ({}, variant {})\n{}\n",
            file.path, wanted.balancer, variant.name, file.text
        ))?;
    }
    Ok(Exit::Held)
}
