//! Takes over an HAProxy configuration: binds, servers, certificates, logs, sockets and users become the cell's. Everything
//! else stays as it is.

mod conditions;
mod frontends;
mod servers;
mod surroundings;

use std::ops::Range;
use std::path::Path;

use model::timeline::Deregister;

use self::frontends::Frontends;
use self::servers::Servers;
use super::Haproxy;
use super::syntax::{ConfigLine, ConfigSection, parse};
use crate::balancer::Adopts;
use crate::balancer::adoption::{AdoptError, Adoption, AdoptionDraft, REFUSING, Source};

/// Where HAProxy's files usually lie.
const HOME: &str = "/etc/haproxy";

/// rig's log line. HAProxy writes one format for each frontend.
const LOG_FORMAT: &str = r#"log-format '{"id":"%[var(txn.rig_seq)]","ts":"%Ts.%ms","status":%ST,"queue":%Tw,"connect":%Tc,"response":%Tr,"active":%Ta,"backend":"%b","frontend":"FRONTEND","server":"%s","address":"%si:%sp","flags":"%tsc","retries":"%rc","method":"%HM","client":"%ci:%cp"}'"#;
/// What keeps the request's id for it: the request's headers are gone when the line is written.
const KEEP_ID: &str = "http-request set-var(txn.rig_seq) req.hdr(x-rig-seq)";

impl Adopts for Haproxy {
    fn recognises(&self, text: &str) -> bool {
        let sections = parse(text);
        let proxies = sections
            .iter()
            .filter(|it| matches!(it.kind.as_str(), "frontend" | "backend" | "listen" | "defaults"));
        proxies.count() > 0 && sections[0].lines.iter().all(|line| line.word(0).starts_with('.'))
    }

    fn adopt(&self, file: &Path) -> Result<Adoption, AdoptError> {
        adopt(file)
    }

    fn test_arguments(&self) -> &'static [&'static str] {
        &["-c"]
    }

    fn refused(&self, said: &str) -> Option<(usize, String)> {
        // `[ALERT]    (7) : config : parsing [/run/cell/haproxy.cfg:12] : unknown keyword 'x' in 'global' section`
        let line = said.lines().find(|line| line.contains("[ALERT]") && line.contains("parsing ["))?;
        let (place, words) = line.split_once("parsing [")?.1.split_once(']')?;
        Some((place.rsplit_once(':')?.1.parse().ok()?, words.trim_start_matches([' ', ':']).to_owned()))
    }

    fn statement(&self, text: &str, line: usize, _words: &str) -> Option<Range<usize>> {
        let sections = parse(text);
        let mut lines =
            sections.iter().flat_map(|section| std::iter::once(&section.head).chain(&section.lines));
        lines.find(|it| it.number == line).map(|it| it.at.clone())
    }
}

fn adopt(file: &Path) -> Result<Adoption, AdoptError> {
    let source = Source::read(file)?;
    let sections = parse(&source.text);
    let proxies = Proxies::of(&sections);
    let mut draft = AdoptionDraft::of(&source, HOME);
    let frontends = Frontends::of(&proxies, &source)?;
    let mut servers = Servers::new(&proxies);
    let routes = frontends.routes(&mut draft, &proxies, &mut servers);
    let routes = draft.settled(routes);
    if routes.is_empty() {
        let what = format!(
            "no request is known to reach a server through `{}`: give it a default_backend",
            frontends.main.head.text()
        );
        return Err(AdoptError::Unfit { place: source.place(frontends.main.head.at.start), what });
    }
    let main = proxies.called(servers.called(&routes[0].pool));
    servers.rest(&mut draft);
    frontends.edit(&mut draft, &sections);
    surroundings::edit(&mut draft, &sections, &proxies, frontends.main);
    let limit = draft.limited(frontends.main.head.at.start, surroundings::limits(&sections));
    let (health_check, tries, balance) = match main {
        Some(main) => {
            (servers.health(&mut draft, main), servers.tries(main), servers.balance(&mut draft, main))
        }
        None => (None, None, None),
    };
    Ok(Adoption {
        file: file.to_owned(),
        edits: draft.edits,
        source: source.clone(),
        files: draft.files,
        pools: servers.pools.all(),
        routes,
        tls: frontends.tls,
        tls_to_servers: servers.tls,
        balance,
        health_check,
        tries,
        limit,
        deregister: Deregister::Live,
        mapped: draft.mapped,
        left: draft.left,
    })
}

