//! The scenario that goes with a configuration that was taken over: its pools, a load over its routes, and a rolling deploy
//! with and without draining.

use std::fmt::Write;

use model::catalog::BalancerKind;
use model::timeline::Deregister;
use model::tls::SERVER_NAME;
use model::topology::Balance;
use model::visible::visible;

use super::{Adoption, BELOW, Limit, OwnPool, OwnRoute, RATE};

/// The share of POSTs: a balancer that tries again does so with requests that it may repeat, and these it may not.
const POSTS: u32 = 30;

impl Adoption {
    /// The scenario, for the balancer called `balancer`, of `kind`, whose template is `config` beside it.
    pub fn scenario(&self, name: &str, balancer: &str, kind: BalancerKind, config: &str) -> String {
        let mut out = String::new();
        self.write(&mut out, name, &format!("{balancer}: {{ kind: {kind}, config: {config} }}"))
            .expect("a string takes all text");
        out
    }

    /// The pool that the scenario deploys: that of the widest route with more than one backend.
    pub fn deployed(&self) -> Option<&OwnPool> {
        let mut routes: Vec<&OwnRoute> = self.routes.iter().collect();
        routes.sort_by_key(|route| (route.header.is_some() || route.host.is_some(), route.path.len()));
        let pools = routes.iter().filter_map(|route| self.pools.iter().find(|pool| pool.name == route.pool));
        pools.into_iter().find(|pool| pool.backends > 1)
    }

    /// The load's rate, in requests per second.
    pub fn rate(&self) -> f64 {
        let most = self.limit.as_ref().map_or(RATE, |limit| RATE.min(limit.rate * BELOW));
        if most >= 1.0 { most.floor() } else { (most * 10.0).floor().max(1.0) / 10.0 }
    }

    fn write(&self, out: &mut String, name: &str, balancer: &str) -> std::fmt::Result {
        let file = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = one_line(&file);
        let deployed = self.deployed();
        writeln!(
            out,
            "# Written by `rig adopt {file}`. `rig validate --explain` shows every value; change what you like."
        )?;
        writeln!(out, "name: {name}")?;
        writeln!(
            out,
            "question: {}",
            quoted(&match deployed {
                Some(pool) => format!("Does a rolling deploy of {} behind {file} lose requests?", pool.name),
                None => format!("Does {file} lose requests?"),
            })
        )?;
        writeln!(out, "balancers: {{ {balancer} }}")?;
        self.write_topology(out)?;
        self.write_load(out)?;
        let Some(pool) = deployed else {
            return writeln!(out, "variants: {{ load: {{}} }}\nexpect: [ load.dropped == 0 ]");
        };
        let how = if self.deregister == Deregister::Reload { ", deregister: reload" } else { "" };
        writeln!(
            out,
            "timeline: {{ rollout: {{ at: 4s, deploy: {{ pool: {}, drain: off }} }} }}",
            pool.name
        )?;
        writeln!(out, "variants:")?;
        writeln!(out, "  without-drain: {{}}")?;
        writeln!(out, "  with-drain: {{ timeline: {{ rollout: {{ deploy: {{ drain: auto{how} }} }} }} }}")?;
        writeln!(out, "control: [ without-drain.dropped > 0 ]")?;
        writeln!(out, "expect: [ with-drain.dropped == 0, with-drain.replaced == all ]")?;
        writeln!(out, "reading: >")?;
        writeln!(
            out,
            "  Behind this configuration, a rolling deploy of {} without draining lost {{without-drain.dropped}} requests, and",
            pool.name
        )?;
        writeln!(
            out,
            "  {{without-drain.masked}} more ended well only because the balancer tried again. With draining it lost"
        )?;
        writeln!(out, "  {{with-drain.dropped}}.")
    }

