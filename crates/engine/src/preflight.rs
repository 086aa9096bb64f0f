//! Every configuration that a plan needs, rendered with example addresses before anything is launched: which templates
//! it takes, and what in them could not work.

use std::collections::{BTreeMap, BTreeSet};

use model::identity::BalancerName;
use model::plan::SavedPlan;
use model::records::TemplateUsed;

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
        Some((variant.kind(name)?, variant))
    });
    let (mut used, mut misfits) = (BTreeMap::new(), Vec::<Misfit>::new());
    for (kind, variant) in known {
        let (topology, site) = (&variant.topology, example_site(variant));
        let files = adapter(kind).files(topology, &site, &Rotation::initial(topology), templates)?;
        for name in files.iter().filter_map(|file| file.template) {
            used.entry(name.to_owned()).or_insert_with(|| templates.used(name));
        }
        for misfit in adapter(kind).misfits(topology, &site, &files) {
            // What a rendered line says of an address differs, what is wrong with it doesn't.
            let known = |it: &Misfit| {
                (it.template, &it.what, &it.line) == (misfit.template, &misfit.what, &misfit.line)
            };
            if !misfits.iter().any(known) {
                misfits.push(misfit);
            }
        }
    }
    if misfits.is_empty() {
        return Ok(used);
    }
    let mut lines = Vec::new();
    for name in misfits.iter().map(|misfit| misfit.template).collect::<BTreeSet<_>>() {
        let path = templates.own(name).map_or_else(|| name.to_owned(), |path| path.display().to_string());
        lines.extend(misfits.iter().filter(|it| it.template == name).map(|it| told(it, &path, templates)));
    }
    Err(RenderError::Misfits(lines))
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
