//! Balancer adapters. Each is a folder with no I/O: it says what to render and what to run, and returns a trait for each
//! thing that its balancer can do beside forwarding. What it does not return is missing.

mod adoption;
mod caddy;
mod capabilities;
mod envoy;
mod error;
mod haproxy;
mod layer4;
mod limited;
mod misfit;
mod nginx;
mod own;
mod probing;
mod procedure;
mod read_back;
mod shortage;
mod site;
mod templates;
mod tls;
mod traefik;

use std::path::PathBuf;
use std::time::Duration;

use model::access_log::{Attempt, Reason};
use model::catalog::{BalancerKind, Lack, Release};
use model::component::ExitStatus;
use model::history::Setting;
use model::identity::RequestId;
use model::plan::Variant;
use model::timeline::{Action, Deregister, Keeps};
use model::topology::{HeaderMatch, HealthCheck, Topology};
use model::units::Span;

use crate::host::Signal;
use crate::program::{Program, ProgramVersion, STDERR_FILE, STDOUT_FILE};

pub use adoption::{AdoptError, Adoption, Note, adopt};
pub use capabilities::{
    Adopts, Deregisters, HasSettings, LogsRequests, Operated, Probes, Reloads, Splits, Succeeded, Succession,
    UnwrittenQuery, catalog,
};
pub use error::RenderError;
pub use misfit::Misfit;
pub use probing::detection_bound;
pub use procedure::{Change, DrainSignal, OldWorkers, Sighting, SplitSteps, Step, Trigger};
pub use read_back::Rendered;
pub(crate) use shortage::tells_of_shortage;
pub use site::{ConfigFile, Rotation, Site, Standing, example_site};
pub use templates::{COMPANIONS, Templates, TemplatesError, WholeError};

/// A balancer, as data. Implementations are unit structs. What each has is first; what it may lack is a trait of its own in
/// [`capabilities`], and an adapter that does not return one has a balancer that lacks it.
pub trait Balancer: Sync {
    /// Its program.
    fn program(&self) -> &'static Program;
    /// The templates of its configuration, each with its name below `proxy-configs/`.
    fn templates(&self) -> &'static [(&'static str, &'static str)];
    /// Its configuration files, with `rotation` as the initial state.
    fn files(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        templates: &Templates,
    ) -> Result<Vec<ConfigFile>, RenderError>;
    /// The arguments that run it in the foreground with its `files`.
    fn arguments(&self, topology: &Topology, site: &Site, files: &[ConfigFile]) -> Vec<String>;
    /// What it needs in its environment.
    fn variables(&self, _topology: &Topology, _site: &Site) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// The signal that ends it gracefully, with its log written.
    fn graceful_stop(&self) -> Signal {
        Signal::Term
    }
    /// Files that it writes in its directory.
    fn logs(&self) -> LogFiles {
        LogFiles { access: STDOUT_FILE, notices: STDERR_FILE }
    }
    /// What of the scenario language it can't do, each with the reason that tables and errors print.
    fn missing(&self) -> &'static [Lack] {
        &[]
    }
    /// What in its `files` it could not be run with.
    fn misfits(&self, _topology: &Topology, _site: &Site, _files: &[ConfigFile]) -> Vec<Misfit> {
        Vec::new()
    }
    /// Its own words, beside the system's, for having run out of something.
    fn shortage_words(&self) -> &'static [&'static str] {
        &[]
    }
    /// Reads how a worker ended by itself from a line of its notices, in the system's words; `None`: it ends with its worker,
    /// or has none.
    fn tells_of_lost_workers(&self) -> Option<fn(&str) -> Option<ExitStatus>> {
        None
    }
    /// How to ask it for its view of the backends; `None`: it has none.
    fn view(&self) -> Option<ViewQuery> {
        None
    }
    /// Whether it has one.
    fn has_view(&self) -> bool {
        self.view().is_some()
    }
    /// Whether that says which backends are down.
    fn sees_health(&self) -> bool {
        self.view().is_some_and(|view| view.tells_health)
    }
    /// How it takes backends out.
    fn deregisters(&self) -> Option<&'static dyn Deregisters> {
        None
    }
    /// How it divides a route's requests.
    fn splits(&self) -> Option<&'static dyn Splits> {
        None
    }
    /// How it reloads.
    fn reloads(&self) -> Option<&'static dyn Reloads> {
        None
    }
    /// How a second process takes its place.
    fn succeeded(&self) -> Option<&'static dyn Succeeded> {
        None
    }
    /// Files outside its directory that it leaves behind, and rig removes.
    fn leaves_behind(&self, _site: &Site) -> Vec<PathBuf> {
        Vec::new()
    }
    /// How it probes its backends.
    fn probes(&self) -> Option<&'static dyn Probes> {
        None
    }
    /// How its log of requests is read.
    fn request_log(&self) -> Option<&'static dyn LogsRequests> {
        None
    }
    /// How its settings are read back.
    fn read_back(&self) -> Option<&'static dyn HasSettings> {
        None
    }
    /// How its configurations are taken over.
    fn adopts(&self) -> Option<&'static dyn Adopts> {
        None
    }
    /// What reports call a configuration of the user's that takes the place of its templates.
    fn whole_template(&self) -> &'static str {
        "own configuration"
    }
    /// How people operate it.
    fn operated(&self) -> Option<&'static dyn Operated> {
        None
    }
}

