//! Reads `listener`: at which layer it works, and where TLS ends.

use super::reader::Item;
use crate::tls::Tls;
use crate::topology::{Layer, Listener};

pub(crate) fn listener(item: Item<'_>) -> Option<Listener> {
    let mut fields = item.fields()?;
    let layer =
        fields.read("layer", Layer::default(), |item| item.word(&[("7", Layer::Seven), ("4", Layer::Four)]));
    let tls = fields.get("tls");
    fields.finish();
    let tls = tls.and_then(|item| tls_at(item, layer)).unwrap_or_default();
    Some(Listener { layer, tls })
}

/// TLS ends at who reads it: a balancer that reads requests, or the backends of one that forwards connections.
fn tls_at(item: Item<'_>, layer: Layer) -> Option<Tls> {
    let tls = item.word(&Tls::ALL)?;
    match (layer, tls) {
        (Layer::Four, Tls::Terminate | Tls::Reencrypt) => item.refuse(
            item.wrong(format!("a listener at layer 4 forwards connections and can't `{}` TLS", tls.name()))
                .help(
                    "`{ layer: 4, tls: passthrough }` lets the backends end it; `layer: 7` lets the balancer",
                ),
        ),
        (Layer::Seven, Tls::Passthrough) => item.refuse(
            item.wrong("a listener at layer 7 reads requests: it can't pass TLS through unread").help(
                "write `{ layer: 4, tls: passthrough }`; at layer 7 there are `terminate` and `reencrypt`",
            ),
        ),
        _ => Some(tls),
    }
}
