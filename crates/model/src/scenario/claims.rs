//! Reads `expect` and `control`, and checks what they name against the variants.

use super::limits;
use super::problem::{Found, Place, Problem};
use super::reader::Item;
use super::suggest::suggestion;
use super::tree::{Node, Value};
use crate::catalog::Catalog;
use crate::claim::{Claim, ClaimError, Facet, Reading};
use crate::plan::Variant;
use crate::prose::Prose;

/// A variant as claims see it: its content is `None` if it has problems of its own.
pub(crate) type Known<'v> = (&'v str, Option<&'v Variant>);

/// A claim, and where it is written.
#[derive(Clone)]
pub(crate) struct Placed {
    pub(crate) claim: Claim,
    pub(crate) place: Place,
}

pub(crate) fn claims(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> Option<Vec<Placed>> {
    let placed = |item: Item<'_>| {
        let place = item.place().clone();
        claim(item, variants, catalog).map(|claim| Placed { claim, place })
    };
    Some(item.list(limits::CLAIMS)?.into_iter().filter_map(placed).collect())
}

/// What must not hold, as an expectation of the opposite: it is then judged, saved and shown like any other.
pub(crate) fn fail_on(
    texts: &[String],
    variants: &[Known<'_>],
    catalog: &Catalog,
    found: &Found,
) -> Vec<Placed> {
    let opposite = |text: &String| {
        let place = Place::command_line(format!("--fail-on {text}"));
        let node = Node { place: place.clone(), value: Value::Scalar(text.clone()) };
        let claim = claim(Item::document(&node, found), variants, catalog)?.forbidden();
        Some(Placed { claim, place })
    };
    texts.iter().filter_map(opposite).collect()
}

/// Of a scenario's own claims those are left out; what was asked for on the command line is not.
pub(crate) fn about_nothing_that_runs(text: &str) -> Problem {
    let place = Place::command_line(format!("--fail-on {text}"));
    let problem = Problem::new(format!("`{text}` is about a variant that is not run"), &place);
    problem.help("choose that variant as well, or leave out `--variant` and `--balancer`")
}

fn claim(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> Option<Claim> {
    let text = item.text("a claim, such as `with-drain.dropped == 0`")?;
    match text.parse::<Claim>() {
        Ok(claim) => {
            for reading in claim.readings() {
                if let Some(error) = unknown(reading, text, variants, catalog) {
                    refuse(&item, text, error);
                }
            }
            Some(claim)
        }
        Err(error) => {
            refuse(&item, text, error);
            None
        }
    }
}

pub(crate) fn prose(item: Item<'_>, variants: &[Known<'_>], catalog: &Catalog) -> Option<Prose> {
    let text = item.text("a paragraph with figures, such as `{with-drain.dropped}`")?;
    match text.parse::<Prose>() {
        Ok(prose) => {
            for error in prose.figures().filter_map(|figure| unknown(figure, text, variants, catalog)) {
                refuse(&item, text, error);
            }
            Some(prose)
        }
        Err(error) => {
            refuse(&item, text, error);
            None
        }
    }
}

/// What of a reading doesn't exist.
fn unknown(reading: &Reading, text: &str, variants: &[Known<'_>], catalog: &Catalog) -> Option<ClaimError> {
    let Some((_, variant)) = variants.iter().find(|(name, _)| *name == reading.variant) else {
        let names: Vec<_> = variants.iter().map(|(name, _)| *name).collect();
        return Some(missing("variant", &reading.variant, text, &names));
    };
    let (facet, variant) = (reading.facet.as_deref()?, (*variant)?);
    let (what, names) = parts(reading.metric.facet()?, variant, catalog)?;
    (!names.contains(&facet)).then(|| missing(what, facet, text, &names))
}

/// What such a part is called, and the names that it may have in `variant`; `None`: any.
pub(super) fn parts<'v>(
    facet: Facet,
    variant: &'v Variant,
    catalog: &'v Catalog,
) -> Option<(&'static str, Vec<&'v str>)> {
    let pools = &variant.topology.pools;
    Some(match facet {
        // Any number that is a status may be answered.
        Facet::Status => return None,
        Facet::Flag => ("word of a log of these balancers,", catalog.signs_of(&variant.kinds()).collect()),
        Facet::Pool => ("pool", pools.iter().map(|pool| pool.name.as_str()).collect()),
        Facet::Backend => {
            ("backend", pools.iter().flat_map(|pool| &pool.backends).map(|b| b.id.as_str()).collect())
        }
    })
}

pub(super) fn missing(what: &str, name: &str, text: &str, known: &[&str]) -> ClaimError {
    // A name ends before `.` or `]`, and begins where no name goes on: `b` is not what `ab.p99` names.
    let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let stands_alone =
        |at: usize| !text[..at].ends_with(goes_on) && text[at + name.len()..].starts_with(['.', ']']);
    let start = text.match_indices(name).map(|(at, _)| at).find(|at| stands_alone(*at)).unwrap_or(0);
    ClaimError {
        message: format!("there is no {what} `{name}`"),
        bytes: start..start + name.len(),
        help: Some(suggestion(name, known.iter().copied())),
    }
}

pub(super) fn refuse(item: &Item<'_>, text: &str, error: ClaimError) {
    let mut problem = item.wrong(error.message);
    problem.place = problem.place.within(text, error.bytes);
    problem.help = error.help;
    item.found.add(problem);
}