/// The adapter of `kind`: the only place that matches on it.
pub fn adapter(kind: BalancerKind) -> &'static dyn Balancer {
    match kind {
        BalancerKind::Nginx => &nginx::Nginx,
        BalancerKind::Haproxy => &haproxy::Haproxy,
        BalancerKind::Envoy => &envoy::Envoy,
        BalancerKind::Caddy => &caddy::Caddy,
        BalancerKind::Traefik => &traefik::Traefik,
    }
}

/// The program of `release`.
pub fn program_of(release: Release) -> ProgramVersion {
    ProgramVersion { program: adapter(release.kind).program(), version: release.version }
}

fn setting(name: &str, rendered: impl Into<String>) -> Setting {
    Setting { name: name.into(), rendered: rendered.into() }
}

/// What a reload keeps of the rotation.
fn kept(keeps: Keeps, rotation: &Rotation, topology: &Topology) -> Rotation {
    match keeps {
        Keeps::Rotation => rotation.clone(),
        Keeps::Configuration | Keeps::State => Rotation::initial(topology),
    }
}

/// The value of a header in a regular expression.
fn literal(header: &HeaderMatch) -> String {
    header.value.replace('.', "[.]")
}

/// How the headers and shares of `topology`'s routes are told, where it has any, in the balancer's words.
fn routing_settings(
    topology: &Topology,
    header: impl Fn(&HeaderMatch) -> String,
    split: &str,
) -> Vec<Setting> {
    let mut headers: Vec<_> = topology.routes.iter().filter_map(|r| r.header.as_ref()).map(header).collect();
    headers.dedup();
    let headers = (!headers.is_empty()).then(|| setting("header routes", headers.join("; ")));
    let splits = topology.routes.iter().any(|route| route.to.only().is_none());
    headers.into_iter().chain(splits.then(|| setting("split", split))).collect()
}

/// How users are kept at their backends, where a route wants it, in the balancer's words for each cookie.
fn sticky_settings(topology: &Topology, words: impl Fn(&str) -> String) -> Vec<Setting> {
    let mut cookies: Vec<_> = topology
        .routes
        .iter()
        .filter_map(|r| r.sticky.as_ref())
        .map(|sticky| sticky.cookie.as_str())
        .collect();
    cookies.sort_unstable();
    cookies.dedup();
    cookies.into_iter().map(|cookie| setting("sticky", words(cookie))).collect()
}

/// How `variant` takes a backend out, given the balancer's words for either way.
fn deregistration(variant: &Variant, live: &str, reload: &str) -> Setting {
    let is_found = |action: &Action| variant.rolled_out(action).is_some_and(|it| it.discovery.is_some());
    let mut ways: Vec<&str> = variant
        .timeline
        .iter()
        .filter_map(|entry| Some((entry.action.tells_by()?, &entry.action)))
        .map(|(way, action)| match way {
            _ if is_found(action) => "its record is removed from DNS",
            Deregister::Live => live,
            Deregister::Reload => reload,
        })
        .collect();
    ways.sort_unstable();
    ways.dedup();
    setting(
        "deregister",
        match ways.as_slice() {
            [] => "(nothing: no deploy tells the balancer)".to_owned(),
            ways => ways.join("; "),
        },
    )
}

/// How long a balancer may take from the order to reload until the new configuration serves.
const RELOADED_WITHIN: Duration = Duration::from_secs(10);

