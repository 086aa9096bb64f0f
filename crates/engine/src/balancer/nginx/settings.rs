//! The settings that decide about drops, read from nginx's configuration.

use std::collections::BTreeMap;

use model::topology::HeaderMatch;

use super::missing::NO_SLOW_START;
use super::routes::condition;
use super::syntax::{Directive, parse};
use super::*;
use crate::balancer::read_back::{NOT_KNOWN, Rendered, default, forms};

impl HasSettings for Nginx {
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings(rendered)
    }
}

/// What [`super::super::Balancer::settings`] says.
fn settings(it: &Rendered<'_>) -> Vec<Setting> {
    let topology = &it.variant.topology;
    let tree = main_file(it.files).and_then(|file| parse(&file.text).ok()).unwrap_or_default();
    let read = ConfigView { tree: &tree, includes: includes(&tree) };
    let layer4 = is_layer4(topology);
    let silence = || format!("{} (silence both ways)", read.in_force(&["proxy_timeout"], "10m"));
    let retried = if layer4 { "proxy_next_upstream on;" } else { "proxy_next_upstream error timeout;" };
    let retries = ["proxy_next_upstream", "proxy_next_upstream_tries", "proxy_next_upstream_timeout"];
    let keepalive = ["proxy_http_version", "proxy_set_header Connection"];
    let mut settings = vec![
        it.source(),
        setting("balance", read.upstreams(&ALGORITHMS, "round robin")),
        setting("workers", read.workers()),
        setting("retries", read.in_force(&retries, retried)),
        setting(
            "passive_health",
            read.servers(&["max_fails=", "fail_timeout="], "max_fails=1 fail_timeout=10s"),
        ),
        setting("health_check", format!("none: {PASSIVE_ONLY}")),
        setting("limits", read.limits()),
        setting("weight", read.servers(&["weight="], "weight=1")),
        setting("backup", read.servers(&["backup"], "none")),
        setting("slow_start", format!("none: {NO_SLOW_START}")),
    ];
    if layer4 {
        let listener = it.built_in("stream: all pools are one upstream; no route applies");
        settings.insert(1, setting("listener", listener));
        settings.extend(["client_keepalive", "response_timeout"].map(|name| setting(name, silence())));
    } else {
        // https://nginx.org/en/CHANGES, 1.29.7.
        let (kept, version) = match it.is_since(Version::patch(1, 29, 7)) {
            true => ("keepalive 32 local", "proxy_http_version 1.1"),
            false => ("no connection is kept", "proxy_http_version 1.0"),
        };
        let upstream = read.upstreams(&["keepalive"], kept);
        let header = read.in_force(&keepalive, version);
        settings.extend([
            setting("client_keepalive", read.in_force(&["keepalive_timeout"], "75s")),
            setting("upstream_keepalive", format!("{upstream} {header}")),
            setting("response_timeout", read.in_force(&["proxy_read_timeout"], "60s")),
            setting("reload_grace", read.top("worker_shutdown_timeout", "no limit")),
        ]);
    }
    let sticks = read.blocks().any(|upstream| upstream.block.iter().any(|it| it.name == "sticky"));
    settings.push(deregistration(
        it.variant,
        &read.live_deregistration(layer4),
        &match it.templates.whole() {
            Some(_) => "server … down in the changed file, SIGHUP".to_owned(),
            None if sticks => it.built_in("server … drain in a new configuration, SIGHUP"),
            None => it.built_in("server … down in a new configuration, SIGHUP"),
        },
    ));
    if topology.is_discovered() {
        let resolver = read.in_force(&["resolver"], "no resolver");
        let servers = read.servers(&["resolve"], "resolved once, at the start");
        settings.push(setting(
            "discovery",
            format!("{resolver} server … {servers}: it asks again when the TTL is over"),
        ));
    }
    settings.extend(tls_settings(it, &read));
    if !layer4 {
        let header = |header: &HeaderMatch| {
            it.built_in(format!("if ({}) (before 1.23: of the first occurrence)", condition(header)))
        };
        settings.extend(routing_settings(
            topology,
            header,
            &it.built_in("split_clients \"$request_id…\", SIGHUP"),
        ));
        let sticky = read.blocks().flat_map(|it| &it.block).any(|it| it.name == "sticky");
        settings.extend(sticky_settings(topology, |cookie| match sticky {
            true => read.upstreams(&["sticky"], "none"),
            false => it.built_in(format!(
                "Set-Cookie {cookie}=$request_id for who has none; hash of it, consistent (in place of `balance`): \
                 where users are is drawn anew in each run"
            )),
        }));
    }
    settings
}

const ALGORITHMS: [&str; 6] = ["least_conn", "ip_hash", "hash", "random", "least_time", "sticky"];

fn tls_settings(it: &Rendered<'_>, read: &ConfigView<'_>) -> Vec<Setting> {
    let listen = read.in_force(
        &["ssl_protocols", "ssl_session_tickets", "ssl_session_cache"],
        "TLSv1.2 TLSv1.3, tickets on, no cache",
    );
    let backends = read.in_force(
        &["proxy_ssl_protocols", "proxy_ssl_verify", "proxy_ssl_server_name", "proxy_ssl_session_reuse"],
        "TLSv1.2 TLSv1.3, not verified",
    );
    let passed = it.built_in("ssl_preread on; passed through by its SNI");
    tls::settings(it.variant, &format!("listen … ssl; {listen}"), &backends, &passed)
}

