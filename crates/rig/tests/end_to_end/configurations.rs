//! What `rig render` prints is what the real balancers accept, whatever the topology.

use std::path::Path;
use std::process::{Command, Output};

use model::identity::BalancerName;
use testing::{BalancerKind, Caddy, Envoy, Haproxy, Nginx, Sandbox, Traefik, program};

use crate::RIG;

/// Two pools, one of a single backend, with names that mean something in configuration files.
const SCENARIO: &str = r#"
name: matrix
question: Does each balancer accept its configuration?
topology:
  pools: { "404": { backends: 3 }, in: { backends: 1 }, "null": { backends: { "true": {}, "1e3": {} } } }
  routes: { "on": { path: /, to: "404" }, api: { path: /api/v1, to: in }, no: { path: /no, to: "null" } }
load: { rate: 100/s, for: 10s }
"#;

const WEIGHTED: &str = "topology.pools.404.backends={ a: { weight: 3 }, b: {}, c: { weight: 100 } }";

/// Each case is set on top of the scenario.
const CASES: [(&str, &[&str]); 40] = [
    ("defaults", &[]),
    ("least connections", &["topology.balance=least_connections"]),
    ("two choices", &["topology.balance=two_choices"]),
    ("a hash of the source", &["topology.balance=source_hash"]),
    ("no health check", &["topology.health_check=off"]),
    (
        "a slow health check",
        &[
            "topology.health_check={ path: /a-b_c~d, every: 60s, timeout: 60s, fall: 100 }",
            "topology.pools.404.health_path=/a-b_c~d",
            "topology.pools.in.health_path=/a-b_c~d",
            "topology.pools.null.health_path=/a-b_c~d",
        ],
    ),
    ("a fast health check", &["topology.health_check={ every: 10ms, timeout: 1ms, rise: 100 }"]),
    ("the balancer's own defaults", &["topology.retries=default", "topology.passive_health=default"]),
    ("as many tries as can be", &["topology.retries={ tries: 10 }", "topology.response_timeout=1ms"]),
    (
        "a timeout that thirds unevenly",
        &["topology.retries={ tries: 7 }", "topology.response_timeout=119999ms"],
    ),
    (
        "retries of all that nginx tells together",
        &["topology.retries={ tries: 3, on: [refused, reset, timeout, 502, 504] }"],
    ),
    ("retries of refused connections alone", &["topology.retries={ tries: 3, on: [refused] }"]),
    ("retries of statuses alone", &["topology.retries={ tries: 2, on: [500, 503] }"]),
    ("retries of statuses too", &["topology.retries={ tries: 2, on: [refused, 500, 503] }"]),
    ("retries that wait", &["topology.retries={ tries: 3, backoff: 25ms }"]),
    (
        "a budget of retries",
        &["topology.retries={ tries: 3, on: [refused, reset], budget: 12.5% }", "topology.limits=default"],
    ),
    ("weights", &[WEIGHTED]),
    ("weights and least connections", &[WEIGHTED, "topology.balance=least_connections"]),
    ("weights and two choices", &[WEIGHTED, "topology.balance=two_choices"]),
    ("weights and a hash", &[WEIGHTED, "topology.balance=source_hash"]),
    ("weights at layer 4", &[WEIGHTED, "topology.listener={ layer: 4 }"]),
    ("a backup", &["topology.pools.404.backends={ a: {}, b: { backup: true } }"]),
    (
        "a backup behind a hash",
        &["topology.pools.404.backends={ a: {}, b: { backup: true } }", "topology.balance=source_hash"],
    ),
    (
        "backups with weights at layer 4",
        &[
            "topology.pools.404.backends={ a: { weight: 2 }, b: { backup: true, weight: 7 }, c: { backup: true } }",
            "topology.listener={ layer: 4 }",
        ],
    ),
    ("a slow start", &["topology.slow_start=10s", WEIGHTED]),
    (
        "a slow start and least connections",
        &["topology.slow_start=500ms", "topology.balance=least_connections"],
    ),
    ("a slow start and two choices", &["topology.slow_start=500ms", "topology.balance=two_choices"]),
    ("a limit of each backend", &["topology.limits={ connections: 3 }", "topology.health_check=off"]),
    ("a limit at layer 4", &["topology.limits={ connections: 3 }", "topology.listener={ layer: 4 }"]),
    ("quick ejections", &["topology.passive_health={ fails: 1, for: 1ms }"]),
    (
        "long ejections",
        &["topology.passive_health={ fails: 100, for: 600s }", "topology.client_keepalive=250ms"],
    ),
    (
        "headers, splits and a pool without a route",
        &[
            "topology.routes={ one: { path: /, header: { X-Canary: a.b:c/d=e@f~1 }, to: in }, \
             two: { path: /api, header: { x-env: --blue }, to: { in: 0%, \"404\": 100% } }, \
             on: { path: /, to: { \"404\": 33.33%, in: 66.67% } } }",
            "topology.retries={ tries: 3 }",
        ],
    ),
    (
        "users who are kept where they are",
        &["topology.routes={ \"on\": { path: /, to: \"404\", sticky: { cookie: SRV_1 } }, \
             api: { path: /api, header: { x: y }, to: in, sticky: { cookie: in } }, no: { path: /no, to: \"null\" } }"],
    ),
    (
        "no route for all",
        &["topology.routes={ on: { path: /, header: { a: \"1\" }, to: in } }", "load.headers={ A: \"1\" }"],
    ),
    (
        "a pool that is found by DNS beside one that is not",
        &["topology.pools.404.discovery={ dns: { ttl: 5s } }", "topology.retries={ tries: 3 }"],
    ),
    ("TLS that ends here", &["topology.listener={ tls: terminate }"]),
    ("TLS on both sides", &["topology.listener={ tls: reencrypt }", "load.resumption=off"]),
    ("TLS that passes through", &["topology.listener={ layer: 4, tls: passthrough }"]),
    (
        "TLS that passes through unprobed",
        &["topology.listener={ layer: 4, tls: passthrough }", "topology.health_check=off"],
    ),
    (
        "much at once",
        &[
            "topology.balance=least_connections",
            "topology.retries={ tries: 3 }",
            "topology.passive_health={ fails: 3, for: 1500ms }",
            "topology.client_keepalive=off",
            "topology.workers=4",
            "load.connections=8192",
            "timeline={ a: { at: 2s, deploy: { pool: in, drain: auto, strategy: surge } } }",
        ],
    ),
];

