//! A backend served in-process: what it answers, and what it writes to its ledger.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;

use backend::{BackendError, Behaviour};
use model::identity::{Incarnation, RequestId};
use model::job::{BackendJob, BackendStatus, STATUS_PATH};
use model::ledger::LedgerLine;
use model::topology::{Backend, Latency, OnTerm};
use model::units::{Bytes, Span};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

fn job(directory: &TempDir) -> BackendJob {
    BackendJob {
        incarnation: Incarnation::new("web-1", 2),
        listen: "127.0.0.1:0".parse().unwrap(),
        backend: Backend {
            id: "web-1".into(),
            latency: Latency { from: Span::millis(1), to: Span::millis(3), tail: None },
            queue: 0,
            body: Bytes(64),
            ..Backend::default()
        },
        health_path: "/health".into(),
        unhealthy: false,
        seed: 3,
        ledger: directory.path().join("ledger.ndjson"),
        tls: None,
        sessions: None,
    }
}

/// Far longer than any test: such a request is in flight for as long as the test wants.
fn endless(job: &mut BackendJob) {
    job.backend.latency = Latency { from: Span::millis(3_600_000), to: Span::millis(3_600_000), tail: None };
}

struct Running {
    address: SocketAddr,
    ledger: PathBuf,
    terminate: Rc<Notify>,
    served: JoinHandle<Result<(), BackendError>>,
}

impl Running {
    async fn start(job: BackendJob) -> Running {
        let (listening, listens) = oneshot::channel();
        let terminate = Rc::new(Notify::new());
        let ledger = job.ledger.clone();
        let told = terminate.clone();
        let served = tokio::task::spawn_local(async move {
            backend::serve(
                job,
                Behaviour::default(),
                |address| listening.send(address).unwrap(),
                told.notified(),
            )
            .await
        });
        Running { address: listens.await.unwrap(), ledger, terminate, served }
    }

    /// Sends a request and leaves the connection open.
    async fn send(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Sends a request with `Connection: close` and returns the whole response.
    async fn ask(&self, path: &str, headers: &str) -> String {
        self.post(path, headers, "").await
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n{body}",
            body.len()
        );
        read_all(&mut self.send(&request).await).await
    }

    async fn status(&self) -> BackendStatus {
        let response = self.ask(STATUS_PATH, "").await;
        serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Asks for the status until it is as wanted; a test that waits in vain is ended by its runner.
    async fn status_where(&self, wanted: impl Fn(&BackendStatus) -> bool) -> BackendStatus {
        loop {
            let status = self.status().await;
            if wanted(&status) {
                return status;
            }
        }
    }

    fn ledger(&self) -> Vec<LedgerLine> {
        let text = std::fs::read_to_string(&self.ledger).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        // A busy machine may let any test stand still.
        lines.filter(|line| !matches!(line, LedgerLine::Stood { .. })).collect()
    }
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

fn request(id: u64) -> String {
    format!("GET / HTTP/1.1\r\nhost: x\r\nx-rig-seq: {id}\r\n\r\n")
}

#[tokio::test(flavor = "local")]
async fn a_request_is_stamped_and_stands_twice_in_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let backend = Running::start(job(&directory)).await;
    let response = backend.ask("/", "x-rig-seq: 17\r\n").await;
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(head.contains("x-rig-backend: web-1/2"));
    assert!(head.contains("content-length: 64"));
    assert!(head.contains(&format!("x-rig-crc32: {:08x}", crc32fast::hash(body.as_bytes()))));
    assert_eq!(body.len(), 64);
    let [
        LedgerLine::Received { n: 0, id: RequestId(17), at: received },
        LedgerLine::Finished { n: 0, at: finished, late: Some(0..) },
    ] = backend.ledger()[..]
    else {
        panic!("{:?}", backend.ledger());
    };
    assert!(finished.0 - received.0 >= 1_000_000, "it took its service time");
}

#[tokio::test(flavor = "local")]
async fn requests_without_an_id_are_answered_and_stay_out_of_the_books() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    endless(&mut job);
    let backend = Running::start(job).await;
    for path in ["/", "/health", STATUS_PATH] {
        let response = backend.ask(path, "").await;
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {response}");
        assert!(response.contains("x-rig-backend: web-1/2"));
    }
    let status = backend.status().await;
    assert_eq!((status.received, status.in_flight, status.queued), (0, 0, 0));
    assert_eq!(backend.ledger(), []);
}

