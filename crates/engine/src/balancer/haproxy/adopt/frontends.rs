//! Which `bind` becomes the cell's listener, where the others go, and which backends it leads to.

use super::conditions::{Wanted, after_if, wanted};
use super::servers::Servers;
use super::{
    AdoptionDraft, ConfigLine, ConfigSection, KEEP_ID, LOG_FORMAT, Proxies, is_server, removed, word,
    words_removed,
};
use crate::balancer::adoption::{AdoptError, OwnRoute, Source};

/// The frontend, or listen, that becomes the cell's.
pub(super) struct Frontends<'d> {
    pub(super) main: &'d ConfigSection,
    pub(super) tls: bool,
    bind: &'d ConfigLine,
    /// Whether the section that logs has the format of its own.
    logs: bool,
}

/// How many backends a bind leads to, whether it speaks TLS, and whether its port is a usual one: the greatest is the main one.
type Score = (usize, bool, bool, bool);

/// A line that leads to a backend, and what a request must have to take it.
type Led<'d> = (&'d ConfigLine, String, Option<Wanted>);

/// Words of a bind that belong to another machine, with how many words follow.
const OF_THE_MACHINE: [(&str, usize); 14] = [
    ("interface", 1),
    ("transparent", 0),
    ("v4v6", 0),
    ("v6only", 0),
    ("tfo", 0),
    ("defer-accept", 0),
    ("mss", 1),
    ("user", 1),
    ("uid", 1),
    ("group", 1),
    ("gid", 1),
    ("mode", 1),
    ("namespace", 1),
    ("accept-proxy", 0),
];

/// Words of a bind that have to do with TLS.
const OF_TLS: [(&str, usize); 16] = [
    ("ssl", 0),
    ("crt", 1),
    ("crt-list", 1),
    ("alpn", 1),
    ("npn", 1),
    ("strict-sni", 0),
    ("ssl-min-ver", 1),
    ("ssl-max-ver", 1),
    ("ciphers", 1),
    ("ciphersuites", 1),
    ("curves", 1),
    ("ecdhe", 1),
    ("verify", 1),
    ("ca-file", 1),
    ("crl-file", 1),
    ("no-tls-tickets", 0),
];

