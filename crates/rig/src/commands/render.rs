//! `rig render`: the configuration that a balancer would get, with example addresses.

use engine::balancer::Templates;
use engine::balancer::{Rotation, adapter, example_site};
use engine::preflight::preflight;
use model::scenario::Choice;

use super::planning::{plan, refuse_target, templates};
use crate::cli::Render;
use crate::exit::{Exit, Failure, print_plain};

/// Prints every file with its name.
pub(crate) fn perform(wanted: &Render) -> Result<Exit, Failure> {
    if let Some(directory) = &wanted.templates {
        let written = Templates::write_embedded(directory).map_err(Failure::usage)?;
        print_plain(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
        return Ok(Exit::Held);
    }
    let missing = || Failure::usage(anyhow::anyhow!("name a scenario and a balancer"));
    let scenario = wanted.scenario.as_deref().ok_or_else(missing)?;
    let balancer = wanted.balancer.ok_or_else(missing)?;
    refuse_target("render", scenario, &wanted.sets)?;
    let choice = Choice {
        balancers: Some(vec![balancer]),
        variants: wanted.variant.clone().map(|name| vec![name]),
        ..Choice::default()
    };
    let (_, plan) = plan(scenario, &wanted.sets, &choice)?;
    let variant = match &wanted.variant {
        Some(name) => plan.variant(name),
        None => plan.variants.first(),
    };
    let variant =
        variant.ok_or_else(|| Failure::usage(anyhow::anyhow!("the scenario has no such variant")))?;
    let templates = templates(wanted.proxy_configs.as_deref(), [&plan])?;
    let site = example_site(variant, balancer);
    let kind = variant.kind(balancer).ok_or_else(missing)?;
    let own = templates.of(variant, balancer);
    let files = adapter(kind)
        .files(&variant.topology, &site, &Rotation::initial(&variant.topology), &own)
        .map_err(Failure::usage)?;
    for file in files.iter().filter(|file| !file.text.is_empty()) {
        let whose = file.template.and_then(|name| own.own(name));
        let whose = whose.map_or(String::new(), |path| format!(", from {}", path.display()));
        print_plain(&format!(
            "# ==> {} ({balancer}, variant {}{whose})\n{}\n",
            file.path, variant.name, file.text
        ))?;
    }
    // Print first: the text helps to see what is wrong with it.
    preflight(&plan, &templates).map_err(Failure::usage)?;
    Ok(Exit::Held)
}