/// How long a balancer may take to say that it would use a backend: as long as its probes need, and some more.
fn recognised_within(check: Option<&HealthCheck>) -> Duration {
    let probes = check.map_or(Duration::ZERO, |check| (check.every.0 + check.timeout.0) * check.rise);
    probes + Duration::from_secs(10)
}

/// One backend's change of standing.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The rotation after the change.
    pub to: &'a Rotation,
    /// The backend that changes.
    pub backend: &'a str,
    /// How the balancer is told.
    pub how: Deregister,
}

/// How to ask a balancer for its view.
#[derive(Clone, Debug)]
pub struct ViewQuery {
    /// Where and what to ask.
    pub ask: Ask,
    /// Reads the answer.
    pub read: fn(&str, &Site) -> Result<View, ViewError>,
    /// Whether the answer says which backends are down; else it only counts requests, and calls every backend up.
    pub tells_health: bool,
}

/// A question to a balancer's control interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// One line, answered until the balancer closes.
    Line(String),
    /// An HTTP GET of this path.
    Get(String),
}

/// The balancer's view of its backends.
pub type View = Vec<BackendView>;

/// The balancer's view of one backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendView {
    /// Which.
    pub backend: String,
    /// Whether it would be given new requests.
    pub up: bool,
    /// Requests that it has in flight there.
    pub in_flight: u64,
    /// The balancer's own word for the state.
    pub words: String,
}

/// The balancer's answer isn't what its documentation says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("its view can't be read: {0}")]
pub struct ViewError(pub String);

/// Where a balancer's own words go, relative to its directory.
#[derive(Clone, Copy, Debug)]
pub struct LogFiles {
    /// One line per request.
    pub access: &'static str,
    /// Notices and errors.
    pub notices: &'static str,
}

/// A balancer's word for something that went wrong with a request.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// The word, as it logs it.
    pub word: &'static str,
    /// What it means in terms that all balancers share; `None`: it says nothing about why.
    pub reason: Option<Reason>,
    /// What it means, in plain English.
    pub meaning: &'static str,
}

/// Each word with its meaning.
fn meanings(signs: &[Sign]) -> Vec<(&'static str, &'static str)> {
    signs.iter().map(|sign| (sign.word, sign.meaning)).collect()
}

/// A line of an access log, before its time is placed on the monotonic axis.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// The request; `None`: it carried no id.
    pub id: Option<RequestId>,
    /// Wall clock, nanoseconds since the Unix epoch.
    pub wall: i64,
    /// The status sent to the client; 0 if none.
    pub status: u16,
    /// The pool that it says it chose.
    pub pool: Option<String>,
    /// Attempts at backends.
    pub attempts: Vec<Attempt>,
    /// The balancer's own words about how it ended.
    pub flags: String,
    /// How long it waited for a backend; `None`: the log does not say.
    pub queued: Option<Span>,
    /// Those of them that say that something went wrong.
    pub signs: Vec<String>,
    /// What they mean.
    pub reason: Option<Reason>,
}

/// A line that isn't in the format that was configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unreadable log line: {0}")]
pub struct LogError(pub String);

/// Seconds with a fraction, as access logs write them, and so many milliseconds later, in nanoseconds.
fn wall_nanos(seconds: &str, later: i64) -> Result<i64, LogError> {
    let read = || {
        let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
        if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits = &fraction[..fraction.len().min(9)];
        let scale = 10_i64.pow(9 - u32::try_from(digits.len()).ok()?);
        let whole: i64 = whole.parse().ok()?;
        let part = digits.parse::<i64>().ok()?.checked_mul(scale)?;
        whole.checked_mul(1_000_000_000)?.checked_add(part)?.checked_add(later.checked_mul(1_000_000)?)
    };
    read().ok_or_else(|| LogError(format!("`{seconds}` and {later} ms is no time")))
}

/// The request id as a log holds it: empty or `-` where the request had none.
fn logged_id(text: &str) -> Result<Option<RequestId>, LogError> {
    match text {
        "" | "-" => Ok(None),
        digits => {
            digits.parse().map(|id| Some(RequestId(id))).map_err(|_| LogError(format!("`{digits}` is no id")))
        }
    }
}

#[cfg(test)]
mod adoption_tests;
#[cfg(test)]
mod discovery_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod limited_tests;
#[cfg(test)]
mod read_back_bench;
#[cfg(test)]
mod read_back_tests;
#[cfg(test)]
mod rendering_tests;
#[cfg(test)]
mod retried_tests;
#[cfg(test)]
mod shared_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;
