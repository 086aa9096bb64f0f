//! rig killed in Docker at a moment that is drawn.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use testing::{BALANCERS, Signal, docker, within};

use crate::RIG;
use crate::nemesis::{draw, fresh_seed};

#[test]
#[ignore = "takes long: make test-rest"]
fn kill_9_at_any_moment_leaves_no_container_and_no_network() {
    const MOMENTS: u64 = 5;
    const LATEST: Duration = Duration::from_secs(3);
    // What is seen of a run that is killed early depends on how fast it is.
    let Some(machine) = RIG.alone().with_docker() else { return };
    let seed = fresh_seed();
    let mut ran = 0;
    for n in 0..MOMENTS {
        // Drawn once in each stretch: at any moment, and not always at the same.
        let moment = LATEST.mul_f64((n as f64 + draw(seed, n)) / MOMENTS as f64);
        let balancer = BALANCERS[((seed + n) % 3) as usize];
        let round = format!("RIG_NEMESIS_SEED={seed} ({balancer}, {moment:?})");
        let rig = machine.fresh();
        let mut running = rig.run("short-drain").on([balancer]).docker().loud().begin();
        let pid = running.pid();
        std::thread::sleep(moment);
        let left = || [rig.processes(), docker::made_by(pid)].concat();
        ran += left().len();
        running.signal(Signal::KILL);
        assert_eq!(running.ends().signal(), Some(9), "{round}");
        within(Duration::from_secs(10), &format!("all to be gone: {round}"), || {
            left().is_empty().then_some(())
        });
    }
    // rig itself is one at each; the rest is what had to go, more of it on a faster machine.
    assert!(
        ran > MOMENTS as usize,
        "RIG_NEMESIS_SEED={seed}: only {ran} processes, containers and networks were seen"
    );
}
