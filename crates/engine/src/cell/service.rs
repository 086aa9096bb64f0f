//! A service that runs beside the backends of a cell. What befalls it is recorded as what befalls a backend: its lives are
//! `redis/1`, `redis/2`, …

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use model::component::Component;
use model::history::Happening;
use model::identity::Incarnation;
use model::sessions::Password;
use model::timeline::{Fault, FaultKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::error::CellError;
use super::log_tail::last_lines;
use super::recorder::Recorder;
use crate::components::{Service, ServiceStart};
use crate::help::with_help;
use crate::host::Signal;
use crate::host::certificates::write_secret;
use crate::program::{STDERR_FILE, STDOUT_FILE};
use crate::runtime::{Handle, Launch, Pod, Runs, Runtime, RuntimeError};

/// How long it may take to answer.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long it may take to end.
const GONE_WITHIN: Duration = Duration::from_secs(5);
/// Between two questions.
const POLL: Duration = Duration::from_millis(10);
/// Lines of its own words that an error shows.
const WORDS: usize = 10;

/// A service in a pod of its own.
pub(super) struct RunningService<'a, R> {
    pub(super) service: &'static Service,
    pub(super) runtime: &'a R,
    pub(super) recorder: &'a Recorder<'a>,
    pub(super) pod: Pod,
    pub(super) directory: PathBuf,
    /// Everybody on this machine can connect to a loopback address. It is in a file, because everybody can read arguments.
    pub(super) password: Password,
    pub(super) lives: RefCell<Vec<ServiceLife>>,
}

/// One life of it.
pub(super) struct ServiceLife {
    incarnation: Incarnation,
    handle: Handle,
    /// Whether rig has ended it.
    ending: bool,
    /// Whether it was found to have ended by itself.
    lost: bool,
    frozen: bool,
}