/// Words of the cases that are about what a balancer lacks.
const NGINX_LACKS: [&str; 7] =
    ["discovery", "[refused]", "[refused, 500", "backoff", "budget", "a backup behind a hash", "slow_start"];
const CADDY_LACKS: [&str; 7] =
    ["layer: 4", "two_choices", "on: [500", "budget", "weights and", "backup", "slow_start"];
const ENVOY_LACKS: [&str; 2] = ["weights and least connections", "weights and two choices"];
const TRAEFIK_LACKS: [&str; 8] = [
    "least_connections",
    "limits",
    "discovery",
    "budget",
    "weights and two choices",
    "weights at layer 4",
    "backup",
    "slow_start",
];

#[test]
fn nginx_accepts_what_is_rendered_for_it() {
    every_case_is_accepted(Nginx, &NGINX_LACKS, |directory| {
        let main = directory.join("nginx.conf");
        let log = directory.join("error.log");
        // `rig render` runs no nginx, which would say whether `stream` is a module of its own: Debian's is.
        let module = Path::new("/usr/lib/nginx/modules/ngx_stream_module.so");
        let text = read(&main);
        if text.contains("\nstream {") && module.is_file() {
            std::fs::write(&main, format!("load_module \"{}\";\n{text}", module.display())).unwrap();
        }
        let mut command = Command::new(program::of(Nginx));
        command.arg("-t").arg("-e").arg(log).arg("-p").arg(directory).arg("-c").arg(main);
        command
    });
}

#[test]
fn haproxy_accepts_what_is_rendered_for_it() {
    every_case_is_accepted(Haproxy, &["backoff", "budget"], |directory| {
        let mut command = Command::new(program::of(Haproxy));
        command.arg("-c").arg("-f").arg(directory.join("haproxy.cfg"));
        command
    });
}

#[test]
fn envoy_accepts_what_is_rendered_for_it() {
    every_case_is_accepted(Envoy, &ENVOY_LACKS, |directory| {
        // Validation doesn't look into discovered files: here the listener stands in the bootstrap.
        let (listener, main) = (directory.join("listener/listener.yaml"), directory.join("envoy.yaml"));
        let (listener, bootstrap) = (read(&listener), read(&main));
        let listener = listener.replace("resources:", "  listeners:").replace(
            "  - \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n    name",
            "  - name",
        );
        let whole = bootstrap.replace("static_resources:\n", &format!("static_resources:\n{listener}"));
        assert!(whole.contains("  listeners:\n  - name: in\n"), "{whole}");
        std::fs::write(&main, whole).unwrap();
        let mut command = Command::new(program::of(Envoy));
        command.args(["--mode", "validate", "-c"]).arg(directory.join("envoy.yaml"));
        command
    });
}

