//! Which requests reach which upstream: the locations of the servers behind the cell's listener.

use super::listeners::Listeners;
use super::targets::{ProxyCondition, ProxyTarget, ProxyTargets};
use super::{AdoptError, AdoptionDraft, Directive, refusing, unfit};
use crate::balancer::adoption::{Limit, OwnPool, OwnRoute, Pools, Server, backends};

/// What the locations say.
pub(super) struct FoundRoute<'d> {
    pub(super) pools: Vec<OwnPool>,
    pub(super) routes: Vec<OwnRoute>,
    /// Whether servers are spoken to by TLS.
    pub(super) tls: bool,
    /// How often a request of the main route is tried, if more than once.
    pub(super) tries: Option<u32>,
    /// The upstream of the main route.
    pub(super) upstream: Option<&'d Directive>,
}

/// What is gathered on the way.
struct Search<'a, 'd, 's> {
    draft: &'a mut AdoptionDraft<'s>,
    targets: ProxyTargets<'d>,
    pools: Pools,
    routes: Vec<OwnRoute>,
    tls: bool,
    /// Addresses that have been put in already.
    placed: Vec<usize>,
}

pub(super) fn found<'d>(
    draft: &mut AdoptionDraft<'_>,
    http: &'d Directive,
    listeners: &Listeners<'d>,
    targets: ProxyTargets<'d>,
) -> Result<FoundRoute<'d>, AdoptError> {
    let mut search = Search {
        draft,
        targets,
        pools: Pools::default(),
        routes: Vec::new(),
        tls: false,
        placed: Vec::new(),
    };
    let mut servers = listeners.servers();
    // Whoever passes most on is the main one; the default server comes first among equals.
    servers.sort_by_key(|server| std::cmp::Reverse(search.targets.passed(server)));
    let default = listeners.servers().first().map(|server| server.at.start);
    for server in &servers {
        let host = host(server);
        let is_default = Some(server.at.start) == default;
        let has_host = host.is_some() || is_default;
        if !has_host && search.targets.passed(server) > 0 {
            let what = "no request can be made that is known to meet this `server_name`";
            search.draft.left(
                server.at.start,
                what,
                "add a plain name to it, or a class with its `host` to the scenario",
            );
        }
        search.locations(server, server, host.as_deref(), has_host);
    }
    let routes = std::mem::take(&mut search.routes);
    search.routes = search.draft.settled(routes);
    let Search { draft, targets, pools, routes, tls, .. } = &mut search;
    if routes.is_empty() {
        let what = "no location was found whose requests are known to reach a server: only prefix locations are followed";
        return Err(unfit(draft.source, http.at.start, what));
    }
    let main = routes.first().map(|route| route.pool.clone());
    let pool = pools.all().into_iter().find(|pool| Some(&pool.name) == main.as_ref());
    let upstream = pool.as_ref().and_then(|pool| targets.upstreams.get(pool.called.as_str()).copied());
    let several = pool.as_ref().map_or(1, |pool| pool.backends as u32);
    let tries = servers.first().and_then(|server| tries(http, server, several));
    let (pools, routes, tls) = (pools.all(), std::mem::take(routes), *tls);
    for (name, upstream) in &search.targets.upstreams {
        if search.pools.named(name).is_none() {
            let what = format!(
                "upstream {name}: no route of the scenario leads there; its servers refuse connections"
            );
            if upstream.named("server").any(|it| !search.draft.edits.covers(&it.at))
                && !search.placed.contains(&upstream.at.start)
            {
                search.draft.left(upstream.at.start, what, "");
                for server in upstream.named("server") {
                    no_server(search.draft, server);
                }
            }
        }
    }
    Ok(FoundRoute { pools, routes, tls, tries, upstream })
}

impl<'d> Search<'_, 'd, '_> {
    /// The locations of a block, at any depth.
    fn locations(&mut self, server: &'d Directive, block: &'d Directive, host: Option<&str>, has_host: bool) {
        for location in block.named("location") {
            let path = path(location);
            if location.named("internal").next().is_none() {
                self.location(server, location, path, host, has_host);
            }
            self.locations(server, location, host, has_host);
        }
    }

