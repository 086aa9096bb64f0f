//! Several cells at the same time: the same counts, and nothing beside a cell whose latency is judged.

use model::history::Happening;
use testing::docker::made_by;
use testing::{
    Haproxy, History, Holding, Nginx, Sandbox, Signal, books_balance, counts_are_trusted, deploy, eventually,
    left,
};

use crate::RIG;

/// From the first event of a cell to its last.
fn span(history: &History) -> (String, i64, i64) {
    let name = history.all(|event| match event {
        Happening::CellStarted { cell, .. } => Some(cell.variant.clone()),
        _ => None,
    });
    (name[0].clone(), history.first().unwrap().at.0, history.last().unwrap().at.0)
}

/// Pairs of variants whose cells overlapped in time.
fn overlaps(rig: &Sandbox) -> Vec<[String; 2]> {
    let spans: Vec<_> = rig.histories().iter().map(span).collect();
    let mut pairs = Vec::new();
    for (n, (one, from, to)) in spans.iter().enumerate() {
        let beside = spans[n + 1..].iter().filter(|(_, begin, end)| begin < to && from < end);
        pairs.extend(beside.map(|(other, ..)| [one.clone(), other.clone()]));
    }
    pairs
}

#[test]
#[ignore = "takes long: make test-rest"]
fn cells_at_the_same_time_count_the_same_and_one_whose_latency_is_judged_runs_alone() {
    let rig = RIG.beside_others();
    let run = rig.run("short-drain").on([Nginx, Haproxy]).variants(["without-drain", "with-drain"]);
    let run = run.args(["--jobs", "3", "--fail-on", "without-drain.p99 > 60s"]).json();
    for balancer in [Nginx, Haproxy] {
        // Beside other tests the latency itself may be INVALID.
        assert_eq!(*run.claim(balancer, "with-drain.dropped == 0"), Holding::Held, "{run}");
        let (without, with) = (run.cell(balancer, "without-drain"), run.cell(balancer, "with-drain"));
        for cell in [without, with] {
            counts_are_trusted(cell);
            books_balance(cell);
            assert_eq!((cell.counts.scheduled, deploy(cell).replaced), (2000, 3), "{balancer}");
        }
        assert!(without.counts.dropped > 0 && with.counts.dropped == 0, "{run}");
    }
    let together = ["with-drain", "with-drain"].map(str::to_owned);
    assert_eq!(overlaps(&rig), [together], "only these can have been beside each other");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn cells_in_containers_share_an_engine_and_leave_nothing() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let mut running = rig.run("docker-drain").on([Nginx]).docker().at_once().loud().begin();
    let pid = running.pid();
    running.exits(0);
    let together = ["with-drain", "without-drain"].map(str::to_owned);
    let mut pairs = overlaps(&rig);
    pairs.iter_mut().for_each(|pair| pair.sort());
    assert_eq!(pairs, [together]);
    assert_eq!(made_by(pid), Vec::<String>::new());
}

#[test]
fn ctrl_c_ends_all_of_them_and_nothing_is_left() {
    let rig = RIG.beside_others();
    let run = rig.run("short-drain").on([Nginx, Haproxy]).variants(["without-drain"]).set("load.for", "60s");
    let mut running = run.args(["--jobs", "2"]).loud().begin();
    let launched: Vec<u32> = eventually("two loads", || {
        let loads: Vec<_> = rig.histories().into_iter().filter(|it| it.has("scheduled")).collect();
        (loads.len() == 2).then(|| loads.iter().flat_map(History::launched).collect())
    });
    running.signal(Signal::INT);
    running.exits(130);
    assert_eq!(left::alive(&launched), Vec::<String>::new());
}
