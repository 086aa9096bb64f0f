//! nginx, open source. No active health checks and no runtime API: a backend is taken out by a flag file that
//! every request tests (`if (-f …)`, ngx_http_rewrite_module), or by a new configuration and SIGHUP.

mod access_log;
mod adopt;
mod control;
mod misfits;
mod operations;
mod routes;
mod settings;
mod sticky;
mod syntax;

use std::time::Duration;

use minijinja::{Value, context};
use model::catalog::{Capability, Lack};
use model::history::Setting;
use model::timeline::{Deregister, Keeps};
use model::topology::{Balance, PassiveHealth, Pool, Retries, Route, Topology, UpstreamKeepalive};
use model::version::Version;

use self::routes::{locations, split_clients};
use self::sticky::STICKY_SINCE;
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
const PASSIVE_ONLY: &str = "nginx OSS has passive checks only";

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
        const {
            &[
                Lack::always(
                    Capability::SavedState,
                    "nginx OSS saves no state: who is out is in its configuration, or in a flag file that stays",
                ),
                Lack::always(Capability::ActiveHealthChecks, PASSIVE_ONLY),
                Lack::always(
                    Capability::LiveDeregisterAtLayer4,
                    "nginx's stream module tests no flag file: `deregister: reload` writes a new configuration",
                ),
                Lack::always(
                    Capability::LiveDeregisterSeveral,
                    "nginx's flag files take one backend of a pool out at a time: `deregister: reload` takes out any",
                ),
                Lack::always(
                    Capability::InFlightView,
                    "nginx OSS doesn't say what each backend has in flight",
                ),
                Lack::always(
                    Capability::Panic,
                    "nginx has no panic threshold: without a live backend it answers 502",
                ),
                Lack::always(Capability::MaxEjection, "nginx may eject every backend but the last"),
                Lack::until(
                    STICKY_SINCE,
                    Capability::BalanceBesideSticky,
                    "nginx OSS before 1.29.6 keeps users by a hash of its cookie, which chooses their backends as well",
                ),
            ]
        }
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
        for backend in topology.pools.iter().flat_map(|pool| &pool.backends) {
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

    fn tells_of_lost_workers(&self) -> Option<fn(&str) -> Option<String>> {
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
fn lost_worker(line: &str) -> Option<String> {
    let said = line.split_once("worker process ")?.1.split_once(" exited ")?.1;
    let number = |words: &str| {
        let digits = said.strip_prefix(words)?.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u32>().ok()
    };
    let code = number("with code ").or(number("with fatal code ")).filter(|code| *code != 0);
    number("on signal ")
        .map(|signal| format!("signal: {signal}"))
        .or(code.map(|code| format!("exit status: {code}")))
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

fn next_upstream(retries: Retries) -> String {
    match retries {
        Retries::Off => "proxy_next_upstream off;".into(),
        Retries::Default => String::new(),
        Retries::On { tries } => {
            format!(
                "proxy_next_upstream error timeout http_502 http_503 http_504; proxy_next_upstream_tries {tries};"
            )
        }
    }
}

fn server_parameters(passive: PassiveHealth) -> String {
    match passive {
        PassiveHealth::Off => "max_fails=0".into(),
        PassiveHealth::Default => String::new(),
        // fail_timeout has whole seconds.
        PassiveHealth::On { fails, out_for } => {
            format!("max_fails={fails} fail_timeout={}s", out_for.seconds().ceil())
        }
    }
}

fn keepalive(topology: &Topology) -> String {
    topology.client_keepalive.map_or("0".into(), |span| format!("{}ms", span.whole_millis()))
}

/// The main file. A backend that is out in `rotation` is `down` in it; the flags are tested beside that.
fn configuration(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    templates: &Templates,
) -> Result<ConfigFile, RenderError> {
    if let Some(name) = templates.whole() {
        return own::rendered(CONFIG, name, topology, site, rotation, "down", templates);
    }
    let down = |id: &str| rotation != &Rotation::default() && rotation.of(id) != Standing::In;
    let upstreams: Vec<Value> = sets(topology)
        .iter()
        .flat_map(|pool| {
            let algorithm = &sticky::algorithm_of(topology, pool, site);
            let whole =
                context! { name => &pool.name, algorithm, servers => servers(pool, None, site, down) };
            let without = pool.backends.iter().filter(|_| !is_layer4(topology)).map(|absent| {
                let servers = servers(pool, Some(&absent.id), site, down);
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
            next_upstream => next_upstream_at_layer4(topology.retries),
            algorithm => algorithm(topology.balance),
            server_parameters => server_parameters(topology.passive_health),
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
        keepalive_timeout => keepalive(topology),
        response_timeout_ms => topology.response_timeout.whole_millis(),
        keeps_upstreams => topology.upstream_keepalive == UpstreamKeepalive::On,
        shutdown_timeout => shutdown_timeout(topology),
        next_upstream => next_upstream(topology.retries),
        sticky => topology.pools.iter().any(|pool| sticky(pool).is_some()),
        server_parameters => server_parameters(topology.passive_health),
        locations => locations(topology),
        upstreams, pools, splits,
    };
    templates.render(CONFIG, "nginx/nginx.conf", values)
}

fn next_upstream_at_layer4(retries: Retries) -> String {
    match retries {
        Retries::Off => "proxy_next_upstream off;".into(),
        Retries::Default => String::new(),
        Retries::On { tries } => format!("proxy_next_upstream on; proxy_next_upstream_tries {tries};"),
    }
}

/// The servers of `pool` without `absent`. One at most: of each pool a deploy has one backend out at a time. nginx
/// refuses an upstream without servers, so the only backend of a pool stands there as `down` when it is absent.
fn servers(pool: &Pool, absent: Option<&str>, site: &Site, down: impl Fn(&str) -> bool) -> Vec<Value> {
    let alone = pool.backends.len() == 1;
    pool.backends
        .iter()
        .map(|b| (b.id.as_str(), absent == Some(b.id.as_str())))
        .filter(|(_, is_absent)| alone || !is_absent)
        .map(|(id, is_absent)| {
            context! { address => site.address_of(id).to_string(), down => is_absent || down(id) }
        })
        .collect()
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
        assert_eq!(told("worker process 8 exited on signal 9").as_deref(), Some("signal: 9"));
        assert_eq!(told("worker process 8 exited on signal 11 (core dumped)").as_deref(), Some("signal: 11"));
        assert_eq!(told("worker process 8 exited with code 1").as_deref(), Some("exit status: 1"));
        let fatal = "worker process 8 exited with fatal code 2 and cannot be respawned";
        assert_eq!(told(fatal).as_deref(), Some("exit status: 2"));
        for other in ["worker process 8 exited with code 0", "start worker process 9", "exiting", "exit"] {
            assert_eq!(told(other), None, "{other}");
        }
    }
}
