//! What happened in a cell, in order: one line of `history.ndjson` per event. The engine's recorder is its
//! only writer; the report judges from it.

mod parts;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access_log::LogGap;
use crate::catalog::BalancerKind;
use crate::component::{Component, ExitStatus};
use crate::degrade::Misbehaviour;
use crate::detection::DetectionBound;
use crate::identity::{CellId, Incarnation};
use crate::job::GeneratorReport;
use crate::split::Split;
use crate::target::CommandName;
use crate::timeline::{Drain, FaultKind, Strategy};
use crate::units::{Nanos, Share, Span};

pub use parts::{CellStage, CurlAnswer, Scaling, Setting, TargetContact, WindowDerivation};

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Nanos,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen in a cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Happening {
    /// The first event.
    CellStarted {
        /// Which cell.
        cell: CellId,
        /// `process` or `docker`.
        runtime: String,
    },
    /// Which balancer stands in the cell, and the settings that were rendered for it.
    Balancer {
        /// Its kind.
        kind: BalancerKind,
        /// What it says its version is.
        version: String,
        /// Its executable or image.
        binary: String,
        /// Where the load goes.
        listener: String,
        /// Where people and curl can reach the listener from this machine, if that is elsewhere.
        #[serde(default)]
        published: Option<String>,
        /// Settings that decide about drops, in the balancer's own words.
        settings: Vec<Setting>,
        /// Whether it says how many requests each backend has in flight.
        in_flight_view: bool,
        /// Whether it says which are down, and is asked for that while the load runs.
        #[serde(default)]
        tells_health: bool,
    },
    /// A process was launched.
    Launched {
        /// Which.
        component: Component,
        /// Its process.
        pid: u32,
    },
    /// A component is ready, as its readiness condition says.
    Ready {
        /// Which.
        component: Component,
        /// What proved it.
        proof: String,
    },
    /// A stage of the cell is over.
    StageEnded {
        /// Which.
        stage: CellStage,
        /// How long it took.
        took: Span,
    },
    /// How much CPU time a component has used since it was launched, all its processes and threads together.
    CpuRead {
        /// Which.
        component: Component,
        /// User and system time, in seconds.
        seconds: f64,
        /// Where that was read.
        source: String,
    },
    /// What the processors that rig may use have done since the machine booted, all of them together.
    MachineRead {
        /// Processor seconds in all, idle ones included.
        seconds: f64,
        /// Of these, those in which the hypervisor ran something else (steal).
        stolen: f64,
        /// Of these, those in which they had nothing to do; `None`: an earlier version did not read it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idle: Option<f64>,
    },
    /// A component did not run although it had something to do, by its own word: it was stopped, or got no processor.
    Stood {
        /// Which.
        component: Component,
        /// From when on it should have run.
        from: Nanos,
        /// When it ran again.
        to: Nanos,
    },
    /// A component's own words say that the machine had no more of something for it: descriptors, ports, memory.
    Shortage {
        /// Which.
        component: Component,
        /// The first such line.
        line: String,
        /// How many there were.
        lines: u64,
    },
    /// The generator has its schedule.
    Scheduled {
        /// Requests in it, the warm-up included.
        requests: u64,
        /// When the first measured request is due.
        origin: Nanos,
    },
    /// Every request has ended.
    LoadFinished {
        /// The generator's own account; that of several, put together.
        generator: GeneratorReport,
    },
    /// Where the load goes, which rig did not launch.
    TargetReached(TargetContact),
    /// A command of a target begins.
    CommandStarted {
        /// Its name in the scenario.
        command: CommandName,
        /// Its words, as a shell would take them.
        words: String,
    },
    /// A command of a target has ended.
    CommandEnded {
        /// Its name in the scenario.
        command: CommandName,
        /// How: `exit status: 0`, `signal: 15 (SIGTERM)`, or that it outlasted its limit.
        status: String,
        /// Whether it did what it should.
        succeeded: bool,
        /// Its last words, if it did not.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        said: String,
        /// Bytes of its output that were not kept: there were too many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unkept: Option<u64>,
    },
    /// Everything has settled, and the load ends earlier than its schedule.
    LoadShortened {
        /// Requests that were due by then, the warm-up included.
        requests: u64,
        /// Length of the measured load.
        after: Span,
    },
    /// An entry of the timeline begins.
    ActionStarted {
        /// Its name.
        entry: String,
    },
    /// An entry of the timeline has ended.
    ActionFinished {
        /// Its name.
        entry: String,
    },
    /// A rolling deploy begins.
    DeployStarted {
        /// The timeline's entry.
        entry: String,
        /// The pool.
        pool: String,
        /// In which order old and new come.
        strategy: Strategy,
        /// The policy.
        drain: Drain,
        /// Backends that are to be replaced.
        backends: Vec<String>,
    },
    /// How long a drain may take, and where that comes from.
    DrainWindow {
        /// The window.
        window: Span,
        /// Its derivation; `None` if the scenario gives the window.
        derived: Option<WindowDerivation>,
    },
    /// A replacement begins.
    Replacing {
        /// The old incarnation.
        old: Incarnation,
        /// The new incarnation.
        new: Incarnation,
    },
    /// The balancer is being told that a backend leaves.
    Deregistering {
        /// Who.
        incarnation: Incarnation,
    },
    /// The balancer has confirmed that it sends nothing new there.
    Deregistered {
        /// Who.
        incarnation: Incarnation,
        /// What confirmed it.
        proof: String,
    },
    /// Nothing is in flight there any more.
    Drained {
        /// Who.
        incarnation: Incarnation,
        /// How long it took from the confirmed deregistration.
        waited: Span,
        /// What says so.
        proof: String,
    },
    /// The window is over; the backend is terminated with what it has.
    DrainExpired {
        /// Who.
        incarnation: Incarnation,
        /// Requests in flight by the last reading; `None` if there was none.
        in_flight: Option<u64>,
    },
    /// The backend died while it drained, with what it had.
    DrainCut {
        /// Who.
        incarnation: Incarnation,
    },
    /// The time that a backend had before its end, by the orchestrator's rule, is over.
    Stopping {
        /// Who.
        incarnation: Incarnation,
    },
    /// A backend had not exited so long after the signal that should have ended it, and gets SIGKILL.
    GraceExpired {
        /// Which.
        component: Component,
        /// How long it had.
        within: Span,
    },
    /// The signal that ends a backend has been sent; the event's time is when that was ordered.
    Terminated {
        /// Who.
        incarnation: Incarnation,
        /// Which signal.
        signal: String,
    },
    /// A process is gone.
    Exited {
        /// Whose.
        component: Component,
        /// How it ended.
        status: ExitStatus,
        /// Whether the engine meant it to.
        expected: bool,
    },
    /// The balancer is being told that a backend may be used.
    Registering {
        /// Who.
        incarnation: Incarnation,
    },
    /// The balancer says that it will use it.
    Registered {
        /// Who.
        incarnation: Incarnation,
        /// What confirmed it.
        proof: String,
    },
    /// The new generation serves its fair share of the pool's requests.
    Confirmed {
        /// Who.
        incarnation: Incarnation,
        /// Its share of the requests that the pool received while confirming.
        share: Share,
        /// Those requests.
        of: u64,
    },
    /// The new generation did not reach its fair share in time; the deploy goes on.
    Unconfirmed {
        /// Who.
        incarnation: Incarnation,
        /// Its share.
        share: Share,
        /// Of so many requests.
        of: u64,
    },
    /// The balancer keeps users where they are, and the new generation answered a new client.
    Reached {
        /// Who.
        incarnation: Incarnation,
        /// How often was asked until then.
        probes: u64,
    },
    /// A replacement is complete.
    Replaced {
        /// Who left.
        old: Incarnation,
        /// Who came.
        new: Incarnation,
    },
    /// The deploy stopped; the rest goes on serving.
    DeployAborted {
        /// The generation that did not become healthy.
        incarnation: Incarnation,
        /// Why.
        reason: String,
    },
    /// Every backend has been replaced.
    DeployFinished {
        /// The timeline's entry.
        entry: String,
        /// Backends replaced.
        replaced: u64,
    },
    /// A backend is removed or added.
    Scaling(Scaling),
    /// The order to read its configuration again: what the old one serves ends, perhaps with connections of clients.
    BalancerReloaded,
    /// The target of a fault in the timeline was not running.
    FaultMissed {
        /// The timeline's entry.
        entry: String,
        /// The backend.
        backend: String,
        /// Why.
        reason: String,
    },
    /// A fault was made; the event's time is when the runtime was told to.
    Faulted {
        /// Whose.
        incarnation: Incarnation,
        /// What befell it.
        fault: FaultKind,
    },
    /// A backend misbehaves from now on; the event's time is that of its own word for it.
    Degraded {
        /// Who.
        incarnation: Incarnation,
        /// What it does.
        misbehaviour: Misbehaviour,
    },
    /// Because of a fault that was just made, the balancer's view of a backend is looked at more closely.
    Watched {
        /// The backend.
        backend: String,
        /// How soon active probes must notice.
        bound: DetectionBound,
        /// How often the view is looked at; `None`: the balancer has none.
        every: Option<Span>,
    },
    /// The balancer's view says, otherwise than when it was last asked, that it would send the backend nothing.
    SeenDown {
        /// The backend.
        backend: String,
        /// The balancer's word for its state.
        words: String,
        /// When it was last asked and said otherwise.
        before: Nanos,
    },
    /// The balancer's view says, otherwise than when it was last asked, that it would use the backend.
    SeenUp {
        /// The backend.
        backend: String,
        /// The balancer's word for its state.
        words: String,
        /// When it was last asked and said otherwise.
        before: Nanos,
    },
    /// A fault was healed.
    Healed {
        /// The incarnation that serves now.
        incarnation: Incarnation,
    },
    /// The balancer is being told new shares of a route's pools.
    Splitting {
        /// The timeline's entry.
        entry: String,
        /// The route.
        route: String,
        /// The shares.
        to: Split,
    },
    /// The balancer has confirmed them.
    SplitInForce {
        /// The timeline's entry.
        entry: String,
        /// What confirmed it.
        proof: String,
    },
    /// curl asked the listener.
    Curl(CurlAnswer),
    /// Two clocks read together, so that wall-clock logs can be placed on the monotonic axis.
    Clocks {
        /// Wall clock, nanoseconds since the Unix epoch.
        wall: i64,
        /// Nanoseconds that the reading took: its error.
        error: i64,
    },
    /// The balancer's access log was read, after its exit.
    AccessLog {
        /// Lines read.
        lines: u64,
        /// Lines that the adapter could not read.
        unreadable: u64,
        /// Lines that the balancer, by its own count, could not write.
        #[serde(default)]
        unwritten: u64,
        /// Whether the balancer ended gracefully, so that the log is whole.
        whole: bool,
        /// Known holes in it.
        gaps: Vec<LogGap>,
        /// What each of the balancer's words in it means, as its adapter reads them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        meanings: BTreeMap<String, String>,
        /// What the balancer's other log says about its backends, each with how often.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        notices: BTreeMap<String, u64>,
    },
    /// Something that a reader should know; it changes no verdict by itself.
    Warning {
        /// What.
        message: String,
    },
    /// The cell could not be run to its end.
    Failed {
        /// Why.
        message: String,
    },
    /// The user interrupted the run.
    Interrupted,
    /// The last event: everything that the cell launched is gone.
    CellFinished,
}