impl<'d> Frontends<'d> {
    pub(super) fn of(proxies: &Proxies<'d>, source: &Source) -> Result<Frontends<'d>, AdoptError> {
        let mut best: Option<(Score, &ConfigSection, &ConfigLine)> = None;
        for (section, _) in proxies.all.iter().filter(|(it, _)| it.kind != "backend" && proxies.is_http(it)) {
            let own = usize::from(section.kind == "listen" && section.lines.iter().any(is_server));
            let leads = own
                + section
                    .lines
                    .iter()
                    .filter(|line| line.is("use_backend") || line.is("default_backend"))
                    .count();
            for bind in section.named("bind").filter(|bind| !is_quic(bind) && !bind.word(1).contains('/')) {
                let port = |port: &str| bind.word(1).split(',').any(|it| it.ends_with(port));
                let score = (leads, bind.words.iter().any(|it| it == "ssl"), port(":443"), port(":80"));
                if leads > 0 && best.as_ref().is_none_or(|(known, ..)| score > *known) {
                    best = Some((score, section, bind));
                }
            }
        }
        let Some(((_, tls, ..), main, bind)) = best else {
            let what = "it has no frontend in `mode http` with a `bind` and a backend: rig takes over HTTP listeners";
            return Err(AdoptError::Unfit { place: source.place(0), what: what.to_owned() });
        };
        let logs = proxies.held(main, "log").is_empty();
        Ok(Frontends { main, tls, bind, logs })
    }

    /// How requests reach backends through it. Servers are edited on the way.
    pub(super) fn routes(
        &self,
        draft: &mut AdoptionDraft<'_>,
        proxies: &Proxies<'d>,
        servers: &mut Servers<'d>,
    ) -> Vec<OwnRoute> {
        let mut routes = Vec::new();
        let mut found = Vec::new();
        let mut otherwise = None;
        for line in self.main.named("use_backend") {
            let name = line.word(1);
            if name.contains("%[") {
                let (named, default) = self.dynamic(draft, line);
                found.extend(named);
                otherwise = otherwise.or(default.map(|name| (line, name)));
                continue;
            }
            let wanted = match after_if(line) {
                None => Some(Wanted::default()),
                Some(Ok(words)) => wanted(self.main, words, self.tls),
                Some(Err(_)) => None,
            };
            found.push((line, name.to_owned(), wanted));
        }
        let default = proxies.held(self.main, "default_backend").last().copied();
        let own = (self.main.kind == "listen").then(|| self.main.name.clone());
        let last = default
            .map(|line| (line, line.word(1).to_owned()))
            .or(otherwise)
            .or_else(|| Some((&self.main.head, own?)));
        let host = self.host(proxies, last.as_ref().map(|(_, name)| name.as_str()));
        if let Some((line, name)) = last
            && let Some(pool) = servers.pool(draft, &name, line)
        {
            let path = "/".to_owned();
            routes.push(OwnRoute { asks: path.clone(), path, header: None, host: host.clone(), pool });
        }
        for (line, name, wanted) in found {
            let Some(pool) = servers.pool(draft, &name, line) else { continue };
            let Some(Wanted { path, header, host: wants }) = wanted else {
                let what = format!(
                    "`{}`: no request is known to meet this, so that the load does not go there",
                    line.text()
                );
                draft.left(line.at.start, what, "add a class that meets it to the scenario");
                continue;
            };
            let path = path.unwrap_or_else(|| "/".to_owned());
            routes.push(OwnRoute {
                asks: path.clone(),
                path,
                header,
                host: wants.or_else(|| host.clone()),
                pool,
            });
        }
        routes
    }

    /// Backends that a map file names by host or path, and the one for all others.
    fn dynamic(&self, draft: &mut AdoptionDraft<'_>, line: &'d ConfigLine) -> (Vec<Led<'d>>, Option<String>) {
        let text = line.word(1);
        let map = text.find("map").and_then(|at| {
            let (by, rest) = text[at..].split_once('(')?;
            let mut inside = rest.split([',', ')']);
            Some((
                by,
                inside.next()?.to_owned(),
                rest.split(')').next()?.split(',').nth(1).map(str::to_owned),
            ))
        });
        let by_host = text.contains("hdr(host") || text.contains("ssl_fc_sni");
        let is_path = text.contains("path");
        let Some((by, path, default)) = map.filter(|_| by_host || is_path) else {
            draft.left(
                line.at.start,
                format!("`{}`: where it leads is known when a request comes", line.text()),
                "",
            );
            return (Vec::new(), None);
        };
        let mut found = Vec::new();
        for entry in draft.finder.read(&path).unwrap_or_default().lines() {
            let mut words = entry.split_whitespace().filter(|_| !entry.trim_start().starts_with('#'));
            let (Some(key), Some(name)) = (words.next(), words.next()) else { continue };
            let wanted = match by {
                "map" | "map_str" | "map_dom" if by_host => {
                    Some(Wanted { host: Some(key.to_owned()), ..Wanted::default() })
                }
                "map_beg" if is_path => Some(Wanted { path: Some(key.to_owned()), ..Wanted::default() }),
                _ => None,
            };
            found.push((line, name.to_owned(), wanted));
        }
        (found, default)
    }

    /// The host that requests ask for: the one that is let in, or that probes ask for, or the first that leads anywhere.
    fn host(&self, proxies: &Proxies<'_>, default: Option<&str>) -> Option<String> {
        let denies = self
            .main
            .lines
            .iter()
            .filter(|line| line.is("http-request deny") || line.is("http-request reject"));
        let let_in = denies.filter_map(|line| match after_if(line)? {
            Err(words) => wanted(self.main, words, self.tls)?.host,
            Ok(words) => {
                let words: Vec<String> = words
                    .iter()
                    .map(|word| word.trim_start_matches('!').to_owned())
                    .filter(|word| !word.is_empty())
                    .collect();
                line.text().contains('!').then(|| wanted(self.main, &words, self.tls)?.host)?
            }
        });
        let probes = || {
            let backend = proxies.called(default?)?;
            let sends = proxies.held(backend, "http-check send");
            let at = |line: &&ConfigLine| {
                line.words
                    .iter()
                    .position(|word| word.eq_ignore_ascii_case("host"))
                    .map(|at| line.word(at + 1).to_owned())
            };
            let sent = sends.iter().find_map(at);
            sent.or_else(|| {
                let checks = proxies.held(backend, "option httpchk");
                let words = checks
                    .iter()
                    .flat_map(|line| &line.words)
                    .find_map(|word| word.split("Host:").nth(1).map(|it| it.trim().to_owned()));
                words.map(|word| word.split(['\\', '\r', ' ']).next().unwrap_or_default().to_owned())
            })
        };
        let leading = || {
            let lines = self.main.named("use_backend");
            lines
                .into_iter()
                .filter_map(|line| wanted(self.main, after_if(line)?.ok()?, self.tls)?.host)
                .next()
        };
        let is_name = |host: &String| {
            host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') && !host.is_empty()
        };
        let no_default = || default.is_none().then(leading).flatten();
        let_in.into_iter().next().or_else(probes).or_else(no_default).filter(is_name)
    }

    /// The binds of all sections, and rig's log line in the main one.
    pub(super) fn edit(&self, draft: &mut AdoptionDraft<'_>, sections: &[ConfigSection]) {
        for section in sections {
            for bind in section.named("bind") {
                if section.kind == "peers" || is_quic(bind) {
                    removed(
                        draft,
                        bind,
                        if is_quic(bind) {
                            "rig's client speaks HTTP/1.1, not HTTP/3"
                        } else {
                            "no peer is here"
                        },
                    );
                    continue;
                }
                let is_main = bind.at == self.bind.at;
                let address = if is_main { "{{ listener }}".to_owned() } else { socket(bind.word(1)) };
                let what = match is_main {
                    true => format!("`bind {}`: the cell's listener", bind.word(1)),
                    false => format!(
                        "`bind {}`: kept on a socket of the cell; the load does not go there",
                        bind.word(1)
                    ),
                };
                draft.mapped(bind.at.start, what);
                word(draft, bind, 1, address);
                self.edit_words(draft, bind);
            }
        }
        let first = self.main.lines.iter().find(|line| line.is("http-request"));
        let indent = self.main.lines.first().map_or("    ", |line| {
            let text = &draft.source.text[line.at.clone()];
            &text[..text.len() - text.trim_start().len()]
        });
        let at = first.map_or(self.main.head.at.end, |line| line.at.start);
        let keep = if first.is_some() {
            format!("{indent}{KEEP_ID}  # added by rig\n")
        } else {
            format!("\n{indent}{KEEP_ID}  # added by rig")
        };
        draft.edits.insert(at, keep);
        for line in self.main.named("log-format") {
            draft.edits.remove(&draft.source.text, line.words_at[0].start..line.at.end);
            draft.left(
                line.at.start,
                "`log-format`: HAProxy writes one for each frontend; rig's takes its place",
                "",
            );
        }
        // In a `listen`, the frontend's name is the backend's as well.
        let frontend = if self.main.kind == "listen" { "" } else { "%f" };
        let format = LOG_FORMAT.replace("FRONTEND", frontend);
        let log = if self.logs { format!("\n{indent}log global") } else { String::new() };
        let end = self.main.lines.last().map_or(self.main.head.at.end, |line| line.at.end);
        draft.edits.insert(end, format!("{log}\n{indent}{format}  # added by rig"));
        let what = "added: a log line for each request, with rig's id; HAProxy writes one format for each frontend, so that it takes the place of the file's";
        draft.mapped(self.main.head.at.start, what);
    }

    fn edit_words(&self, draft: &mut AdoptionDraft<'_>, bind: &ConfigLine) {
        let mut certified = false;
        let mut nth = 2;
        while nth < bind.words.len() {
            let name = bind.word(nth);
            let known = OF_TLS.iter().chain(&OF_THE_MACHINE).find(|(known, _)| *known == name);
            let more = known.map_or(0, |(_, more)| *more);
            match name {
                "crt" | "crt-list" if self.tls && !certified => {
                    certified = true;
                    if name == "crt-list" {
                        word(draft, bind, nth, "crt");
                    }
                    word(draft, bind, nth + 1, "\"{{ tls.certificate }}\"");
                    draft
                        .mapped(bind.at.start, format!("{}: the cell's own certificate", bind.word(nth + 1)));
                }
                "crt" | "crt-list" if self.tls => words_removed(draft, bind, nth, 1),
                "verify" | "ca-file" | "crl-file" => {
                    words_removed(draft, bind, nth, 1);
                    let what = format!(
                        "`{name} {}` is left out: rig's client has no certificate",
                        bind.word(nth + 1)
                    );
                    draft.left(bind.at.start, what, "");
                }
                "accept-proxy" => {
                    words_removed(draft, bind, nth, 0);
                    draft.left(
                        bind.at.start,
                        "`accept-proxy` is left out: rig's client sends no PROXY header",
                        "",
                    );
                }
                _ if OF_THE_MACHINE.iter().any(|(known, _)| *known == name) => {
                    words_removed(draft, bind, nth, more)
                }
                _ if !self.tls && OF_TLS.iter().any(|(known, _)| *known == name) => {
                    words_removed(draft, bind, nth, more)
                }
                _ => {}
            }
            nth += more + 1;
        }
    }
}

fn is_quic(bind: &ConfigLine) -> bool {
    bind.word(1).starts_with("quic")
}

/// A socket of the cell in the place of an address.
fn socket(address: &str) -> String {
    let six = if address.contains("::") { "v6-" } else { "" };
    let name: String = address.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    format!("unix@{{{{ sockets }}}}/{six}{}.sock", &name[name.len().saturating_sub(24)..])
}
