//! Services that rig did not launch: watched while a command deploys them, from the command line and by a scenario.

mod service;

use std::fs;
use std::path::Path;
use std::process::Command;

use model::identity::BalancerName;
use testing::{CellSummary, Haproxy, Holding, Nginx, Run, Sandbox, Signal, eventually};

use self::service::Service;
use crate::RIG;

/// What watches a service at `url`, at a rate and for times that suit a test.
const QUICK: [&str; 8] =
    ["--rate", "200/s", "--baseline", "1s", "--timeout", "500ms", "--identity-header", "x-version"];

/// A careless deploy: nothing answers for a while.
const CARELESS: &str = "touch down; sleep 0.3; rm down; echo careless > new; mv new version";
/// A careful one.
const CAREFUL: &str = "echo careful > new; mv new version";

fn cell<'r>(run: &'r Run, variant: &str) -> &'r CellSummary {
    run.cell(BalancerName::target(), variant)
}

/// The claim about the deploy, which comes after those about controls.
fn claim(run: &Run) -> &Holding {
    &run.claims.last().unwrap().holding
}

fn watch(rig: &Sandbox, url: &str, rest: &[&str]) -> Run {
    rig.command(["watch", url]).args(["--format", "json", "--quiet"]).args(QUICK).args(rest).ends().run()
}

#[test]
fn a_careful_deploy_is_proved_beside_a_careless_one() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let run =
        watch(&rig, &service.url(), &["--control", "--", "sh", "-c", CARELESS, "--", "sh", "-c", CAREFUL]);
    run.exits(0);
    let careless = cell(&run, "careless");
    let careful = cell(&run, "deploy");
    assert!(careless.counts.dropped > 0 && careful.counts.dropped == 0, "{run}");
    let target = careful.target.as_ref().unwrap();
    let periods: Vec<u64> = target.periods.iter().map(|period| period.dropped).collect();
    // The deploy may be over before a request meets it.
    assert!(periods.len() >= 2 && periods.iter().all(|dropped| *dropped == 0), "{run}");
    assert_eq!(target.not_shown, None, "{run}");
    let mut identities: Vec<&str> =
        target.identities.iter().flatten().map(|it| it.identity.as_str()).collect();
    identities.sort_unstable();
    assert_eq!(identities, ["careful", "careless"], "{run}");
    assert!(careless.losses.is_some_and(|losses| losses.longest_ms > 100.0), "{run}");
    // Masked and executed twice are not known, and are not said to be none.
    assert!(rig.read("report.md").contains("client only"));
}

#[test]
#[ignore = "takes long: make test-rest"]
fn a_zero_without_a_control_is_unproved_and_can_be_taken_anyway() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let run = watch(&rig, &service.url(), &["--", "sh", "-c", CAREFUL]);
    run.exits(4);
    assert!(matches!(claim(&run), Holding::Unproven(why) if why.contains("no negative control")), "{run}");
    service.set("version", "v1");
    watch(&rig, &service.url(), &["--unproved-ok", "--", "sh", "-c", CAREFUL]).exits(0);
    service.set("version", "v1");
    let lost = watch(&rig, &service.url(), &["--unproved-ok", "--", "sh", "-c", CARELESS]);
    lost.exits(1);
    assert!(matches!(claim(&lost), Holding::Failed), "{lost}");
}

/// None of these may pass, with a control or without, taken anyway or not.
#[test]
#[ignore = "takes long: make test-rest"]
fn what_does_not_show_a_deploy_is_never_a_pass() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let judged = |deploy: &[&str]| {
        service.set("version", "v1");
        let words = ["--control", "--within", "1s", "--", "sh", "-c", CARELESS, "--"];
        let run = watch(&rig, &service.url(), &[&words[..], deploy].concat());
        (run.code, run.to_string())
    };
    for (deploy, why) in [
        (&["true"][..], "the last answer was still x-version: careless"),
        (&["sh", "-c", "echo deploying; exit 3"], "the command `roll` failed (exit status: 3): deploying"),
        (&["sh", "-c", "echo careful > new; mv new version; sleep 60"], "it had not ended after 1s"),
    ] {
        let (code, text) = judged(deploy);
        assert!(code == 4 && text.contains(why), "{deploy:?}: {code} {text}");
    }
    // A baseline that loses requests by itself voids what is said of the deploy.
    service.set("noise", "20");
    let (code, text) = judged(&["sh", "-c", CAREFUL]);
    assert!(text.contains("were dropped before the deploy began"), "{code} {text}");
    assert!(code == 4 || code == 1, "{code} {text}");
}

