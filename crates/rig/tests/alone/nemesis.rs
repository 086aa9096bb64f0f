//! Any process of a run is killed, stopped or starved at a random moment: nothing is left, the records are
//! whole or say what is missing, and neither a pass nor a charge comes of it that the records don't bear out.
//!
//! What is done follows from a seed, which is printed: `RIG_NEMESIS_SEED=…` does it again, and `make nemesis` plays many
//! rounds. What comes of it depends on the machine as well, so only what holds on every machine is asserted.

mod acts;
mod verdicts;

use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use acts::{Act, Deed};
use testing::{BALANCERS, Sandbox, within};

use crate::RIG;

/// A run takes some 12 s; what is still there after that has hung.
const PATIENCE: Duration = Duration::from_secs(150);

/// A draw from 0 to 1.
pub(crate) fn draw(seed: u64, n: u64) -> f64 {
    model::draw::uniform(seed, model::draw::Decision::CellOrder, n)
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number")))
}

/// A seed of the user's, or a new one.
pub(crate) fn fresh_seed() -> u64 {
    number("RIG_NEMESIS_SEED").unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_micros()).unwrap()
    })
}

/// What is played: by default one round of each balancer, the same in every run of the tests; else as many as are asked for.
fn seeds() -> Vec<u64> {
    match (number("RIG_NEMESIS_ROUNDS"), number("RIG_NEMESIS_SEED")) {
        // One of each balancer, the same in every run of the tests.
        (None, None) => vec![0, 1, 2],
        (rounds, _) => (fresh_seed()..).take(rounds.unwrap_or(1) as usize).collect(),
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn whatever_befalls_a_run_it_leaves_nothing_and_says_nothing_false() {
    let machine = RIG.alone();
    let mut failed = Vec::new();
    // Three at once: what is asserted doesn't mind company, and the machine is busy as well.
    for seeds in seeds().chunks(3) {
        std::thread::scope(|scope| {
            let rounds: Vec<_> =
                seeds.iter().map(|seed| (*seed, scope.spawn(|| play(&machine.fresh(), *seed)))).collect();
            failed
                .extend(rounds.into_iter().filter_map(|(seed, round)| round.join().is_err().then_some(seed)));
        });
    }
    let again: Vec<String> = failed.iter().map(|seed| format!("RIG_NEMESIS_SEED={seed}")).collect();
    assert!(failed.is_empty(), "see above; again with {}", again.join(", or "));
}

/// One run, and what befalls it.
fn play(rig: &Sandbox, seed: u64) {
    let balancer = BALANCERS[(seed % 3) as usize];
    let mut running = rig.run("nemesis").on([balancer]).begin();
    let begun = Instant::now();
    let mut deeds: Vec<Deed> = Vec::new();
    for act in Act::drawn(seed) {
        let before = act.at.saturating_sub(begun.elapsed());
        if end_of(&mut running.child, before).is_some() {
            break;
        }
        deeds.extend(act.perform(running.pid(), rig.path()));
    }
    let ended = end_of(&mut running.child, PATIENCE);
    let round =
        format!("RIG_NEMESIS_SEED={seed} ({balancer}): {deeds:?}, then {ended:?}\n{}", running.said());
    eprintln!("{}", round.lines().next().unwrap_or_default());
    let Some(ended) = ended else {
        running.child.kill().unwrap();
        running.child.wait().unwrap();
        panic!("it hangs: {round}");
    };
    within(Duration::from_secs(30), &format!("all to be gone: {round}"), || {
        rig.processes().is_empty().then_some(())
    });
    let complaints = verdicts::complaints(rig, balancer, &deeds, ended);
    assert!(complaints.is_empty(), "{round}\n{}", complaints.join("\n"));
}

/// Waits so long for the child's end.
fn end_of(child: &mut Child, patience: Duration) -> Option<ExitStatus> {
    let begun = Instant::now();
    loop {
        match child.try_wait().unwrap() {
            Some(status) => return Some(status),
            None if begun.elapsed() >= patience => return None,
            None => std::thread::park_timeout(Duration::from_millis(10)),
        }
    }
}