#[tokio::test(flavor = "local")]
async fn an_unhealthy_backend_fails_its_health_check_and_serves_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    job.unhealthy = true;
    let backend = Running::start(job).await;
    assert!(backend.ask("/health", "").await.starts_with("HTTP/1.1 503 "));
    assert!(backend.ask("/", "x-rig-seq: 1\r\n").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "local")]
async fn a_body_is_checked_against_its_checksum() {
    let directory = tempfile::tempdir().unwrap();
    let backend = Running::start(job(&directory)).await;
    let right = format!("x-rig-seq: 1\r\nx-rig-crc32: {:08x}\r\n", crc32fast::hash(b"hello"));
    assert!(backend.post("/", &right, "hello").await.starts_with("HTTP/1.1 200 "));
    let wrong = backend.post("/", &right, "hullo").await;
    assert!(wrong.starts_with("HTTP/1.1 400 ") && wrong.contains("x-rig-backend: web-1/2"));
    assert_eq!(backend.ledger().len(), 4, "both are received and finished");
}

#[tokio::test(flavor = "local")]
async fn a_request_that_costs_more_takes_longer_and_a_cost_that_is_none_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let backend = Running::start(job(&directory)).await;
    backend.ask("/", "x-rig-seq: 1\r\nx-rig-cost: 20x\r\n").await;
    let [LedgerLine::Received { at: received, .. }, LedgerLine::Finished { at: finished, .. }] =
        backend.ledger()[..]
    else {
        panic!("{:?}", backend.ledger());
    };
    assert!(finished.0 - received.0 >= 20_000_000, "at least 20 × 1 ms");
    let refused = backend.ask("/", "x-rig-seq: 2\r\nx-rig-cost: 20\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 400 "), "{refused}");
    assert_eq!(backend.ledger().len(), 4, "it is in the books all the same");
}

#[tokio::test(flavor = "local")]
async fn beyond_its_places_requests_queue_and_beyond_the_queue_they_get_503() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    job.backend.at_once = Some(1);
    job.backend.queue = 1;
    job.backend.health_in_queue = true;
    endless(&mut job);
    let backend = Running::start(job).await;
    let _working = backend.send(&request(0)).await;
    backend.status_where(|status| status.in_flight == 1).await;
    let waiting = backend.send(&request(1)).await;
    let status = backend.status_where(|status| status.queued == 1).await;
    assert_eq!((status.received, status.in_flight), (2, 2));

    let refused = backend.ask("/", "x-rig-seq: 2\r\n").await;
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("x-rig-backend: web-1/2"));
    assert!(
        backend.ask("/health", "").await.starts_with("HTTP/1.1 503 "),
        "the queue is full for health, too"
    );
    let lines = backend.ledger();
    assert!(
        matches!(lines[2..], [LedgerLine::Received { n: 2, .. }, LedgerLine::Finished { n: 2, .. }]),
        "{lines:?}"
    );

    drop(waiting);
    let status = backend.status_where(|status| status.queued == 0).await;
    assert_eq!((status.received, status.in_flight), (3, 1));
}

#[tokio::test(flavor = "local")]
async fn a_client_that_goes_away_leaves_no_finished_line() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    endless(&mut job);
    let backend = Running::start(job).await;
    let client = backend.send(&request(5)).await;
    backend.status_where(|status| status.in_flight == 1).await;
    drop(client);
    let status = backend.status_where(|status| status.in_flight == 0).await;
    assert_eq!(status.received, 1);
    assert_eq!(backend.ledger().len(), 1, "received, and nothing more");
}

