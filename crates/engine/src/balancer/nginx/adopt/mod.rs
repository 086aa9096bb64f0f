//! Takes over an nginx configuration: its includes are put in, then listeners, servers, certificates, logs and paths become
//! the cell's. Everything else stays as it is.

mod includes;
mod listeners;
mod routes;
mod surroundings;
mod targets;

use std::ops::Range;
use std::path::Path;

use model::timeline::Deregister;
use model::topology::Balance;

use self::listeners::Listeners;
use self::targets::ProxyTargets;
use super::Nginx;
use super::syntax::{Directive, parse};
use crate::balancer::adoption::{AdoptError, Adoption, AdoptionDraft, Note, REFUSING, Source};
use crate::balancer::{Adopts, adoption};

/// Where nginx looks for what has a relative path.
const HOME: &str = "/etc/nginx";

/// What rig adds to the log formats: one line for each request, beside the user's own.
const FORMAT: &str = r#"log_format rig_requests escape=json '{"id":"$http_x_rig_seq","ts":"$msec","status":$status,"upstream":"$upstream_addr","upstream_status":"$upstream_status","upstream_seconds":"$upstream_response_time","upstream_header":"$upstream_header_time","upstream_sent":"$upstream_bytes_sent","seconds":$request_time,"method":"$request_method","uri":"$request_uri","client":"$remote_addr:$remote_port","nth":$connection_requests,"completion":"$request_completion"}';"#;
/// rig's log of requests.
const ACCESS_LOG: &str = r#"access_log "{{ directory }}/access.log" rig_requests;"#;
/// rig's log of notices: it tells when old workers are gone.
const ERROR_LOG: &str = r#"error_log "{{ directory }}/error.log" notice;"#;
/// Scratch directories that nginx makes, and where its build puts them otherwise.
const SCRATCH: [&str; 5] = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];

impl Adopts for Nginx {
    fn recognises(&self, text: &str) -> bool {
        // One that is broken is one all the same.
        let begins = |line: &str| matches!(line.split(['{', ' ', '\t']).next(), Some("http" | "events"));
        text.lines().any(|line| begins(line.trim_start()) && line.contains('{'))
    }

    fn adopt(&self, file: &Path) -> Result<Adoption, AdoptError> {
        adopt(file)
    }

    fn refused(&self, said: &str) -> Option<(usize, String)> {
        // `nginx: [emerg] unknown directive "brotli" in /run/cell/nginx.conf:12`
        let line = said.lines().find(|line| line.contains("[emerg]"))?;
        let (what, place) = line.split_once("[emerg] ")?.1.rsplit_once(" in ")?;
        Some((place.rsplit_once(':')?.1.trim().parse().ok()?, what.to_owned()))
    }

    fn statement(&self, text: &str, line: usize, words: &str) -> Option<Range<usize>> {
        let tree = parse(text).ok()?;
        let all: Vec<&Directive> = tree.iter().flat_map(|it| std::iter::once(it).chain(it.below())).collect();
        let last = |it: &Directive| it.line + text[it.at.clone()].matches('\n').count();
        let there: Vec<&Directive> =
            all.into_iter().filter(|it| (it.line..=last(it)).contains(&line)).collect();
        // nginx names the directive in quotes, unless its arguments are wrong; it read the line up to the end of that.
        let named = there.iter().rev().find(|it| words.contains(&format!("\"{}\"", it.name)));
        let of_line = there.iter().rev().find(|it| it.inside.is_none());
        named.or(of_line).map(|it| it.at.clone())
    }

    fn test_arguments(&self) -> &'static [&'static str] {
        &["-t"]
    }
}

