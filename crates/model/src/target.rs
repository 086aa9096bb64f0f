//! A target that rig did not launch: where it is, how it says who answered, and the commands that deploy it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::shell;
use crate::units::Span;
use crate::visible::visible;

/// The pool of a target that is deployed step by step.
pub const POOL: &str = "target";

/// What the load goes to, where rig launches neither balancer nor backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// Where it is.
    pub url: TargetUrl,
    /// The name that requests (Host) and handshakes (SNI) ask for; `None`: the one of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A PEM file of the authorities that certificates are verified by; `None`: those that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<PathBuf>,
    /// The response header that says who answered, such as `X-Version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_header: Option<String>,
    /// The instances that are deployed step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backends: Vec<String>,
    /// What deploys it.
    #[serde(default)]
    pub commands: TargetCommands,
    /// Where its commands run and its files are: the directory of the scenario.
    #[serde(default)]
    pub directory: PathBuf,
}

impl Target {
    /// The name that requests and handshakes ask for.
    pub fn name(&self) -> &str {
        self.host.as_deref().unwrap_or(&self.url.host)
    }

    /// The value of the requests' Host header: with the port, unless it is the scheme's own (RFC 9110, section 7.2).
    pub fn authority_of_requests(&self) -> String {
        match (&self.host, self.url.is_default_port()) {
            (Some(host), _) => host.clone(),
            (None, true) => self.url.bracketed_host(),
            (None, false) => format!("{}:{}", self.url.bracketed_host(), self.url.port),
        }
    }
}

/// An `http://` or `https://` address. The path is the load's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl {
    /// Whether it speaks TLS.
    pub tls: bool,
    /// A name or an address; an address of IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path and query, `/` if there is none.
    pub path: String,
}

impl TargetUrl {
    fn is_default_port(&self) -> bool {
        self.port == default_port(self.tls)
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Whether it names this machine by an address or by `localhost`.
    pub fn is_loopback(&self) -> bool {
        let address = self.host.parse::<std::net::IpAddr>();
        self.host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
    }

    /// Whether connections from other loopback addresses than 127.0.0.1 lead there. `localhost` may be `::1` as well, which
    /// has one address.
    pub fn takes_sources(&self) -> bool {
        self.host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.bracketed_host())?;
        if !self.is_default_port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)
    }
}

/// A text that is no URL of a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the URL of a target: {reason}", visible(.text))]
pub struct TargetUrlError {
    text: String,
    reason: &'static str,
}

impl FromStr for TargetUrl {
    type Err = TargetUrlError;
    fn from_str(text: &str) -> Result<TargetUrl, TargetUrlError> {
        let wrong = |reason| TargetUrlError { text: text.to_owned(), reason };
        let (tls, rest) = match (strip_prefix(text, "https://"), strip_prefix(text, "http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err(wrong("it must begin with http:// or https://")),
        };
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("it may hold visible ASCII only"));
        }
        if text.contains('#') {
            return Err(wrong("a fragment (#) is never sent"));
        }
        let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        if authority.contains('@') {
            return Err(wrong("a user or password has no place in it; send a header instead"));
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| wrong("a bracket is not closed"))?;
                (host, (!rest.is_empty()).then(|| rest.strip_prefix(':').unwrap_or("x")))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || !host.chars().all(named) {
            return Err(wrong("it names no host"));
        }
        let port = match port {
            None => default_port(tls),
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(wrong("its port is no number from 1 to 65535")),
            },
        };
        let path = match path {
            "" => "/".to_owned(),
            query if query.starts_with('?') => format!("/{query}"),
            path => path.to_owned(),
        };
        Ok(TargetUrl { tls, host: host.to_owned(), port, path })
    }
}

/// Schemes are written in either case (RFC 3986, section 3.1).
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

impl Serialize for TargetUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which of a target's commands it is, as scenarios and histories name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandName {
    /// The whole deploy.
    Roll,
    /// Takes one instance out of the balancer.
    Deregister,
    /// Whether an instance has nothing in flight.
    Drained,
    /// Ends one instance.
    Terminate,
    /// Starts the next generation of one instance.
    Launch,
    /// Whether the new generation can serve.
    Ready,
    /// Puts one instance back into the balancer.
    Register,
    /// Puts everything back as it was.
    Restore,
}