/// Whether other files belong to the configuration, which may say anything; `mime.types` is nginx's own.
fn includes(tree: &[Directive]) -> bool {
    let all = tree.iter().flat_map(|it| std::iter::once(it).chain(it.below()));
    let mut included = all.filter(|it| it.name == "include").flat_map(|it| &it.arguments);
    included.any(|path| !path.ends_with("mime.types"))
}

/// A configuration that is looked through.
struct ConfigView<'a> {
    tree: &'a [Directive],
    includes: bool,
}

impl ConfigView<'_> {
    /// What holds where the file says nothing.
    fn otherwise(&self, does: &str) -> String {
        if self.includes { NOT_KNOWN.to_owned() } else { default("nginx", does) }
    }

    /// Every directive at any depth.
    fn all(&self) -> impl Iterator<Item = &Directive> {
        self.tree.iter().flat_map(|it| std::iter::once(it).chain(it.below()))
    }

    /// A directive outside of all blocks.
    fn top(&self, name: &str, does: &str) -> String {
        let found = self.tree.iter().filter(|it| it.name == name).map(Directive::words);
        forms(found, self.otherwise(does))
    }

    /// Directives as they hold where requests are passed on: said there, or in a block around it. A name may have a first
    /// argument.
    fn in_force(&self, names: &[&str], does: &str) -> String {
        let mut found = Vec::new();
        passes(self.tree, names, &BTreeMap::new(), &mut found);
        forms(found, self.otherwise(does))
    }

    fn blocks(&self) -> impl Iterator<Item = &Directive> {
        self.all().filter(|it| it.name == "upstream")
    }

    /// Directives of the upstreams.
    fn upstreams(&self, names: &[&str], does: &str) -> String {
        let said = |upstream: &Directive| {
            let said = upstream.block.iter().filter(|it| names.contains(&it.name.as_str()));
            said.map(Directive::words).collect::<Vec<_>>().join(" ")
        };
        forms(self.blocks().map(said), self.otherwise(does))
    }

    /// Parameters of the upstreams' servers.
    fn servers(&self, parameters: &[&str], does: &str) -> String {
        let said = |server: &Directive| {
            let is_one = |word: &&String| parameters.iter().any(|it| word.starts_with(it));
            server.arguments.iter().filter(is_one).cloned().collect::<Vec<_>>().join(" ")
        };
        let servers = self.blocks().flat_map(|it| &it.block).filter(|it| it.name == "server");
        forms(servers.map(said), self.otherwise(does))
    }

    /// An upstream without a backend counts by itself.
    fn limits(&self) -> String {
        match self.servers(&["max_conns="], "no limit") {
            said if said.starts_with("max_conns") => {
                format!("{said}, for each upstream block that has the server; nothing waits: 502")
            }
            said => said,
        }
    }

    fn workers(&self) -> String {
        let shared = |upstream: &Directive| upstream.block.iter().any(|it| it.name == "zone");
        let state = match self.blocks().all(shared) {
            true => "upstream zone: they share its state",
            false => "no upstream zone: each has a state of its own",
        };
        format!("{} {state}", self.top("worker_processes", "1"))
    }

    /// Whether requests test the files by which rig takes a backend out.
    fn live_deregistration(&self, layer4: bool) -> String {
        let exists = |it: &Directive| it.arguments.first().is_some_and(|word| word == "(-f");
        let tests = |it: &Directive| {
            it.name == "if" && exists(it) && it.arguments.iter().any(|word| word.contains("/drain/"))
        };
        match self.all().any(tests) {
            true => "route flag: if (-f drain/BACKEND) { set $pool POOL_without_BACKEND; }".to_owned(),
            false if layer4 => "(not at layer 4)".to_owned(),
            false if self.includes => NOT_KNOWN.to_owned(),
            false => "(no request tests the file drain/BACKEND: a backend is not taken out)".to_owned(),
        }
    }
}

/// Gathers, for each place that passes requests on, the words of `names` that hold there.
fn passes(block: &[Directive], names: &[&str], around: &BTreeMap<usize, String>, found: &mut Vec<String>) {
    let mut held = around.clone();
    // Where a block sets one header, it has none of those that are set around it.
    if block.iter().any(|it| it.name == "proxy_set_header") {
        held.retain(|place, _| !names[*place].starts_with("proxy_set_header"));
    }
    for it in block {
        let (words, start) =
            (it.words(), format!("{} {}", it.name, it.arguments.first().map_or("", String::as_str)));
        if let Some(place) = names.iter().position(|name| *name == it.name || *name == start) {
            held.insert(place, words);
        }
    }
    if block.iter().any(|it| it.name == "proxy_pass") {
        found.push(held.values().cloned().collect::<Vec<_>>().join(" "));
    }
    for it in block.iter().filter(|it| it.name != "upstream") {
        passes(&it.block, names, &held, found);
    }
}
