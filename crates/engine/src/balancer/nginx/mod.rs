//! nginx, open source. No active health checks and no runtime API: a backend is taken out by a flag file that
//! every request tests (`if (-f …)`, ngx_http_rewrite_module), or by a new configuration and SIGHUP.

mod access_log;
mod adopt;
mod control;
mod misfits;
mod missing;
mod operations;
mod retries;
mod routes;
mod settings;
mod sticky;
mod syntax;

use std::time::Duration;

use minijinja::{Value, context};
use model::catalog::Lack;
use model::component::ExitStatus;
use model::history::Setting;
use model::timeline::{Deregister, Keeps};
use model::topology::{Backend, Balance, Limits, PassiveHealth, Pool, Route, Topology, UpstreamKeepalive};
use model::version::Version;

use self::missing::{MISSING, PASSIVE_ONLY};
use self::retries::{next_upstream, next_upstream_at_layer4};
use self::routes::{locations, split_clients};
use super::layer4::{is_layer4, sets, silence};
use super::{
    Adopts, Balancer, Change, ConfigFile, Deregisters, DrainSignal, HasSettings, LogFiles, LogsRequests,
    Misfit, OldWorkers, Operated, RELOADED_WITHIN, Reloads, RenderError, Rotation, Sighting, Site,
    SplitSteps, Splits, Standing, Step, Templates, Trigger, Turn, deregistration, own, routing_settings,
    setting, sticky_settings, tls,
};
use crate::host::Signal;
use crate::program::Program;

pub(super) struct Nginx;

const CONFIG: &str = "nginx.conf";
const NOTICES: &str = "error.log";

static PROGRAM: Program = Program {
    name: "nginx",
    executable: "nginx",
    // With its configure arguments, which tell whether `stream` is a module to load.
    version_arguments: &["-V"],
    modules,
    needed_because: None,
    has_workers: true,
    newest_known: Some(Version::minor(1, 31)),
};

/// The module for a listener at layer 4, if it isn't built in.
fn modules(said: &str) -> Vec<String> {
    let mut arguments = said.split_whitespace().map(|word| word.trim_matches('\''));
    if !arguments.clone().any(|argument| argument == "--with-stream=dynamic") {
        return Vec::new();
    }
    let named = |name| move |argument: &str| argument.strip_prefix(name).map(str::to_owned);
    let directory = arguments.clone().find_map(named("--modules-path=")).unwrap_or_else(|| {
        let prefix = arguments.find_map(named("--prefix=")).unwrap_or_else(|| "/usr/local/nginx".to_owned());
        format!("{prefix}/modules")
    });
    vec![format!("{directory}/ngx_stream_module.so")]
}

impl Balancer for Nginx {
    fn missing(&self) -> &'static [Lack] {
        MISSING
    }

    fn program(&self) -> &'static Program {
        &PROGRAM
    }

    fn templates(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("nginx/nginx.conf", include_str!("../../../../../proxy-configs/nginx/nginx.conf")),
            ("nginx/layer4.conf", include_str!("../../../../../proxy-configs/nginx/layer4.conf")),
        ]
    }

    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError> {
        if templates.whole().is_some() {
            let main = configuration(topology, site, rotation, templates)?;
            let beside = own::beside(&main.text, site, templates);
            return Ok(std::iter::once(main).chain(beside).collect());
        }
        // The scratch files make the directories that nginx expects to find.
        let mut files = vec![
            configuration(topology, site, &Rotation::default(), templates)?,
            ConfigFile::new("tmp/.keep", ""),
            ConfigFile::new("drain/.keep", ""),
        ];
        for backend in
            topology.pools.iter().filter(|pool| pool.discovery.is_none()).flat_map(|pool| &pool.backends)
        {
            if rotation.of(&backend.id) != Standing::In {
                files.push(ConfigFile::new(flag(&backend.id), ""));
            }
        }
        Ok(files)
    }

    fn misfits(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<Misfit> {
        main_file(files).map_or_else(Vec::new, |file| misfits::misfits(file, site, topology))
    }

    fn arguments(&self, _topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<String> {
        let directory = site.directory.display();
        let stays = main_file(files).is_some_and(|file| misfits::stays_in_the_foreground(&file.text));
        // A second `daemon` would be an error, whatever it says.
        let foreground = if stays { vec![] } else { vec!["-g".to_owned(), "daemon off;".to_owned()] };
        [
            "-e",
            &format!("{directory}/{NOTICES}"),
            "-p",
            &directory.to_string(),
            "-c",
            &format!("{directory}/{CONFIG}"),
        ]
        .map(str::to_owned)
        .into_iter()
        .chain(foreground)
        .collect()
    }

    fn graceful_stop(&self) -> Signal {
        Signal::Quit
    }

    fn logs(&self) -> LogFiles {
        LogFiles { access: "access.log", notices: NOTICES }
    }

    fn shortage_words(&self) -> &'static [&'static str] {
        &["worker_connections are not enough"]
    }

    fn tells_of_lost_workers(&self) -> Option<fn(&str) -> Option<ExitStatus>> {
        Some(lost_worker)
    }

    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        Some(&Nginx)
    }

    fn splits(&self) -> Option<&'static dyn Splits> {
        Some(&Nginx)
    }

    fn reloads(&self) -> Option<&'static dyn Reloads> {
        Some(&Nginx)
    }

    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        Some(&Nginx)
    }

    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        Some(&Nginx)
    }

    fn adopts(&self) -> Option<&'static dyn Adopts> {
        Some(&Nginx)
    }

    fn whole_template(&self) -> &'static str {
        "own/nginx.conf"
    }

    fn operated(&self) -> Option<&'static dyn Operated> {
        Some(&Nginx)
    }
}

