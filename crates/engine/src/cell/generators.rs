//! The generators of a load: launched together, begun at one instant, each with its part of one schedule, and their accounts
//! put together.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use model::generators::LoadPart;
use model::history::Happening;
use model::job::{GeneratorReport, LoadJob, Progress};
use model::traffic::Traffic;
use model::units::{Nanos, Span};
use store::CellDir;
use tokio::sync::mpsc;

use super::error::CellError;
use super::generator::{self, GeneratorProcess, Idle};
use super::recorder::{Observation, Recorder, Watcher};
use crate::runtime::{Pod, PodOrder, Reach, Runtime, RuntimeError};

/// Between the job and the first arrival: the agents must have their schedules by then.
const LEAD: Duration = Duration::from_millis(200);
/// What it takes to find out how many requests are in a part, for each request of the whole, where users are divided.
const LEAD_PER_REQUEST: Duration = Duration::from_nanos(500);
/// How long interrupted generators may take to record what they had under way.
const CANCEL_WITHIN: Duration = Duration::from_secs(3);
/// How soon a load ends that was enough: a generator that hears of it later has sent more than its part.
const ENOUGH_WITHIN: Duration = Duration::from_millis(500);

/// Generators that wait for their jobs.
pub(super) struct IdleGenerators(Vec<Idle>);

/// Generators that have their schedules.
pub(super) struct Generators {
    each: Vec<GeneratorProcess>,
    /// How far each was by its last word.
    progress: RefCell<Vec<Progress>>,
    /// When the first measured request is due.
    pub(super) origin: Nanos,
    /// Whether their account has been recorded.
    accounted: bool,
}

/// What a generator's pod and directory are called.
fn place(part: LoadPart) -> String {
    part.generator().to_string()
}

/// Opens a pod for each of so many generators.
pub(super) async fn pods<R: Runtime>(runtime: &R, generators: u32) -> Result<Vec<Pod>, RuntimeError> {
    let open = |part: LoadPart| async move {
        let name = &place(part);
        runtime.pod(PodOrder { name, ports: 0, reach: Reach::Cell, port: None }).await
    };
    try_join_all(LoadPart::all(generators).map(open)).await
}

/// The directories in which so many generators work, below `scratch`.
pub(super) fn directories(scratch: &Path, generators: u32) -> impl Iterator<Item = PathBuf> {
    LoadPart::all(generators).map(move |part| scratch.join(place(part)))
}

/// Launches a generator in each of `pods`.
pub(super) async fn launch<R: Runtime>(
    runtime: &R,
    recorder: &Recorder<'_>,
    pods: &[Pod],
    scratch: &Path,
) -> Result<IdleGenerators, CellError> {
    let parts = LoadPart::all(u32::try_from(pods.len()).unwrap_or(u32::MAX));
    let each = parts.zip(pods).map(|(part, pod)| async move {
        generator::launch(runtime, recorder, pod, part, &scratch.join(place(part))).await
    });
    Ok(IdleGenerators(try_join_all(each).await?))
}

impl IdleGenerators {
    /// Gives each its part of `job`, which gets its origin here, and its records' file in `dir`.
    pub(super) async fn begin(
        self,
        recorder: &Recorder<'_>,
        job: LoadJob,
        dir: &CellDir,
    ) -> Result<Generators, CellError> {
        let origin = agent::clock::now() + lead(&job.traffic, self.0.len()) + job.traffic.warmup.0;
        let job = &job;
        let each = self.0.into_iter().map(|idle| async move {
            let part = idle.part();
            let records = dir.requests_of(part);
            let records = std::path::absolute(&records).map_err(CellError::file(records))?;
            idle.begin(LoadJob { origin, part, records, ..job.clone() }).await
        });
        let each = try_join_all(each).await?;
        let requests = each.iter().map(|generator| generator.requests).sum();
        recorder.record(Happening::Scheduled { requests, origin });
        let progress = RefCell::new(vec![Progress::default(); each.len()]);
        Ok(Generators { each, progress, origin, accounted: false })
    }
}

/// The time until the first arrival.
fn lead(traffic: &Traffic, generators: usize) -> Duration {
    if generators == 1 || traffic.users.is_none() {
        return LEAD;
    }
    let requests = traffic.rate.0 * (traffic.warmup.0 + traffic.duration.0).as_secs_f64();
    LEAD + LEAD_PER_REQUEST.mul_f64(requests)
}

impl Generators {
    /// Asks them to stop: what is under way or still due is recorded as cancelled.
    pub(super) async fn cancel<R: Runtime>(&mut self, runtime: &R, recorder: &Recorder<'_>) {
        join_all(self.each.iter().map(|generator| generator.stop(runtime))).await;
        // One that doesn't answer has lost its last records, which the books will say.
        let _ = tokio::time::timeout(CANCEL_WITHIN, self.finish(recorder)).await;
    }

    /// What ends their load early.
    pub(super) fn brake(&self) -> Brake {
        Brake(self.each.iter().map(GeneratorProcess::commands).collect())
    }

    /// Follows them until every request has ended, and records their account.
    pub(super) async fn finish(&mut self, recorder: &Recorder<'_>) -> Result<(), CellError> {
        self.followed(recorder, &|told| recorder.show(told)).await
    }

    /// The same, and tells `watcher` how far they are together. May be given up and called again.
    pub(super) async fn followed(
        &mut self,
        recorder: &Recorder<'_>,
        watcher: &Watcher<'_>,
    ) -> Result<(), CellError> {
        let Generators { each, progress, origin, .. } = self;
        let (progress, origin) = (&*progress, *origin);
        let followed = each.iter_mut().enumerate().map(|(n, generator)| async move {
            let told = |now: Progress| {
                let all = {
                    let mut progress = progress.borrow_mut();
                    progress[n] = now;
                    together(&progress)
                };
                watcher(Observation::Progress(all));
            };
            generator.followed(recorder, origin, &told).await
        });
        try_join_all(followed).await?;
        self.account(recorder);
        join_all(self.each.iter_mut().map(|generator| generator.exit(recorder))).await;
        Ok(())
    }

    fn account(&mut self, recorder: &Recorder<'_>) {
        if std::mem::replace(&mut self.accounted, true) {
            return;
        }
        let reports = self.each.iter().filter_map(|generator| generator.report.clone()).collect();
        let generator = GeneratorReport::total(reports);
        // What is due up to there has been sent by whichever has it, so the latest is that of the load.
        if let Some(at) = self.each.iter().filter_map(|generator| generator.shortened).max() {
            let after = Span(at.since(self.origin));
            recorder.record(Happening::LoadShortened { requests: generator.scheduled, after });
        }
        recorder.record(Happening::LoadFinished { generator });
    }
}

/// Ends a load early.
pub(super) struct Brake(Vec<mpsc::Sender<String>>);

impl Brake {
    /// Soon nothing more is due: for all generators from the same instant on, so that what was due before is a whole beginning
    /// of the schedule.
    pub(super) async fn enough(&self) {
        generator::enough(&self.0, agent::clock::now() + ENOUGH_WITHIN).await;
    }
}

/// How far several generators are.
fn together(parts: &[Progress]) -> Progress {
    parts.iter().fold(Progress::default(), |all, one| Progress {
        due: all.due + one.due,
        ended: all.ended + one.ended,
        ok: all.ok + one.ok,
        dropped: all.dropped + one.dropped,
        http_5xx: all.http_5xx + one.http_5xx,
        cpu_seconds: all.cpu_seconds + one.cpu_seconds,
    })
}
