//! Backends that are a service of the user's: launched as the scenario says, ready once they answer.

use std::path::PathBuf;

use model::component::Component;
use model::history::Happening;
use model::identity::Incarnation;
use model::service::{OwnService, ServicePlace};
use tokio::time::Instant;

use super::backends::{ANSWER_WITHIN, BackendLife, Backends, Booting};
use super::error::CellError;
use super::log_tail::last_lines;
use crate::program::{STDERR_FILE, STDOUT_FILE};
use crate::runtime::{Launch, OwnProgram, Runs, Runtime};

/// Between two questions whether it is ready.
const POLL: std::time::Duration = std::time::Duration::from_millis(20);
/// Lines of its own words that an error shows.
const WORDS: usize = 10;

impl<R: Runtime> Backends<'_, R> {
    /// Launches `incarnation` in `directory`, and waits until it answers.
    pub(super) async fn launch_own(
        &self,
        incarnation: &Incarnation,
        service: &OwnService,
        directory: PathBuf,
    ) -> Result<(), CellError> {
        let backend = incarnation.backend.as_str();
        let address = self.address(backend);
        let place = ServicePlace {
            // A container has all the addresses of its pod.
            host: if service.image.is_some() { "0.0.0.0".to_owned() } else { address.ip().to_string() },
            port: address.port(),
            backend,
            generation: incarnation.generation,
        };
        let own = OwnProgram {
            image: service.image_of(&place),
            variables: service.variables(&place),
            directory: service.directory.clone(),
        };
        let component = Component::from(incarnation);
        let process = self
            .runtime
            .start(Launch {
                component: component.clone(),
                pod: &self.pods[backend],
                runs: Runs::Own(&own),
                arguments: service.words(&place),
                variables: vec![],
                directory: directory.clone(),
                leaves: Vec::new(),
            })
            .await?;
        let handle = process.handle.clone();
        self.recorder.record(Happening::Launched { component, pid: handle.pid });
        // It keeps no ledger: the file is never there.
        let life = BackendLife::begun(incarnation.clone(), directory.join("ledger.ndjson"), handle.clone());
        self.lives.borrow_mut().push(life);
        let _booting = Booting { lives: &self.lives, incarnation };
        let begun = Instant::now();
        let said = || {
            let words =
                last_lines([STDOUT_FILE, STDERR_FILE].map(|name| directory.join(name)).into_iter(), WORDS);
            if words.is_empty() { "it said nothing".to_owned() } else { format!("its last words:\n{words}") }
        };
        let failed = |reason: String| CellError::BackendFailed { incarnation: incarnation.clone(), reason };
        loop {
            let answer = match self.ready(backend).await {
                Ok(()) => break,
                Err(answer) => answer,
            };
            if let Some(status) = handle.exited() {
                self.report_exits();
                return Err(failed(format!("it exited before it was ready ({status}); {}", said())));
            }
            if begun.elapsed() > service.ready.within.0 {
                let (url, within) = (self.ready_url(backend), service.ready.within);
                return Err(failed(format!(
                    "GET {url} was not answered with 200 to 299 within {within} of its launch (`ready`): {answer}; does it \
                     listen on {{host}}:{{port}}? {}",
                    said()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
        self.listens_from_now_on(incarnation, process);
        Ok(())
    }

    fn ready_url(&self, backend: &str) -> String {
        let path = self.topology().pool_of(backend).map_or("/", |pool| pool.ready_path());
        format!("http://{}{path}", self.address(backend))
    }

    /// Whether `backend` says that it can serve, at its own address; else what it says instead.
    pub(super) async fn ready(&self, backend: &str) -> Result<(), String> {
        match self.http.get(self.ready_url(backend)).timeout(ANSWER_WITHIN).send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("the last answer was {}", answer.status())),
            Err(error) => Err(format!("no answer ({})", root(&error))),
        }
    }

    /// Whether `backend` is a service of the user's, which is asked nothing that only rig's own backends answer.
    pub(super) fn is_own(&self, backend: &str) -> bool {
        self.topology().service_of(backend).is_some()
    }
}

/// What an error comes down to.
fn root(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .last()
        .map_or_else(String::new, |it| it.to_string())
}