    fn location(
        &mut self,
        server: &'d Directive,
        location: &'d Directive,
        path: Option<&str>,
        host: Option<&str>,
        has_host: bool,
    ) {
        let own = location.named("proxy_pass").next();
        let pass = own.or_else(|| fallback(server, location)?.named("proxy_pass").next());
        // What stands in an `if` may be met or not.
        for inner in location.named("if").flat_map(|it| it.named("proxy_pass")) {
            for (_, target, tls) in self.targets.of_pass(inner) {
                self.pool(inner, &target, tls);
            }
        }
        let Some(pass) = pass else { return };
        for (when, target, tls) in self.targets.of_pass(pass) {
            let pool = self.pool(pass, &target, tls);
            let (Some(pool), true) = (pool, has_host) else { continue };
            let words = location.arguments.join(" ");
            let Some(path) = path else {
                if !words.starts_with('@') {
                    let what = format!(
                        "`location {words}`: no request is derived from it, so that the load does not go there"
                    );
                    self.draft.left(
                        location.at.start,
                        what,
                        "add a class with a path that it matches to the scenario",
                    );
                }
                continue;
            };
            let (header, host) = match when {
                ProxyCondition::Else => (None, host.map(str::to_owned)),
                ProxyCondition::Header(name, value) => (Some((name, value)), host.map(str::to_owned)),
                ProxyCondition::Host(name) => (None, Some(name)),
                ProxyCondition::Unknown => {
                    let what = format!("`{}`: when it leads to {pool} is not known", pass.words());
                    self.draft.left(pass.at.start, what, "add a class that leads there to the scenario");
                    continue;
                }
            };
            // What a location tries as a file first must not be one.
            let asks =
                if own.is_none() { format!("{}/page", path.trim_end_matches('/')) } else { path.to_owned() };
            let route = OwnRoute { path: path.to_owned(), asks, header, host, pool };
            self.routes.push(route);
        }
    }

    /// The pool that a target becomes; its servers are edited.
    fn pool(&mut self, pass: &Directive, target: &ProxyTarget, tls: bool) -> Option<String> {
        self.tls |= tls;
        match target {
            ProxyTarget::Unknown => {
                let what = format!("`{}`: whom it leads to is known when a request comes", pass.words());
                self.draft.left(pass.at.start, what, "name an upstream there");
                None
            }
            ProxyTarget::Address(address, at) => {
                let (pool, servers, _) = self.pools.of(address, std::slice::from_ref(address))?;
                if !self.placed.contains(&at.start) {
                    self.placed.push(at.start);
                    if let Some(Server::Is(id)) = servers.first() {
                        self.draft.edits.replace(at.clone(), format!("{{{{ backends[\"{id}\"] }}}}"));
                        let what = format!(
                            "{address} → pool {pool}, backend {id}: nginx can't take out the only server of a `proxy_pass`"
                        );
                        self.draft.mapped(at.start, what);
                    }
                }
                Some(pool)
            }
            ProxyTarget::Upstream(name) => self.upstream(name),
        }
    }

    fn upstream(&mut self, name: &str) -> Option<String> {
        let upstream = *self.targets.upstreams.get(name)?;
        let active =
            |it: &&Directive| !it.arguments.iter().any(|word| matches!(word.as_str(), "down" | "backup"));
        let serving: Vec<&Directive> = upstream.named("server").filter(active).collect();
        let addresses: Vec<String> = serving.iter().map(|it| it.first().to_owned()).collect();
        let (pool, servers, same) = self.pools.of(name, &addresses)?;
        if self.placed.contains(&upstream.at.start) {
            return Some(pool);
        }
        self.placed.push(upstream.at.start);
        let what = match same {
            None => format!("upstream {name} → pool {pool}, {}", backends(addresses.len())),
            Some(other) => format!("upstream {name} has the servers of {other}: it is the same pool, {pool}"),
        };
        self.draft.mapped(upstream.at.start, what);
        for (it, server) in serving.iter().zip(servers) {
            match server {
                Server::Is(id) => {
                    self.draft
                        .edits
                        .replace(it.arguments_at[0].clone(), format!("{{{{ backends[\"{id}\"] }}}}"));
                    self.draft.edits.insert(it.at.end - 1, format!("{{{{ down[\"{id}\"] }}}}"));
                }
                Server::Refuses(why) => {
                    no_server(self.draft, it);
                    self.draft.left(
                        it.at.start,
                        format!("{}: {why}; this one refuses connections", it.first()),
                        "",
                    );
                }
            }
            for (word, place) in it.arguments.iter().zip(&it.arguments_at) {
                if word == "resolve"
                    || ["slow_start=", "service=", "route="].iter().any(|known| word.starts_with(known))
                {
                    self.draft.edits.replace(place.start - 1..place.end, "");
                    self.draft.left(
                        it.at.start,
                        format!("`{word}` is left out: the server has an address of the cell"),
                        "",
                    );
                }
            }
        }
        for it in upstream.named("server").filter(|it| !active(it)) {
            let what = format!("{}: it serves only if others are down; rig launches none for it", it.words());
            self.draft.mapped(it.at.start, what);
            no_server(self.draft, it);
        }
        Some(pool)
    }
}

