//! From the servers of backends to pools and their backends.

use std::collections::BTreeMap;

use model::topology::{Balance, HealthCheck};
use model::units::Span;

use super::{
    AdoptionDraft, ConfigLine, ConfigSection, Proxies, is_server, milliseconds, refusing, removed, word,
    words_removed,
};
use crate::balancer::adoption::{Pools, Server, backends};

/// Backends that have become pools.
pub(super) struct Servers<'d> {
    proxies: Vec<(&'d ConfigSection, Option<&'d ConfigSection>)>,
    pub(super) pools: Pools,
    pub(super) tls: bool,
    edited: BTreeMap<usize, String>,
}

/// Words of a server that name another machine, or what rig's backends don't speak, with how many words follow.
const OF_THE_MACHINE: [(&str, usize); 15] = [
    ("port", 1),
    ("addr", 1),
    ("agent-check", 0),
    ("agent-port", 1),
    ("agent-addr", 1),
    ("agent-inter", 1),
    ("agent-send", 1),
    ("source", 1),
    ("interface", 1),
    ("send-proxy", 0),
    ("send-proxy-v2", 0),
    ("check-send-proxy", 0),
    ("crt", 1),
    ("crl-file", 1),
    ("socks4", 1),
];

impl<'d> Servers<'d> {
    pub(super) fn new(proxies: &Proxies<'d>) -> Servers<'d> {
        Servers { proxies: proxies.all.clone(), pools: Pools::default(), tls: false, edited: BTreeMap::new() }
    }

    /// What the configuration calls a pool.
    pub(super) fn called(&self, pool: &str) -> &str {
        let all = self.proxies.iter().map(|(section, _)| section.name.as_str());
        all.into_iter()
            .find(|name| self.pools.named(name).is_some_and(|it| it.name == pool))
            .unwrap_or_default()
    }

    /// The pool that the backend `name` becomes, to which `line` leads.
    pub(super) fn pool(
        &mut self,
        draft: &mut AdoptionDraft<'_>,
        name: &str,
        line: &ConfigLine,
    ) -> Option<String> {
        let section = self
            .proxies
            .iter()
            .map(|(section, _)| *section)
            .find(|it| it.name == name && it.kind != "frontend");
        let Some(section) = section else {
            draft.left(line.at.start, format!("there is no backend `{name}`"), "");
            return None;
        };
        if let Some(pool) = self.edited.get(&section.head.at.start) {
            return Some(pool.clone());
        }
        let serving: Vec<&ConfigLine> =
            section.lines.iter().filter(|line| is_server(line) && is_active(line)).collect();
        let addresses: Vec<String> = serving.iter().flat_map(|line| addresses(line)).collect();
        if addresses.is_empty() {
            draft.left(
                section.head.at.start,
                format!("backend {name} has no server: it has no backends here"),
                "",
            );
            return None;
        }
        let Some((pool, servers, same)) = self.pools.of(name, &addresses) else {
            draft.left(line.at.start, format!("backend {name}: a scenario has at most eight pools"), "");
            return None;
        };
        self.edited.insert(section.head.at.start, pool.clone());
        let what = match same {
            None => format!("backend {name} → pool {pool}, {}", backends(addresses.len())),
            Some(other) => format!("backend {name} has the servers of {other}: it is the same pool, {pool}"),
        };
        draft.mapped(section.head.at.start, what);
        let mut servers = servers.into_iter();
        for line in serving {
            let own: Vec<Server> = servers.by_ref().take(addresses_of(line)).collect();
            self.server(draft, line, &own);
        }
        for line in section.lines.iter().filter(|line| is_server(line) && !is_active(line)) {
            refuse(draft, line);
            draft.mapped(
                line.at.start,
                format!(
                    "server {}: it serves only if others are down; rig launches none for it",
                    line.word(1)
                ),
            );
        }
        for line in section.named("default-server") {
            self.words(draft, line, 1);
        }
        Some(pool)
    }

    fn server(&mut self, draft: &mut AdoptionDraft<'_>, line: &ConfigLine, own: &[Server]) {
        let end = line.words_at.last().map_or(line.at.end, |at| at.end);
        let address = |server: &Server| match server {
            Server::Is(id) => (format!("{{{{ backends[\"{id}\"] }}}}"), format!("{{{{ down[\"{id}\"] }}}}")),
            Server::Refuses(_) => (refusing(), " disabled".to_owned()),
        };
        if line.is("server-template") {
            // Its servers have numbers after their common name.
            let first: usize = line
                .word(2)
                .split('-')
                .next()
                .and_then(|it| it.parse().ok())
                .filter(|_| line.word(2).contains('-'))
                .unwrap_or(1);
            let rest = self.kept(draft, line, 4);
            let indent = line.words_at[0].start - line.at.start;
            let indent = draft.source.text[line.at.start..line.at.start + indent].to_owned();
            let lines = own.iter().enumerate().map(|(n, server)| {
                let (address, down) = address(server);
                format!("server {}{} {address}{rest}{down}", line.word(1), first + n)
            });
            let lines: Vec<String> = lines.collect();
            draft.edits.replace(line.words_at[0].start..end, lines.join(&format!("\n{indent}")));
            draft.mapped(
                line.at.start,
                format!("`server-template {} {}`: a `server` for each", line.word(1), line.word(2)),
            );
            return;
        }
        let Some(server) = own.first() else { return };
        let (address, down) = address(server);
        word(draft, line, 2, address);
        draft.edits.insert(end, down);
        if let Server::Refuses(why) = server {
            draft.left(
                line.at.start,
                format!("server {}: {why}; this one refuses connections", line.word(1)),
                "",
            );
        }
        self.words(draft, line, 3);
    }

    /// What follows the address of a line that is written again, without what does not fit.
    fn kept(&mut self, draft: &mut AdoptionDraft<'_>, line: &ConfigLine, from: usize) -> String {
        let mut apart = AdoptionDraft::of(draft.source, super::HOME);
        self.words(&mut apart, line, from);
        draft.left.append(&mut apart.left);
        let (start, end) = match (line.words_at.get(from), line.words_at.last()) {
            (Some(first), Some(last)) => (first.start - 1, last.end),
            _ => return String::new(),
        };
        let before = draft.source.text[..start].len();
        apart.edits.replace(0..before, "");
        apart.edits.replace(end..draft.source.text.len(), "");
        apart.edits.applied(&draft.source.text)
    }

    /// What follows the address.
    fn words(&mut self, draft: &mut AdoptionDraft<'_>, line: &ConfigLine, from: usize) {
        let mut nth = from;
        while nth < line.words.len() {
            let name = line.word(nth);
            let known = OF_THE_MACHINE.iter().find(|(known, _)| *known == name);
            match (name, known) {
                ("ssl", _) => self.tls = true,
                ("ca-file", _) => word(draft, line, nth + 1, "\"{{ tls.authority }}\""),
                ("verifyhost", _) => word(draft, line, nth + 1, "{{ tls.name }}"),
                ("proto" | "alpn" | "check-alpn" | "check-proto", _) => {
                    words_removed(draft, line, nth, 1);
                    draft.left(
                        line.at.start,
                        format!("`{name} {}` is left out: rig's backends speak HTTP/1.1", line.word(nth + 1)),
                        "",
                    );
                }
                (_, Some((_, more))) => {
                    words_removed(draft, line, nth, *more);
                    let words = line.words[nth..=(nth + more).min(line.words.len() - 1)].join(" ");
                    draft.left(line.at.start, format!("`{words}` is left out: a backend of the cell has one address and speaks HTTP there"), "");
                    nth += more;
                }
                _ => {}
            }
            nth += 1;
        }
    }

    /// The servers to which nothing leads.
    pub(super) fn rest(&mut self, draft: &mut AdoptionDraft<'_>) {
        for (section, _) in &self.proxies {
            let mut lines = section.lines.iter().filter(|line| is_server(line)).peekable();
            if self.edited.contains_key(&section.head.at.start) || lines.peek().is_none() {
                continue;
            }
            draft.left(
                section.head.at.start,
                format!(
                    "{}: the load does not go there; its servers refuse connections",
                    section.head.text()
                ),
                "",
            );
            for line in lines {
                refuse(draft, line);
            }
        }
    }

    fn held(&self, section: &ConfigSection, keyword: &str) -> Vec<&'d ConfigLine> {
        Proxies { all: self.proxies.clone() }.held(section, keyword)
    }

