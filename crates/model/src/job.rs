//! What the controller and its agents say to each other. The first line on an agent's stdin is its job; stdin
//! then stays open, for a backend's [`Command`]s, and its end means that the controller died. The agent's stdout carries frames, one JSON
//! object a line, a few per second at most; records and ledgers go to files.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::degrade::Misbehaviour;
use crate::generators::LoadPart;
use crate::identity::Incarnation;
use crate::sessions::SessionsJob;
use crate::tls::{ClientTls, Handshakes, ServerTls};
use crate::topology::Backend;
use crate::traffic::Traffic;
use crate::units::{Nanos, Rate};

/// An agent wakes up for its deadlines no sooner than this after it did so before; each wake-up serves all deadlines that passed
/// meanwhile. So short a time leaves almost all of them exact.
pub const WAKE_QUANTUM: Duration = Duration::from_micros(50);

/// The same of a generator that sends more than [`EXACT_UP_TO`]: a wake-up for each request would take the processor's time from
/// the requests themselves.
const COARSE_WAKE_QUANTUM: Duration = Duration::from_micros(250);

/// Up to this rate a generator wakes up for each request.
const EXACT_UP_TO: Rate = Rate(10_000.0);

/// The quantum of a generator that sends at `rate`.
pub fn wake_quantum(rate: Rate) -> Duration {
    if rate.0 <= EXACT_UP_TO.0 { WAKE_QUANTUM } else { COARSE_WAKE_QUANTUM }
}

/// The version of this protocol; hello carries it, and a controller refuses another.
pub const PROTOCOL: u32 = 2;

/// An agent's job: the first line on its stdin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// For `rig agent load`.
    Load(LoadJob),
    /// For `rig agent backend`.
    Backend(BackendJob),
    /// For `rig agent dns`.
    Dns(DnsJob),
}

/// A line on an agent's stdin after its job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Misbehave so from now on; `None`: behave. Answered by [`Frame::Behaves`].
    Degrade(Option<Misbehaviour>),
    /// To a generator: what is due later than that is not sent. What is under way ends as it would have. Answered by
    /// [`Frame::Shortened`].
    Enough {
        /// A little later than now, so that several generators end their parts at one place of the schedule.
        at: Nanos,
    },
    /// To a DNS server: the name has these records from now on. Answered by [`Frame::Renamed`].
    Records(NameRecords),
}

/// Send this load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadJob {
    /// The balancer's listener, or the addresses of a target, of which connections take one after the other.
    pub targets: Vec<SocketAddr>,
    /// The Host header; `None`: the listener's address, or rig's own name with TLS.
    #[serde(default)]
    pub host: Option<String>,
    /// The response header that says who answered, where it is not rig's own.
    #[serde(default)]
    pub identity_header: Option<String>,
    /// When the first *measured* request is due; the warm-up lies before it.
    pub origin: Nanos,
    /// What to send.
    pub traffic: Traffic,
    /// Decides classes, fresh connections and Poisson gaps. Same seed, same arrivals.
    pub seed: u64,
    /// The part of the load that it sends; the schedule is computed whole, and the same for every part.
    #[serde(default)]
    pub part: LoadPart,
    /// Where the records go (`requests.ndjson`), opened with O_APPEND.
    pub records: PathBuf,
    /// How to speak TLS; `None`: plain HTTP.
    #[serde(default)]
    pub tls: Option<ClientTls>,
}

/// Be this backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendJob {
    /// Who it is.
    pub incarnation: Incarnation,
    /// Where it listens.
    pub listen: SocketAddr,
    /// How it behaves.
    pub backend: Backend,
    /// The health endpoint's path.
    pub health_path: String,
    /// Whether the health endpoint always says 503.
    pub unhealthy: bool,
    /// Decides service times, together with the request's id.
    pub seed: u64,
    /// Where the ledger goes.
    pub ledger: PathBuf,
    /// How to speak TLS with those who begin with it; `None`: plain HTTP only.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Where it keeps sessions; `None`: it keeps none.
    #[serde(default)]
    pub sessions: Option<SessionsJob>,
}

/// Be the DNS server of a cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsJob {
    /// Where it listens, by UDP and TCP.
    pub listen: SocketAddr,
    /// What it knows at first.
    pub names: Vec<NameRecords>,
}

/// The A records of a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameRecords {
    /// The name, without a full stop at its end.
    pub name: String,
    /// Their TTL, in seconds.
    pub ttl: u32,
    /// Their addresses; none: the name exists and has no address.
    pub addresses: Vec<Ipv4Addr>,
}