fn adopt(file: &Path) -> Result<Adoption, AdoptError> {
    let (source, notes) = includes::expanded(file)?;
    let tree = parsed(&source)?;
    let mut draft = AdoptionDraft::of(&source, HOME);
    for (note, is_left) in notes {
        if is_left { draft.left.push(note) } else { draft.mapped.push(note) }
    }
    let Some(http) = tree.iter().find(|it| it.name == "http") else {
        return Err(unfit(&source, 0, "it has no `http` block: rig takes over HTTP listeners"));
    };
    let targets = ProxyTargets::of(http);
    let listeners = Listeners::of(http, &targets, &source)?;
    let found = routes::found(&mut draft, http, &listeners, targets)?;
    listeners.edit(&mut draft);
    surroundings::edit(&mut draft, &tree, listeners.tls());
    add(&mut draft, &tree, http);
    let limit = draft.limited(http.at.start, routes::limits(http));
    let upstream = found.upstream.as_ref();
    let balance = upstream.and_then(|upstream| balance(&mut draft, upstream));
    Ok(Adoption {
        file: file.to_owned(),
        edits: draft.edits,
        source: source.clone(),
        files: draft.files,
        pools: found.pools,
        routes: found.routes,
        tls: listeners.tls(),
        tls_to_servers: found.tls,
        balance,
        health_check: None,
        tries: found.tries,
        limit,
        deregister: Deregister::Reload,
        mapped: draft.mapped,
        left: draft.left,
    })
}

fn parsed(source: &Source) -> Result<Vec<Directive>, AdoptError> {
    parse(&source.text).map_err(|broken| {
        let lines = source.text.split_inclusive('\n').take(broken.line.saturating_sub(1));
        unfit(source, lines.map(str::len).sum(), broken.what)
    })
}

fn unfit(source: &Source, at: usize, what: &str) -> AdoptError {
    AdoptError::Unfit { place: source.place(at), what: what.to_owned() }
}

/// What rig needs and the configuration does not say.
fn add(draft: &mut AdoptionDraft<'_>, tree: &[Directive], http: &Directive) {
    let has = |name: &str| tree.iter().any(|it| it.name == name);
    let mut first = String::new();
    for (name, line) in [
        ("user", "user root;\n".to_owned()),
        ("pid", "pid \"{{ directory }}/nginx.pid\";\n".to_owned()),
        ("error_log", format!("{ERROR_LOG}\n")),
    ] {
        if !has(name) {
            first.push_str(&line);
        }
    }
    draft.edits.insert(tree.first().map_or(0, |it| it.at.start), first);
    let Some(inside) = http.inside.clone() else { return };
    let mut lines = format!("\n    # Added by rig.\n    {FORMAT}");
    if http.named("access_log").next().is_none() {
        lines.push_str(&format!("\n    {ACCESS_LOG}"));
    }
    for name in SCRATCH {
        let directive = format!("{name}_temp_path");
        if !http.below().iter().any(|it| it.name == directive) {
            lines.push_str(&format!("\n    {directive} \"{{{{ directory }}}}/tmp/{name}\";"));
        }
    }
    draft.edits.insert(inside.start, lines);
    draft.mapped(
        http.at.start,
        "added: a log line for each request, with rig's id, beside the ones that the file writes",
    );
}

/// How the upstream chooses a server, in the scenario's words.
fn balance(draft: &mut AdoptionDraft<'_>, upstream: &Directive) -> Option<Balance> {
    for it in &upstream.block {
        let by_address = ["$remote_addr", "$binary_remote_addr"].contains(&it.first());
        match it.name.as_str() {
            "least_conn" => return Some(Balance::LeastConnections),
            "ip_hash" => return Some(Balance::SourceHash),
            "hash" if by_address => return Some(Balance::SourceHash),
            "hash" => {
                let what = format!("`{}`: requests of one class go to one server", it.words());
                draft.left(
                    it.at.start,
                    what,
                    "give the mix of the scenario several classes with paths of their own",
                );
                return None;
            }
            "random" => return None,
            _ => {}
        }
    }
    Some(Balance::RoundRobin)
}

/// The address that refuses, as nginx writes it.
fn refusing() -> String {
    format!("unix:{{{{ sockets }}}}/{REFUSING}")
}

/// A note about the line at byte `at`.
fn note(source: &Source, at: usize, what: String, fix: &str) -> Note {
    adoption::Note { place: source.place(at), what, fix: fix.to_owned() }
}