#[test]
fn a_target_that_does_not_answer_as_expected_gets_no_load() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let refuses = |url: &str, words: &str| {
        rig.command(["watch", url, "--for", "1s"]).args(QUICK).exits(3).complains(words);
    };
    service.set("redirect", "");
    refuses(&service.url(), "name what it leads to, http://elsewhere.test/");
    service.unset("redirect");
    refuses("http://127.0.0.1:1/", "can't be reached");
    refuses(&service.url().replace("http:", "https:"), "no TLS");
    refuses("http://no-such-host.invalid/", "does not resolve");
    let usage = |words: &[&str], complaint: &str| {
        rig.command(["watch"]).args(words).exits(2).complains(complaint);
    };
    usage(&["127.0.0.1:80", "--", "true"], "it must begin with http:// or https://");
    usage(&["http://127.0.0.1:80", "--rate", "900/s", "--", "true"], "--max-rate 900/s");
    usage(
        &["http://127.0.0.1:80", "--", "no-such-program"],
        "there is no executable `no-such-program` on PATH",
    );
    usage(&["http://127.0.0.1:80", "--control", "--", "true"], "--control needs two commands");
    usage(&["http://127.0.0.1:80"], "--for 30s");
}

/// It is not trusted, and then it is: with its authority, for the name that it bears.
#[test]
fn a_certificate_that_nobody_trusts_gets_no_load_until_its_authority_is_named() {
    let rig = RIG.beside_others();
    let up = service::Standing::begin_with(&rig, Haproxy, "{ tls: terminate }");
    let authority = up.curl.split('\'').nth(1).unwrap();
    let resolve = up.curl.split_whitespace().skip_while(|word| *word != "--resolve").nth(1).unwrap();
    let [name, port, address]: [&str; 3] = resolve.splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
    let url = format!("https://{address}:{port}/");
    let watch = |more: &[&str]| {
        rig.command(["watch", &url, "--for", "1s", "--rate", "50/s", "--quiet", "--host", name]).args(more)
    };
    let untrusted = watch(&[]).exits(3);
    untrusted.complains("its certificate is not trusted").complains("--ca FILE");
    let elsewhere = rig.write("elsewhere.pem", fs::read_to_string(authority).unwrap().replace('A', "B"));
    assert_eq!(watch(&["--ca", elsewhere.to_str().unwrap()]).ends().code, 3);
    let trusted = watch(&["--ca", authority, "--format", "json"]).ends().run();
    assert_eq!(cell(&trusted, "look").counts.dropped, 0, "{trusted}");
    // For another name it is none.
    let args = ["watch", &url, "--for", "1s", "--quiet", "--host", "shop.test", "--ca", authority];
    rig.command(args).exits(3).complains("not trusted");
}

/// A name with several addresses: those that accept connections are used in turn, and the others are named.
#[test]
fn a_name_with_several_addresses_is_reached_at_those_that_answer() {
    let rig = RIG.beside_others();
    if !testing::is_root() {
        eprintln!("not tested: only root can give a name several addresses");
        return;
    }
    let one = Service::begin(&rig);
    let at = |address: &str, directory: &str| {
        let address = format!("{address}:{}", one.port()).parse().unwrap();
        Service::begin_at(&rig, address, Path::new(directory))
    };
    let two = at("[::1]", "two");
    two.set("version", "v2");
    rig.write("hosts", "127.0.0.1 shop.test\n::1 shop.test\n127.0.0.1 half.test\n127.9.9.9 half.test\n");
    let watch = |host: &str| {
        let url = format!("http://{host}:{}/", one.port());
        let run = rig
            .fresh()
            .command(["watch", &url, "--for", "1s", "--format", "json", "--quiet"])
            .args(["--rate", "100/s", "--timeout", "500ms", "--identity-header", "x-version"])
            .within(["unshare", "--mount"])
            .after(&format!("mount --bind {}/hosts /etc/hosts", rig.path().display()))
            .ends()
            .run();
        assert_eq!(cell(&run, "look").counts.dropped, 0, "{run}");
        cell(&run, "look").target.clone().unwrap()
    };
    let both = watch("shop.test");
    assert_eq!((both.addresses.len(), both.left_out.len()), (2, 0), "{both:?}");
    let versions: Vec<_> = both.identities.iter().flatten().map(|it| it.identity.as_str()).collect();
    assert_eq!(versions.len(), 2, "{both:?}");
    let half = watch("half.test");
    assert_eq!(half.addresses, [format!("127.0.0.1:{}", one.port())]);
    let [left_out] = half.left_out.as_slice() else { panic!("{half:?}") };
    assert!(left_out.starts_with("127.9.9.9:") && left_out.contains("refused"), "{left_out}");
}

