//! How an agent talks with its controller: a job line in, frames out. The end of stdin means that the controller died.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use model::job::{Frame, Hello, Job, PROTOCOL};
use tokio::sync::{mpsc, oneshot};

use crate::clock;

/// Exit code of an agent whose environment keeps it from working: 3, as everywhere in rig.
pub const EXIT_ENVIRONMENT: u8 = 3;

/// The longest line that a controller may send, in bytes.
const LINE_LIMIT: u64 = 1024 * 1024;

/// Why there is no job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Reading failed.
    #[error("cannot read the job from stdin: {0}")]
    Read(#[from] io::Error),
    /// Stdin ended first.
    #[error("stdin ended before a job line came")]
    Missing,
    /// The line isn't a job.
    #[error("the first line on stdin isn't a job: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// Says hello on stdout, then waits for the job on stdin.
pub fn hello_and_job() -> Result<Job, JobError> {
    send(&Frame::Hello(Hello {
        protocol: PROTOCOL,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        boot_id: clock::boot_id()?,
        monotonic: clock::now(),
    }));
    read_job(&mut io::stdin().lock())
}

fn read_job(input: &mut impl BufRead) -> Result<Job, JobError> {
    let line = next_line(input)?.ok_or(JobError::Missing)?;
    Ok(serde_json::from_str(&line)?)
}

/// Writes one frame to stdout. Ends the process if stdout is closed: the controller is gone.
pub fn send(frame: &Frame) {
    if write_frame(&mut io::stdout().lock(), frame).is_err() {
        std::process::exit(EXIT_ENVIRONMENT.into());
    }
}

fn write_frame(output: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let mut line = serde_json::to_vec(frame)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

/// Tells the controller why the agent can't do its job; `main` returns the result.
pub fn fault(reason: &dyn std::fmt::Display) -> ExitCode {
    send(&Frame::Fault { message: reason.to_string() });
    ExitCode::from(EXIT_ENVIRONMENT)
}

/// Resolves when stdin ends: the controller died. To be called after the job has been read.
///
/// A separate thread blocks on stdin, because tokio's stdin would keep the runtime from ending.
pub async fn controller_gone() {
    let (gone, heard) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // For an agent that takes no commands.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        drop(gone);
    });
    let _ = heard.await;
}

/// The lines after the job, for an agent that takes commands; they end when stdin does: the controller died.
pub fn lines_to_come() -> mpsc::UnboundedReceiver<String> {
    let (line, lines) = mpsc::unbounded_channel();
    // A thread of its own, as for `controller_gone`.
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(text)) = next_line(&mut input) {
            if line.send(text).is_err() {
                break;
            }
        }
    });
    lines
}

fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = io::Read::take(&mut *input, LINE_LIMIT).read_line(&mut line)?;
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::identity::Incarnation;
    use model::job::{BackendJob, GeneratorReport};
    use model::topology::{Backend, Latency};
    use model::units::{Bytes, Span};

    fn job() -> Job {
        Job::Backend(BackendJob {
            incarnation: Incarnation::new("web-1", 2),
            listen: "127.0.0.1:8080".parse().unwrap(),
            backend: Backend {
                id: "web-1".into(),
                boot: Span::millis(5),
                latency: Latency { from: Span::millis(5), to: Span::millis(9), tail: None },
                at_once: Some(4),
                queue: 8,
                body: Bytes(512),
                ..Backend::default()
            },
            health_path: "/health".into(),
            unhealthy: false,
            seed: 7,
            ledger: "ledger".into(),
            tls: None,
            sessions: None,
        })
    }

    #[test]
    fn frames_and_jobs_survive_their_lines() {
        for frame in [
            Frame::Listening,
            Frame::Done(GeneratorReport { scheduled: 3, recorded: 3, ..GeneratorReport::default() }),
            Frame::Fault { message: "two\nlines".into() },
        ] {
            let mut line = Vec::new();
            write_frame(&mut line, &frame).unwrap();
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line per frame");
            assert_eq!(serde_json::from_slice::<Frame>(&line).unwrap(), frame);
        }
        let line = serde_json::to_string(&job()).unwrap() + "\nlater";
        let mut input = line.as_bytes();
        assert_eq!(read_job(&mut input).unwrap(), job());
        assert_eq!(input, b"later", "later lines stay unread");
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_a_job_or_a_frame_panic_and_none_is_read_beyond_its_end(
            is_job: bool, at: proptest::sample::Index, cut in 0..9_usize, piece: Vec<u8>
        ) {
            let sound = match is_job {
                true => serde_json::to_vec(&job()),
                false => serde_json::to_vec(&Frame::Done(GeneratorReport::default())),
            };
            let mut bytes = sound.unwrap();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, piece);
            let _ = serde_json::from_slice::<Frame>(&bytes);
            bytes.extend_from_slice(b"\nlater");
            let line = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
            let mut input = bytes.as_slice();
            let _ = read_job(&mut input);
            assert!(input.len() >= bytes.len() - line, "later lines stay unread");
        }
    }

    #[test]
    fn a_missing_or_malformed_job_is_told_apart() {
        assert!(matches!(read_job(&mut &b""[..]), Err(JobError::Missing)));
        assert!(matches!(read_job(&mut &b"{}\n"[..]), Err(JobError::Malformed(_))));
    }
}
