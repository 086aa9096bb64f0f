//! The clause about balancers, for which a small nginx stands in.

use std::fs::read_to_string;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::balancer::adapter;
use engine::host::Signal;
use engine::program::{STDERR_FILE, STDOUT_FILE};
use engine::runtime::{Launch, Pod, PodOrder, Process, Reach, Runs, Runtime};
use model::catalog::BalancerKind;
use model::component::Component;

use crate::bench::{Bench, timed};
use crate::client::{PATIENCE, get, refused};

pub(crate) async fn a_balancer_is_operated<R: Runtime>(bench: &Bench<R>) {
    let build = bench.runtime.describe(adapter(BalancerKind::Nginx).program().into()).await.unwrap();
    assert!(build.version.contains('.') && !build.binary.is_empty(), "{build:?}");

    let (Balancer { process, pod }, directory) = nginx(bench).await;
    let nginx = &process.handle;
    let address = pod.addresses[0];
    configure(&bench.runtime, &directory, address, "second");
    timed(bench.runtime.signal(nginx, Signal::Hup)).await;
    eventually_says(address, "second").await;

    timed(bench.runtime.signal(nginx, Signal::Quit)).await;
    assert!(nginx.wait(PATIENCE).await.unwrap().is_success());
    refused(address).await;
    let (out, err) = (directory.join(STDOUT_FILE), directory.join(STDERR_FILE));
    assert!(read_to_string(&out).unwrap().contains("\"GET / HTTP/1.1\" 200"), "{}", out.display());
    let words = read_to_string(&err).unwrap();
    assert!(words.contains("(SIGHUP) received") && words.contains("(SIGQUIT) received"), "{words}");
}

/// A balancer, and where it stands.
pub(crate) struct Balancer {
    process: Process,
    pod: Pod,
}

/// An nginx that answers by itself, and its directory.
pub(crate) async fn nginx<R: Runtime>(bench: &Bench<R>) -> (Balancer, PathBuf) {
    let order = PodOrder { name: "balancer", ports: 1, reach: Reach::People(None), port: None };
    let pod = bench.runtime.pod(order).await.unwrap();
    let directory = bench.directory("balancer");
    configure(&bench.runtime, &directory, pod.addresses[0], "first");
    let place = directory.display();
    let launch = Launch {
        component: Component::Balancer,
        pod: &pod,
        runs: Runs::Program(adapter(BalancerKind::Nginx).program().into()),
        arguments: vec![
            "-p".into(),
            place.to_string(),
            "-c".into(),
            format!("{place}/nginx.conf"),
            "-e".into(),
            "stderr".into(),
        ],
        variables: vec![],
        directory: directory.clone(),
        leaves: Vec::new(),
    };
    let process = bench.runtime.start(launch).await.unwrap();
    eventually_says(pod.addresses[0], "first").await;
    (Balancer { process, pod }, directory)
}

/// Lets nginx say `word` from its next configuration on.
fn configure(runtime: &impl Runtime, directory: &Path, address: SocketAddr, word: &str) {
    let user = if runtime.as_root() { "user root;" } else { "" };
    let text = format!(
        "{user} daemon off; pid nginx.pid; error_log stderr notice;\nevents {{}}\nhttp {{ access_log \
         /dev/stdout; client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; \
         scgi_temp_path t;\n server {{ listen {address}; return 200 {word}; }} }}\n"
    );
    std::fs::write(directory.join("nginx.conf"), text).unwrap();
}

async fn eventually_says(address: SocketAddr, word: &str) {
    let begun = Instant::now();
    loop {
        let answer = get(address).await;
        if answer.as_ref().is_ok_and(|text| text.ends_with(word)) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{address} never says {word}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