#[test]
fn what_a_command_says_beyond_what_is_kept_is_counted() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let script = "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 99; echo; echo the last word; exit 3";
    let run = watch(&rig, &service.url(), &["--", "sh", "-c", script]);
    run.exits(4);
    let [command] = cell(&run, "deploy").target.as_ref().unwrap().commands.as_slice() else {
        panic!("{run}")
    };
    assert!(command.unkept_bytes.is_some_and(|bytes| bytes > 1_900_000), "{command:?}");
    assert!(command.said.ends_with("the last word"), "{command:?}");
    let log = rig.read("commands.log");
    assert!(log.len() < 1_100_000 && log.contains("bytes of what `roll` said are not kept"), "{}", log.len());
    assert!(log.ends_with("the last word\n"));
    assert!(rig.read("report.md").contains("of the output of roll were not kept"));
}

/// `restore` begins when nothing of the deploy runs any more.
#[test]
fn a_command_that_outlives_the_load_is_ended_before_all_is_restored() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let text = format!(
        "name: endless
question: Does it end?
target:
  url: {}
  commands:
    roll: [sh, -c, 'trap \"sleep 0.3; echo ended >> steps; exit 1\" TERM; echo begun >> steps; while :; do sleep 0.05; done']
    restore: [sh, -c, 'echo restored >> steps']
load: {{ rate: 50/s, for: 2s, warmup: 0ms, timeout: 500ms }}
timeline: {{ deploy: {{ at: 1s, roll: {{}} }} }}
expect: [ base.p50 < 1s ]
",
        service.url()
    );
    let run = rig.run_file(rig.write("endless.yaml", text)).json();
    run.exits(4);
    let steps = fs::read_to_string(rig.path().join("steps")).unwrap();
    assert_eq!(steps.lines().collect::<Vec<_>>(), ["begun", "ended", "restored"]);
    let commands = &cell(&run, "base").target.as_ref().unwrap().commands;
    assert_eq!(commands[0].status, "it had not ended when the load did, and was ended", "{commands:?}");
}

/// What was sent is a whole beginning of the schedule, whoever sent it.
#[test]
fn a_load_of_several_generators_that_was_enough_ends_at_one_place_of_its_schedule() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let text = format!(
        "name: settled
question: Do all parts of the load end together?
target: {{ url: {}, identity_header: x-version, commands: {{ roll: [sh, -c, '{CAREFUL}'] }} }}
load: {{ rate: 200/s, for: 60s, until: settled, warmup: 0ms, timeout: 500ms, generators: 3 }}
timeline: {{ deploy: {{ at: 1s, roll: {{}} }} }}
expect: [ base.p50 < 1s ]
",
        service.url()
    );
    let run = rig.run_file(rig.write("settled.yaml", text)).json();
    let cell = cell(&run, "base");
    testing::counts_are_trusted(cell);
    assert!(cell.books.balance() && cell.books.scheduled == Some(cell.books.recorded), "{:?}", cell.books);
    assert!((200..6_000).contains(&cell.counts.scheduled), "{:?}", cell.counts);
    assert!(rig.read("history.ndjson").contains("load_shortened"));
}

#[test]
fn what_rig_did_not_launch_can_not_be_launched_or_rendered() {
    let rig = RIG.idle();
    rig.write("steps.yaml", STEPS.replace("URL", "http://127.0.0.1:8080"));
    for words in [["up", "steps.yaml"], ["render", "steps.yaml"]] {
        let ended = rig.command(words).args(["--balancer", "nginx"]).exits(2);
        ended.complains("is about a `target`, which rig does not launch").complains("rig run steps.yaml");
    }
}

/// The topology of `rig up`, watched from outside, loses what a careless deploy of rig's own loses, and nothing else.
#[test]
#[ignore = "takes long: make test-rest"]
fn what_rig_launches_can_be_watched_from_outside() {
    let rig = RIG.beside_others();
    for balancer in [Nginx, Haproxy] {
        let up = service::Standing::begin(&rig, balancer);
        let executable = env!("CARGO_BIN_EXE_rig");
        let deploy = |drain| [executable, "up", &up.name, "--deploy", "web", "--drain", drain];
        let words = [&["--control", "--"][..], &deploy("off"), &["--"], &deploy("400ms")].concat();
        let run = rig
            .command(["watch", &up.url, "--format", "json", "--quiet", "--rate", "200/s", "--baseline", "1s"])
            .args(["--timeout", "1s", "--identity-header", "x-rig-backend"])
            .args(words)
            .ends()
            .run();
        run.exits(0);
        assert!(
            cell(&run, "careless").counts.dropped > 0 && cell(&run, "deploy").counts.dropped == 0,
            "{run}"
        );
    }
}

