//! A process that dies while the load runs, killed by somebody else than rig: a result, and nothing is left behind.

use testing::{
    AccessLog, BalancerKind, CellSummary, Envoy, Haproxy, Nginx, OutcomeKind, Pid, Run, Signal, Verdict,
    books_balance, counts_are_trusted, deploy, kill_process, left,
};

use crate::RIG;

/// Runs a drained deploy, kills `component` at its first deregistration, and returns the run.
fn killed(balancer: BalancerKind, component: &str) -> Run {
    let drained = RIG.beside_others().run("short-drain").on([balancer]).variants(["with-drain"]);
    let mut running = drained.begin();
    let history = running.until("deregistered");
    kill_process(history.pid_of(component), Signal::KILL).unwrap();
    let run = running.finished();
    run.exits(1);
    assert_eq!(left::alive(&history.launched()), Vec::<String>::new());
    run
}

/// The drained cell of a run in which `who` died: its counts are whole, and it is no pass.
fn measured<'a>(run: &'a Run, balancer: BalancerKind, who: &str) -> &'a CellSummary {
    assert_eq!(run.verdict, Verdict::Failed);
    let cell = run.cell(balancer, "with-drain");
    assert_eq!(cell.counts.scheduled, 2000, "the load went on to its end");
    counts_are_trusted(cell);
    books_balance(cell);
    let died: Vec<&str> = cell.deaths.iter().map(|death| death.who.as_str()).collect();
    assert_eq!(died, [who]);
    cell
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_balancer_that_is_killed_in_mid_deploy_is_a_result() {
    let run = killed(Haproxy, "balancer");
    let cell = measured(&run, Haproxy, "haproxy");
    assert!(cell.counts.of(OutcomeKind::Refused) > 0, "{:?}", cell.counts);
    assert_eq!(cell.deaths[0].dropped, cell.counts.dropped);
    assert_eq!(cell.books.access_log, AccessLog::Lost);
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_master_that_leaves_its_workers_behind_has_died_all_the_same() {
    measured(&killed(Nginx, "balancer"), Nginx, "nginx");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_backend_that_is_killed_from_outside_in_mid_deploy_is_a_result() {
    let run = killed(Envoy, "web-3/1");
    let cell = measured(&run, Envoy, "web-3/1");
    assert!(cell.deaths[0].dropped > 0);
    assert_eq!(cell.faults[0].fault, "died by itself");
    assert_eq!(deploy(cell).replaced, 3);
}

/// Runs a drained deploy, kills the only worker of `balancer` at its first deregistration, and returns the run.
fn without_its_worker(balancer: BalancerKind) -> Run {
    let drained = RIG.beside_others().run("short-drain").on([balancer]).variants(["with-drain"]);
    let mut running = drained.begin();
    let history = running.until("deregistered");
    let [worker] = children_of(history.pid_of("balancer")).try_into().unwrap();
    kill_process(worker, Signal::KILL).unwrap();
    let run = running.finished();
    run.exits(1);
    run
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_master_that_ends_with_its_worker_has_died() {
    let run = without_its_worker(Haproxy);
    assert!(measured(&run, Haproxy, "haproxy").deaths[0].dropped > 0);
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_worker_that_is_killed_while_its_master_goes_on_is_a_result() {
    let run = without_its_worker(Nginx);
    let cell = measured(&run, Nginx, "a worker of nginx");
    assert!(cell.deaths[0].dropped > 0 && cell.counts.dropped >= cell.deaths[0].dropped, "{:?}", cell.counts);
    assert_eq!(cell.deaths[0].status.signal(), Some(9));
    assert_eq!(deploy(cell).replaced, 3, "new workers follow the deploy");
}

fn children_of(parent: Pid) -> Vec<Pid> {
    let parent = parent.as_raw_nonzero();
    let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    let pid = |word: &str| Pid::from_raw(word.parse().unwrap()).unwrap();
    children.split_whitespace().map(pid).collect()
}

#[test]
fn a_session_store_that_is_killed_from_outside_is_a_result() {
    let steady = RIG.beside_others().run("steady").on([Nginx]).set("load.users.count", "20");
    let mut running = steady.set("topology.pools.web.sessions", "redis").begin();
    let history = running.until("machine_read");
    kill_process(history.pid_of("redis/1"), Signal::KILL).unwrap();
    let run = running.finished();
    run.exits(1);
    assert_eq!(left::alive(&history.launched()), Vec::<String>::new());
    let [cell] = run.cells.as_slice() else { panic!("{:?}", run.cells) };
    counts_are_trusted(cell);
    books_balance(cell);
    let [death] = cell.deaths.as_slice() else { panic!("{:?}", cell.deaths) };
    assert_eq!((death.who.as_str(), death.dropped), ("redis/1", cell.counts.dropped));
    assert!(death.dropped > 0 && cell.counts.dropped < cell.counts.scheduled, "{:?}", cell.counts);
    assert_eq!(cell.faults[0].fault, "died by itself");
}
