//! What nginx sends again, and to how many servers (`proxy_next_upstream`).

use model::topology::{Retries, Retry, RetryCause};

/// At layer 7. `error` and `timeout` are each about connecting as well as about the response, so validation lets `refused`, `reset`
/// and `timeout` through together or not at all.
pub(super) fn next_upstream(retries: &Retries) -> String {
    match retries {
        Retries::Off => "proxy_next_upstream off;".into(),
        Retries::Default => String::new(),
        Retries::On(retry) => {
            let causes = if retry.on.is_none() {
                "error timeout http_502 http_503 http_504".into()
            } else {
                causes(retry)
            };
            format!("proxy_next_upstream {causes}; proxy_next_upstream_tries {};", retry.tries)
        }
    }
}

fn causes(retry: &Retry) -> String {
    let failures = retry.says(RetryCause::Reset).then(|| "error timeout".to_owned());
    let statuses = retry.statuses().into_iter().map(|status| format!("http_{status}"));
    failures.into_iter().chain(statuses).collect::<Vec<_>>().join(" ")
}

/// At layer 4.
pub(super) fn next_upstream_at_layer4(retries: &Retries) -> String {
    match retries {
        Retries::Off => "proxy_next_upstream off;".into(),
        Retries::Default => String::new(),
        Retries::On(retry) => {
            format!("proxy_next_upstream on; proxy_next_upstream_tries {};", retry.tries)
        }
    }
}
