//! What HAProxy sends again, always to another server if there is one (`retry-on`, `option redispatch`).

use model::topology::{Retries, Retry, RetryCause, Topology};

use super::is_layer4;

/// The directives.
pub(super) fn retries(topology: &Topology) -> Vec<String> {
    let Retries::On(retry) = &topology.retries else {
        return if topology.retries == Retries::Off { vec!["retries 0".into()] } else { vec![] };
    };
    let tries = [format!("retries {}", retry.tries.saturating_sub(1)), "option redispatch 1".into()];
    // In TCP mode it has no effect.
    let causes = (!is_layer4(topology)).then(|| format!("retry-on {}", causes(retry)));
    tries.into_iter().chain(causes).collect()
}

fn causes(retry: &Retry) -> String {
    let Some(on) = &retry.on else {
        return "conn-failure empty-response response-timeout 502 503 504".into();
    };
    let word = |cause: &RetryCause| match (cause, cause.status()) {
        (RetryCause::Refused, _) => "conn-failure".to_owned(),
        (RetryCause::Reset, _) => "empty-response".to_owned(),
        (_, Some(status)) => status.to_string(),
        (_, None) => "response-timeout".to_owned(),
    };
    on.iter().map(word).collect::<Vec<_>>().join(" ")
}
