//! What is different beside the figures: settings as they were rendered, capabilities, variants that only some ran, and
//! where it was measured.

use std::collections::BTreeSet;

use model::catalog::{Capability, Catalog};
use model::plan::SavedPlan;
use model::records::TemplateUsed;
use serde::Serialize;

use super::ComparedRun;
use super::keys::KeyDifference;
use crate::judge::doubts::{self, Doubt};
use crate::judge::run::LabelledRun;
use crate::numbers::words;

/// A setting that was rendered differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingDifference {
    /// Its name.
    pub name: String,
    /// The variants in which it is so; empty: all.
    pub variants: Vec<String>,
    /// How each side has it, in the balancer's words; `None`: it has no such setting.
    pub rendered: Vec<Option<String>>,
}

/// Something that not every side can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CapabilityDifference {
    /// What.
    pub capability: Capability,
    /// Why each side can't; `None`: it can.
    pub missing: Vec<Option<String>>,
}

/// A variant that not every side ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Absent {
    /// Which.
    pub variant: String,
    /// Why it isn't in the table.
    pub reason: String,
}

/// Settings of the variants that all sides ran, where they differ.
pub(super) fn settings(sources: &[ComparedRun<'_>]) -> Vec<SettingDifference> {
    let mut found: Vec<(String, Vec<Option<String>>, BTreeSet<String>)> = Vec::new();
    let mut shared = BTreeSet::new();
    for cell in sources.iter().take(1).flat_map(|source| &source.run.summary.cells) {
        let firsts: Vec<_> =
            sources.iter().filter_map(|source| source.cells(&cell.variant).first().copied()).collect();
        if firsts.len() < sources.len() || !shared.insert(cell.variant.clone()) {
            continue;
        }
        let mut names: Vec<&str> =
            firsts.iter().flat_map(|cell| &cell.settings).map(|s| s.name.as_str()).collect();
        let mut known = BTreeSet::new();
        names.retain(|name| known.insert(*name));
        for name in names {
            let rendered: Vec<Option<String>> = firsts
                .iter()
                .map(|cell| cell.settings.iter().find(|s| s.name == name).map(|s| s.rendered.clone()))
                .collect();
            if rendered.iter().all(|text| *text == rendered[0]) {
                continue;
            }
            match found.iter_mut().find(|(n, r, _)| n == name && *r == rendered) {
                Some((.., variants)) => drop(variants.insert(cell.variant.clone())),
                None => found.push((name.to_owned(), rendered, [cell.variant.clone()].into())),
            }
        }
    }
    let told = |(name, rendered, variants): (String, _, BTreeSet<String>)| SettingDifference {
        name,
        variants: if variants.len() == shared.len() { vec![] } else { variants.into_iter().collect() },
        rendered,
    };
    found.into_iter().map(told).collect()
}

/// What one side can do and another can't.
pub(super) fn capabilities(sources: &[ComparedRun<'_>], catalog: &Catalog) -> Vec<CapabilityDifference> {
    let of = |capability: Capability| {
        let lacks = |source: &ComparedRun<'_>| {
            source.release().and_then(|it| catalog.lacks(it, capability)).map(|lack| lack.reason.to_owned())
        };
        CapabilityDifference { capability, missing: sources.iter().map(lacks).collect() }
    };
    let differs = |it: &CapabilityDifference| {
        it.missing.iter().any(Option::is_some) && it.missing.iter().any(Option::is_none)
    };
    Capability::ALL.iter().copied().map(of).filter(differs).collect()
}

/// Variants that are in no row, or lack a side.
pub(super) fn absent(sources: &[ComparedRun<'_>], whole: &SavedPlan) -> Vec<Absent> {
    let mut found = Vec::new();
    let plans = std::iter::once(whole).chain(sources.iter().map(|source| source.run.plan));
    let mut seen = BTreeSet::new();
    let variants = plans.flat_map(|plan| &plan.variants).filter(|variant| seen.insert(variant.name.clone()));
    for variant in variants {
        let lacking: Vec<&str> = sources
            .iter()
            .filter(|source| source.cells(&variant.name).is_empty())
            .map(|source| source.side.name.as_str())
            .collect();
        if lacking.is_empty() {
            continue;
        }
        let unavailable = sources.iter().find_map(|source| source.run.plan.why_unavailable(&variant.name));
        let planned: Vec<&str> = variant.balancers.iter().map(|name| name.as_str()).collect();
        let runs = |source: &ComparedRun<'_>| variant.balancers.contains(&source.side.balancer);
        let reason = match unavailable {
            Some(reason) => reason.to_owned(),
            None if sources.iter().all(runs) => format!("no results for {}", lacking.join(", ")),
            None => format!("the scenario runs it on {} only", planned.join(", ")),
        };
        found.push(Absent { variant: variant.name.clone(), reason });
    }
    found
}

/// Where two runs were measured, if that makes them unlike: another machine, or another runtime.
pub(super) fn places(a: LabelledRun<'_>, b: LabelledRun<'_>) -> Vec<KeyDifference> {
    let facts = |run: LabelledRun<'_>| {
        let environment = &run.summary.environment;
        let mut runtimes: Vec<_> = run.summary.cells.iter().map(|cell| cell.runtime.clone()).collect();
        runtimes.sort();
        runtimes.dedup();
        [
            ("runtime", runtimes.join(", "), false),
            ("machine", format!("{} × {}", environment.cpus, environment.cpu), false),
            // It may be what is compared.
            ("kernel", environment.kernel.clone(), true),
        ]
    };
    let pairs = facts(a).into_iter().zip(facts(b));
    let differ = pairs.filter(|((_, left, _), (_, right, _))| left != right);
    let told = |((key, left, compared), (_, right, _)): ((&str, String, bool), (&str, String, bool))| {
        KeyDifference { key: key.to_owned(), variants: vec![], values: vec![left, right], compared }
    };
    differ.map(told).collect()
}

/// Templates that both runs used and that have different texts. What a run was rendered from may not be known.
pub(super) fn templates(a: LabelledRun<'_>, b: LabelledRun<'_>) -> Vec<KeyDifference> {
    let [left, right] = [a, b].map(|run| &run.summary.environment.templates);
    let shared = left.iter().filter_map(|(name, it)| Some((name, it, right.get(name)?)));
    let told = |it: &TemplateUsed| {
        let whose = it.own.as_deref().unwrap_or("built-in");
        format!("{whose} (SHA-256 {}…)", it.sha256.chars().take(12).collect::<String>())
    };
    shared
        .filter(|(_, left, right)| left.sha256 != right.sha256)
        .map(|(name, left, right)| KeyDifference {
            key: format!("template {name}"),
            variants: vec![],
            values: vec![told(left), told(right)],
            compared: false,
        })
        .collect()
}

/// What can't be trusted in the runs, each run's once.
pub(super) fn doubts(sources: &[ComparedRun<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for source in sources {
        let label = match source.side.label.as_str() {
            "" => String::new(),
            _ => format!("{}: ", source.side.name),
        };
        let own =
            |doubt: &Doubt| !source.side.label.is_empty() || doubt.balancer == Some(source.side.balancer);
        let doubts = doubts::of(source.run.summary).into_iter().filter(own);
        lines.extend(doubts.map(|doubt| format!("{label}{}", doubt.text())));
    }
    let mut seen = BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

impl CapabilityDifference {
    /// A line about it; `names` are the sides'.
    pub(crate) fn line(&self, names: &[&str]) -> String {
        let lacks = self.missing.iter().zip(names);
        let reasons: Vec<_> =
            lacks.filter_map(|(reason, name)| Some(format!("{name}: n/a ({})", reason.as_ref()?))).collect();
        format!("{}: {}", words(self.capability), reasons.join("; "))
    }
}