const STEPS: &str = "
name: steps
question: Does a deploy step by step lose requests?
target:
  url: URL
  identity_header: x-version
  backends: [one, two]
  commands:
    deregister: [sh, -c, 'echo \"out {backend}\" >> steps']
    drained: [sh, -c, 'test -e drained']
    terminate: [sh, -c, 'echo \"end {backend}\" >> steps; touch drained']
    launch: { run: [sh, -c, 'echo \"${GENERATION_NAME} {generation} $SECRET_OF_TEST\"; echo v{generation} > new; mv new version'],
              environment: [GENERATION_NAME, SECRET_OF_TEST] }
    ready: [test, -e, drained]
    register: [sh, -c, 'echo \"in {backend}\" >> steps']
    restore: [sh, -c, 'echo restored >> steps; rm -f drained; echo v1 > version']
load: { rate: 100/s, for: 7s, warmup: 0ms, timeout: 500ms }
timeline: { deploy: { at: 1s, deploy: { pool: target, drain: 600ms } } }
expect: [base.p50 < 1s]
";

#[test]
fn a_deploy_step_by_step_follows_rigs_own_sequence_and_keeps_no_secret() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let file = rig.write("steps.yaml", STEPS.replace("URL", &service.url()));
    let run = rig.run_file(&file).env("SECRET_OF_TEST", "hunter2-hunter2").env("GENERATION_NAME", "g").json();
    run.exits(0);
    let steps = fs::read_to_string(rig.path().join("steps")).unwrap();
    assert_eq!(
        steps.lines().collect::<Vec<_>>(),
        ["out one", "end one", "in one", "out two", "end two", "in two", "restored"]
    );
    // Nothing said that it was drained, so the whole window was waited.
    assert!(rig.read("history.ndjson").contains("drain_expired"));
    assert!(rig.read("commands.log").contains("[hidden]"));
    for file in rig.files() {
        let text = fs::read(&file).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("hunter2"), "{}", file.display());
    }
    let elsewhere = STEPS.replace("URL", "http://shop.test/");
    let file = rig.write("elsewhere.yaml", elsewhere);
    rig.run_file(&file).exits(2).complains("--allow-target shop.test");
    rig.command(["validate", "steps.yaml"]).exits(0).says("restore: sh -c");
}

#[test]
fn a_command_ends_with_rig_and_what_it_left_behind_stays() {
    let rig = RIG.beside_others();
    let service = Service::begin(&rig);
    let script = "setsid sleep 61 < /dev/null > /dev/null 2>&1 & echo $! > service.pid; sleep 62 & echo $! > child.pid; wait";
    let pid = |name: &str| {
        eventually(name, || fs::read_to_string(rig.path().join(name)).ok()?.trim().parse::<i32>().ok())
    };
    for signal in [Signal::INT, Signal::KILL] {
        let words = ["--", "sh", "-c", script];
        let mut running = rig.command(["watch", &service.url(), "--quiet"]).args(QUICK).args(words).begin();
        let (left, child) = (pid("service.pid"), pid("child.pid"));
        // Its number is known before it has left the command's group.
        eventually("a session of its own", || service::leads_a_session(left).then_some(()));
        running.signal(signal);
        let _ = running.ends();
        eventually("the command is gone", || (!service::is_alive(child)).then_some(()));
        assert!(service::is_alive(left), "a service that left the command's group is the user's");
        service::kill(left);
        for name in ["service.pid", "child.pid"] {
            fs::remove_file(rig.path().join(name)).unwrap();
        }
    }
}

/// The service of an example, which is stopped whatever becomes of the test.
struct Own<'a>(&'a Path);

impl Own<'_> {
    fn is(&self, verb: &str) -> bool {
        Command::new("./service.sh").arg(verb).current_dir(self.0).status().unwrap().success()
    }
}

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.is("stop");
    }
}

/// The example of the documents, as a reader runs it.
#[test]
#[ignore = "takes long: make test-rest"]
fn the_example_of_an_own_nginx_proves_its_careful_deploy() {
    let rig = RIG.beside_others();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/nginx");
    for name in ["scenario.yaml", "service.sh", "nginx.conf", "app.py"] {
        fs::copy(example.join(name), rig.path().join(name)).unwrap();
    }
    let own = Own(rig.path());
    assert!(own.is("start"));
    let run = rig.run_file("scenario.yaml").json();
    run.exits(0);
    assert!(cell(&run, "careless").counts.dropped > 0 && cell(&run, "careful").counts.dropped == 0, "{run}");
}
