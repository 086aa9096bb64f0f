//! The settings that decide about drops, read from HAProxy's configuration.

use super::syntax::{ConfigLine, ConfigSection, parse};
use super::*;
use crate::balancer::read_back::{Rendered, default, forms};

impl HasSettings for Haproxy {
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting> {
        settings(rendered)
    }
}

/// What [`super::super::Balancer::settings`] says.
fn settings(it: &Rendered<'_>) -> Vec<Setting> {
    let topology = &it.variant.topology;
    let sections = it.file(CONFIG).map(|file| parse(&file.text)).unwrap_or_default();
    let read = ConfigView(&sections);
    let timeout = |what: &str| read.backends(&[&format!("timeout {what}")], "no limit");
    let layer4 = is_layer4(topology);
    let mut settings = vec![
        it.source(),
        setting("balance", read.backends(&["balance", "hash-type"], "balance roundrobin")),
        setting(
            "workers",
            format!("{}: threads share the servers' state", read.global("nbthread", "a thread per CPU")),
        ),
        setting(
            "retries",
            read.backends(
                &["retries", "option redispatch", "retry-on", "no option redispatch"],
                "retries 3, on connection failures",
            ),
        ),
        setting("passive_health", read.passive_health()),
        setting("health_check", read.health_check()),
        setting("limits", read.limits()),
        setting("weight", read.servers(&["weight"], "weight 1")),
        setting("backup", read.backups()),
        setting("slow_start", read.servers(&["slowstart"], "its part at once")),
        setting(
            "client_keepalive",
            if layer4 {
                format!("{} (silence)", read.frontends(&["timeout client"], "no limit"))
            } else {
                read.client_keepalive()
            },
        ),
        setting(
            "upstream_keepalive",
            if layer4 {
                "(not at layer 4)".to_owned()
            } else {
                read.backends(&["http-reuse"], "http-reuse safe")
            },
        ),
        setting("response_timeout", timeout("server")),
        setting("queue_timeout", read.backends(&["timeout queue"], "as `timeout connect`")),
        setting("reload_grace", read.global("hard-stop-after", "no limit")),
        // Through its socket, whatever its file says.
        deregistration(it.variant, "set server POOL/BACKEND state drain", "(no reload)"),
    ];
    if topology.is_discovered() {
        let servers = read.words_of("server-template", &["resolvers", "init-addr"]);
        let asks = read.of_sections(
            "resolvers",
            &["timeout resolve", "hold valid", "hold obsolete"],
            "every second",
        );
        settings.push(setting("discovery", format!("{servers}; {asks}; it does not look at the TTL")));
    }
    settings.extend(tls::settings(
        it.variant,
        &format!(
            "{}; session tickets, unless it says no-tls-tickets",
            read.words_of("bind", &["ssl", "ssl-min-ver", "no-tls-tickets"])
        ),
        &read.tls_to_backends(),
        &it.built_in(
            "req.ssl_sni, inspect-delay 5s; passed through by its SNI; probes speak TLS (check-ssl)",
        ),
    ));
    if it.variant.saves_state() {
        let saved = read.global("server-state-file", "no file");
        let loaded = read.backends(&["load-server-state-from-file"], "it is not loaded");
        settings.push(setting("server_state", format!("{saved}; {loaded}")));
    }
    if layer4 {
        let listener = it.built_in("mode tcp: all pools are one backend; no route applies");
        settings.insert(1, setting("listener", listener));
    } else {
        let split = it.built_in("rand(10000) against a map that `set map` changes");
        settings.extend(routing_settings(topology, |header| it.built_in(condition(header)), &split));
        let cookies = read.backends(&["cookie"], "no cookie");
        settings.extend(sticky_settings(topology, |_| format!("{cookies}; `state drain` honours it")));
    }
    settings
}

/// A configuration that is looked through.
struct ConfigView<'a>(&'a [ConfigSection]);

