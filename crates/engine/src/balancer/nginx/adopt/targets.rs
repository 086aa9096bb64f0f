//! What a `proxy_pass` leads to: an upstream, an address, or a variable whose values the file lists.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Directive;

/// ProxyCondition a variable has a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProxyCondition {
    /// Always, or unless something else is said.
    Else,
    /// If a header has this value.
    Header(String, String),
    /// If this host is asked for.
    Host(String),
    /// A request can't be made that is known to meet it.
    Unknown,
}

/// A value that a variable may have, and where it stands.
#[derive(Clone, Debug)]
struct ConditionedValue {
    when: ProxyCondition,
    text: String,
    at: Range<usize>,
}

/// Whom a request is passed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ProxyTarget {
    /// The servers of an upstream.
    Upstream(String),
    /// One server, whose address stands there.
    Address(String, Range<usize>),
    /// Refuses knows before the request.
    Unknown,
}

/// Upstreams, and the values of variables.
pub(super) struct ProxyTargets<'d> {
    pub(super) upstreams: BTreeMap<&'d str, &'d Directive>,
    variables: BTreeMap<&'d str, Vec<ConditionedValue>>,
}

impl<'d> ProxyTargets<'d> {
    pub(super) fn of(http: &'d Directive) -> ProxyTargets<'d> {
        let upstreams = http.named("upstream").map(|it| (it.first(), it)).collect();
        let mut variables: BTreeMap<&str, Vec<ConditionedValue>> = BTreeMap::new();
        for it in http.below() {
            let Some((name, values)) = assigned(it) else { continue };
            variables.entry(name).or_default().extend(values);
        }
        ProxyTargets { upstreams, variables }
    }

    /// Whom a `proxy_pass` passes to, and whether it speaks TLS with them.
    pub(super) fn of_pass(&self, pass: &Directive) -> Vec<(ProxyCondition, ProxyTarget, bool)> {
        let Some(at) = pass.arguments_at.first() else { return Vec::new() };
        let quote = usize::from(at.len() > pass.first().len());
        let whole = ConditionedValue {
            when: ProxyCondition::Else,
            text: pass.first().to_owned(),
            at: at.start + quote..at.end - quote,
        };
        let mut found = Vec::new();
        self.resolve(&whole, false, 0, &mut found);
        found
    }

    fn resolve(
        &self,
        value: &ConditionedValue,
        tls: bool,
        depth: usize,
        found: &mut Vec<(ProxyCondition, ProxyTarget, bool)>,
    ) {
        let (scheme, rest) =
            value.text.split_once("://").map_or(("", value.text.as_str()), |(s, rest)| (s, rest));
        let tls = tls || scheme == "https";
        let host = rest.strip_prefix("unix:").map_or_else(
            || rest.split('/').next().unwrap_or_default(),
            |path| &rest[..5 + path.find(':').unwrap_or(path.len())],
        );
        let start = value.at.start + value.text.len() - rest.len();
        let name = host.trim_start_matches("${").trim_start_matches('$').trim_end_matches('}');
        let target = match host {
            "" => ProxyTarget::Unknown,
            _ if self.upstreams.contains_key(host) => ProxyTarget::Upstream(host.to_owned()),
            // A variable alone: with anything beside it, its values are only parts of addresses.
            _ if host.starts_with('$')
                && host.matches('$').count() == 1
                && depth < 4
                && self.variables.contains_key(name) =>
            {
                for inner in &self.variables[name] {
                    let mut below = Vec::new();
                    self.resolve(inner, tls, depth + 1, &mut below);
                    let when = |own: ProxyCondition| {
                        if inner.when == ProxyCondition::Else { own } else { inner.when.clone() }
                    };
                    let when_of = |own| match &value.when {
                        ProxyCondition::Else => when(own),
                        outer => outer.clone(),
                    };
                    found.extend(below.into_iter().map(|(own, target, tls)| (when_of(own), target, tls)));
                }
                return;
            }
            _ if host.contains('$') => ProxyTarget::Unknown,
            _ => ProxyTarget::Address(host.to_owned(), start..start + host.len()),
        };
        found.push((value.when.clone(), target, tls));
    }

    /// How many places of `server` pass requests on.
    pub(super) fn passed(&self, server: &Directive) -> usize {
        server.below().iter().filter(|it| it.name == "proxy_pass").count()
    }
}

/// The variable that a directive gives values, and those.
fn assigned(it: &Directive) -> Option<(&str, Vec<ConditionedValue>)> {
    let variable = |word: &'_ str| word.strip_prefix('$').map(str::len).map(|length| word.len() - length);
    match it.name.as_str() {
        "set" => {
            let (name, text) = (it.arguments.first()?, it.arguments.get(1)?);
            let at = unquoted(it.arguments_at.get(1)?, text);
            Some((
                &name[variable(name)?..],
                vec![ConditionedValue { when: ProxyCondition::Else, text: text.clone(), at }],
            ))
        }
        "map" => {
            let (of, name) = (it.arguments.first()?, it.arguments.get(1)?);
            let values = it.block.iter().filter_map(|line| {
                let text = line.arguments.first()?;
                let at = unquoted(line.arguments_at.first()?, text);
                Some(ConditionedValue { when: when(of, &line.name), text: text.clone(), at })
            });
            Some((&name[variable(name)?..], values.collect()))
        }
        "split_clients" => {
            let name = it.arguments.get(1)?;
            let values = it.block.iter().filter_map(|line| {
                let text = line.arguments.first()?;
                let when = if line.name == "*" { ProxyCondition::Else } else { ProxyCondition::Unknown };
                Some(ConditionedValue {
                    when,
                    text: text.clone(),
                    at: unquoted(line.arguments_at.first()?, text),
                })
            });
            Some((&name[variable(name)?..], values.collect()))
        }
        _ => None,
    }
}

/// The place of a word without its quotes.
fn unquoted(at: &Range<usize>, text: &str) -> Range<usize> {
    let quote = usize::from(at.len() > text.len());
    at.start + quote..at.end - quote
}

/// ProxyCondition a map's line applies.
fn when(of: &str, key: &str) -> ProxyCondition {
    let plain = !key.starts_with(['~', '*', '.']) && !key.contains('*');
    match (key, of) {
        ("default", _) => ProxyCondition::Else,
        ("" | "include" | "hostnames" | "volatile", _) => ProxyCondition::Unknown,
        (_, "$host" | "$http_host" | "$ssl_server_name") if plain => ProxyCondition::Host(key.to_owned()),
        _ if !plain => ProxyCondition::Unknown,
        (_, of) => match (of.strip_prefix("$http_"), of.strip_prefix("$cookie_")) {
            (Some(header), _) => ProxyCondition::Header(header.replace('_', "-"), key.to_owned()),
            (_, Some(cookie)) => ProxyCondition::Header("cookie".to_owned(), format!("{cookie}={key}")),
            _ => ProxyCondition::Unknown,
        },
    }
}
