//! Which backend a balancer gives a request, and whether it tries again, by the backends' own ledgers: weights, backups, slow
//! starts, retries.

use std::time::Duration;

use model::identity::{BalancerName, CellId};
use model::ledger::Execution;
use testing::{BalancerKind, Envoy, Haproxy, Nginx, Sandbox, Traefik, books_balance, text};

use crate::RIG;

/// What the backends of one cell executed, in the order of time.
fn executions(rig: &Sandbox, cell: &CellId) -> Vec<Execution> {
    let of_cell = |path: &std::path::PathBuf| {
        path.ends_with("ledger.ndjson.zst") && path.to_string_lossy().contains(&format!("/{cell}/"))
    };
    let ledger = rig.files().into_iter().find(of_cell).unwrap_or_else(|| panic!("{cell} has no ledger"));
    let text = text(&ledger);
    let mut all: Vec<Execution> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    all.sort_by_key(|it| it.received);
    all
}

/// The part of `all` that `backend` executed.
fn part<'e>(all: impl IntoIterator<Item = &'e Execution>, backend: &str) -> f64 {
    let own: Vec<bool> = all.into_iter().map(|it| it.by.backend == backend).collect();
    own.iter().filter(|is_own| **is_own).count() as f64 / own.len().max(1) as f64
}

#[test]
fn a_backend_of_weight_3_gets_three_requests_for_each_of_its_neighbours() {
    let rig = RIG.beside_others();
    let run = rig.run("weighted").json();
    for balancer in BalancerKind::ALL {
        let cell = run.cell(balancer, "base");
        books_balance(cell);
        let heavy = part(&executions(&rig, &cell.cell()), "web-1");
        assert!((0.73..=0.77).contains(&heavy), "{balancer}: {heavy}");
    }
}

#[test]
fn a_backup_gets_nothing_while_others_live_and_everything_after_them() {
    let rig = RIG.beside_others();
    let run = rig.run("backed-up").json();
    for (balancer, variant) in [(Nginx, "passive"), (Haproxy, "probed"), (Envoy, "probed")] {
        let cell = run.cell(balancer, variant);
        let all = executions(&rig, &cell.cell());
        let first = all.iter().position(|it| it.by.backend == "web-3").expect("the backup was used");
        let (before, after) = all.split_at(first);
        assert!(before.iter().any(|it| it.by.backend == "web-2"), "{balancer}");
        assert_eq!(part(after, "web-3"), 1.0, "{balancer}: {run}");
        assert!(after.len() > 100, "{balancer}: {}", after.len());
    }
}

#[test]
fn a_backend_that_comes_back_gets_its_part_little_by_little() {
    let rig = RIG.beside_others();
    let run = rig.run("slow-start").json();
    for balancer in [Haproxy, Envoy] {
        let cell = run.cell(balancer, "base");
        let all = executions(&rig, &cell.cell());
        let back = all.iter().find(|it| it.by.backend == "web-2" && it.by.generation > 1).unwrap().received;
        let within = |from: u64, to: u64| {
            let [from, to] = [from, to].map(|ms| back + Duration::from_millis(ms));
            part(all.iter().filter(|it| from <= it.received && it.received < to), "web-2")
        };
        let (early, late) = (within(0, 700), within(1000, 1700));
        assert!(early < 0.35 && late > early, "{balancer}: {early} at first, {late} later");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_balancer_tries_again_what_it_is_told_to_and_nothing_else() {
    let rig = RIG.beside_others();
    let run = rig.run("retried").json();
    let caddy: BalancerName = "caddy@2.11.7".parse().unwrap();
    for balancer in [Haproxy.into(), Envoy.into(), caddy, Traefik.into()] {
        // An error of web-1 is no refused connection: each was received once, and reached its client.
        let cell = run.cell(balancer, "connection");
        assert_eq!(cell.books.duplicates, 0, "{balancer}");
        assert!(cell.counts.dropped > 0, "{balancer}");
        let gone = run.cell(balancer, "connection-gone");
        books_balance(gone);
        // But for what it had in hand when it was killed: a broken connection is not tried again.
        assert!(gone.counts.dropped < 20, "{balancer}: {}", gone.counts.dropped);
    }
    for balancer in [Nginx, Haproxy, Envoy, Traefik] {
        let cell = run.cell(balancer, "status");
        books_balance(cell);
        assert_eq!(cell.counts.dropped, 0, "{balancer}: {run}");
        assert!(cell.books.duplicates > 0, "{balancer}: what web-1 failed went to web-2");
    }
    for balancer in [Nginx, Envoy] {
        // A refused connection is no status.
        assert!(run.cell(balancer, "status-gone").counts.dropped > 20, "{balancer}");
    }
    let cell = run.cell(caddy, "status-too");
    books_balance(cell);
    assert!(cell.books.duplicates > 0 && cell.counts.dropped == 0, "{run}");
}