/// Its configuration among its files.
fn main_file(files: &[ConfigFile]) -> Option<&ConfigFile> {
    files.iter().find(|file| file.path == CONFIG)
}

/// How a worker ended, if `line` says that a signal ended it, or that it could not go on. One that has done its work exits
/// with code 0.
fn lost_worker(line: &str) -> Option<ExitStatus> {
    let said = line.split_once("worker process ")?.1.split_once(" exited ")?.1;
    let number = |words: &str| {
        let digits = said.strip_prefix(words)?.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    };
    let code = number("with code ").or(number("with fatal code ")).filter(|code| *code != 0);
    number("on signal ").map(ExitStatus::of_signal).or(code.map(ExitStatus::of_code))
}

/// What the log says of the workers that had begun before a reload.
fn old_workers(then: &'static str) -> OldWorkers {
    OldWorkers { log: NOTICES, began: "start worker process ", then }
}

fn reload() -> [Step; 2] {
    [
        Step::Reload(Trigger::Signal(Signal::Hup)),
        Step::Await {
            sighting: Sighting::OldWorkers(old_workers("gracefully shutting down")),
            within: RELOADED_WITHIN,
        },
    ]
}

/// How long old workers may take to finish; nginx takes 0 for no limit.
fn shutdown_timeout(topology: &Topology) -> String {
    topology.reload_grace.map_or("1ms".into(), |grace| format!("{}ms", grace.whole_millis()))
}

/// The file whose existence takes `backend` out of its pool.
fn flag(backend: &str) -> String {
    format!("drain/{backend}")
}

fn algorithm(balance: Balance) -> String {
    match balance {
        Balance::RoundRobin => "",
        Balance::LeastConnections => "least_conn;",
        Balance::TwoChoices => "random two least_conn;",
        // `ip_hash` looks at the /24 only.
        Balance::SourceHash => "hash $remote_addr consistent;",
    }
    .into()
}

fn server_parameters(topology: &Topology) -> String {
    let passive = match topology.passive_health {
        PassiveHealth::Off => Some("max_fails=0".to_owned()),
        PassiveHealth::Default => None,
        // fail_timeout has whole seconds.
        PassiveHealth::On { fails, out_for } => {
            Some(format!("max_fails={fails} fail_timeout={}s", out_for.seconds().ceil()))
        }
    };
    let limit = match topology.limits {
        Limits::Each(limit) => Some(format!("max_conns={}", limit.connections)),
        Limits::Off | Limits::Default => None,
    };
    passive.into_iter().chain(limit).collect::<Vec<_>>().join(" ")
}

fn keepalive(topology: &Topology) -> String {
    topology.client_keepalive.map_or("0".into(), |span| format!("{}ms", span.whole_millis()))
}

/// What a server is in its upstream that gets no request.
const DOWN: &str = "down";
/// What it is if it gets those alone of users that are bound to it
/// (<https://nginx.org/en/docs/http/ngx_http_upstream_module.html#drain>).
const DRAIN: &str = "drain";

