//! Workers that end by themselves while their balancer goes on: its log is all that says so, since they are no processes of
//! rig's own.

use std::convert::Infallible;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::Duration;

use model::component::Component;
use model::history::Happening;
use tokio::time::MissedTickBehavior;

use super::recorder::Recorder;
use crate::balancer::Balancer;

/// How often the log is read on: what a death explains lies within a quarter of a second before it is noticed.
const EVERY: Duration = Duration::from_millis(20);

/// Records each worker whose end the balancer's notices in `directory` tell of, for as long as it is polled. A log that
/// can't be read says nothing, as that of a balancer without workers.
pub(super) async fn follow(balancer: &dyn Balancer, directory: &Path, recorder: &Recorder<'_>) -> Infallible {
    let Some(lost) = balancer.tells_of_lost_workers() else { return std::future::pending().await };
    let path = directory.join(balancer.logs().notices);
    let mut looks = tokio::time::interval(EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut read, mut rest) = (0, Vec::new());
    loop {
        looks.tick().await;
        let Ok(more) = read_on(&path, read) else { continue };
        read += more.len() as u64;
        rest.extend(more);
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = rest.drain(..whole).collect();
        for status in String::from_utf8_lossy(&lines).lines().filter_map(lost) {
            recorder.record(Happening::Exited { component: Component::Worker, status, expected: false });
        }
    }
}

fn read_on(path: &Path, from: u64) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}
