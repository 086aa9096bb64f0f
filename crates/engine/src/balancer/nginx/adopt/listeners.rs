//! Which of its `listen` becomes the cell's listener, and where the others go.

use std::collections::BTreeMap;

use super::targets::ProxyTargets;
use super::{AdoptError, AdoptionDraft, Directive, Source, unfit};

/// One server on one address.
struct Listen<'d> {
    server: &'d Directive,
    /// `None`: the server has no `listen`, so that nginx takes port 80.
    directive: Option<&'d Directive>,
    address: String,
    is_tls: bool,
    is_quic: bool,
}

/// All of them, and the one that is the cell's.
pub(super) struct Listeners<'d> {
    all: Vec<Listen<'d>>,
    main: String,
    tls: bool,
}

/// Parameters that a socket of a file has not.
const OF_TCP: [&str; 6] = ["ipv6only=", "reuseport", "so_keepalive=", "fastopen=", "deferred", "setfib="];

impl<'d> Listeners<'d> {
    pub(super) fn of(
        http: &'d Directive,
        targets: &ProxyTargets<'d>,
        source: &Source,
    ) -> Result<Listeners<'d>, AdoptError> {
        let mut all = Vec::new();
        for server in http.named("server") {
            let has_ssl = server.named("ssl").any(|it| it.first() == "on");
            let before = all.len();
            for it in server.named("listen") {
                let word = |wanted: &str| it.arguments.iter().any(|word| word == wanted);
                all.push(Listen {
                    server,
                    directive: Some(it),
                    address: normal(it.first()),
                    is_tls: word("ssl") || has_ssl,
                    is_quic: word("quic") || word("http3"),
                });
            }
            if all.len() == before {
                all.push(Listen {
                    server,
                    directive: None,
                    address: normal("80"),
                    is_tls: has_ssl,
                    is_quic: false,
                });
            }
        }
        // The one that leads to most of the servers; of two such the one with TLS, then the usual port.
        let mut scores: BTreeMap<&str, (usize, bool, bool, bool)> = BTreeMap::new();
        for listen in all.iter().filter(|listen| !listen.is_quic && !listen.address.starts_with("unix:")) {
            let score = scores.entry(&listen.address).or_default();
            score.0 += targets.passed(listen.server);
            score.1 |= listen.is_tls;
            score.2 = listen.address == "*:443";
            score.3 = listen.address == "*:80";
        }
        let best = scores.into_iter().filter(|(_, score)| score.0 > 0).max_by_key(|(_, score)| *score);
        let Some((main, (_, tls, ..))) = best else {
            let what = "no `server` of it passes requests on by `proxy_pass`: there is nothing to test";
            return Err(unfit(source, http.at.start, what));
        };
        let main = main.to_owned();
        Ok(Listeners { all, main, tls })
    }

    pub(super) fn tls(&self) -> bool {
        self.tls
    }

    /// The servers behind the cell's listener, in nginx's order: the first is the default one, unless another says so.
    pub(super) fn servers(&self) -> Vec<&'d Directive> {
        let mut mine: Vec<&Listen<'d>> =
            self.all.iter().filter(|it| it.address == self.main && !it.is_quic).collect();
        let is_default = |it: &Listen<'_>| {
            it.directive.is_some_and(|it| {
                it.arguments.iter().any(|word| word == "default_server" || word == "default")
            })
        };
        mine.sort_by_key(|it| !is_default(it));
        mine.into_iter().map(|it| it.server).collect()
    }

    pub(super) fn edit(&self, draft: &mut AdoptionDraft<'_>) {
        let mut told = Vec::new();
        for listen in &self.all {
            let is_main = listen.address == self.main;
            let at = listen.directive.map_or(listen.server.at.start, |it| it.at.start);
            if listen.is_quic {
                if let Some(it) = listen.directive {
                    draft.edits.remove(&draft.source.text, it.at.clone());
                    draft.left(at, format!("`{}`: rig's client speaks HTTP/1.1, not HTTP/3", it.words()), "");
                }
                continue;
            }
            let address = if is_main { "{{ listener }}".to_owned() } else { socket(&listen.address) };
            if !told.contains(&listen.address) {
                told.push(listen.address.clone());
                let what = match is_main {
                    true => format!("listen {}: the cell's listener", listen.address),
                    false => format!(
                        "listen {}: kept on a socket of the cell; the load does not go there",
                        listen.address
                    ),
                };
                draft.mapped(at, what);
            }
            match listen.directive {
                Some(it) => self.edit_one(draft, it, &address, is_main),
                None => {
                    if let Some(inside) = &listen.server.inside {
                        draft.edits.insert(inside.start, format!(" listen {address};"));
                    }
                }
            }
        }
    }

    fn edit_one(&self, draft: &mut AdoptionDraft<'_>, it: &Directive, address: &str, is_main: bool) {
        if let Some(first) = it.arguments_at.first() {
            draft.edits.replace(first.clone(), address);
        }
        for (word, place) in it.arguments.iter().zip(&it.arguments_at).skip(1) {
            let of_tcp = !is_main && OF_TCP.iter().any(|known| word.starts_with(known));
            let secret = !self.tls && matches!(word.as_str(), "ssl" | "http2");
            if word == "proxy_protocol" {
                let what =
                    "`proxy_protocol`: rig's client sends no PROXY header, so that the word is taken out";
                draft.left(it.at.start, what, "");
            }
            if of_tcp || secret || word == "proxy_protocol" || word.starts_with("ipv6only") {
                draft.edits.replace(place.start - 1..place.end, "");
            }
        }
    }
}

/// A socket of the cell in the place of `address`.
pub(super) fn socket(address: &str) -> String {
    let name: String = address.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches('-');
    let six = if address.contains("::") { "v6-" } else { "" };
    format!("unix:{{{{ sockets }}}}/{six}{}.sock", &name[name.len().saturating_sub(24)..])
}

/// The address with everything that nginx takes for the same written in the same way.
fn normal(address: &str) -> String {
    if address.starts_with("unix:") {
        return address.to_owned();
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ if address.bytes().all(|c| c.is_ascii_digit()) => ("*", address),
        _ => (address, "80"),
    };
    let host = if host == "0.0.0.0" { "*" } else { host };
    format!("{host}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_as_nginx_does() {
        for (written, normally) in [
            ("80", "*:80"),
            ("0.0.0.0:443", "*:443"),
            ("[::]:443", "[::]:443"),
            ("[::1]", "[::1]:80"),
            ("127.0.0.1", "127.0.0.1:80"),
            ("unix:/run/x.sock", "unix:/run/x.sock"),
        ] {
            assert_eq!(normal(written), normally);
        }
        assert_ne!(socket("[::]:80"), socket("*:80"));
    }
}