/// The main file. A backend that is out in `rotation` is `down` or `drain` in it; the flags are tested beside that.
fn configuration(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    templates: &Templates,
) -> Result<ConfigFile, RenderError> {
    if let Some(name) = templates.whole() {
        return own::rendered(CONFIG, name, topology, site, rotation, "down", templates);
    }
    let out = |pool: &Pool, id: &str| match rotation.of(id) {
        _ if rotation == &Rotation::default() => None,
        Standing::In => None,
        Standing::Draining if sticky::keeps_while_draining(topology, pool, site) => Some(DRAIN),
        Standing::Draining | Standing::Out => Some(DOWN),
    };
    let upstreams: Vec<Value> = sets(topology)
        .iter()
        .flat_map(|pool| {
            let algorithm = &sticky::algorithm_of(topology, pool, site);
            let whole = context! { name => &pool.name, algorithm, servers => servers(pool, None, site, out) };
            let flagged = |_: &&Backend| !is_layer4(topology) && pool.discovery.is_none();
            let without = pool.backends.iter().filter(flagged).map(|absent| {
                let servers = servers(pool, Some(&absent.id), site, out);
                context! { name => upstream_without(&pool.name, &absent.id), algorithm, servers }
            });
            std::iter::once(whole).chain(without).collect::<Vec<_>>()
        })
        .collect();
    if is_layer4(topology) {
        let values = context! {
            directory => site.directory.display().to_string(),
            as_root => site.as_root,
            modules => &site.modules,
            workers => topology.workers,
            connections => u64::from(site.connections) * 2 + 512,
            descriptors => u64::from(site.connections) * 2 + 1024,
            listener => site.listener.to_string(),
            tls => tls::values(topology, site),
            silence_ms => silence(topology).whole_millis(),
            next_upstream => next_upstream_at_layer4(&topology.retries),
            algorithm => algorithm(topology.balance),
            server_parameters => server_parameters(topology),
            set => &upstreams[0],
        };
        return templates.render(CONFIG, "nginx/layer4.conf", values);
    }
    let routed = |name: &str| topology.routes.iter().any(|route| route.to.pools().any(|pool| pool == name));
    let pools = topology.pools.iter().zip(0..).filter(|(pool, _)| routed(&pool.name));
    // Where nginx has no `sticky`, the template makes one.
    let sticky = |pool: &Pool| topology.sticky_cookie(&pool.name).filter(|_| !sticky::has_sticky(site));
    let pools: Vec<Value> =
        pools.map(|(pool, n)| context! { n, name => &pool.name, sticky => sticky(pool) }).collect();
    let splits = topology.routes.iter().zip(0..).filter(|(route, _)| route.to.only().is_none());
    let splits: Vec<Value> = splits.map(|(route, n)| split_clients(route, n)).collect();
    let values = context! {
        directory => site.directory.display().to_string(),
        as_root => site.as_root,
        workers => topology.workers,
        connections => u64::from(site.connections) * 2 + 512,
        descriptors => u64::from(site.connections) * 2 + 1024,
        listener => site.listener.to_string(),
        tls => tls::values(topology, site),
        resolver => site.names.map(|server| server.to_string()),
        keepalive_timeout => keepalive(topology),
        response_timeout_ms => topology.response_timeout.whole_millis(),
        keeps_upstreams => topology.upstream_keepalive == UpstreamKeepalive::On,
        shutdown_timeout => shutdown_timeout(topology),
        next_upstream => next_upstream(&topology.retries),
        sticky => topology.pools.iter().any(|pool| sticky(pool).is_some()),
        server_parameters => server_parameters(topology),
        locations => locations(topology),
        upstreams, pools, splits,
    };
    templates.render(CONFIG, "nginx/nginx.conf", values)
}

/// The servers of `pool` without `absent`. One at most: of each pool a deploy has one backend out at a time. nginx
/// refuses an upstream without servers, or with backups alone, so the only other backend of a pool stands there as `down` when it
/// is absent.
fn servers(
    pool: &Pool,
    absent: Option<&str>,
    site: &Site,
    out: impl Fn(&Pool, &str) -> Option<&'static str>,
) -> Vec<Value> {
    if let Some(found) = site.discovered(pool) {
        let address = format!("{}:{}", found.name, found.port);
        return vec![
            context! { address, weight => None::<u32>, backup => false, resolve => true, out => None::<&str> },
        ];
    }
    let is_absent = |backend: &Backend| absent == Some(backend.id.as_str());
    let alone = pool.backends.iter().all(|backend| backend.backup || is_absent(backend));
    let server = |backend: &Backend| {
        context! {
            address => site.address_of(&backend.id).to_string(),
            weight => pool.is_weighted().then_some(backend.weight),
            backup => backend.backup,
            resolve => false,
            out => if is_absent(backend) { Some(DOWN) } else { out(pool, &backend.id) },
        }
    };
    let listed = |backend: &&Backend| !is_absent(backend) || (alone && !backend.backup);
    pool.backends.iter().filter(listed).map(server).collect()
}

/// `web_without_web-1`: no pool is called so, as names have no underscores.
fn upstream_without(pool: &str, absent: &str) -> String {
    format!("{pool}_without_{absent}")
}

#[cfg(test)]
mod tests {
    use super::lost_worker;

    #[test]
    fn a_worker_that_did_not_finish_its_work_is_lost_and_one_that_did_is_not() {
        let told = |end: &str| lost_worker(&format!("2026/11/26 10:00:00 [alert] 7#7: {end}"));
        assert_eq!(told("worker process 8 exited on signal 9").unwrap().signal(), Some(9));
        assert_eq!(told("worker process 8 exited on signal 11 (core dumped)").unwrap().signal(), Some(11));
        assert_eq!(told("worker process 8 exited with code 1").unwrap().code(), Some(1));
        let fatal = "worker process 8 exited with fatal code 2 and cannot be respawned";
        assert_eq!(told(fatal).unwrap().code(), Some(2));
        for other in ["worker process 8 exited with code 0", "start worker process 9", "exiting", "exit"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