/// The path on which a toy backend tells its [`BackendStatus`], past any queue and outside the ledger.
pub const STATUS_PATH: &str = "/rig/status";

/// What a toy backend says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// Who it is.
    pub incarnation: Incarnation,
    /// Requests of the load received and not finished, those in the queue included.
    pub in_flight: u64,
    /// Requests of the load received so far.
    pub received: u64,
    /// Requests that wait for a free place.
    pub queued: u64,
    /// TLS handshakes so far, those of the balancer's probes included.
    #[serde(default)]
    pub handshakes: Handshakes,
}

/// One line of an agent's stdout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// The first frame.
    Hello(Hello),
    /// A backend accepts connections.
    Listening,
    /// A backend follows a [`Command::Degrade`].
    Behaves {
        /// From then on.
        at: Nanos,
    },
    /// A DNS server follows a [`Command::Records`].
    Renamed {
        /// From then on.
        at: Nanos,
    },
    /// The generator has built its schedule.
    Scheduled {
        /// Requests in its part of it, the warm-up included: as many records must follow.
        requests: u64,
    },
    /// The load ends earlier than its schedule.
    Shortened {
        /// Requests that were due by then, the warm-up included: as many records must there be.
        requests: u64,
        /// From when on nothing more is due.
        at: Nanos,
    },
    /// How far the generator is.
    Progress(Progress),
    /// The generator has ended every request and closed its records.
    Done(GeneratorReport),
    /// The agent can't do its job; it exits after this.
    Fault {
        /// Why, with what to do about it.
        message: String,
    },
}

/// An agent's first frame: what its times mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// rig's version.
    pub version: String,
    /// The agent's process.
    pub pid: u32,
    /// Identifies the kernel's boot: agents with the controller's boot id share its monotonic clock.
    pub boot_id: String,
    /// The agent's monotonic clock when it wrote this.
    pub monotonic: Nanos,
}

/// How far the generator is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Requests due so far.
    pub due: u64,
    /// Requests ended so far.
    pub ended: u64,
    /// Of these, complete expected responses.
    pub ok: u64,
    /// Of these, dropped.
    pub dropped: u64,
    /// Of these, answered with a status of 500 or more.
    #[serde(default)]
    pub http_5xx: u64,
    /// CPU seconds that the generator has used, user and system.
    #[serde(default)]
    pub cpu_seconds: f64,
}

/// What the generator says about itself at its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorReport {
    /// Requests in the schedule.
    pub scheduled: u64,
    /// Records written.
    pub recorded: u64,
    /// CPU seconds used, user and system.
    pub cpu_seconds: f64,
    /// Largest resident set, in KiB.
    pub max_rss_kib: u64,
    /// Connections opened.
    pub connections: u64,
    /// Idle connections that the peer closed without having announced it.
    pub unannounced_closes: u64,
    /// Connections whose end a response had announced.
    pub announced_closes: u64,
    /// The most CPU time that it used in any second of the measured load, as a part of one processor; `None`: the load
    /// was too short, or an earlier version did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_second: Option<f64>,
    /// Connections that were given up because the peer sent more than its response, beside it or while they were idle.
    #[serde(default)]
    pub surplus: u64,
    /// What each of several generators says, in their order; the other figures are then put together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<GeneratorReport>,
}

impl GeneratorReport {
    /// What generators say, put together: sums, and of what has a limit the largest. That of one is its own.
    pub fn total(mut parts: Vec<GeneratorReport>) -> GeneratorReport {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let busiest =
            |all: Option<f64>, one: Option<f64>| [all, one].into_iter().flatten().max_by(f64::total_cmp);
        let add = |all: GeneratorReport, one: &GeneratorReport| GeneratorReport {
            scheduled: all.scheduled + one.scheduled,
            recorded: all.recorded + one.recorded,
            cpu_seconds: all.cpu_seconds + one.cpu_seconds,
            max_rss_kib: all.max_rss_kib.max(one.max_rss_kib),
            connections: all.connections + one.connections,
            unannounced_closes: all.unannounced_closes + one.unannounced_closes,
            announced_closes: all.announced_closes + one.announced_closes,
            busiest_second: busiest(all.busiest_second, one.busiest_second),
            surplus: all.surplus + one.surplus,
            parts: Vec::new(),
        };
        GeneratorReport { parts: parts.clone(), ..parts.iter().fold(GeneratorReport::default(), add) }
    }
}
