//! The keys of the whole document, which `build.rs` reads.

use super::form::{Form, Key, Section, Text, key, list, named};
use super::{timeline, topology, traffic};
use crate::catalog::BalancerKind;
use crate::scenario::limits;

/// The whole scenario.
pub(crate) fn document() -> Section {
    let claims = || list(Form::Text(Text::Claim), 0, limits::CLAIMS);
    let mut keys = vec![
        key("name", Form::Text(Text::Name), "Names the scenario, and its directory below `results/`.")
            .required(),
        key("question", Form::Text(Text::Prose), "What the scenario asks; reports begin with it.").required(),
    ];
    keys.extend(patchable());
    keys.extend([
        key(
            "variants",
            named(Form::Patch, limits::VARIANTS),
            "What is compared: merge patches (RFC 7386) over everything else of the scenario. Maps merge key by \
             key, `null` removes a key, anything else replaces.",
        )
        .default_told("one variant, called `base`, which changes nothing"),
        key(
            "control",
            claims(),
            "Negative controls: claims that must hold, such as that a deploy without draining loses requests. A claim \
             that few or none were lost in a deploy or fault needs one on another variant with the same load and the \
             same deploy or fault.",
        ),
        key("expect", claims(), "Claims that make the run pass or fail."),
        key(
            "reading",
            Form::Text(Text::Prose),
            "What the figures mean, printed for each balancer. Figures stand in braces, such as \
             `{with-drain.dropped}`.",
        ),
        key("seed", Form::Whole(0..=u64::MAX), "Seed of arrivals, service times and the order of cells.")
            .default("1"),
        key("repeat", Form::Whole(limits::REPEAT), "How often each cell is run.").default("1"),
    ]);
    Section::new("scenario", "A question to load balancers, and the experiment that answers it.", keys)
}

/// The keys that a variant may change.
pub(super) fn patchable() -> Vec<Key> {
    let kinds = BalancerKind::ALL.map(BalancerKind::name);
    vec![
        key(
            "balancers",
            list(Form::Words(kinds.to_vec()), 1, kinds.len()),
            "The load balancers that are asked.",
        )
        .default_told("all"),
        key(
            "topology",
            Form::Fields(topology::topology()),
            "What stands: backends, routes, the balancer's set-up.",
        )
        .required(),
        key("load", Form::Fields(traffic::load()), "The requests, on a schedule that waits for nobody.")
            .required(),
        key(
            "timeline",
            named(Form::Fields(timeline::entry()), limits::TIMELINE),
            "What happens while the load runs, by name.",
        )
        .default("{}"),
    ]
}