impl CommandName {
    /// The key of the scenario.
    pub const fn name(self) -> &'static str {
        match self {
            CommandName::Roll => "roll",
            CommandName::Deregister => "deregister",
            CommandName::Drained => "drained",
            CommandName::Terminate => "terminate",
            CommandName::Launch => "launch",
            CommandName::Ready => "ready",
            CommandName::Register => "register",
            CommandName::Restore => "restore",
        }
    }

    /// Whether it is asked until it says yes: exit code 0 is yes, 1 is not yet.
    pub const fn is_asked(self) -> bool {
        matches!(self, CommandName::Drained | CommandName::Ready)
    }

    /// Whether it is a part of a deploy.
    pub const fn deploys(self) -> bool {
        !matches!(self, CommandName::Restore)
    }

    /// Whether it is about one instance.
    pub const fn is_step(self) -> bool {
        !matches!(self, CommandName::Roll | CommandName::Restore)
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What deploys a target: all at once, or step by step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetCommands {
    /// The whole deploy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub roll: Option<TargetCommand>,
    /// Takes one instance out of the balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregister: Option<TargetCommand>,
    /// Whether an instance that was taken out has nothing in flight: exit code 0 is yes, 1 is not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained: Option<TargetCommand>,
    /// Ends one instance, and returns once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminate: Option<TargetCommand>,
    /// Starts the next generation of one instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch: Option<TargetCommand>,
    /// Whether the new generation can serve: exit code 0 is yes, 1 is not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<TargetCommand>,
    /// Puts one instance back into the balancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<TargetCommand>,
    /// Puts everything back as it was, at every orderly end of a cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restore: Option<TargetCommand>,
}

impl TargetCommands {
    /// Every command there is, by its name in scenarios, in the order in which they run.
    pub fn all(&self) -> impl Iterator<Item = (CommandName, &TargetCommand)> {
        let TargetCommands { roll, deregister, drained, terminate, launch, ready, register, restore } = self;
        let named = [
            (CommandName::Roll, roll),
            (CommandName::Deregister, deregister),
            (CommandName::Drained, drained),
            (CommandName::Terminate, terminate),
            (CommandName::Launch, launch),
            (CommandName::Ready, ready),
            (CommandName::Register, register),
            (CommandName::Restore, restore),
        ];
        named.into_iter().filter_map(|(name, command)| Some((name, command.as_ref()?)))
    }
}

/// A program with its arguments, run as it is, without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCommand {
    /// The program and its arguments. `{backend}` is the instance that a step is about.
    pub run: Vec<String>,
    /// How long it may take.
    pub within: Span,
    /// What of rig's environment it gets, by name, beside PATH, HOME, USER, LANG and TMPDIR; `None`: all of it.
    #[serde(default)]
    pub environment: Option<Vec<String>>,
}

impl TargetCommand {
    /// As a shell would take it.
    pub fn shown(&self) -> String {
        shell::line(&self.run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written_again() {
        for (text, again) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("https://shop.test", "https://shop.test/"),
            ("HTTPS://shop.test:443/a?b=c", "https://shop.test/a?b=c"),
            ("http://[::1]:81/x", "http://[::1]:81/x"),
            ("http://shop.test?x", "http://shop.test/?x"),
        ] {
            assert_eq!(text.parse::<TargetUrl>().unwrap().to_string(), again);
        }
        for text in [
            "shop.test",
            "ftp://shop.test",
            "http://",
            "http://a b",
            "http://u:p@shop.test",
            "http://shop.test:0",
            "http://shop.test:x",
            "http://shop.test/#f",
            "http://[::1",
            "http://[::1]8",
            "http://sh\u{202e}op.test",
        ] {
            assert!(text.parse::<TargetUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn requests_ask_for_the_name_of_the_url_or_another() {
        let target = |url: &str, host: Option<&str>| Target {
            url: url.parse().unwrap(),
            host: host.map(str::to_owned),
            authority: None,
            identity_header: None,
            backends: vec![],
            commands: TargetCommands::default(),
            directory: PathBuf::new(),
        };
        assert_eq!(target("https://shop.test", None).authority_of_requests(), "shop.test");
        assert_eq!(target("http://[::1]:81", None).authority_of_requests(), "[::1]:81");
        assert_eq!(target("http://127.0.0.1:81", Some("shop.test")).authority_of_requests(), "shop.test");
        assert_eq!(target("http://127.0.0.1:81", Some("shop.test")).name(), "shop.test");
    }

    #[test]
    fn loopback_is_known_by_what_it_is() {
        let is = |url: &str| url.parse::<TargetUrl>().unwrap().is_loopback();
        assert!(is("http://127.9.9.9") && is("http://[::1]") && is("http://LOCALHOST"));
        assert!(!is("http://10.0.0.1") && !is("http://localhost.shop.test"));
    }
}