#[test]
fn caddy_accepts_what_is_rendered_for_it() {
    // As Caddy matches statuses since then.
    let caddy: BalancerName = "caddy@2.11.3".parse().unwrap();
    every_case_is_accepted(caddy, &CADDY_LACKS, |directory| {
        let mut command = Command::new(program::of(Caddy));
        command.args(["validate", "--adapter", "caddyfile", "--config"]).arg(directory.join("Caddyfile"));
        command.env("XDG_DATA_HOME", directory.join("data"));
        command
    });
}

/// It can't be told only to look: it serves until it answers for its version; at layer 4 no request can ask.
const TRAEFIK_SERVES: &str = r#"
"$0" --configFile="$1/traefik.yaml" &
trap "kill $!; wait $!" EXIT
version=$(sed -n 's/.*Path(`\([^`]*\)`).*/\1/p' "$1/dynamic/dynamic.yaml")
[ -n "$version" ] || { sleep 1; exit 0; }
for _ in $(seq 100); do
    for scheme in http https; do
        status=$(curl -sk -o /dev/null -w '%{http_code}' "$scheme://${2}1:20000$version")
        [ "$status" != 418 ] || exit 0
    done
    sleep 0.1
done
exit 1"#;

#[test]
fn traefik_accepts_what_is_rendered_for_it() {
    every_case_is_accepted(Traefik, &TRAEFIK_LACKS, |directory| {
        let mut command = Command::new("sh");
        command.args(["-c", TRAEFIK_SERVES]).arg(program::of(Traefik)).arg(directory).arg(network(Traefik));
        command
    });
}

/// Every case but those about what it `lacks`.
fn every_case_is_accepted(
    balancer: impl Into<BalancerName>,
    lacks: &[&str],
    check: impl Fn(&Path) -> Command,
) {
    let balancer = balancer.into();
    let machine = RIG.beside_others();
    let lacked = |text: &str| lacks.iter().any(|words| text.contains(words));
    let possible = |case: &str, sets: &[&str]| !lacked(case) && !sets.iter().any(|set| lacked(set));
    for (case, sets) in CASES.into_iter().filter(|(case, sets)| possible(case, sets)) {
        let rig = machine.fresh();
        render(&rig, balancer, sets);
        let Output { status, stdout, stderr } = check(rig.path()).output().unwrap();
        let words = [stdout, stderr].concat();
        let words = String::from_utf8_lossy(&words);
        assert!(status.success(), "{balancer} refuses {case}: {words}");
        for complaint in ["[warn]", "[WARNING]", r#""level":"error""#, "deprecated"] {
            assert!(!words.contains(complaint), "{balancer} complains about {case}: {words}");
        }
    }
}

/// nginx binds its listener even for a test of its configuration, and Traefik serves it: each in a network that neither another
/// balancer's check has, nor any run.
fn network(balancer: BalancerKind) -> String {
    let n = BalancerKind::ALL.iter().position(|kind| *kind == balancer).unwrap();
    format!("127.0.{}.", 2 + n)
}

/// Writes what `rig render` prints where the balancer would have its own.
fn render(rig: &Sandbox, balancer: BalancerName, sets: &[&str]) {
    rig.write("scenario.yaml", SCENARIO);
    let rendered = rig.command(["render", "scenario.yaml"]).on([balancer]);
    let rendered = sets.iter().fold(rendered, |it, set| it.args(["--set", set])).exits(0);
    let directory = rig.path();
    let text = rendered.out.replace("/run/rig/balancer", directory.to_str().unwrap());
    let certificates = directory.join("certificates");
    let text = text.replace("/run/rig/certificates", certificates.to_str().unwrap());
    let text = text.replace("127.0.1.", &network(balancer.kind().expect("a kind of balancer")));
    engine::host::certificates::Certificates::make(&certificates, None, std::iter::empty()).unwrap();
    for file in text.split("# ==> ").skip(1) {
        let (head, content) = file.split_once('\n').unwrap();
        rig.write(head.split_once(" (").unwrap().0, content);
    }
    // Files without content are not printed; nginx's make this directory.
    std::fs::create_dir_all(directory.join("tmp")).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
