//! Variants and the settings that are read back of them, for tests.

use std::fs;

use model::plan::{Plan, Variant};
use model::scenario::{Choice, Scenario};

use super::*;

/// The variant of a scenario with this topology, whose pool has two backends.
pub(super) fn variant(kind: BalancerKind, topology: &str) -> Variant {
    variant_of(&kind.to_string(), "2", topology)
}

/// The same with these backends, on a balancer by its name.
pub(super) fn variant_of(balancer: &str, backends: &str, topology: &str) -> Variant {
    let plan = plan(balancer, backends, topology).unwrap_or_else(|why| panic!("{why}"));
    plan.variants[0].clone()
}

/// Why the scenario with this topology can't be.
pub(super) fn refused(kind: BalancerKind, topology: &str) -> String {
    refused_of(kind, "2", topology)
}

/// The same with these backends.
pub(super) fn refused_of(kind: BalancerKind, backends: &str, topology: &str) -> String {
    plan(&kind.to_string(), backends, topology).expect_err(topology)
}

fn plan(balancer: &str, backends: &str, topology: &str) -> Result<Plan, String> {
    let text = format!(
        "name: read\nquestion: What is in force?\nbalancers: [{balancer}]\ntopology:\n  pools: {{ web: {{ backends: {backends} }} }}\n  \
         routes: {{ all: {{ path: /, to: web }} }}\n{topology}load: {{ rate: 100/s, for: 10s }}\n"
    );
    let scenario = Scenario::parse("read.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    Plan::build(&scenario, &catalog(), &Choice::default()).map_err(|why| why.to_string())
}

/// The settings with the built-in templates, of which one is changed.
pub(super) fn settings(variant: &Variant, changed: Option<(&str, &str, &str)>) -> Vec<Setting> {
    let directory = tempfile::tempdir().unwrap();
    let templates = match changed {
        None => Templates::embedded(),
        Some((name, from, to)) => {
            Templates::write_embedded(directory.path()).unwrap();
            let path = directory.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{name} has no {from}");
            fs::write(&path, text.replace(from, to)).unwrap();
            Templates::with_directory(directory.path()).unwrap()
        }
    };
    let (kind, site) =
        (variant.kind(variant.balancers[0]).unwrap(), example_site(variant, variant.balancers[0]));
    let rotation = Rotation::initial(&variant.topology);
    let files = adapter(kind).files(&variant.topology, &site, &rotation, &templates).unwrap();
    let arguments = adapter(kind).arguments(&variant.topology, &site, &files);
    adapter(kind).read_back().unwrap().settings(&Rendered {
        variant,
        files: &files,
        arguments: &arguments,
        templates: &templates,
        version: None,
    })
}

/// One of them.
pub(super) fn of<'s>(settings: &'s [Setting], name: &str) -> &'s str {
    let found = settings.iter().find(|setting| setting.name == name);
    &found.unwrap_or_else(|| panic!("no {name} in {settings:?}")).rendered
}