#[tokio::test(flavor = "local")]
async fn told_to_exit_it_loses_what_is_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    endless(&mut job);
    let backend = Running::start(job).await;
    let mut client = backend.send(&request(1)).await;
    backend.status_where(|status| status.in_flight == 1).await;
    backend.terminate.notify_one();
    assert_eq!(read_all(&mut client).await, "");
    let ledger = backend.ledger();
    backend.served.await.unwrap().unwrap();
    assert_eq!(ledger.len(), 1);
}

#[tokio::test(flavor = "local")]
async fn told_to_finish_it_stops_listening_and_answers_what_is_in_flight() {
    let directory = tempfile::tempdir().unwrap();
    let mut job = job(&directory);
    job.backend.on_term = OnTerm::Finish;
    job.backend.at_once = Some(1);
    job.backend.queue = 100;
    let backend = Running::start(job).await;
    let mut idle = backend.send("GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut clients = Vec::new();
    for id in 0..20 {
        clients.push(backend.send(&request(id)).await);
    }
    // One at a time, a request takes 1–3 ms: most of the 20 are still to be answered now.
    backend.status_where(|status| status.received == 20).await;
    backend.terminate.notify_one();
    for client in &mut clients {
        assert!(read_all(client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    assert!(read_all(&mut idle).await.contains("healthy"), "idle connections are closed as well");
    let ledger = backend.ledger();
    backend.served.await.unwrap().unwrap();
    assert_eq!(ledger.len(), 40);
    assert!(TcpStream::connect(backend.address).await.is_err());
}

#[tokio::test(flavor = "local")]
async fn until_it_has_booted_connections_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let placeholder = tokio::net::TcpSocket::new_v4().unwrap();
    placeholder.set_reuseport(true).unwrap();
    placeholder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut job = job(&directory);
    job.listen = placeholder.local_addr().unwrap();
    job.backend.boot = Span::millis(3_600_000);
    let address = job.listen;
    let terminate = Rc::new(Notify::new());
    let told = terminate.clone();
    let serving = tokio::task::spawn_local(async move {
        backend::serve(job, Behaviour::default(), |_| panic!("it has not booted"), told.notified()).await
    });
    tokio::task::yield_now().await; // It binds, and begins to boot.
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    terminate.notify_one();
    serving.await.unwrap().unwrap();
}

#[tokio::test(flavor = "local")]
async fn it_binds_beside_a_placeholder_and_not_over_a_stranger() {
    let directory = tempfile::tempdir().unwrap();
    let placeholder = tokio::net::TcpSocket::new_v4().unwrap();
    placeholder.set_reuseport(true).unwrap();
    placeholder.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut beside = job(&directory);
    beside.listen = placeholder.local_addr().unwrap();
    let backend = Running::start(beside).await;
    assert!(backend.ask("/", "").await.starts_with("HTTP/1.1 200 "));

    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut over = job(&directory);
    over.listen = stranger.local_addr().unwrap();
    let refused = serve_once(over).await.unwrap_err();
    assert!(matches!(refused, BackendError::Listen { .. }), "{refused}");
}

fn serve_once(job: BackendJob) -> impl Future<Output = Result<(), BackendError>> {
    backend::serve(job, Behaviour::default(), |_| panic!("the address is taken"), std::future::pending())
}

#[tokio::test(flavor = "local")]
async fn a_backend_that_does_not_run_when_it_should_writes_from_when_to_when() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(job(&directory)).await;
    let stood = || -> Option<std::time::Duration> {
        let text = std::fs::read_to_string(&running.ledger).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
        let spans = lines.filter_map(|line| match line {
            LedgerLine::Stood { from, to } => Some(to.since(from)),
            _ => None,
        });
        spans.max()
    };
    let length = std::time::Duration::from_millis(200);
    // It shares this thread.
    std::thread::sleep(length);
    // Its next look is due within 25 ms, so that it saw at least the rest.
    while stood().is_none_or(|stood| stood < length - std::time::Duration::from_millis(30)) {
        tokio::task::yield_now().await;
    }
}
