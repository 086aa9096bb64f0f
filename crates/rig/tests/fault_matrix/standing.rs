//! A server that does wrong, alone or behind a balancer as rig sets it up.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use engine::balancer::Templates;
use engine::balancer::{Rotation, adapter, example_site};
use model::access_log::LogGap;
use model::catalog::BalancerKind;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};
use model::units::Span;
use testing::program;

use crate::fault_server::FaultServer;
use crate::faults::{Fault, Measured, Script, well};
use crate::sending::{self, TIMES};

/// Without probes and retries: what is seen is what one attempt does.
const SCENARIO: &str = "
name: fault-matrix
question: What does a client see?
topology:
  pools: { web: { backends: 1 }, gone: { backends: 1 } }
  routes: { all: { path: /, to: web }, gone: { path: /gone, to: gone } }
  health_check: off
  response_timeout: 1s
load: { rate: 20/s, for: 10s, warmup: 0s, fresh_connections: 0% }
";
/// Nothing here takes longer to start; what does has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The plan that balancers are set up by.
pub(crate) fn plan(kind: Option<BalancerKind>) -> Plan {
    let scenario = Scenario::parse("fault-matrix.yaml", SCENARIO, &[]).unwrap();
    let choice = Choice { balancers: kind.map(|kind| vec![kind.into()]), ..Choice::default() };
    Plan::build(&scenario, &engine::balancer::catalog(), &choice)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

/// The server, who is not there, and the balancer before both.
pub(crate) struct Standing {
    server: FaultServer,
    says: Arc<Mutex<Script>>,
    gone: (TcpSocket, SocketAddr),
    balancer: Option<Balancer>,
}

type TcpSocket = socket2::Socket;

impl Standing {
    /// Stands once a request was answered.
    pub(crate) fn up(way: Option<Measured>) -> Standing {
        let says: Arc<Mutex<Script>> = Arc::new(Mutex::new(well));
        let script = says.clone();
        let server = FaultServer::start(move |id| (script.lock().unwrap())(id));
        // Bound and not listening: connections are refused.
        let socket = TcpSocket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let balancer = way.map(|way| Balancer::start(way, server.address, address));
        Standing { server, says, gone: (socket, address), balancer }
    }

    /// From now on the server does this. Returns where that is met.
    pub(crate) fn does(&self, fault: &Fault) -> SocketAddr {
        *self.says.lock().unwrap() = fault.reply.unwrap_or(well);
        self.server.forget();
        match &self.balancer {
            Some(balancer) => balancer.listener,
            None if fault.reply.is_none() => self.gone.1,
            None => self.server.address,
        }
    }

    /// Lets a few requests meet `fault`, and says how they ended.
    pub(crate) fn meet(&self, fault: &Fault) -> String {
        let path = if fault.reply.is_some() { "/" } else { "/gone" };
        let target = self.does(fault);
        let mut job = sending::job(target, fault.method, path);
        if fault.depends_on_order() {
            // Each follows the one before on its connection, however late that is.
            job.traffic.connections = 1;
        }
        if self.balancer.is_none() {
            // Nothing else has a timeout.
            job.traffic.timeout = Span::millis(1_000);
        }
        let sent = sending::send(job);
        let seen = self.server.seen();
        let through = self.balancer.as_ref().map_or("nothing".to_owned(), |balancer| balancer.of.to_string());
        let what = format!("{}, through {through}", fault.name);
        let expected = if fault.reply.is_some() { TIMES } else { 0 };
        assert_eq!(seen.received.len() as u64, expected, "{what}: the server received every request");
        // Go's HTTP client sends a request again for each kept connection that ends before a byte of the response.
        let most = if self.balancer.as_ref().is_some_and(|it| it.resends) { 1 + TIMES } else { 1 };
        assert!(seen.received.values().all(|times| *times <= most), "{what}: and none more often: {seen:?}");
        if self.balancer.is_some() {
            return sending::words(&sent.records);
        }
        assert_eq!(seen.accepted, sent.report.connections, "{what}: connections");
        sending::words(&sent.records) + &sending::ends(&sent.report)
    }
}

/// A balancer of this test's own.
struct Balancer {
    of: Measured,
    resends: bool,
    process: Child,
    listener: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Balancer {
    fn start(of: Measured, server: SocketAddr, gone: SocketAddr) -> Balancer {
        let kind = of.kind;
        let directory = tempfile::tempdir().unwrap();
        let plan = plan(Some(kind));
        let variant = &plan.variants[0];
        let mut site = example_site(variant, variant.balancers[0]);
        site.directory = directory.path().to_owned();
        site.as_root = rustix::process::geteuid().is_root();
        site.listener = free();
        site.admin = directory.path().join("admin.sock");
        for (name, address) in &mut site.backends {
            *address = if name.starts_with("web") { server } else { gone };
        }
        let rotation = Rotation::initial(&variant.topology);
        let files = adapter(kind).files(&variant.topology, &site, &rotation, &Templates::embedded()).unwrap();
        for file in &files {
            let path = directory.path().join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &file.text).unwrap();
        }
        let log = std::fs::File::create(directory.path().join("output")).unwrap();
        // It ends with this thread, however that ends.
        let process = Command::new(env!("CARGO_BIN_EXE_rig"))
            .args(["agent", "exec", "--signal", "TERM", "--parent", &std::process::id().to_string(), "--"])
            .arg(executable(&of))
            .args(adapter(kind).arguments(&variant.topology, &site, &files))
            .envs(adapter(kind).variables(&variant.topology, &site))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let resends =
            adapter(kind).request_log().is_some_and(|log| log.gaps(variant).contains(&LogGap::Resend));
        let mut balancer = Balancer { of, resends, process, listener: site.listener, _directory: directory };
        balancer.wait();
        balancer
    }

    /// Waits until a request was answered by the server.
    fn wait(&mut self) {
        let until = Instant::now() + PATIENCE;
        while !answers(self.listener) {
            let said = || std::fs::read_to_string(self._directory.path().join("output")).unwrap_or_default();
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "{} ended: {}", self.of, said());
            assert!(Instant::now() < until, "{} does not answer: {}", self.of, said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        // nginx and HAProxy take their workers along.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

fn answers(listener: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(listener)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nx-rig-seq: 0\r\nConnection: close\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// An address that nothing else in this test has.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn executable(of: &Measured) -> PathBuf {
    program::named(of.executable).unwrap_or_else(|| panic!("{of} is missing: run `make setup`"))
}

/// Whether it is here in the version of the table; if not, that is printed.
pub(crate) fn is_measured(of: &Measured) -> bool {
    let (wanted, asks) = (of.version, adapter(of.kind).program().version_arguments);
    let output = Command::new(executable(of)).args(asks).output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let same = said.contains(wanted);
    if !same {
        eprintln!("not held against the table, which is of version {wanted}: {}", said.trim());
    }
    same
}
