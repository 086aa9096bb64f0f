//! Taking over a configuration as somebody runs it: its text with the fewest edits that let a cell launch it, and what it
//! says about pools, routes and limits. What is common to all balancers is here; what a configuration means is its adapter's.

mod edits;
mod pools;
mod scenario;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;
use model::timeline::Deregister;
use model::topology::{Balance, HeaderMatch, HealthCheck};

use super::{Adopts, adapter};

pub(super) use edits::{Edits, escaped};
pub(super) use pools::{Pools, Server, too_many};
pub(super) use source::{Finder, Source};

/// Requests per second of a scenario, unless the configuration lets fewer through.
const RATE: f64 = 200.0;
/// The part of a limit that the load may use.
const BELOW: f64 = 0.8;

/// Where servers are sent that rig doesn't launch: a socket on which nothing listens, so that it refuses at once.
pub(super) const REFUSING: &str = "refusing.sock";

/// A configuration that has been taken over.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// The file.
    pub file: PathBuf,
    /// Its text, with the text of what it includes.
    pub(super) source: Source,
    /// What is changed of it.
    pub(super) edits: Edits,
    /// Files that it reads, by the path at which it looks for them.
    pub files: BTreeMap<String, String>,
    /// Its upstreams or backends.
    pub pools: Vec<OwnPool>,
    /// How requests reach them.
    pub routes: Vec<OwnRoute>,
    /// Whether its main listener speaks TLS.
    pub tls: bool,
    /// Whether it speaks TLS with its servers.
    pub tls_to_servers: bool,
    /// How it chooses a server, as far as the scenario language has a word for it.
    pub balance: Option<Balance>,
    /// Its probes.
    pub health_check: Option<HealthCheck>,
    /// How often it tries a request, where it tries again.
    pub tries: Option<u32>,
    /// What it lets through from one address, where that is less than a load would be.
    pub limit: Option<Limit>,
    /// How a backend is taken out of it.
    pub deregister: Deregister,
    /// What was mapped to the cell.
    pub mapped: Vec<Note>,
    /// What could not be taken over.
    pub left: Vec<Note>,
}

impl Adoption {
    /// The file's text, with the text of what it includes.
    pub fn original(&self) -> &str {
        &self.source.text
    }

    /// The template that comes of it.
    pub fn template(&self) -> String {
        self.edits.clone().applied(&self.source.text)
    }

    /// What the template changes of the file, as a unified diff.
    pub fn diff(&self) -> String {
        let (old, new) = (self.original(), self.template());
        let name = self.file.display().to_string();
        let diff = similar::TextDiff::from_lines(old, &new);
        diff.unified_diff().header(&name, &format!("{name} for rig")).to_string()
    }

    /// Takes out the statement that the balancer refused at `line` of what was rendered, and says so. False: there is none.
    pub(crate) fn without(&mut self, adopts: &dyn Adopts, line: usize, words: &str) -> bool {
        let template = self.template();
        let start: usize = template.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let end = start + template[start..].find('\n').unwrap_or(template.len() - start);
        let Some(at) = self.edits.origin(&self.source.text, start..end) else { return false };
        let number = self.source.text[..at].matches('\n').count() + 1;
        let Some(range) = adopts.statement(&self.source.text, number, words) else { return false };
        if self.edits.covers(&range) {
            return false;
        }
        let statement = self.source.text[range.clone()].lines().next().unwrap_or_default().trim().to_owned();
        // Some lists follow everything that would be right.
        let words: String = words.chars().take(100).collect();
        self.left.push(Note {
            place: self.source.place(range.start),
            what: format!("`{statement}` is left out: this machine's version says: {words}"),
            fix: "install what it needs, and adopt the file again".to_owned(),
        });
        self.edits.remove(&self.source.text, range);
        true
    }
}

