//! Services of the user's behind the balancer: real programs whose shutdown differs.

mod programs;

use std::fs;

use testing::docker::PackedImage;
use testing::{
    BALANCERS, BalancerKind, CellSummary, Envoy, Haproxy, Holding, Invocation, Nginx, OutcomeKind, Run,
    Sandbox, Signal, Trust, eventually, left,
};

use self::programs::{IMAGE, NGINX, PYTHON, scenario};
use crate::RIG;

const CARELESS: &str = "without-drain";
const CAREFUL: &str = "with-drain";

/// `program` behind `balancers`, deployed without a drain and with one.
fn deployed(rig: &Sandbox, program: &str, balancers: &[BalancerKind]) -> Run {
    deployed_with(rig, program, |run| run.on(balancers.iter().copied()))
}

fn deployed_with(rig: &Sandbox, program: &str, how: impl FnOnce(Invocation) -> Invocation) -> Run {
    let file = rig.write("own.yaml", scenario(program));
    how(rig.run_file(file)).json()
}

fn proves(run: &Run, balancer: BalancerKind) {
    let [careless, careful] = [CARELESS, CAREFUL].map(|variant| run.cell(balancer, variant));
    assert!(careless.counts.dropped > 0, "{run}");
    assert_eq!(careful.counts.dropped, 0, "{run}");
    for cell in [careless, careful] {
        let deploy = cell.deploy.as_ref().unwrap();
        assert_eq!((deploy.replaced, deploy.planned), (2, 2), "{run}");
        assert!(deploy.by_log && cell.books.balance(), "{run}");
        assert_eq!((cell.books.grade.name(), cell.books.executions), ("two-way", 0), "{run}");
        assert!(cell.backends.values().all(|share| share.share > 0.3), "{run}");
    }
    assert!(careless.deploy.as_ref().unwrap().at_terminations().iter().sum::<u64>() > 0, "{run}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_program_that_stops_at_once_loses_what_it_has_unless_it_is_drained() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    let run = deployed(&rig, &PYTHON.replace("END", "exit"), &BALANCERS);
    run.exits(0);
    for balancer in BALANCERS {
        proves(&run, balancer);
        let identities = run.cell(balancer, CAREFUL).identities.as_ref().unwrap();
        let mut versions: Vec<&str> = identities.iter().map(|it| it.identity.as_str()).collect();
        versions.sort_unstable();
        assert_eq!(versions, ["v1", "v2"], "{run}");
        let [before, .., after] = identities.iter().find(|it| it.identity == "v2").unwrap().answers;
        assert!(before == 0 && after > 0, "{run}");
    }
    let report = rig.read("report.md");
    assert!(report.contains("your own service keeps no ledger"), "{report}");
    assert!(rig.read("services/web-1.2.log").contains("v2 listens"), "each life has a log of its own");
}

/// The same program as containers of an image, whose tags are its versions.
#[test]
#[ignore = "takes long: make test-rest"]
fn an_image_is_deployed_from_one_tag_to_the_next() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let Some(image) = PackedImage::make("own", &["v1", "v2"], &["python3", programs::SERVER]) else { return };
    let run = deployed_with(&rig, &IMAGE.replace("NAME", &image.name), |run| run.on([Haproxy]).docker());
    run.exits(0);
    proves(&run, Haproxy);
    let identities = run.cell(Haproxy, CAREFUL).identities.as_ref().unwrap();
    let mut versions: Vec<&str> = identities.iter().map(|it| it.identity.as_str()).collect();
    versions.sort_unstable();
    assert_eq!(versions, ["v1", "v2"], "{run}");
    let absent = IMAGE.replace("NAME", "rig-test-no-such-image");
    let file = rig.write("absent.yaml", scenario(&absent));
    rig.run_file(file).on([Haproxy]).docker().exits(3).complains("rig-test-no-such-image:v1");
    let processes = rig.run_file(rig.path().join("own.yaml")).on([Haproxy]).exits(3);
    processes.complains("process runtime: no `image`");
}

/// It finishes what it has, but the balancer is not told: requests that come while no process listens are lost.
#[test]
#[ignore = "takes long: make test-rest"]
fn a_program_that_finishes_what_it_has_still_loses_who_comes_too_early() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    let run = deployed(&rig, &PYTHON.replace("END", "finish"), &[Haproxy]);
    run.exits(0);
    proves(&run, Haproxy);
    let careless = run.cell(Haproxy, CARELESS);
    assert_eq!(careless.dropped.iter().map(|group| group.count).sum::<u64>(), careless.counts.dropped);
    assert!(
        careless.dropped.iter().all(|group| group.source.generation.is_none()),
        "no ledger says which life"
    );
}