    fn write_topology(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "topology:\n  pools:")?;
        let health =
            self.health_check.as_ref().map(|check| check.path.as_str()).filter(|path| *path != "/health");
        // As many requests are in flight at a low rate as at a higher one, so that a deploy has something to lose.
        let slower = match &self.limit {
            Some(limit) if !limit.at_once => (100.0 / self.rate()).clamp(1.0, 5.0),
            _ => 1.0,
        };
        let (from, to) = ((50.0 * slower).round(), (400.0 * slower).round());
        for pool in &self.pools {
            let latency = format!("latency: {{ uniform: [{from}ms, {to}ms] }}");
            let mut says = format!("backends: {}, boot: 500ms, {latency}, on_term: exit", pool.backends);
            if let Some(path) = health {
                write!(says, ", health_path: {}", quoted(path))?;
            }
            writeln!(out, "    {}: {{ {says} }}  # {}", pool.name, one_line(&pool.called))?;
        }
        writeln!(out, "  routes:")?;
        for (name, route) in self.named_routes() {
            let header =
                route.header.clone().or_else(|| route.host.clone().map(|host| ("Host".to_owned(), host)));
            let header = header.filter(|_| !self.is_default(route));
            let header = header.map_or(String::new(), |(name, value)| {
                format!(", header: {{ {}: {} }}", quoted(&name), quoted(&value))
            });
            writeln!(out, "    {name}: {{ path: {}{header}, to: {} }}", quoted(&route.path), route.pool)?;
        }
        match (self.tls, self.tls_to_servers) {
            (true, true) => writeln!(out, "  listener: {{ tls: reencrypt }}")?,
            (true, false) => writeln!(out, "  listener: {{ tls: terminate }}")?,
            (false, _) => {}
        }
        writeln!(
            out,
            "  # What follows is read from the configuration, and repeated here for those who read this file."
        )?;
        if let Some(balance) = self.balance {
            let word = match balance {
                Balance::RoundRobin => "round_robin",
                Balance::LeastConnections => "least_connections",
                Balance::TwoChoices => "two_choices",
                Balance::SourceHash => "source_hash",
            };
            writeln!(out, "  balance: {word}")?;
        }
        if let Some(check) = &self.health_check {
            writeln!(
                out,
                "  health_check: {{ path: {}, every: {}, timeout: {}, fall: {}, rise: {} }}",
                quoted(&check.path),
                check.every,
                check.timeout,
                check.fall,
                check.rise
            )?;
        } else {
            writeln!(out, "  health_check: off")?;
        }
        if self.tries.is_some() {
            writeln!(
                out,
                "  # It tries failed requests again, which can hide losses: they are then `masked`. POSTs show what it can't repeat."
            )?;
        }
        match self.tries {
            Some(tries) => writeln!(out, "  retries: {{ tries: {} }}", tries.clamp(2, 10))?,
            None => writeln!(out, "  retries: off")?,
        }
        writeln!(out, "  passive_health: default")
    }

    fn write_load(&self, out: &mut String) -> std::fmt::Result {
        let rate = self.rate();
        if let Some(Limit { rate: limit, says, .. }) = &self.limit {
            writeln!(
                out,
                "# The load comes from one address, and {says} lets {limit:.0} requests per second of an address through."
            )?;
        }
        writeln!(out, "load:\n  rate: {rate}/s\n  for: {}s\n  warmup: 2s\n  timeout: 5s", self.seconds())?;
        if self.deployed().is_some() && self.deregister == Deregister::Reload {
            writeln!(
                out,
                "  # Each deregistration is a reload, at which the balancer closes idle connections: a request that is then on its way there\n  \
                 # is lost, drained or not. One connection per request asks about the deploy alone, `0%` about both."
            )?;
            writeln!(out, "  fresh_connections: 100%")?;
        }
        if self.balance == Some(Balance::SourceHash) {
            let users = (rate * 2.0).clamp(1.0, 60.0);
            writeln!(out, "  users: {{ count: {users:.0}, identity: source_address }}")?;
        }
        writeln!(out, "  mix:")?;
        let routes = self.named_routes();
        let others = routes.len().saturating_sub(1) as u32;
        let each = 40_u32.checked_div(others).map_or(0, |each| each.clamp(1, 10));
        for (n, (name, route)) in routes.iter().enumerate() {
            let class = |share: u32, more: &str| {
                // The name also says that the client may speak any version of TLS.
                let host = route.host.clone().or_else(|| self.tls.then(|| SERVER_NAME.to_owned()));
                let host = host.as_ref().map_or(String::new(), |host| format!(", host: {}", quoted(host)));
                let headers = route.header.as_ref().map_or(String::new(), |(name, value)| {
                    format!(", headers: {{ {}: {} }}", quoted(name), quoted(value))
                });
                format!(
                    "{{ share: {share}%{host}, path: {}{headers}{more}, expect: {{ pool: {} }} }}",
                    quoted(&route.asks),
                    route.pool
                )
            };
            if n > 0 {
                writeln!(out, "    {name}: {}", class(each, ""))?;
                continue;
            }
            writeln!(out, "    {name}: {}", class(100 - POSTS - each * others, ""))?;
            writeln!(out, "    posts: {}", class(POSTS, ", method: POST, body: 2KiB"))?;
        }
        Ok(())
    }

    /// The main route first, each with a name of its own.
    fn named_routes(&self) -> Vec<(String, &OwnRoute)> {
        let main = self.deployed().map(|pool| pool.name.as_str());
        let mut routes: Vec<&OwnRoute> = self.routes.iter().collect();
        routes.sort_by_key(|route| {
            (
                Some(route.pool.as_str()) != main,
                !self.is_default(route),
                route.header.is_some(),
                route.path.len(),
            )
        });
        let mut named: Vec<(String, &OwnRoute)> = Vec::new();
        for route in routes.into_iter().take(15) {
            let names =
                std::iter::once(route.pool.clone()).chain((2..).map(|n| format!("{}-r{n}", route.pool)));
            let free = names.into_iter().find(|name| named.iter().all(|(known, _)| known != name));
            named.push((free.unwrap_or_default(), route));
        }
        named
    }

    /// Whether a route is for the host that the load asks for anyway.
    fn is_default(&self, route: &OwnRoute) -> bool {
        let first = self.routes.first().and_then(|route| route.host.as_ref());
        route.header.is_none() && route.host.as_ref() == first
    }

    /// How long the load lasts: a deploy replaces one backend after another, and each has to be found healthy.
    fn seconds(&self) -> u64 {
        let probes =
            self.health_check.as_ref().map_or(0.0, |check| check.every.seconds() * f64::from(check.rise + 1));
        let slowest = if self.limit.is_some() { 4.0 } else { 0.0 };
        let backends = self.deployed().map_or(1, |pool| pool.backends) as f64;
        (8.0 + backends * (6.0 + slowest + probes)).ceil() as u64
    }
}

/// What a comment may say: nothing of it begins a line of its own.
fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\r', '\t'], " ")
}

/// A scalar that YAML takes for text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
