//! What the kernel says where there is no way to a server: in a network namespace that the test makes.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use agent::clock;
use model::job::{Frame, Job};
use model::traffic::Method;
use model::units::Span;

use crate::sending::{job, read, words};

/// The exit code of a namespace that could not be prepared.
const UNPREPARED: i32 = 77;
/// A link on which no host has the address 192.0.2.1.
const LINK: &str = "ip link set lo up && ip link add void type veth peer name end && ip link set end up && ip link set void up && \
                    ip address add 192.0.2.2/24 dev void";

/// Name, what prepares the namespace, and what the client sees of a connection to 192.0.2.1.
pub(crate) const UNREACHABLE: [(&str, &[&str], &str); 5] = [
    ("no route to the network", &[], "unreachable (ENETUNREACH)"),
    (
        "a router says that the host can't be reached",
        &["ip route add unreachable 192.0.2.1"],
        "unreachable (EHOSTUNREACH)",
    ),
    ("no host on the link has the address", &[LINK], "unreachable (EHOSTUNREACH)"),
    (
        "a rule of the client's machine forbids it",
        &["ip route add prohibit 192.0.2.1"],
        "unreachable (EACCES)",
    ),
    (
        "packets vanish, until the kernel gives up",
        &[
            LINK,
            "ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev void",
            "echo 1 > /proc/sys/net/ipv4/tcp_syn_retries",
        ],
        "connect timeout (ETIMEDOUT)",
    ),
];

#[test]
fn what_the_kernel_says_without_a_way_to_the_server_has_an_outcome_of_its_own() {
    let all: Vec<_> = UNREACHABLE
        .iter()
        .map(|(name, prepare, expected)| std::thread::spawn(move || (name, seen(prepare), expected)))
        .collect();
    for (name, seen, expected) in all.into_iter().map(|one| one.join().unwrap()) {
        match seen {
            Some(seen) => assert_eq!(seen, *expected, "{name}"),
            None => eprintln!("not tested: {name}: it takes root, unshare, ip, and a kernel that can"),
        }
    }
}

/// Runs the generator in a namespace of its own; `None`: it can't be made or prepared here.
fn seen(prepare: &[&str]) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(SocketAddr::from(([192, 0, 2, 1], 80)), Method::Get, "/");
    job.records = directory.path().join("requests.ndjson");
    // The kernel gives up after three seconds, earlier than the client.
    job.traffic.timeout = Span::millis(20_000);
    let prepare: String =
        prepare.iter().map(|step| format!("{{ {step}; }} || exit {UNPREPARED}; ")).collect();
    let script = format!("{prepare} exec \"$0\" agent load");
    let mut process = Command::new("unshare")
        .args(["-n", "sh", "-c", &script, env!("CARGO_BIN_EXE_rig")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut stdout = BufReader::new(process.stdout.take().unwrap()).lines();
    if stdout.next().is_none() {
        // 1 is unshare's own.
        let code = process.wait().unwrap().code();
        assert!(matches!(code, Some(1 | UNPREPARED)), "the generator says hello: {code:?}");
        return None;
    }
    job.origin = clock::now() + Duration::from_millis(100);
    let mut stdin = process.stdin.take().unwrap();
    writeln!(stdin, "{}", serde_json::to_string(&Job::Load(job.clone())).unwrap()).unwrap();
    let frames = stdout.map(|line| serde_json::from_str::<Frame>(&line.unwrap()).unwrap());
    let last = frames.last().expect("the generator reports");
    assert!(matches!(last, Frame::Done(_)), "{last:?}");
    // Its end would have ended the generator.
    drop(stdin);
    assert!(process.wait().unwrap().success());
    Some(words(&read(&job.records)))
}
