//! One run of the generator, from its job to its report.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use agent::timer::Timer;
use agent::tls::TlsError;
use agent::{clock, usage};
use model::job::{Frame, GeneratorReport, LoadJob, Progress, wake_quantum};
use model::tls::{ClientTls, SERVER_NAME};
use model::units::Nanos;

use crate::busiest::Busiest;
use crate::context::{Context, Tally, read_buffer};
use crate::dispatcher::Dispatcher;
use crate::pool::WorkerPool;
use crate::recorder::RequestRecorder;
use crate::request::Template;
use crate::schedule::Schedule;
use crate::users::Holdings;
use crate::wire::WireTls;

/// Time between two progress frames; the records gathered meanwhile are written as often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);

/// Why a run has no report.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The traffic has no class of requests.
    #[error("the traffic's mix is empty: there is nothing to send")]
    EmptyMix,
    /// The job names no address.
    #[error("the load has no address to go to")]
    NoTarget,
    /// The records can't be written.
    #[error("cannot write the records {}: {source}", path.display())]
    Records {
        /// Their file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The timer can't be made, or the process can't be asked for its usage.
    #[error("cannot measure: {0}")]
    System(#[from] io::Error),
    /// The run's authority can't be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A bug: requests were lost or recorded twice.
    #[error("{scheduled} requests were scheduled and {recorded} recorded; please report this")]
    Unbalanced {
        /// Requests in the schedule.
        scheduled: u64,
        /// Records written.
        recorded: u64,
    },
}

/// Sends the load of `job` and records every request. `frames` takes the schedule's size and then progress;
/// if `stop` resolves, what hasn't ended is recorded as cancelled; if `enough` does, what is due after that is not sent. To be
/// called on tokio's `LocalRuntime` or in a `LocalSet`.
pub async fn generate(
    job: LoadJob,
    mut frames: impl FnMut(Frame),
    stop: impl Future<Output = ()>,
    enough: impl Future<Output = Nanos>,
) -> Result<GeneratorReport, LoadError> {
    if job.traffic.mix.is_empty() {
        return Err(LoadError::EmptyMix);
    }
    let schedule = Schedule::new(&job.traffic, job.origin, job.seed).of(job.part);
    let unwritable = |source| LoadError::Records { path: job.records.clone(), source };
    let Some(first) = job.targets.first() else { return Err(LoadError::NoTarget) };
    let host = job.host.clone().unwrap_or_else(|| match &job.tls {
        None => first.to_string(),
        Some(_) => format!("{SERVER_NAME}:{}", first.port()),
    });
    let tls = |tls: &ClientTls| {
        Ok::<_, TlsError>(WireTls { config: agent::tls::client(tls)?, server: agent::tls::server_name(tls)? })
    };
    let connections = job.traffic.connections_of(job.part);
    let quantum = wake_quantum(job.traffic.rate_of(job.part));
    let context = Rc::new(Context {
        tls: job.tls.as_ref().map(tls).transpose()?,
        targets: job.targets,
        identity_header: job.identity_header.map(Into::into),
        part: job.part,
        timeout: job.traffic.timeout.0,
        templates: job
            .traffic
            .mix
            .iter()
            .map(|class| Template::new(class, class.host.as_deref().unwrap_or(&host)))
            .collect(),
        classes: job.traffic.mix,
        scheduled: Cell::new(schedule.remaining()),
        timer: Timer::new(quantum)?,
        pool: RefCell::new(WorkerPool::new(connections)),
        holdings: RefCell::new(Holdings::new(job.traffic.users)),
        recorder: RefCell::new(RequestRecorder::open(&job.records).map_err(unwritable)?),
        read_buffer: read_buffer(),
        tally: Tally::default(),
        all_ended: tokio::sync::Notify::new(),
    });
    frames(Frame::Scheduled { requests: context.scheduled.get() });
    let mut busiest = Busiest::new(job.origin);
    let shortened = Cell::new(None);
    tokio::select! {
        () = Dispatcher::new(context.clone(), schedule).run(stop, enough, &shortened) => {}
        error = tell_progress(&context, &mut busiest, &mut frames) => return Err(unwritable(error)),
    }
    context.recorder.borrow_mut().flush().map_err(unwritable)?;
    let progress = context.recorder.borrow().progress();
    frames(Frame::Progress(progress));
    if let Some(at) = shortened.get() {
        frames(Frame::Shortened { requests: context.scheduled.get(), at });
    }
    if progress.ended != context.scheduled.get() {
        return Err(LoadError::Unbalanced { scheduled: context.scheduled.get(), recorded: progress.ended });
    }
    Ok(GeneratorReport {
        scheduled: context.scheduled.get(),
        recorded: progress.ended,
        cpu_seconds: usage::cpu_seconds(),
        max_rss_kib: usage::max_rss_kib()?,
        connections: context.tally.opened.get(),
        unannounced_closes: context.tally.unannounced_closes.get(),
        announced_closes: context.tally.announced_closes.get(),
        busiest_second: busiest.share(),
        surplus: context.tally.surplus.get(),
        parts: Vec::new(),
    })
}

/// Writes records and tells progress at a fixed interval; returns only if records can't be written.
async fn tell_progress(
    context: &Context,
    busiest: &mut Busiest,
    frames: &mut impl FnMut(Frame),
) -> io::Error {
    let mut next = clock::now();
    loop {
        next = next + PROGRESS_INTERVAL;
        context.timer.sleep_until(next).await;
        if let Err(error) = context.recorder.borrow_mut().flush() {
            return error;
        }
        let progress = context.recorder.borrow().progress();
        let cpu_seconds = usage::cpu_seconds();
        busiest.add(clock::now(), cpu_seconds);
        frames(Frame::Progress(Progress { cpu_seconds, ..progress }));
    }
}
