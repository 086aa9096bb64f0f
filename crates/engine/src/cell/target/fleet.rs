//! The instances of a target, deployed step by step by its commands.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use model::component::ExitStatus;
use model::history::{Happening, WindowDerivation};
use model::identity::Incarnation;
use model::target::{CommandName, TargetCommand};
use model::timeline::Deregister;
use model::units::Span;

use super::command::{CommandRunner, Ran};
use crate::balancer::Standing;
use crate::cell::error::CellError;
use crate::cell::recorder::Recorder;
use crate::cell::steps::{DrainReading, Fleet};

/// How often a command that answers yes or not yet is asked.
const ASK: Duration = Duration::from_millis(250);

/// What the deploy sequence asks, answered by commands.
pub(super) struct TargetFleet<'a> {
    commands: &'a CommandRunner<'a>,
    recorder: &'a Recorder<'a>,
    generations: RefCell<BTreeMap<String, u32>>,
}

impl<'a> TargetFleet<'a> {
    pub(super) fn new(commands: &'a CommandRunner<'a>, recorder: &'a Recorder<'a>) -> TargetFleet<'a> {
        TargetFleet { commands, recorder, generations: RefCell::default() }
    }

    /// Runs a step, if the target has that command.
    async fn step(
        &self,
        name: CommandName,
        command: Option<&TargetCommand>,
        of: &Incarnation,
    ) -> Result<(), CellError> {
        let Some(command) = command else { return Ok(()) };
        let generation = of.generation.to_string();
        self.commands.must(name, command, &[("backend", &of.backend), ("generation", &generation)]).await
    }

    /// Asks a command that answers yes or not yet; `None`: there is none.
    async fn ask(
        &self,
        name: CommandName,
        command: Option<&TargetCommand>,
        of: &Incarnation,
    ) -> Result<Option<bool>, CellError> {
        let Some(command) = command else { return Ok(None) };
        tokio::time::sleep(ASK).await;
        let generation = of.generation.to_string();
        let ran = self
            .commands
            .run(name, command, &[("backend", &of.backend), ("generation", &generation)])
            .await?;
        match ran {
            Ran { code: Some(0), .. } => Ok(Some(true)),
            Ran { code: Some(1), .. } => Ok(Some(false)),
            Ran { status, .. } => Err(CellError::Command { command: name.name(), reason: status }),
        }
    }
}

impl Fleet for TargetFleet<'_> {
    fn record(&self, what: Happening) {
        self.recorder.record(what);
    }

    /// The client's view alone tells who answers, and only afterwards.
    fn under_load(&self) -> bool {
        false
    }

    fn room(&self) -> Option<Duration> {
        None
    }

    fn incarnation(&self, backend: &str) -> Incarnation {
        Incarnation::new(backend, self.generations.borrow().get(backend).copied().unwrap_or(1))
    }

    async fn turn(&self, backend: &str, standing: Standing, _: Deregister) -> Result<String, CellError> {
        let (of, commands) = (self.incarnation(backend), self.commands.of());
        let (name, command) = match standing {
            Standing::In => (CommandName::Register, &commands.register),
            Standing::Draining | Standing::Out => (CommandName::Deregister, &commands.deregister),
        };
        self.step(name, command.as_ref(), &of).await?;
        Ok(format!("the command `{name}` ended with 0"))
    }

    async fn drain_reading(&self, backend: &str) -> Result<DrainReading, CellError> {
        let of = self.incarnation(backend);
        Ok(match self.ask(CommandName::Drained, self.commands.of().drained.as_ref(), &of).await? {
            None => DrainReading::Unreadable,
            Some(false) => DrainReading::Lingering,
            Some(true) => DrainReading::InFlight {
                count: 0,
                received: 0,
                steady: Duration::ZERO,
                source: "the command `drained` ended with 0",
            },
        })
    }

    async fn terminate(&self, backend: &str) -> Result<(), CellError> {
        let incarnation = self.incarnation(backend);
        self.recorder.record(Happening::Terminated {
            incarnation: incarnation.clone(),
            signal: "its command".to_owned(),
        });
        self.step(CommandName::Terminate, self.commands.of().terminate.as_ref(), &incarnation).await
    }

    async fn exited(&self, backend: &str, _: Duration) -> Result<(), CellError> {
        self.recorder.record(Happening::Exited {
            component: self.incarnation(backend).into(),
            status: ExitStatus::unknown("its command `terminate` ended with 0"),
            expected: true,
        });
        Ok(())
    }

    fn draw(&self, _: &Incarnation, from: Span, _: Span) -> Duration {
        from.0
    }

    async fn launch(&self, incarnation: &Incarnation, _: bool) -> Result<(), CellError> {
        self.generations.borrow_mut().insert(incarnation.backend.clone(), incarnation.generation);
        let launched = self.step(CommandName::Launch, self.commands.of().launch.as_ref(), incarnation).await;
        // It is the new generation's failure, and ends the deploy.
        launched.map_err(|error| CellError::BackendFailed {
            incarnation: incarnation.clone(),
            reason: error.to_string(),
        })
    }

    fn is_gone(&self, _: &str) -> bool {
        false
    }

    async fn healthy(&self, backend: &str) -> bool {
        let of = self.incarnation(backend);
        let ready = self.ask(CommandName::Ready, self.commands.of().ready.as_ref(), &of).await;
        matches!(ready, Ok(Some(true) | None))
    }

    fn starts_slowly(&self) -> Duration {
        Duration::ZERO
    }

    fn keeps_users(&self, _: &str) -> bool {
        false
    }

    async fn answers_newcomers(&self, _: &Incarnation, _: Duration) -> Option<u64> {
        None
    }

    async fn received(&self, _: &str) -> Result<BTreeMap<String, u64>, CellError> {
        Ok(BTreeMap::new())
    }

    fn slowest(&self, _: &str) -> Result<Option<WindowDerivation>, CellError> {
        Ok(None)
    }

    fn refused(&self, reason: &str) -> CellError {
        CellError::Command { command: "deploy", reason: reason.to_owned() }
    }
}
