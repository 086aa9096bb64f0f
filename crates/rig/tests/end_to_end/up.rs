//! A topology that is left standing: asked by curl, deployed from another shell, and gone without a trace.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use testing::{Haproxy, Pid, Sandbox, Signal, docker, eventually, kill_process, left};

use crate::RIG;

/// A `rig up` of a scenario that no other test has.
struct Up {
    rig: Sandbox,
    child: Child,
    name: String,
    /// Where curl asks, as the sheet says.
    url: String,
}

/// A test that fails ends what it has begun.
impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Up {
    fn begin(rig: Sandbox, runtime: &str) -> Up {
        let name = format!("up-{}-{runtime}", std::process::id());
        let scenario = format!(
            "name: {name}\nquestion: Does it stand?\nbalancers: [haproxy]\ntopology:\n  pools: {{ web: {{ backends: 2 }} }}\n  \
             routes: {{ all: {{ path: /, to: web }}, canary: {{ path: /, header: {{ X-Canary: \"true\" }}, to: web }} }}\n\
             load: {{ rate: 10/s, for: 5s }}\n"
        );
        rig.write("scenario.yaml", scenario);
        let up = rig.command(["up", "scenario.yaml", "--runtime", runtime, "--load=20/s"]).on([Haproxy]);
        let mut child = up
            .as_command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("rig can be executed");
        let mut sheet = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let header = sheet
            .find(|line| line.contains("curl -i -H 'X-Canary: true'"))
            .expect("a curl line for the header");
        let url = header.split('\'').find(|word| word.starts_with("http://")).unwrap().to_owned();
        Up { rig, child, name, url }
    }

    /// What the response's stamp says of who answered.
    fn ask(&self) -> String {
        let output = Command::new("curl").args(["-s", "-i", &self.url]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap().to_lowercase();
        let stamp = text.lines().find_map(|line| line.strip_prefix("x-rig-backend: "));
        stamp.unwrap_or_else(|| panic!("no stamp in {text}")).trim().to_owned()
    }

    fn processes(&self) -> Vec<u32> {
        self.rig.histories().iter().flat_map(|history| history.launched()).collect()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

fn stands_and_ends(rig: &Sandbox, runtime: &str) {
    let mut up = Up::begin(rig.clone(), runtime);
    assert!(up.ask().starts_with("web-"), "{}", up.ask());

    let deploy = |pool: &str| rig.command(["up", &up.name, "--deploy", pool]);
    let done = deploy("web").args(["--drain", "300ms"]).exits(0);
    let steps = [
        "web-1/1: deregistered",
        "web-1/1: drained",
        "web-1/1: SIGTERM",
        "web-1/2: registered",
        "2 replaced",
    ];
    let found: Vec<_> =
        steps.iter().map(|step| done.out.find(step).unwrap_or_else(|| panic!("{done}"))).collect();
    assert!(found.is_sorted(), "{done}");
    assert!(up.ask().ends_with("/2"), "{}", up.ask());
    deploy("wep").exits(2);

    let processes = up.processes();
    assert!(processes.len() > 5, "{processes:?}");
    up.signal(Signal::INT);
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
    assert_eq!(left::alive(&processes), Vec::<String>::new());
    assert_eq!(docker::made_by(up.child.id()), Vec::<String>::new());
    assert_eq!(rig.files(), [rig.path().join("scenario.yaml")]);
    rig.command(["up", &up.name, "--deploy", "web"]).exits(3);
}

#[test]
fn what_stands_can_be_asked_and_deployed_and_ends_clean() {
    stands_and_ends(&RIG.beside_others(), "process");
}

#[test]
#[ignore = "takes long: make test-rest"]
fn it_stands_in_containers_as_well() {
    if let Some(rig) = RIG.beside_others().with_docker() {
        stands_and_ends(&rig, "docker");
    }
}

#[test]
fn nothing_stands_when_rig_is_killed() {
    let mut up = Up::begin(RIG.beside_others(), "process");
    let processes = up.processes();
    assert!(!left::alive(&processes).is_empty());
    up.signal(Signal::KILL);
    up.child.wait().unwrap();
    eventually("the end of everything", || left::alive(&processes).is_empty().then_some(()));
}