    /// Its probes. What they expect of a body is left out: rig's backends say `healthy`.
    pub(super) fn health(&self, draft: &mut AdoptionDraft<'_>, main: &ConfigSection) -> Option<HealthCheck> {
        for (section, _) in &self.proxies {
            for line in section
                .named("http-check expect")
                .filter(|line| line.words.iter().any(|it| it.ends_with("string")))
            {
                removed(draft, line, "rig's backends have another body");
            }
        }
        let lines: Vec<&ConfigLine> =
            main.lines.iter().filter(|line| is_server(line) || line.is("default-server")).collect();
        // What a section says of all its servers comes on top of what its defaults say.
        let of_main = self.proxies.iter().find(|(section, _)| section.head.at == main.head.at);
        let defaults: Vec<&ConfigLine> =
            of_main.and_then(|(_, it)| *it).into_iter().flat_map(|it| it.named("default-server")).collect();
        let all = || lines.iter().chain(&defaults);
        all().any(|line| line.words.iter().any(|it| it == "check")).then_some(())?;
        let value = |name: &str| {
            all().find_map(|line| {
                line.words.iter().position(|it| it == name).map(|at| line.word(at + 1).to_owned())
            })
        };
        let sent = self.held(main, "http-check send");
        let uri = sent.iter().find_map(|line| {
            line.words.iter().position(|it| it == "uri").map(|at| line.word(at + 1).to_owned())
        });
        let asked = self.held(main, "option httpchk");
        let words = asked.last().map(|line| &line.words[2..]).unwrap_or_default();
        let path = uri.or_else(|| words.iter().find(|word| word.starts_with('/')).cloned());
        let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
        let path = path
            .map(|path| path.split('?').next().unwrap_or_default().to_owned())
            .filter(|it| it.chars().all(fits));
        let every = value("inter").and_then(|it| milliseconds(&it)).unwrap_or(2000).clamp(10, 60_000);
        let timeout = self.held(main, "timeout check").last().and_then(|line| milliseconds(line.word(2)));
        let count = |name: &str, otherwise| value(name).and_then(|it| it.parse().ok()).unwrap_or(otherwise);
        Some(HealthCheck {
            path: path
                .unwrap_or_else(|| if asked.is_empty() { "/health".to_owned() } else { "/".to_owned() }),
            every: Span::millis(every),
            timeout: Span::millis(timeout.unwrap_or(every).clamp(1, 60_000)),
            fall: count("fall", 3),
            rise: count("rise", 2),
        })
    }