/// Takes over the configuration in `file`, which is of `kind` or of the kind that it looks like.
///
/// # Errors
/// If it can't be read, is none, or there is nothing in it to test.
pub fn adopt(file: &Path, kind: Option<BalancerKind>) -> Result<(BalancerKind, Adoption), AdoptError> {
    let text = Source::read(file)?.text;
    let kinds = BalancerKind::ALL.into_iter().filter(|known| kind.is_none_or(|wanted| wanted == *known));
    let mut able = kinds.filter_map(|kind| Some((kind, adapter(kind).adopts()?)));
    let found = able.find(|(_, adopts)| kind.is_some() || adopts.recognises(&text));
    let Some((kind, adopts)) = found else {
        let able = BalancerKind::ALL.into_iter().filter(|kind| adapter(*kind).adopts().is_some());
        let able = able.map(BalancerKind::name).collect::<Vec<_>>().join(", ");
        let what = match kind {
            Some(kind) => format!("rig can't take over a configuration of {kind}'s; it can one of {able}"),
            None => format!("it looks like the configuration of none of {able}; `--kind` says which it is"),
        };
        return Err(AdoptError::Unfit { place: file.display().to_string(), what });
    };
    Ok((kind, adopts.adopt(file)?))
}

/// What a configuration lets through from one address.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Requests per second.
    pub rate: f64,
    /// The line that says so.
    pub says: String,
    /// Whether it counts requests at once: the rate is then what that comes to.
    pub at_once: bool,
}

impl Limit {
    pub(super) fn per_second(rate: f64, says: String) -> Limit {
        Limit { rate, says, at_once: false }
    }

    /// So many at once, of requests that last as long as the slowest of a scenario.
    pub(super) fn at_once(most: f64, says: String) -> Limit {
        Limit { rate: most / 0.4, says, at_once: true }
    }
}

/// Servers that serve the same requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPool {
    /// The pool's name in the scenario.
    pub name: String,
    /// What the configuration calls it.
    pub called: String,
    /// How many backends it has.
    pub backends: usize,
}

/// A way to a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRoute {
    /// A path prefix.
    pub path: String,
    /// A path below it that no file of a static root has.
    pub asks: String,
    /// A header that is wanted, with its value.
    pub header: Option<(String, String)>,
    /// The name that is asked for.
    pub host: Option<String>,
    /// The pool.
    pub pool: String,
}

/// Something that is said of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// `nginx.conf:12`; empty: it is about all of it.
    pub place: String,
    /// What was done, or could not be.
    pub what: String,
    /// What to do about it; empty: nothing.
    pub fix: String,
}

/// Why a configuration can't be taken over at all.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// A file can't be read.
    #[error("{}: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It isn't in the balancer's syntax, or there is nothing in it to test.
    #[error("{place}: {what}")]
    Unfit {
        /// Where.
        place: String,
        /// What is wrong.
        what: String,
    },
}

/// What adapters gather while they read a configuration.
pub(super) struct AdoptionDraft<'s> {
    pub(super) source: &'s Source,
    pub(super) finder: Finder<'s>,
    pub(super) edits: Edits,
    pub(super) files: BTreeMap<String, String>,
    pub(super) mapped: Vec<Note>,
    pub(super) left: Vec<Note>,
}

