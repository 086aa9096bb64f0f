//! A topology that is left standing: asked by curl, deployed from another shell, and gone without a trace.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{
    alive, eventually, files, has_docker, histories, launched, machine, made_by, rig, said,
};

/// A `rig up` of a scenario that nobody else on this machine has.
struct Up {
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
    fn begin(out: &Path, runtime: &str) -> Up {
        let name = format!("up-{}-{runtime}", std::process::id());
        let scenario = format!(
            "name: {name}\nquestion: Does it stand?\nbalancers: [haproxy]\ntopology:\n  pools: {{ web: {{ backends: 2 }} }}\n  \
             routes: {{ all: {{ path: /, to: web }}, canary: {{ path: /, header: {{ X-Canary: \"true\" }}, to: web }} }}\n\
             load: {{ rate: 10/s, for: 5s }}\n"
        );
        std::fs::write(out.join("scenario.yaml"), scenario).unwrap();
        let arguments = ["up", "scenario.yaml", "--balancer", "haproxy", "--runtime", runtime, "--load=20/s"];
        let mut child = rig(out, &arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("rig can be executed");
        let mut sheet = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let header = sheet
            .find(|line| line.contains("curl -i -H 'X-Canary: true'"))
            .expect("a curl line for the header");
        let url = header.split('\'').find(|word| word.starts_with("http://")).unwrap().to_owned();
        Up { child, name, url }
    }

    /// What the response's stamp says of who answered.
    fn ask(&self) -> String {
        let output = Command::new("curl").args(["-s", "-i", &self.url]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap().to_lowercase();
        let stamp = text.lines().find_map(|line| line.strip_prefix("x-rig-backend: "));
        stamp.unwrap_or_else(|| panic!("no stamp in {text}")).trim().to_owned()
    }

    fn processes(&self, out: &Path) -> Vec<u32> {
        let history: Vec<Value> = histories(out)
            .iter()
            .flat_map(|text| {
                text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<_>>()
            })
            .collect();
        launched(&history)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }
}

fn stands_and_ends(runtime: &str) {
    let out = tempfile::tempdir().unwrap();
    let mut up = Up::begin(out.path(), runtime);
    assert!(up.ask().starts_with("web-"), "{}", up.ask());

    let deploy =
        |arguments: &[&str]| said(&mut rig(out.path(), &[&["up", up.name.as_str()], arguments].concat()));
    let done = deploy(&["--deploy", "web", "--drain", "300ms"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let steps = [
        "web-1/1: deregistered",
        "web-1/1: drained",
        "web-1/1: SIGTERM",
        "web-1/2: registered",
        "2 replaced",
    ];
    let found: Vec<_> =
        steps.iter().map(|step| done.out.find(step).unwrap_or_else(|| panic!("{}", done.out))).collect();
    assert!(found.is_sorted(), "{}", done.out);
    assert!(up.ask().ends_with("/2"), "{}", up.ask());
    assert_eq!(deploy(&["--deploy", "wep"]).code, 2);

    let processes = up.processes(out.path());
    assert!(processes.len() > 5, "{processes:?}");
    up.signal(Signal::INT);
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
    assert_eq!(alive(&processes), Vec::<String>::new());
    assert_eq!(made_by(up.child.id()), Vec::<String>::new());
    assert_eq!(files(out.path()), [out.path().join("scenario.yaml")]);
    assert_eq!(deploy(&["--deploy", "web"]).code, 3);
}

#[test]
fn what_stands_can_be_asked_and_deployed_and_ends_clean() {
    let _alone = machine();
    stands_and_ends("process");
}

#[test]
fn it_stands_in_containers_as_well() {
    let _alone = machine();
    if has_docker() {
        stands_and_ends("docker");
    }
}

#[test]
fn nothing_stands_when_rig_is_killed() {
    let _alone = machine();
    let out = tempfile::tempdir().unwrap();
    let mut up = Up::begin(out.path(), "process");
    let processes = up.processes(out.path());
    assert!(!alive(&processes).is_empty());
    up.signal(Signal::KILL);
    up.child.wait().unwrap();
    eventually("the end of everything", || alive(&processes).is_empty().then_some(()));
}
