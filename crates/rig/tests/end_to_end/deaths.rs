//! A process that dies while the load runs, killed by somebody else than rig: a result, and nothing is left behind.

use testing::{
    AccessLog, BalancerKind, CellSummary, Envoy, Haproxy, Nginx, OutcomeKind, Run, Signal, Verdict,
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
fn a_balancer_that_is_killed_in_mid_deploy_is_a_result() {
    let run = killed(Haproxy, "balancer");
    let cell = measured(&run, Haproxy, "haproxy");
    assert!(cell.counts.of(OutcomeKind::Refused) > 0, "{:?}", cell.counts);
    assert_eq!(cell.deaths[0].dropped, cell.counts.dropped);
    assert_eq!(cell.books.access_log, AccessLog::Lost);
}

#[test]
fn a_master_that_leaves_its_workers_behind_has_died_all_the_same() {
    measured(&killed(Nginx, "balancer"), Nginx, "nginx");
}

#[test]
fn a_backend_that_is_killed_from_outside_in_mid_deploy_is_a_result() {
    let run = killed(Envoy, "web-3/1");
    let cell = measured(&run, Envoy, "web-3/1");
    assert!(cell.deaths[0].dropped > 0);
    assert_eq!(cell.faults[0].fault, "died by itself");
    assert_eq!(deploy(cell).replaced, 3);
}
