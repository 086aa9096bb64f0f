//! Reads `figure`, and checks that the scenario can measure what it shows.

use std::collections::BTreeSet;

use super::claims::{Known, missing, parts, refuse};
use super::measurable;
use super::reader::Item;
use crate::catalog::Catalog;
use crate::claim::{AnswerPicture, ClaimError, PictureFigure, PicturePart};
use crate::plan::Variant;

pub(crate) fn picture(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> Option<AnswerPicture> {
    let text = item.text("a figure, such as `dropped` or `detection[web-1] against bound[web-1]`")?;
    let picture = match text.parse::<AnswerPicture>() {
        Ok(picture) => picture,
        Err(error) => {
            refuse(&item, text, error);
            return None;
        }
    };
    // A variant with problems of its own may be the one that can.
    let variants: Option<Vec<&Variant>> = variants.iter().map(|(_, variant)| *variant).collect();
    let variants = variants.filter(|variants| !variants.is_empty()).unwrap_or_default();
    for figure in picture.figures().filter(|_| !variants.is_empty()) {
        let error =
            unknown(figure, text, &variants, catalog).or_else(|| unmeasurable(figure, text, &variants));
        if let Some(error) = error {
            refuse(&item, text, error);
        }
    }
    Some(picture)
}

/// A part that no variant has.
fn unknown(
    figure: &PictureFigure,
    text: &str,
    variants: &[&Variant],
    catalog: &Catalog,
) -> Option<ClaimError> {
    let PicturePart::One(name) = &figure.part else { return None };
    let facet = figure.metric.facet()?;
    let known: Vec<_> = variants.iter().filter_map(|variant| parts(facet, variant, catalog)).collect();
    let (what, _) = known.first()?;
    let names: BTreeSet<&str> = known.iter().flat_map(|(_, names)| names).copied().collect();
    let names: Vec<&str> = names.into_iter().collect();
    (!names.contains(&name.as_str())).then(|| missing(what, name, text, &names))
}

/// A figure that no variant has.
fn unmeasurable(figure: &PictureFigure, text: &str, variants: &[&Variant]) -> Option<ClaimError> {
    let need = measurable::need(figure.metric)?;
    let part = match &figure.part {
        PicturePart::One(name) => Some(name.as_str()),
        PicturePart::Whole | PicturePart::Each => None,
    };
    if variants.iter().any(|variant| (need.is_met)(variant, part)) {
        return None;
    }
    let written = figure.to_string();
    let start = text.find(&written).unwrap_or(0);
    let of = part.map_or(String::new(), |part| format!(" at {part}"));
    Some(ClaimError {
        message: format!(
            "`{written}` can't be measured here: it needs {}{of}, and no variant has that",
            need.what
        ),
        bytes: start..(start + written.len()).min(text.len()),
        help: Some(format!("{}, or show another figure, such as `dropped`", need.fix)),
    })
}