#[test]
#[ignore = "takes long: make test-rest"]
fn nginx_as_a_backend_is_fast_at_sigterm_and_graceful_at_sigquit() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    for signal in ["TERM", "QUIT"] {
        let rig = rig.fresh();
        programs::write(&rig);
        let run = deployed(&rig, &NGINX.replace("SIGNAL", signal), &[Envoy]);
        run.exits(0);
        proves(&run, Envoy);
        let history = rig.read(&format!("envoy.{CARELESS}.1/history.ndjson"));
        assert!(history.contains(&format!("\"SIG{signal}\"")), "{history}");
    }
}

#[test]
#[ignore = "takes long: make test-rest"]
fn what_two_way_books_cannot_know_is_unproven() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    let text = scenario(&PYTHON.replace("END", "exit"));
    let text = text.replace("expect: [", "expect: [ with-drain.drains_expired == 0, ");
    let file = rig.write("own.yaml", text);
    let run = rig.run_file(file).on([Nginx]).json();
    run.exits(4);
    let claim = run.claims.iter().find(|claim| claim.text.contains("drains_expired")).unwrap();
    assert!(
        matches!(&claim.holding, Holding::Unproven(why) if why.contains("it is not known what")),
        "{run}"
    );
    let report = rig.read("report.md");
    assert!(report.contains("executed twice not known"), "{report}");
}

/// Nothing that its program does makes a deploy pass that did not happen.
#[test]
#[ignore = "takes long: make test-rest"]
fn a_new_version_that_never_answers_aborts_the_deploy() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    let text = scenario(&PYTHON.replace("END", "exit").replace("v2", "broken"));
    let run = rig.run_file(rig.write("own.yaml", text)).on([Haproxy]).variants([CAREFUL]).json();
    assert_ne!(run.code, 0, "{run}");
    let cell = run.cell(Haproxy, CAREFUL);
    let aborted = cell.deploy.as_ref().unwrap().aborted.clone().unwrap();
    assert!(
        aborted.contains("exited before it was ready") && aborted.contains("this version is broken"),
        "{aborted}"
    );
    assert_eq!(cell.validity.deploy.as_ref().unwrap().verdict, Trust::Invalid, "{run}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn faults_befall_the_process_and_all_that_it_has_started() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    let text = scenario(&PYTHON.replace("END", "exit"));
    let (head, _) = text.split_once("timeline:").unwrap();
    let faults = "timeline:
  crash: { at: 1s, crash: web-1, for: 1s }
  freeze: { at: 4s, freeze: web-2, for: 500ms }
expect: [ base.ok > 0 ]
";
    let run = rig.run_file(rig.write("own.yaml", format!("{head}{faults}"))).on([Haproxy]).json();
    run.exits(0);
    let cell: &CellSummary = run.cell(Haproxy, "base");
    assert!(cell.counts.of(OutcomeKind::Ok) > 0 && cell.counts.dropped > 0, "{run}");
    assert_eq!(cell.faults.len(), 2, "{run}");
    assert!(cell.faults[0].time_to_restore_ms.is_some(), "{run}");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn nothing_of_it_survives_rig() {
    let rig = RIG.beside_others();
    programs::write(&rig);
    for signal in [Signal::INT, Signal::KILL] {
        // A service that puts a part of itself into the background, and ignores SIGTERM.
        let text = scenario(&PYTHON.replace("END", "stubborn"));
        let file = rig.write("own.yaml", text);
        let mut running = rig.run_file(file).on([Nginx]).variants([CAREFUL]).begin();
        let begun = || {
            let pids = fs::read_to_string(rig.path().join("pids")).ok()?;
            let pids: Vec<u32> = pids.lines().filter_map(|line| line.parse().ok()).collect();
            (pids.len() >= 4).then_some(pids)
        };
        let pids = eventually("both backends and their children run", begun);
        running.signal(signal);
        let _ = running.ends();
        eventually("all are gone", || left::alive(&pids).is_empty().then_some(()));
        fs::remove_file(rig.path().join("pids")).unwrap();
    }
}

#[test]
fn a_command_that_cannot_serve_is_an_error_with_its_words() {
    let rig = RIG.idle();
    programs::write(&rig);
    for (program, words) in [
        (PYTHON.replace("python3", "no-such-program"), "no-such-program"),
        (PYTHON.replace("END", "deaf"), "does it listen on {host}:{port}?"),
    ] {
        let file = rig.write("own.yaml", scenario(&program).replace("within: 20s", "within: 500ms"));
        rig.run_file(file).on([Nginx]).exits(3).complains(words);
    }
}
