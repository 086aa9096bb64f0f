//! The settings that decide about drops, read from the Caddyfile.

use super::syntax::{Directive, parse};
use super::*;
use crate::balancer::read_back::{Rendered, default, forms};

impl HasSettings for Caddy {
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings(rendered)
    }
}

fn settings(it: &Rendered<'_>) -> Vec<Setting> {
    let topology = &it.variant.topology;
    let tree = it.file(CONFIG).and_then(|file| parse(&file.text).ok()).unwrap_or_default();
    let read = ConfigView(tree.iter().flat_map(Directive::all).collect());
    let passive = read.proxies(
        &["max_fails", "fail_duration", "unhealthy_status", "unhealthy_latency"],
        "failures eject no server",
    );
    let probes = ["health_uri", "health_interval", "health_timeout", "health_fails", "health_passes"];
    let probes = match read.proxies(&probes, "none") {
        said if said.starts_with("health") => format!(
            "{said}; failures count since the last change of health, not in a row; each backend is probed once for every handler that \
             may use it"
        ),
        said => said,
    };
    let keepalive =
        read.transports(&["keepalive", "keepalive_idle_conns_per_host"], "2 min, 32 idle per host");
    let retries = read.proxies(
        &["lb_retries", "lb_try_duration", "lb_try_interval", "lb_retry_match", "method", "expression"],
        "none",
    );
    let mut settings = vec![
        it.source(),
        setting("balance", read.proxies(&["lb_policy", "fallback"], "random")),
        setting("workers", format!("GOMAXPROCS={}: they share the upstreams' state", topology.workers)),
        setting(
            "retries",
            format!(
                "{retries}; beside that, Go sends a GET again where a kept connection closes before a byte of the response"
            ),
        ),
        setting("passive_health", passive),
        setting("health_check", probes),
        setting("limits", read.limits()),
        setting("weight", read.weights()),
        setting("backup", default("Caddy", "none")),
        setting("slow_start", default("Caddy", "its part at once")),
        setting("client_keepalive", read.client_keepalive()),
        setting("upstream_keepalive", keepalive),
        setting("response_timeout", read.transports(&["response_header_timeout"], "no limit")),
        setting("reload_grace", read.anywhere("grace_period", "no limit")),
        deregistration(
            it.variant,
            &read.live_deregistration(),
            &it.built_in("not in a new configuration, SIGUSR1"),
        ),
    ];
    if topology.is_discovered() {
        let found = read.proxies(
            &["dynamic", "refresh", "resolvers"],
            "upstreams by name are resolved at each connection",
        );
        let aside = "it does not look at the TTL, and does not probe what it finds";
        settings.push(setting("discovery", format!("{found}; {aside}")));
    }
    settings.extend(tls::settings(
        it.variant,
        &format!(
            "tls … {}; session tickets, under keys of its own",
            read.anywhere("protocols tls1.3", "TLSv1.2 TLSv1.3")
        ),
        &format!(
            "{}; verified; probes speak TLS",
            read.transports(&["tls_server_name", "tls_trust_pool"], "plain")
        ),
        "(not at layer 4)",
    ));
    let header =
        |header: &HeaderMatch| it.built_in(format!("header_regexp {} {}", header.name, header_regex(header)));
    settings.extend(routing_settings(
        topology,
        header,
        &it.built_in("expression {http.request.uuid} < the text of shares/ROUTE/POOL"),
    ));
    settings.extend(sticky_settings(topology, |cookie| {
        it.built_in(format!(
            "lb_policy cookie {cookie}: a hash of the address; a new one where that backend is out"
        ))
    }));
    settings
}

/// A configuration that is looked through.
struct ConfigView<'a>(Vec<&'a Directive>);

impl ConfigView<'_> {
    fn named(&self, name: &str) -> impl Iterator<Item = &Directive> {
        self.0.iter().copied().filter(move |it| it.name() == name)
    }

    /// The first directive that begins so.
    fn anywhere(&self, words: &str, does: &str) -> String {
        let found = self.0.iter().map(|it| it.text()).find(|text| text.starts_with(words));
        found.unwrap_or_else(|| default("Caddy", does))
    }

    /// What each `reverse_proxy` says with these words.
    fn proxies(&self, names: &[&str], does: &str) -> String {
        said_in(self.named("reverse_proxy"), names, does)
    }

    /// The same of their transports.
    fn transports(&self, names: &[&str], does: &str) -> String {
        said_in(self.named("transport"), names, does)
    }

    fn limits(&self) -> String {
        let proxies = self.proxies(&["unhealthy_request_count"], "no limit");
        match self.transports(&["max_conns_per_host"], "no limit") {
            said if said.starts_with("max_conns") => format!("{proxies}; {said}"),
            _ if proxies.starts_with("unhealthy") => format!("{proxies}; nothing waits: 503"),
            _ => proxies,
        }
    }

    fn weights(&self) -> String {
        match self.proxies(&["lb_policy", "fallback"], "") {
            policies if policies.contains("weighted_round_robin") => policies,
            _ => default("Caddy", "1"),
        }
    }

    fn client_keepalive(&self) -> String {
        match self.named("header").find(|it| it.text() == "header >Connection close") {
            Some(closes) => closes.text(),
            None => self.anywhere("idle", "5 min"),
        }
    }

    /// Whether requests test the files by which rig takes a backend out.
    fn live_deregistration(&self) -> String {
        let looks = |it: &Directive| it.name() == "root" && it.text().ends_with("/drain");
        match self.0.iter().any(|it| looks(it)) {
            true => "route flag: handle @BACKEND, if the file drain/BACKEND is there".to_owned(),
            false => "(no request tests the file drain/BACKEND: a backend is not taken out)".to_owned(),
        }
    }
}

fn said_in<'d>(blocks: impl Iterator<Item = &'d Directive>, names: &[&str], does: &str) -> String {
    let said = |block: &Directive| {
        let inner = block.block.iter().flat_map(Directive::all);
        let said = inner.filter(|it| names.contains(&it.name()));
        said.map(Directive::text).collect::<Vec<_>>().join(", ")
    };
    forms(blocks.map(said), default("Caddy", does))
}
