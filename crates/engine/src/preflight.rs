//! Every configuration that a plan needs, rendered with example addresses before anything is launched: which templates
//! it takes, and what in them could not work.

use std::collections::{BTreeMap, BTreeSet};

use model::catalog::BalancerKind;
use model::identity::BalancerName;
use model::plan::{SavedPlan, Variant};
use model::records::TemplateUsed;
use model::timeline::Deregister;

use crate::balancer::{Misfit, RenderError, Rotation, Templates, adapter, example_site};

/// The templates that `plan` is rendered from, by name.
///
/// # Errors
/// If one can't be rendered, or rig could not work with what comes of it.
pub fn preflight(
    plan: &SavedPlan,
    templates: &Templates,
) -> Result<BTreeMap<String, TemplateUsed>, RenderError> {
    let cells = plan.cells();
    let pairs: BTreeSet<(BalancerName, &str)> =
        cells.iter().map(|cell| (cell.balancer, cell.variant.as_str())).collect();
    let known = pairs.into_iter().filter_map(|(name, variant)| {
        let variant = plan.variant(variant)?;
        Some((name, variant.kind(name)?, variant, templates.of(variant, name)))
    });
    let (mut used, mut misfits) = (BTreeMap::new(), Vec::<Misfit>::new());
    let mut lines: Vec<(&str, String)> = Vec::new();
    for (balancer, kind, variant, templates) in known {
        let (topology, site) = (&variant.topology, example_site(variant, balancer));
        let files = adapter(kind).files(topology, &site, &Rotation::initial(topology), &templates)?;
        for name in files.iter().filter_map(|file| file.template) {
            // Of several configurations of the user's, each has the name of its balancer.
            let key = if templates.whole() == Some(name) { balancer.to_string() } else { name.to_owned() };
            used.entry(key).or_insert_with(|| templates.used(name));
        }
        let mut found = adapter(kind).misfits(topology, &site, &files);
        found.extend(unheard(kind, variant, &templates));
        found.extend(unsaved(variant, &templates));
        for misfit in found {
            // What a rendered line says of an address differs, what is wrong with it doesn't.
            let known = |it: &Misfit| {
                (it.template, &it.what, &it.line) == (misfit.template, &misfit.what, &misfit.line)
            };
            if !misfits.iter().any(known) {
                let name = misfit.template;
                let path = templates.own(name).map_or_else(|| name.to_owned(), |it| it.display().to_string());
                lines.push((name, told(&misfit, &path, &templates)));
                misfits.push(misfit);
            }
        }
    }
    if lines.is_empty() {
        return Ok(used);
    }
    lines.sort_by_key(|(name, _)| *name);
    Err(RenderError::Misfits(lines.into_iter().map(|(_, line)| line).collect()))
}

/// A deploy that tells the balancer in a way that a configuration of the user's has nothing for.
fn unheard(kind: BalancerKind, variant: &Variant, templates: &Templates) -> Option<Misfit> {
    let template = templates.whole()?;
    let reloads = adapter(kind).deregisters().is_some_and(|it| it.needs_own_words());
    let live = variant.timeline.iter().any(|entry| entry.action.tells_by() == Some(Deregister::Live));
    (reloads && live).then(|| Misfit {
        template,
        line: None,
        what: format!(
            "variant {} takes backends out while it runs, which only rig's own {kind} template listens to",
            variant.name
        ),
        fix: "write `deregister: reload` in the deploy".to_owned(),
    })
}

/// A reload that keeps a state which a configuration of the user's does not load from where rig saves it.
fn unsaved(variant: &Variant, templates: &Templates) -> Option<Misfit> {
    let template = templates.whole().filter(|_| variant.saves_state())?;
    Some(Misfit {
        template,
        line: None,
        what: format!("variant {} keeps a state that only rig's own template loads", variant.name),
        fix: "write `keeps: rotation` in the reload".to_owned(),
    })
}

/// `nginx/nginx.conf:1: user www-data;: …: remove it`.
fn told(misfit: &Misfit, path: &str, templates: &Templates) -> String {
    let Misfit { template, line, what, fix } = misfit;
    match line {
        None => format!("{path}: {what}: {fix}"),
        Some(line) => {
            let number =
                templates.line_of(template, line).map_or(String::new(), |number| format!(":{number}"));
            format!("{path}{number}: `{line}`: {what}: {fix}")
        }
    }
}

#[cfg(test)]
mod tests;