impl ConfigView<'_> {
    /// The sections of these kinds, each with the `defaults` that hold for it: the last before it.
    fn with_defaults(&self, kinds: &[&str]) -> Vec<(&ConfigSection, Option<&ConfigSection>)> {
        let mut defaults = None;
        let mut found = Vec::new();
        for section in self.0 {
            match section.kind.as_str() {
                "defaults" => defaults = Some(section),
                kind if kinds.contains(&kind) => found.push((section, defaults)),
                _ => {}
            }
        }
        found
    }

    /// The lines with these keywords as they hold in each section of those kinds: its own, else those of its defaults.
    fn in_force(&self, kinds: &[&str], keywords: &[&str], does: &str) -> String {
        let said = |(section, defaults): (&ConfigSection, Option<&ConfigSection>)| {
            let of = |section: &ConfigSection, keyword: &str| {
                let lines: Vec<String> =
                    section.lines.iter().filter(|line| line.is(keyword)).map(ConfigLine::text).collect();
                (!lines.is_empty()).then(|| lines.join("; "))
            };
            let held =
                |keyword: &&str| of(section, keyword).or_else(|| defaults.and_then(|it| of(it, keyword)));
            keywords.iter().filter_map(held).collect::<Vec<_>>().join("; ")
        };
        forms(self.with_defaults(kinds).into_iter().map(said), default("HAProxy", does))
    }

    fn backends(&self, keywords: &[&str], does: &str) -> String {
        self.in_force(&["backend", "listen"], keywords, does)
    }

    fn frontends(&self, keywords: &[&str], does: &str) -> String {
        self.in_force(&["frontend", "listen"], keywords, does)
    }

    /// The lines with these keywords, of each section of that kind.
    fn of_sections(&self, kind: &str, keywords: &[&str], does: &str) -> String {
        let said = |section: &ConfigSection| {
            let lines = section.lines.iter().filter(|line| keywords.iter().any(|keyword| line.is(keyword)));
            lines.map(ConfigLine::text).collect::<Vec<_>>().join("; ")
        };
        forms(self.0.iter().filter(|section| section.kind == kind).map(said), default("HAProxy", does))
    }

    fn global(&self, keyword: &str, does: &str) -> String {
        let lines = self.0.iter().filter(|it| it.kind == "global").flat_map(|it| &it.lines);
        forms(lines.filter(|line| line.is(keyword)).map(ConfigLine::text), default("HAProxy", does))
    }

    /// What servers say after these words: on their own line, or on `default-server`, of their section or its defaults.
    fn servers(&self, words: &[&str], does: &str) -> String {
        let mut said = Vec::new();
        for (section, defaults) in self.with_defaults(&["backend", "listen"]) {
            let is_default = |line: &&ConfigLine| line.is("default-server");
            let inherited = defaults.iter().flat_map(|it| &it.lines).filter(is_default);
            let inherited: Vec<&ConfigLine> =
                inherited.chain(section.lines.iter().filter(is_default)).collect();
            let is_server = |line: &&ConfigLine| line.is("server") || line.is("server-template");
            for server in section.lines.iter().filter(is_server) {
                let held = words.iter().filter_map(|word| {
                    let lines = std::iter::once(server).chain(inherited.iter().rev().copied());
                    lines.into_iter().find_map(|line| parameter(line, word))
                });
                said.push(held.collect::<Vec<_>>().join(" "));
            }
        }
        forms(said, default("HAProxy", does))
    }

    fn passive_health(&self) -> String {
        let observed = self.servers(&["observe", "error-limit", "on-error"], "none");
        match observed.starts_with("observe") {
            true => format!("{observed} (`for` has no equivalent: probes bring it back)"),
            false => observed,
        }
    }

    fn health_check(&self) -> String {
        let probes = self.servers(&["check", "inter", "fall", "rise"], "none");
        if !probes.starts_with("check") {
            return probes;
        }
        let asked = self.backends(&["option httpchk", "http-check", "timeout check"], "a TCP connection");
        format!("{asked}; {probes}")
    }

    /// The servers' limits, and the rules that refuse what would wait.
    fn limits(&self) -> String {
        let servers = self.servers(&["maxconn", "maxqueue"], "no limit");
        let rules = ["http-request set-var(txn.refused)", "http-request deny", "tcp-request content reject"];
        match self.backends(&rules, "none") {
            rules if rules.contains("{ queue") => format!("{servers}; {rules}"),
            _ => servers,
        }
    }

    fn backups(&self) -> String {
        match self.servers(&["backup"], "none") {
            servers if servers.starts_with("(nothing") && !servers.contains("elsewhere") => servers,
            servers => {
                format!("{servers}; {}", self.backends(&["option allbackups"], "the first of them alone"))
            }
        }
    }

    fn client_keepalive(&self) -> String {
        let keywords = ["option httpclose", "option http-server-close", "timeout http-keep-alive"];
        let said = self.frontends(&keywords, "as long as the client likes");
        match said.contains("option httpclose") {
            true => format!("{said} (closes the connection to the server as well)"),
            false => said,
        }
    }

    fn tls_to_backends(&self) -> String {
        let said = self.servers(&["ssl", "verify", "ca-file", "sni", "ssl-min-ver"], "plain");
        format!("server … {said}; sessions are reused, unless it says no-ssl-reuse; probes speak TLS")
    }

    /// These words of every line with that keyword.
    fn words_of(&self, keyword: &str, words: &[&str]) -> String {
        let lines = self.0.iter().flat_map(|it| &it.lines).filter(|line| line.is(keyword));
        let said = |line: &ConfigLine| {
            words.iter().filter_map(|word| parameter(line, word)).collect::<Vec<_>>().join(" ")
        };
        format!("{keyword} … {}", forms(lines.map(said), default("HAProxy", "plain")))
    }
}

/// The words that take no value.
const FLAGS: [&str; 4] = ["check", "ssl", "no-tls-tickets", "backup"];

/// A parameter of a line, with its value.
fn parameter(line: &ConfigLine, word: &str) -> Option<String> {
    let at = line.words.iter().skip(1).position(|known| known == word)? + 1;
    match line.words.get(at + 1) {
        Some(value) if !FLAGS.contains(&word) => Some(format!("{word} {value}")),
        _ => Some(word.to_owned()),
    }
}
