//! A backend that is told to misbehave: what its clients see, and what its ledger says.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;

use backend::Behaviour;
use model::degrade::{Misbehaviour, ResponseStage, WAYS};
use model::identity::Incarnation;
use model::job::{BackendJob, BackendStatus, STATUS_PATH};
use model::topology::{Backend, Latency};
use model::units::{Bytes, Share, Span};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const LENGTH: usize = 100_000;

struct Running {
    address: SocketAddr,
    behaviour: Behaviour,
    ledger: PathBuf,
    _directory: TempDir,
}

/// What a client read, and how the connection ended.
#[derive(Debug)]
struct Answer {
    bytes: Vec<u8>,
    reset: bool,
}

impl Answer {
    /// Head and body, if the head is whole.
    fn parts(&self) -> Option<(&str, usize)> {
        let end = self.bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        Some((std::str::from_utf8(&self.bytes[..end]).unwrap(), self.bytes.len() - end - 4))
    }
}

impl Running {
    async fn start() -> Running {
        let directory = tempfile::tempdir().unwrap();
        let job = BackendJob {
            incarnation: Incarnation::new("web-1", 1),
            listen: "127.0.0.1:0".parse().unwrap(),
            backend: Backend {
                id: "web-1".into(),
                queue: 0,
                body: Bytes(LENGTH as u64),
                ..Backend::default()
            },
            health_path: "/health".into(),
            unhealthy: false,
            seed: 3,
            ledger: directory.path().join("ledger.ndjson"),
            tls: None,
            sessions: None,
        };
        let (listening, listens) = oneshot::channel();
        let behaviour = Behaviour::default();
        let (behaves, ledger) = (behaviour.clone(), job.ledger.clone());
        tokio::task::spawn_local(async move {
            let never = std::future::pending();
            backend::serve(job, behaves, |address| listening.send(address).unwrap(), never).await
        });
        Running { address: listens.await.unwrap(), behaviour, ledger, _directory: directory }
    }

    async fn send(&self, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn ask(&self, path: &str, headers: &str) -> Answer {
        let mut stream = self.send(path, headers).await;
        let mut bytes = Vec::new();
        let reset = match stream.read_to_end(&mut bytes).await {
            Ok(_) => false,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        };
        Answer { bytes, reset }
    }

    async fn status_of(&self, path: &str, headers: &str) -> String {
        let answer = self.ask(path, headers).await;
        answer.parts().unwrap().0.split(' ').nth(1).unwrap().to_owned()
    }

    fn ledger_lines(&self) -> usize {
        let text = std::fs::read_to_string(&self.ledger).unwrap();
        // A busy machine may let any test stand still.
        text.lines().filter(|line| !line.contains("stood")).count()
    }
}

#[tokio::test(flavor = "local")]
async fn responses_are_broken_off_where_told_and_by_what_is_told() {
    let backend = Running::start().await;
    for (told, reset) in [
        (Misbehaviour::Reset as fn(ResponseStage) -> Misbehaviour, true),
        (Misbehaviour::Close as fn(ResponseStage) -> Misbehaviour, false),
    ] {
        for (_, stage) in ResponseStage::NAMED {
            backend.behaviour.set(Some(told(stage)));
            let lines = backend.ledger_lines();
            let answer = backend.ask("/", "x-rig-seq: 7\r\n").await;
            assert_eq!(answer.reset, reset, "{stage:?}");
            match stage {
                ResponseStage::Before => assert_eq!(answer.bytes.len(), 0),
                ResponseStage::Head => {
                    assert!(answer.bytes.starts_with(b"HTTP/1.1 200 OK\r\n"));
                    assert_eq!(answer.parts(), None);
                }
                ResponseStage::Body => {
                    let (head, body) = answer.parts().unwrap();
                    assert!(head.contains(&format!("content-length: {LENGTH}")), "{head}");
                    assert!(head.contains("x-rig-backend: web-1/1"), "{head}");
                    // A reset may overtake what was sent before it.
                    assert!(body == LENGTH / 2 || (reset && body < LENGTH / 2), "{body}");
                }
            }
            assert_eq!(backend.ledger_lines(), lines + 1, "received, and never finished");
            assert_eq!(backend.status_of("/health", "").await, "200");
        }
    }
    backend.behaviour.set(None);
    assert_eq!(backend.ask("/", "x-rig-seq: 8\r\n").await.parts().unwrap().1, LENGTH);
}

#[tokio::test(flavor = "local")]
async fn an_application_may_fail_while_its_health_is_well_and_the_other_way_round() {
    let backend = Running::start().await;
    backend.behaviour.set(Some(Misbehaviour::Errors(Share(1.0))));
    assert_eq!(backend.status_of("/", "x-rig-seq: 1\r\n").await, "500");
    assert_eq!(backend.status_of("/health", "").await, "200");
    assert_eq!(backend.ledger_lines(), 2, "an error is an answer: received and finished");
    backend.behaviour.set(Some(Misbehaviour::Unhealthy));
    assert_eq!(backend.status_of("/", "x-rig-seq: 2\r\n").await, "200");
    assert_eq!(backend.status_of("/health", "").await, "503");
}

#[tokio::test(flavor = "local")]
async fn errors_are_drawn_per_request_and_the_same_each_time() {
    let backend = Running::start().await;
    backend.behaviour.set(Some(Misbehaviour::Errors(Share(0.5))));
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let mut statuses = Vec::new();
        for id in 0..40 {
            statuses.push(backend.status_of("/", &format!("x-rig-seq: {id}\r\n")).await);
        }
        rounds.push(statuses);
    }
    assert_eq!(rounds[0], rounds[1]);
    assert!(rounds[0].iter().any(|s| s == "500") && rounds[0].iter().any(|s| s == "200"), "{rounds:?}");
}

