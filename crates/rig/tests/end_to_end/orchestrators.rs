//! The examples of `examples/` about orchestrators, as a reader runs them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use model::identity::BalancerName;
use testing::docker::PackedImage;
use testing::{CellSummary, Holding, Run, Sandbox};

use crate::RIG;

/// Copies these folders of `examples/`, and returns the first.
fn examples(rig: &Sandbox, names: &[&str]) -> PathBuf {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    for name in names {
        for file in testing::files(&all.join(name)) {
            let to = rig.path().join(file.strip_prefix(&all).unwrap());
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(&file, to).unwrap();
        }
    }
    rig.path().join(names[0])
}

/// What a line for a shell says, in this directory.
fn shell(directory: &Path, line: &str, variables: &[(&str, &str)]) -> Output {
    let mut shell = Command::new("bash");
    shell.args(["-euc", line]).current_dir(directory).envs(variables.iter().copied());
    shell.output().unwrap()
}

#[track_caller]
fn succeeds(directory: &Path, line: &str, variables: &[(&str, &str)]) {
    let Output { status, stdout, stderr } = shell(directory, line, variables);
    let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(status.success(), "{line}: {said}");
}

/// A line for a shell that is executed whatever becomes of the test.
struct Finally<'a> {
    directory: &'a Path,
    line: &'a str,
    variables: &'a [(&'a str, &'a str)],
}

impl Drop for Finally<'_> {
    fn drop(&mut self) {
        let ended = shell(self.directory, self.line, self.variables);
        if !ended.status.success() {
            eprintln!("{}: {}", self.line, String::from_utf8_lossy(&ended.stderr));
        }
    }
}

/// The careless deploy loses requests; the careful one is what it is, and passes only if nothing was lost and that is proved.
fn judged(run: &Run) -> (u64, u64) {
    let cell = |variant: &str| -> &CellSummary { run.cell(BalancerName::target(), variant) };
    let (careless, careful) = (cell("careless"), cell("careful"));
    assert!(careless.counts.dropped > 0, "{run}");
    let shown = careful.target.as_ref().unwrap().not_shown.is_none();
    let claim = &run.claims.last().unwrap().holding;
    match run.code {
        0 => assert!(careful.counts.dropped == 0 && shown && *claim == Holding::Held, "{run}"),
        1 => assert!(careful.counts.dropped > 0 && *claim == Holding::Failed, "{run}"),
        4 => assert!(matches!(claim, Holding::Unproven(_)), "{run}"),
        _ => panic!("{run}"),
    }
    let counts = (careless.counts.dropped, careful.counts.dropped);
    eprintln!("exit {}: careless lost {}, careful {}", run.code, counts.0, counts.1);
    counts
}

#[test]
fn kubernetes_rollouts_are_told_apart_by_what_their_clients_lose() {
    let Some(rig) = RIG.idle().with_kubernetes() else { return };
    let directory = examples(&rig, &["kubernetes", "own-service"]);
    let _end = Finally {
        directory: &directory,
        line: "kubectl delete --wait=false -f shop.yml; kubectl delete configmap shop",
        variables: &[],
    };
    succeeds(&directory, "kubectl create configmap shop --from-file=../own-service/server.py", &[]);
    succeeds(&directory, "kubectl apply -f shop.yml", &[]);
    for name in ["shop-careless", "shop-careful"] {
        succeeds(&directory, &format!("kubectl rollout status deployment/{name} --timeout 60s"), &[]);
    }
    let run = rig.run_file(directory.join("scenario.yaml")).json();
    judged(&run);
    // A command that changes nothing shows no deploy.
    let still = rig.fresh();
    let watch =
        still.command(["watch", "http://127.0.0.1:30082/", "--identity-header", "X-Version", "--quiet"]);
    let idle = watch.args(["--format", "json", "--baseline", "2s", "--timeout", "2s"]);
    idle.args(["--", "kubectl", "rollout", "status", "deployment/shop-careful"]).ends().run().exits(4);
}

/// `docker compose`, or the program that it once was.
const COMPOSE: &str = "compose() { if docker compose version >/dev/null 2>&1; then docker compose \"$@\"; else docker-compose \"$@\"; fi; };";

#[test]
#[ignore = "takes long: make test-rest"]
fn compose_replaces_containers_at_a_price_that_the_balancer_can_save() {
    let Some(rig) = RIG.beside_others().with_docker() else { return };
    let directory = examples(&rig, &["compose", "own-service"]);
    if !shell(&directory, &format!("{COMPOSE} compose version"), &[]).status.success() {
        eprintln!("not tested: there is neither `docker compose` nor docker-compose");
        return;
    }
    let Some(shop) = PackedImage::make("shop", &["1"], &["python3"]) else { return };
    let Some(haproxy) = PackedImage::make("haproxy", &["1"], &["haproxy"]) else { return };
    let (shop, haproxy) = (shop.tagged("1"), haproxy.tagged("1"));
    let project = format!("rig-test-{}", std::process::id());
    let variables =
        [("SHOP_IMAGE", &*shop), ("HAPROXY_IMAGE", &*haproxy), ("COMPOSE_PROJECT_NAME", &*project)];
    let down = format!("{COMPOSE} compose down --timeout 1");
    let _end = Finally { directory: &directory, line: &down, variables: &variables };
    succeeds(&directory, &format!("{COMPOSE} compose up --detach"), &variables);
    succeeds(
        &directory,
        "for _ in {1..120}; do curl --silent --fail --output /dev/null http://127.0.0.1:8080/ && exit; sleep 0.25; done; exit 1",
        &[],
    );
    // As it is, in less time.
    let run = rig.run_file(directory.join("scenario.yaml"));
    let run = run.set("load.timeout", "2s").set("timeline.deploy.at", "2s");
    let run = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).json();
    let (_, careful) = judged(&run);
    assert_eq!(careful, 0, "{run}");
}
