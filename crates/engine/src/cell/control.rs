//! Performs the steps that adapters return, and asks balancers for their view.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use model::catalog::BalancerKind;
use model::discovery::Discovery;
use model::history::Happening;
use model::timeline::{Deregister, Reload, ReloadProcess, SplitChange};
use model::topology::Topology;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::backends::Backends;
use super::error::CellError;
use super::incumbent::Incumbent;
use super::listener::BalancerListener;
use crate::balancer::Templates;
use crate::balancer::{
    Ask, BackendView, Balancer, Change, ConfigFile, DrainSignal, OldWorkers, Rotation, Sighting, Site,
    SplitSteps, Standing, Step, Succession, Trigger, Turn, View, adapter,
};
use crate::runtime::Runtime;

/// How often a sighting is looked for.
const POLL: Duration = Duration::from_millis(10);
/// How much later than an answer's TTL allows a balancer may ask again, before a silence says that a backend is drained: nginx
/// 1.31 counts whole seconds, and was seen to be 0.7 s late.
const UNASKED: Duration = Duration::from_secs(1);
/// How long one question to a control interface may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// A balancer that runs, and what it has been told.
pub(super) struct Control<'a, R> {
    pub(super) kind: BalancerKind,
    backends: &'a Backends<'a, R>,
    site: &'a Site,
    templates: &'a Templates,
    balancer: &'a Incumbent<'a, R>,
    rotation: RefCell<Rotation>,
    http: OnceCell<reqwest::Client>,
    /// With the shares that it has been told last.
    topology: RefCell<Topology>,
    /// Reloads that the timeline has asked for.
    reloads: Cell<u32>,
    /// One change at a time: a reload renders the rotation as it is, and a change is told to who serves by then.
    changing: Mutex<()>,
    /// For each backend that has been turned: what tells that it is drained, and where the log then began.
    turned: RefCell<BTreeMap<String, (DrainSignal, u64)>>,
}