/// Frontends, backends and listens, with the defaults that hold for each.
struct Proxies<'d> {
    all: Vec<(&'d ConfigSection, Option<&'d ConfigSection>)>,
}

impl<'d> Proxies<'d> {
    fn of(sections: &'d [ConfigSection]) -> Proxies<'d> {
        let mut defaults: Option<&ConfigSection> = None;
        let mut all = Vec::new();
        for section in sections {
            match section.kind.as_str() {
                "defaults" => defaults = Some(section),
                "frontend" | "backend" | "listen" => {
                    // `frontend www from NAME`
                    let from = section
                        .head
                        .words
                        .iter()
                        .position(|word| word == "from")
                        .map(|at| section.head.word(at + 1));
                    let named = from
                        .and_then(|name| sections.iter().find(|it| it.kind == "defaults" && it.name == name));
                    all.push((section, named.or(defaults)));
                }
                _ => {}
            }
        }
        Proxies { all }
    }

    /// The backend or listen of that name.
    fn called(&self, name: &str) -> Option<&'d ConfigSection> {
        self.all.iter().map(|(section, _)| *section).find(|it| it.name == name && it.kind != "frontend")
    }

    /// The lines with `keyword` that hold in `section`: its own, else those of its defaults.
    fn held(&self, section: &ConfigSection, keyword: &str) -> Vec<&'d ConfigLine> {
        let Some((own, defaults)) = self.all.iter().find(|(it, _)| it.head.at == section.head.at) else {
            return Vec::new();
        };
        let of = |section: &'d ConfigSection| {
            section.lines.iter().filter(|line| line.is(keyword)).collect::<Vec<_>>()
        };
        let lines = of(own);
        if lines.is_empty() { defaults.map(of).unwrap_or_default() } else { lines }
    }

    /// Whether a section reads requests.
    fn is_http(&self, section: &ConfigSection) -> bool {
        self.held(section, "mode").last().is_some_and(|line| line.word(1) == "http")
    }
}

/// Whether a line makes servers.
fn is_server(line: &ConfigLine) -> bool {
    line.is("server") || line.is("server-template")
}

/// Removes a line.
fn removed(draft: &mut AdoptionDraft<'_>, line: &ConfigLine, why: &str) {
    draft
        .edits
        .remove(&draft.source.text, line.words_at.first().map_or(line.at.start, |at| at.start)..line.at.end);
    draft.left(line.at.start, format!("`{}` is left out: {why}", line.text()), "");
}

/// Puts `template` in the place of a word.
fn word(draft: &mut AdoptionDraft<'_>, line: &ConfigLine, nth: usize, template: impl Into<String>) {
    if let Some(at) = line.words_at.get(nth) {
        draft.edits.replace(at.clone(), template);
    }
}

/// Removes a word with so many after it.
fn words_removed(draft: &mut AdoptionDraft<'_>, line: &ConfigLine, nth: usize, more: usize) {
    let last = (nth + more).min(line.words_at.len().saturating_sub(1));
    if let (Some(first), Some(last)) = (line.words_at.get(nth), line.words_at.get(last)) {
        draft.edits.replace(first.start.saturating_sub(1)..last.end, "");
    }
}

/// The address that refuses, as HAProxy writes it.
fn refusing() -> String {
    format!("unix@{{{{ sockets }}}}/{REFUSING}")
}

/// Milliseconds of a time as HAProxy writes it; without a unit it is milliseconds.
fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "us" => return Some(number / 1000),
        "" | "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(unit)
}
