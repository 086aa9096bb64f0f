//! Reads what balancers do by themselves where nobody tells them: thresholds, limits, kept connections.

use super::capabilities::Balancers;
use super::reader::{Fields, Item};
use crate::catalog::Capability;
use crate::topology::{Limits, PassiveHealth, Threshold, UpstreamKeepalive};
use crate::units::Share;

/// The share of healthy backends below which the others are used as well.
pub(crate) fn panic(fields: &mut Fields<'_>, balancers: &Balancers<'_>) -> Threshold {
    let panic =
        |item| threshold(item, Capability::Panic, "use unhealthy backends below a threshold", balancers);
    fields.read("panic", Threshold::default(), panic)
}

/// The share of backends that failed traffic may eject.
pub(crate) fn max_ejection(
    fields: &mut Fields<'_>,
    passive: PassiveHealth,
    balancers: &Balancers<'_>,
) -> Threshold {
    fields.read("max_ejection", Threshold::default(), |item| {
        let read =
            threshold(item, Capability::MaxEjection, "limit how many backends are ejected", balancers)?;
        if read != Threshold::Off && !matches!(passive, PassiveHealth::On { .. }) {
            let problem = item.wrong("`max_ejection` means nothing where failed traffic ejects nobody");
            return item.refuse(problem.help("add `passive_health: { fails: 5, for: 10s }`"));
        }
        Some(read)
    })
}

pub(crate) fn limits(fields: &mut Fields<'_>) -> Limits {
    let words = [("off", Limits::Off), ("default", Limits::Default)];
    fields.read("limits", Limits::default(), |item| item.word(&words))
}

pub(crate) fn upstream_keepalive(fields: &mut Fields<'_>) -> UpstreamKeepalive {
    let words = [("on", UpstreamKeepalive::On), ("default", UpstreamKeepalive::Default)];
    fields.read("upstream_keepalive", UpstreamKeepalive::default(), |item| item.word(&words))
}

/// `default` asks nothing of a balancer that has none; a share does.
fn threshold(
    item: Item<'_>,
    capability: Capability,
    what: &str,
    balancers: &Balancers<'_>,
) -> Option<Threshold> {
    if item.is_number() {
        balancers.must(capability, what, &item);
        return item.quantity(Share(0.0)..=Share(1.0)).map(Threshold::At);
    }
    item.word_or(&[("off", Threshold::Off), ("default", Threshold::Default)], "a share such as `50%`")
}