impl<R: Runtime> RunningService<'_, R> {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.pod.addresses[0]
    }

    /// Its name.
    pub(super) fn name(&self) -> &'static str {
        self.service.program.name
    }

    /// Launches its next life, and waits until it answers.
    pub(super) async fn launch(&self) -> Result<Incarnation, CellError> {
        let generation = u32::try_from(self.lives.borrow().len() + 1).unwrap_or(u32::MAX);
        let incarnation = Incarnation::new(self.name(), generation);
        std::fs::create_dir_all(&self.directory).map_err(CellError::file(&self.directory))?;
        let start = (self.service.start)(self.address(), &self.password);
        let (file, text) = &start.configuration;
        let file = self.directory.join(file);
        write_secret(&file, text).map_err(CellError::file(&file))?;
        let process = self
            .runtime
            .start(Launch {
                component: (&incarnation).into(),
                pod: &self.pod,
                runs: Runs::Program(self.service.program.into()),
                arguments: start.arguments.clone(),
                variables: vec![],
                directory: self.directory.clone(),
                leaves: Vec::new(),
            })
            .await?;
        let handle = process.handle;
        let component = Component::from(&incarnation);
        self.recorder.record(Happening::Launched { component: component.clone(), pid: handle.pid });
        let life = ServiceLife {
            incarnation: incarnation.clone(),
            handle: handle.clone(),
            ending: false,
            lost: false,
            frozen: false,
        };
        self.lives.borrow_mut().push(life);
        let begun = Instant::now();
        while let Err(error) = self.asked(&start).await {
            if handle.exited().is_some() || begun.elapsed() > READY_WITHIN {
                let status = handle.exited().map(|status| status.to_string());
                return Err(self.failed(&status.unwrap_or_else(|| format!("it does not answer: {error}"))));
            }
            tokio::time::sleep(POLL).await;
        }
        self.recorder.record(Happening::Ready { component, proof: start.proof.to_owned() });
        Ok(incarnation)
    }

    async fn asked(&self, start: &ServiceStart) -> std::io::Result<()> {
        let asked = async {
            let mut stream = TcpStream::connect(self.address()).await?;
            stream.write_all(start.question.as_bytes()).await?;
            let mut answer = vec![0; start.answer.len()];
            stream.read_exact(&mut answer).await?;
            match answer == start.answer.as_bytes() {
                true => Ok(()),
                false => Err(std::io::Error::other(String::from_utf8_lossy(&answer).into_owned())),
            }
        };
        tokio::time::timeout(READY_WITHIN, asked)
            .await
            .unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()))
    }

    fn failed(&self, status: &str) -> CellError {
        let files = [STDOUT_FILE, STDERR_FILE].map(|name| self.directory.join(name));
        let words = last_lines(files.into_iter(), WORDS);
        CellError::ServiceFailed { title: self.service.title, status: status.to_owned(), words }
    }

    /// Suffers a fault of the timeline's `entry`, and is healed if the fault says when.
    pub(super) async fn suffer(&self, entry: &str, fault: &Fault) -> Result<(), CellError> {
        let Some((incarnation, handle)) = self.current() else {
            let (entry, backend) = (entry.to_owned(), self.name().to_owned());
            let reason = format!("nothing ran at {backend} then");
            self.recorder.record(Happening::FaultMissed { entry, backend, reason });
            return Ok(());
        };
        let at = match fault.kind {
            FaultKind::Crash => self.end(&incarnation, &handle, Signal::Kill).await?,
            FaultKind::Term => self.end(&incarnation, &handle, Signal::Term).await?,
            FaultKind::Freeze => {
                self.with(&incarnation, |life| life.frozen = true);
                self.runtime.freeze(&handle).await?
            }
            FaultKind::Partition | FaultKind::HostLoss => {
                let reason = "validation lets only its process be harmed";
                return Err(RuntimeError::Incapable {
                    verb: fault.kind.name(),
                    of: self.name().into(),
                    reason,
                }
                .into());
            }
        };
        let harmed = incarnation.clone();
        self.recorder.record_at(at, Happening::Faulted { incarnation: harmed, fault: fault.kind });
        if fault.kind != FaultKind::Freeze {
            self.gone(&incarnation, &handle).await;
        }
        let Some(lasts) = fault.lasts else { return Ok(()) };
        tokio::time::sleep(lasts.0).await;
        let (healed, at) = match fault.kind {
            FaultKind::Freeze => {
                self.with(&incarnation, |life| life.frozen = false);
                (incarnation, self.runtime.thaw(&handle).await?)
            }
            _ => (self.launch().await?, agent::clock::now()),
        };
        self.recorder.record_at(at, Happening::Healed { incarnation: healed });
        Ok(())
    }

    /// The process that runs, if one does.
    pub(super) fn running(&self) -> Option<Handle> {
        self.current().map(|(_, handle)| handle)
    }

    /// Its last life, if that has not ended.
    fn current(&self) -> Option<(Incarnation, Handle)> {
        let lives = self.lives.borrow();
        let life = lives.last().filter(|life| !life.ending && !life.lost)?;
        Some((life.incarnation.clone(), life.handle.clone()))
    }

    fn with(&self, incarnation: &Incarnation, act: impl Fn(&mut ServiceLife)) {
        self.lives.borrow_mut().iter_mut().filter(|life| life.incarnation == *incarnation).for_each(act);
    }

    async fn end(
        &self,
        incarnation: &Incarnation,
        handle: &Handle,
        signal: Signal,
    ) -> Result<model::units::Nanos, CellError> {
        self.with(incarnation, |life| life.ending = true);
        Ok(self.runtime.signal(handle, signal).await?)
    }

    /// Waits until it is gone, and records it.
    async fn gone(&self, incarnation: &Incarnation, handle: &Handle) {
        let component = Component::from(incarnation);
        match handle.wait(GONE_WITHIN).await {
            Some(status) => self.recorder.record(Happening::Exited { component, status, expected: true }),
            None => {
                let message = format!("{component} did not exit within {} s", GONE_WITHIN.as_secs());
                self.recorder.record(Happening::Warning { message });
            }
        }
    }

    /// Ends it gracefully. One that stands still would not hear it, and gets SIGKILL.
    pub(super) async fn stop(&self) {
        let Some((incarnation, handle)) = self.current() else { return };
        let frozen = self.lives.borrow().last().is_some_and(|life| life.frozen);
        let signal = if frozen { Signal::Kill } else { Signal::Term };
        if let Err(error) = self.end(&incarnation, &handle, signal).await {
            self.recorder.record(Happening::Warning { message: with_help(&error) });
        }
        self.gone(&incarnation, &handle).await;
    }

    /// Ends when it exits by itself, once for each life, and says how.
    pub(super) async fn unexpected_exit(&self) -> CellError {
        loop {
            let died = self.lives.borrow_mut().iter_mut().find_map(|life| {
                let status = life.handle.exited().filter(|_| !life.ending && !life.lost)?;
                life.lost = true;
                Some((Component::from(&life.incarnation), status))
            });
            if let Some((component, status)) = died {
                let told = status.clone();
                self.recorder.record(Happening::Exited { component, status: told, expected: false });
                return self.failed(&format!("it exited in mid-run ({status})"));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