impl<'a, R: Runtime> Control<'a, R> {
    pub(super) fn new(
        kind: BalancerKind,
        backends: &'a Backends<'a, R>,
        site: &'a Site,
        templates: &'a Templates,
        balancer: &'a Incumbent<'a, R>,
    ) -> Control<'a, R> {
        let rotation = RefCell::new(Rotation::initial(backends.topology()));
        let topology = RefCell::new(backends.topology().clone());
        Control {
            kind,
            backends,
            site,
            templates,
            balancer,
            rotation,
            http: OnceCell::new(),
            topology,
            reloads: Cell::new(0),
            changing: Mutex::new(()),
            turned: RefCell::default(),
        }
    }

    /// Where it stands.
    pub(super) fn site(&self) -> &Site {
        self.site
    }

    /// Gives a route its new shares and returns what confirmed it.
    pub(super) async fn split(&self, change: &SplitChange) -> Result<&'static str, CellError> {
        let _alone = self.changing.lock().await;
        let to = self.topology.borrow().with_split(&change.route, &change.to);
        let route = to.route(&change.route);
        let route = route.ok_or_else(|| self.failed(format!("there is no route `{}`", change.route)))?;
        let splits = self.adapter().splits().ok_or_else(|| self.failed("rig can't split its traffic"))?;
        let SplitSteps { steps, proof } = splits.split(&to, self.site, route, self.templates)?;
        let log_began = self.log_length();
        for step in steps {
            self.perform(step, log_began).await?;
        }
        *self.topology.borrow_mut() = to;
        Ok(proof)
    }

    fn adapter(&self) -> &'static dyn Balancer {
        adapter(self.kind)
    }

    fn failed(&self, reason: impl Into<String>) -> CellError {
        CellError::Control { kind: self.kind, reason: reason.into() }
    }

    /// Gives `backend` a standing and returns what confirmed it.
    pub(super) async fn turn(
        &self,
        backend: &str,
        standing: Standing,
        how: Deregister,
    ) -> Result<&'static str, CellError> {
        let _alone = self.changing.lock().await;
        let to = self.rotation.borrow().with(backend, standing);
        if let Some(discovery) = self.backends.topology().discovery_of(backend) {
            return self.rename(backend, to, discovery).await;
        }
        let turn = Turn { to: &to, backend, how };
        let topology = self.topology.borrow().clone();
        let deregisters = self.adapter().deregisters();
        let deregisters = deregisters.ok_or_else(|| self.failed("rig can't take a backend out of it"))?;
        let Change { steps, proof, drained } =
            deregisters.change(&topology, self.site, turn, self.templates)?;
        let log_began = self.log_length();
        for step in steps {
            self.perform(step, log_began).await?;
        }
        self.turned.borrow_mut().insert(backend.to_owned(), (drained, log_began));
        *self.rotation.borrow_mut() = to;
        Ok(proof)
    }

    /// Lets the name of its pool have `backend`'s address, or no longer: the balancer hears of that when it asks again.
    async fn rename(
        &self,
        backend: &str,
        to: Rotation,
        discovery: Discovery,
    ) -> Result<&'static str, CellError> {
        let records =
            self.backends.topology().pool_of(backend).and_then(|pool| self.backends.records(pool, &to));
        let (Some(names), Some(records)) = (&self.backends.names, records) else {
            return Err(self.failed("the cell has no DNS server"));
        };
        names.set(records).await?;
        let proof = match to.of(backend) {
            Standing::In => "the DNS server answers with its address",
            Standing::Draining | Standing::Out => "the DNS server answers without its address",
        };
        // Until the answer that the balancer has is too old, it may send there at any time.
        let drained = DrainSignal::Backend { steady: discovery.ttl.0 + UNASKED };
        self.turned.borrow_mut().insert(backend.to_owned(), (drained, 0));
        *self.rotation.borrow_mut() = to;
        Ok(proof)
    }

    /// Lets the balancer read its configuration again, in this process or the next, and waits until the new one serves.
    pub(super) async fn reload(&self, Reload { keeps, process, .. }: Reload) -> Result<(), CellError> {
        let _alone = self.changing.lock().await;
        let rotation = self.rotation.borrow().clone();
        let topology = self.backends.topology();
        let (site, templates) = (self.site, self.templates);
        let steps = match process {
            ReloadProcess::Kept => {
                let nth = self.reloads.get() + 1;
                self.reloads.set(nth);
                let reloads = self.adapter().reloads().ok_or_else(|| self.failed("rig can't reload it"))?;
                reloads.reload(topology, site, &rotation, keeps, nth, templates)?
            }
            ReloadProcess::Takeover | ReloadProcess::Rebind => {
                let (nth, serving) = (self.balancer.next(), self.balancer.serving().pid);
                let succession = Succession { keeps, process, nth, serving };
                let succeeded = self.adapter().succeeded();
                let succeeded =
                    succeeded.ok_or_else(|| self.failed("rig can't start a second process of it"))?;
                succeeded.succeed(topology, site, &rotation, &succession, templates)?
            }
        };
        let log_began = self.log_length();
        for step in steps {
            self.perform(step, log_began).await?;
        }
        self.balancer.succeeded();
        Ok(())
    }

    /// What tells that `backend`, which has been turned, is drained; for a log, whether it says so already.
    pub(super) fn drain_signal(&self, backend: &str) -> Result<(DrainSignal, bool), CellError> {
        let turned = self.turned.borrow();
        let (signal, log_began) =
            turned.get(backend).ok_or_else(|| self.failed(format!("{backend} has not been deregistered")))?;
        let seen = match signal {
            DrainSignal::OldWorkers(workers) => self.all_did(workers, *log_began)?,
            DrainSignal::View | DrainSignal::Backend { .. } => false,
        };
        Ok((signal.clone(), seen))
    }

    async fn perform(&self, step: Step, log_began: u64) -> Result<(), CellError> {
        tracing::debug!(balancer = %self.kind, ?step);
        match step {
            Step::Write { path, text } => write_file(self.site, &ConfigFile::new(path, text)),
            Step::Save { ask, path } => {
                let answer = self.ask(&ask).await?;
                write_file(self.site, &ConfigFile::new(path, answer))
            }
            Step::Remove { path } => {
                let path = self.site.directory.join(path);
                match std::fs::remove_file(&path) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                        Err(CellError::file(path)(error))
                    }
                    _ => Ok(()),
                }
            }
            Step::Reload(trigger) => {
                let at = match trigger {
                    Trigger::Signal(signal) => {
                        self.backends.runtime.signal(&self.balancer.serving(), signal).await?
                    }
                    Trigger::Write { path, text } => {
                        let ordered = agent::clock::now();
                        write_file(self.site, &ConfigFile::new(path, text))?;
                        ordered
                    }
                };
                self.backends.recorder.record_at(at, Happening::BalancerReloaded);
                Ok(())
            }
            Step::Succeed { arguments } => {
                self.backends.recorder.record(Happening::BalancerReloaded);
                self.balancer.succeed(arguments).await
            }
            Step::Send(line) => {
                let reply = self.ask_line(&line).await?;
                match reply.trim() {
                    "" => Ok(()),
                    refusal => Err(self.failed(format!("`{line}` was answered `{refusal}`"))),
                }
            }
            Step::Await { sighting, within } => self.wait_for(&sighting, within, log_began).await,
        }
    }

    async fn wait_for(&self, sighting: &Sighting, within: Duration, log_began: u64) -> Result<(), CellError> {
        let begun = Instant::now();
        loop {
            let (seen, instead) = match sighting {
                Sighting::Up(backend) => {
                    let view = self.view_of(backend).await?;
                    (view.as_ref().is_some_and(|view| view.up), words(backend, view))
                }
                Sighting::NotUp(backend) => {
                    let view = self.view_of(backend).await?;
                    (view.as_ref().is_none_or(|view| !view.up), words(backend, view))
                }
                Sighting::Says { ask, text } => {
                    let says = self.ask(ask).await?.contains(text.as_str());
                    (says, format!("it does not say `{text}`"))
                }
                Sighting::Logged { log, text } => {
                    (self.logged_since(log_began, log, text)?, format!("{log} has no `{text}`"))
                }
                Sighting::Answer { ask, line } => {
                    let answer = self.ask(ask).await?;
                    (answer.lines().any(|said| said == line), format!("no `{line}` in `{}`", answer.trim()))
                }
                Sighting::Serves { path, status } => {
                    let listener = BalancerListener::of(self.site, None);
                    let listener = listener.map_err(|error| self.failed(error.to_string()))?;
                    let answered = listener.status(path, None, None).await;
                    (answered == Ok(*status), format!("{path} is answered {answered:?}, not {status}"))
                }
                Sighting::OldWorkers(workers) => {
                    let missing = format!("{} lacks `{}` of an old worker", workers.log, workers.then);
                    (self.all_did(workers, log_began)?, missing)
                }
            };
            if seen {
                return Ok(());
            }
            if begun.elapsed() > within {
                return Err(
                    self.failed(format!("it did not follow within {} s: {instead}", within.as_secs()))
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The balancer's view of its backends; `None`: it has none.
    pub(super) async fn view(&self) -> Result<Option<View>, CellError> {
        let Some(query) = self.adapter().view() else {
            return Ok(None);
        };
        let answer = self.ask(&query.ask).await?;
        (query.read)(&answer, self.site).map(Some).map_err(|error| self.failed(error.to_string()))
    }

    /// How many lines of its log the balancer could not write, by its own count.
    pub(super) async fn unwritten(&self) -> u64 {
        let Some(query) = self.adapter().request_log().and_then(|log| log.unwritten()) else { return 0 };
        self.ask(&query.ask).await.ok().and_then(|answer| (query.read)(&answer)).unwrap_or(0)
    }

    async fn ask(&self, ask: &Ask) -> Result<String, CellError> {
        match ask {
            Ask::Line(line) => self.ask_line(line).await,
            Ask::Get(path) => self.get(path).await,
        }
    }

    async fn view_of(&self, backend: &str) -> Result<Option<BackendView>, CellError> {
        Ok(self.view().await?.unwrap_or_default().into_iter().find(|view| view.backend == backend))
    }

    /// Whether its view says which backends are down.
    pub(super) fn sees_health(&self) -> bool {
        self.adapter().sees_health()
    }

    /// Requests in flight at `backend`, as the balancer counts them.
    pub(super) async fn in_flight(&self, backend: &str) -> Result<u64, CellError> {
        let view = self.view_of(backend).await?;
        view.map(|view| view.in_flight)
            .ok_or_else(|| self.failed(format!("its view does not list {backend}")))
    }

    async fn ask_line(&self, line: &str) -> Result<String, CellError> {
        let ask = || async {
            let mut stream = UnixStream::connect(&self.site.admin).await?;
            stream.write_all(format!("{line}\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let begun = Instant::now();
        loop {
            match tokio::time::timeout(ANSWER_WITHIN, ask()).await {
                Ok(Ok(answer)) => return Ok(answer),
                // During a reload the socket passes from one process to the next. Every line may be said twice.
                Ok(Err(_)) if begun.elapsed() < ANSWER_WITHIN => tokio::time::sleep(POLL).await,
                Ok(Err(error)) => return Err(self.failed(format!("`{line}`: {error}"))),
                Err(_) => {
                    let seconds = ANSWER_WITHIN.as_secs();
                    return Err(self.failed(format!("`{line}` was not answered within {seconds} s")));
                }
            }
        }
    }

    async fn get(&self, path: &str) -> Result<String, CellError> {
        let url = format!("http://{}{path}", self.kind);
        let asked = async || {
            self.http()?.get(&url).timeout(ANSWER_WITHIN).send().await?.error_for_status()?.text().await
        };
        let begun = Instant::now();
        loop {
            match asked().await {
                Ok(answer) => return Ok(answer),
                // A successor makes the socket again.
                Err(_) if begun.elapsed() < ANSWER_WITHIN && self.balancer.is_succeeding() => {
                    tokio::time::sleep(POLL).await;
                }
                Err(error) => return Err(self.failed(format!("GET {url}: {error}"))),
            }
        }
    }

    /// Speaks HTTP through the control interface's socket.
    fn http(&self) -> Result<&reqwest::Client, reqwest::Error> {
        if self.http.get().is_none() {
            // On a connection that is kept, a predecessor would go on answering.
            let client = reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .unix_socket(self.site.admin.clone())
                .build()?;
            let _ = self.http.set(client);
        }
        Ok(self.http.get().expect("it was set just now"))
    }

    fn log_path(&self) -> PathBuf {
        self.site.directory.join(self.adapter().logs().notices)
    }

    fn log_length(&self) -> u64 {
        std::fs::metadata(self.log_path()).map_or(0, |meta| meta.len())
    }

    /// Whether a line that was written since the change began contains `text`.
    fn logged_since(&self, change_began: u64, log: &str, text: &str) -> Result<bool, CellError> {
        let path = self.site.directory.join(log);
        let log = std::fs::read(&path).map_err(CellError::file(path))?;
        let since = &log[log.len().min(usize::try_from(change_began).unwrap_or(usize::MAX))..];
        Ok(String::from_utf8_lossy(since).contains(text))
    }

    /// Whether the log says what is waited for of every worker that had begun before `change_began`.
    fn all_did(&self, workers: &OldWorkers, change_began: u64) -> Result<bool, CellError> {
        let path = self.site.directory.join(workers.log);
        let log = std::fs::read(&path).map_err(CellError::file(path))?;
        let before = &log[..log.len().min(usize::try_from(change_began).unwrap_or(usize::MAX))];
        let count = |part: &[u8], text| {
            String::from_utf8_lossy(part).lines().filter(|line| line.contains(text)).count()
        };
        Ok(count(&log, workers.then) >= count(before, workers.began))
    }
}

/// What the balancer's view says of `backend`, in its own words.
fn words(backend: &str, view: Option<BackendView>) -> String {
    let words = view.map_or_else(|| "not listed".to_owned(), |view| view.words);
    format!("its view of {backend} is `{words}`")
}

/// Writes a file of a balancer's by temporary file and rename, so that a watcher never sees half of it.
pub(super) fn write_file(site: &Site, file: &ConfigFile) -> Result<(), CellError> {
    let path = site.directory.join(&file.path);
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(CellError::file(directory))?;
    }
    store::write_atomic(&path, file.text.as_bytes())?;
    Ok(())
}