    /// How often it tries a connection.
    pub(super) fn tries(&self, main: &ConfigSection) -> Option<u32> {
        let said = self.held(main, "retries");
        let retries = said.last().and_then(|line| line.word(1).parse::<u32>().ok()).unwrap_or(3);
        (retries > 0).then_some(retries + 1)
    }

    /// How it chooses a server, in the scenario's words.
    pub(super) fn balance(&self, draft: &mut AdoptionDraft<'_>, main: &ConfigSection) -> Option<Balance> {
        if main.lines.iter().any(|line| line.is("stick on src") || line.is("stick match src")) {
            return Some(Balance::SourceHash);
        }
        let said = self.held(main, "balance");
        let Some(line) = said.last() else { return Some(Balance::RoundRobin) };
        match line.word(1).split('(').next().unwrap_or_default() {
            "roundrobin" | "static-rr" => Some(Balance::RoundRobin),
            "leastconn" => Some(Balance::LeastConnections),
            "source" => Some(Balance::SourceHash),
            "random" => None,
            _ => {
                let what = format!("`{}`: requests of one class go to one server", line.text());
                draft.left(
                    line.at.start,
                    what,
                    "give the mix of the scenario several classes with paths of their own",
                );
                None
            }
        }
    }
}

/// A server that rig launches none for.
fn refuse(draft: &mut AdoptionDraft<'_>, line: &ConfigLine) {
    word(draft, line, if line.is("server") { 2 } else { 3 }, refusing());
    for (nth, name) in line.words.iter().enumerate().skip(3) {
        if let Some((_, more)) = OF_THE_MACHINE.iter().find(|(known, _)| known == name) {
            words_removed(draft, line, nth, *more);
        }
        if name == "ca-file" {
            words_removed(draft, line, nth, 1);
        }
    }
}

fn is_active(line: &ConfigLine) -> bool {
    let off = |at: usize, word: &str| {
        matches!(word, "disabled" | "backup") || word == "weight" && line.word(at + 1) == "0"
    };
    !line.words.iter().enumerate().skip(3).any(|(at, word)| off(at, word))
}

/// How many servers a line makes.
fn addresses_of(line: &ConfigLine) -> usize {
    if line.is("server") {
        return 1;
    }
    let number = line.word(2);
    let (from, to) = number.split_once('-').unwrap_or(("1", number));
    let (from, to): (usize, usize) = (from.parse().unwrap_or(1), to.parse().unwrap_or(1));
    (to + 1).saturating_sub(from).clamp(1, 64)
}

fn addresses(line: &ConfigLine) -> Vec<String> {
    match line.is("server") {
        true => vec![line.word(2).to_owned()],
        false => (0..addresses_of(line)).map(|n| format!("{}#{n}", line.word(3))).collect(),
    }
}