impl<'s> AdoptionDraft<'s> {
    pub(super) fn of(source: &'s Source, home: &'static str) -> AdoptionDraft<'s> {
        AdoptionDraft {
            source,
            finder: Finder::of(source, home),
            edits: Edits::default(),
            files: BTreeMap::new(),
            mapped: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Says what was done with the line at byte `at`.
    pub(super) fn mapped(&mut self, at: usize, what: impl Into<String>) {
        let place = self.source.place(at);
        self.mapped.push(Note { place, what: what.into(), fix: String::new() });
    }

    /// The lowest of the limits, if the load has to stay below it; `at` is where that is said.
    pub(super) fn limited(&mut self, at: usize, limits: Vec<Limit>) -> Option<Limit> {
        let lowest = limits.into_iter().min_by(|a, b| a.rate.total_cmp(&b.rate));
        let limit = lowest.filter(|limit| limit.rate * BELOW < RATE)?;
        let Limit { rate, says, .. } = &limit;
        let what = format!(
            "{says} lets {rate:.0} requests per second of one address through, and all of the load has one"
        );
        self.mapped(at, format!("{what}: the scenario's rate stays below"));
        Some(limit)
    }

    /// Says that the line at byte `at` could not be taken over, and what to do about it.
    pub(super) fn left(&mut self, at: usize, what: impl Into<String>, fix: impl Into<String>) {
        let place = self.source.place(at);
        self.left.push(Note { place, what: what.into(), fix: fix.into() });
    }

    /// The path below the cell's directory of a file that the configuration reads, which is copied there. Where it can't be
    /// found, `empty` decides whether an empty one takes its place.
    pub(super) fn companion(&mut self, at: usize, path: &str, empty: bool) -> Option<String> {
        let target = self.finder.target(path);
        let placed = format!("{{{{ directory }}}}{target}");
        if self.files.contains_key(&target) {
            return Some(placed);
        }
        match self.finder.read(path) {
            Ok(text) => {
                self.mapped(at, format!("`{path}`: copied beside the template"));
                self.files.insert(target, text);
                Some(placed)
            }
            Err(reason) if empty => {
                self.left(
                    at,
                    format!("`{path}` {reason}: an empty file takes its place"),
                    format!("copy it to `files{target}` beside the template"),
                );
                self.files.insert(target, String::new());
                Some(placed)
            }
            Err(_) => None,
        }
    }
}

impl AdoptionDraft<'_> {
    /// The routes, the main one first. At one path, the headers of routes are values of one header, as the scenario language
    /// wants it; what does not fit is said.
    pub(super) fn settled(&mut self, mut routes: Vec<OwnRoute>) -> Vec<OwnRoute> {
        let main = routes.first().and_then(|route| route.host.clone());
        routes.sort_by_key(|route| {
            (route.host != main, route.header.is_some(), route.path != "/", route.path.len())
        });
        let header = |route: &OwnRoute| match &route.header {
            Some((name, value)) => Some((name.to_ascii_lowercase(), value.clone())),
            None => {
                let host = route.host.clone().filter(|host| Some(host) != main.as_ref());
                host.map(|host| ("host".to_owned(), host))
            }
        };
        let mut kept: Vec<OwnRoute> = Vec::new();
        for route in routes {
            let own = header(&route);
            let beside: Vec<_> = kept.iter().filter(|it| it.path == route.path).map(header).collect();
            let other =
                beside.iter().flatten().any(|(name, _)| own.as_ref().is_some_and(|(own, _)| own != name));
            if beside.contains(&own) {
                continue;
            }
            let of_two = route.header.is_some() && route.host != main;
            if other || of_two || own.as_ref().is_some_and(|(_, value)| !HeaderMatch::can_be(value)) {
                let wanted = own.map_or(String::new(), |(name, value)| format!(" with {name}: {value}"));
                let what = format!(
                    "{}{wanted} → {}: a scenario can't have this route beside the others",
                    route.path, route.pool
                );
                let fix = "its pool stands, and the load does not ask for it";
                self.left.push(Note { place: String::new(), what, fix: fix.to_owned() });
                continue;
            }
            kept.push(route);
        }
        kept
    }
}

/// `1 backend`, `3 backends`.
pub(super) fn backends(count: usize) -> String {
    format!("{count} backend{}", if count == 1 { "" } else { "s" })
}

/// A name of the scenario language for what a configuration calls so. Adapters read it from logs in the same way.
pub(super) fn pool_name(called: &str) -> String {
    let mut name = String::new();
    for c in called.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(24);
    name.trim_end_matches('-').to_owned()
}