/// A name that a request can ask for: the first that is one.
fn host(server: &Directive) -> Option<String> {
    let names = server.named("server_name").flat_map(|it| &it.arguments);
    names.into_iter().find_map(|name| {
        let name = name.strip_prefix("*.").map_or_else(|| name.clone(), |rest| format!("www.{rest}"));
        let name = name.trim_start_matches('.');
        let fits = !name.starts_with('~') && name.contains('.')
            || name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let fits = fits && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        (fits && !name.is_empty()).then(|| name.to_owned())
    })
}

/// The prefix that a location matches; `None`: it is no prefix.
fn path(location: &Directive) -> Option<&str> {
    let path = match location.arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [path] if path.starts_with('/') => *path,
        ["^~", path] => *path,
        _ => return None,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "/-._~%".contains(c);
    let path = location.arguments.iter().find(|it| it.as_str() == path)?;
    path.chars().all(fits).then_some(path.as_str())
}

/// Where a location sends what it hasn't got itself.
fn fallback<'d>(server: &'d Directive, location: &'d Directive) -> Option<&'d Directive> {
    let of = |name: &'static str| location.named(name).chain(server.named(name)).next();
    let tried = of("try_files").and_then(|it| it.arguments.last()).filter(|it| it.starts_with('@'));
    let missing = || of("error_page").filter(|it| it.first() == "404").and_then(|it| it.arguments.last());
    let name = tried.or_else(|| missing().filter(|it| it.starts_with('@')))?;
    server.named("location").find(|it| it.first() == name)
}

/// How often a request is tried, as it holds in `server`.
fn tries(http: &Directive, server: &Directive, servers: u32) -> Option<u32> {
    let inside: Vec<&Directive> = server.below();
    let said = |name: &'static str| {
        inside.iter().copied().find(|it| it.name == name).or_else(|| http.named(name).next())
    };
    let on = said("proxy_next_upstream").is_none_or(|it| it.first() != "off");
    let most = said("proxy_next_upstream_tries").and_then(|it| it.first().parse::<u32>().ok());
    let tries = most.filter(|most| *most > 0).map_or(servers, |most| most.min(servers));
    (on && tries > 1).then_some(tries)
}

/// What is let through from one address.
pub(super) fn limits(http: &Directive) -> Vec<Limit> {
    let all = http.below();
    let value = |it: &'_ Directive, key: &str| {
        it.arguments.iter().find_map(|word| word.strip_prefix(key).map(str::to_owned))
    };
    let rate = |text: &str| {
        let number = |text: &str| text.parse::<f64>().ok();
        text.strip_suffix("r/s").and_then(number).or_else(|| Some(number(text.strip_suffix("r/m")?)? / 60.0))
    };
    let zones = all.iter().filter(|it| it.name == "limit_req_zone");
    let zones: Vec<(String, f64)> = zones
        .filter_map(|it| {
            Some((value(it, "zone=")?.split(':').next()?.to_owned(), rate(&value(it, "rate=")?)?))
        })
        .collect();
    let requests = all.iter().filter(|it| it.name == "limit_req").filter_map(|it| {
        let zone = value(it, "zone=")?;
        let (_, rate) = zones.iter().find(|(name, _)| *name == zone)?;
        Some(Limit::per_second(*rate, format!("`limit_req zone={zone}`")))
    });
    let connections = all.iter().filter(|it| it.name == "limit_conn").filter_map(|it| {
        Some(Limit::at_once(it.arguments.get(1)?.parse().ok()?, format!("`{}`", it.words())))
    });
    requests.chain(connections).collect()
}

/// A server that rig launches none for.
fn no_server(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    if let Some(first) = it.arguments_at.first() {
        draft.edits.replace(first.clone(), refusing());
    }
    for (word, place) in it.arguments.iter().zip(&it.arguments_at) {
        if word == "resolve"
            || ["slow_start=", "service=", "route="].iter().any(|known| word.starts_with(known))
        {
            draft.edits.replace(place.start - 1..place.end, "");
        }
    }
}