/// It has read all three when its status says so: what is still unanswered then is so by its own doing.
#[tokio::test(flavor = "local")]
async fn a_silent_backend_answers_nobody_but_the_question_for_its_status() {
    let backend = Running::start().await;
    backend.behaviour.set(Some(Misbehaviour::Silent));
    let streams = [
        backend.send("/", "x-rig-seq: 1\r\n").await,
        backend.send("/health", "").await,
        backend.send("/", "x-rig-seq: 2\r\n").await,
    ];
    loop {
        let answer = backend.ask(STATUS_PATH, "").await;
        let (head, body) = answer.parts().unwrap();
        let status: BackendStatus =
            serde_json::from_slice(&answer.bytes[answer.bytes.len() - body..]).unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "));
        if (status.received, status.in_flight) == (2, 2) {
            break;
        }
    }
    for stream in &streams {
        assert_eq!(stream.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
    assert_eq!(backend.ledger_lines(), 2, "two received, none finished");
}

/// The reference is written from these words: whatever they say of health probes has to be so.
#[tokio::test(flavor = "local")]
async fn health_probes_get_what_the_reference_says() {
    let backend = Running::start().await;
    let (short, before) = (Span::millis(1), ResponseStage::Before);
    let latency = Misbehaviour::Latency(Latency { from: short, to: short, tail: None });
    for way in WAYS {
        let told = match way.key {
            "latency" | "slower" => latency,
            "errors" => Misbehaviour::Errors(Share(1.0)),
            "health" => Misbehaviour::Unhealthy,
            "silent" => Misbehaviour::Silent,
            "reset" => Misbehaviour::Reset(before),
            "close" => Misbehaviour::Close(before),
            other => panic!("no case tries {other}"),
        };
        backend.behaviour.set(Some(told));
        let said = match way.probe {
            Some(status) => {
                assert_eq!(backend.status_of("/health", "").await, status.to_string(), "{}", way.key);
                format!("a health probe gets {status}.")
            }
            // That it gets none is held above.
            None => "a health probe gets no answer.".to_owned(),
        };
        assert!(way.about.ends_with(&said), "{}: {}", way.key, way.about);
    }
    backend.behaviour.set(Some(Misbehaviour::Unhealthy));
    let way = WAYS.iter().find(|way| way.key == "health").unwrap();
    assert!(way.about.starts_with("Requests are answered as before"));
    assert_eq!(backend.status_of("/", "x-rig-seq: 1\r\n").await, "200");
}
