//! A backend that speaks TLS with those who begin with it, and plain HTTP with everyone else.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::rc::Rc;

use backend::Behaviour;
use model::degrade::{Misbehaviour, ResponseStage};
use model::identity::Incarnation;
use model::job::{BackendJob, BackendStatus, STATUS_PATH};
use model::tls::{ClientTls, Handshakes, SERVER_NAME, ServerTls};
use model::topology::{Backend, OnTerm};
use model::units::Bytes;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

struct Running {
    address: SocketAddr,
    behaviour: Behaviour,
    client: TlsConnector,
    terminate: Rc<Notify>,
    served: JoinHandle<()>,
    _directory: TempDir,
}

impl Running {
    async fn start(on_term: OnTerm) -> Running {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![SERVER_NAME.to_owned()]).unwrap();
        std::fs::write(path("authority"), authority.pem()).unwrap();
        std::fs::write(path("certificate"), params.signed_by(&key, &authority).unwrap().pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        let job = BackendJob {
            incarnation: Incarnation::new("web-1", 1),
            listen: "127.0.0.1:0".parse().unwrap(),
            backend: Backend {
                id: "web-1".into(),
                queue: 0,
                body: Bytes(100_000),
                on_term,
                ..Backend::default()
            },
            health_path: "/health".into(),
            unhealthy: false,
            seed: 3,
            ledger: path("ledger.ndjson"),
            sessions: None,
            tls: Some(ServerTls { certificate: path("certificate"), key: path("key") }),
        };
        let client = ClientTls { authority: Some(path("authority")), server: None, resumption: true };
        let client = TlsConnector::from(agent::tls::client(&client).unwrap());
        let (listening, listens) = oneshot::channel();
        let (behaviour, terminate) = (Behaviour::default(), Rc::new(Notify::new()));
        let (behaves, told) = (behaviour.clone(), terminate.clone());
        let served = tokio::task::spawn_local(async move {
            let listening = |address| listening.send(address).unwrap();
            backend::serve(job, behaves, listening, told.notified()).await.unwrap();
        });
        let address = listens.await.unwrap();
        Running { address, behaviour, client, terminate, served, _directory: directory }
    }

    /// Asks over TLS; returns what came, and whether it ended by a farewell.
    async fn ask(&self, path: &str) -> (Vec<u8>, Result<(), ErrorKind>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        ask(
            self.client
                .connect(ServerName::try_from(model::tls::SERVER_NAME).unwrap(), stream)
                .await
                .unwrap(),
            path,
        )
        .await
    }

    async fn status(&self) -> BackendStatus {
        let (answer, ended) = ask(TcpStream::connect(self.address).await.unwrap(), STATUS_PATH).await;
        assert_eq!(ended, Ok(()));
        let text = String::from_utf8(answer).unwrap();
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    path: &str,
) -> (Vec<u8>, Result<(), ErrorKind>) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes).await;
    (bytes, ended.map(drop).map_err(|error| error.kind()))
}

#[tokio::test(flavor = "local")]
async fn whoever_begins_with_a_handshake_gets_tls_and_anyone_else_plain_http() {
    let backend = Running::start(OnTerm::Exit).await;
    assert_eq!(backend.status().await.handshakes, Handshakes::default());
    for _ in 0..3 {
        let (answer, ended) = backend.ask("/").await;
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert!(answer.len() > 100_000);
        assert_eq!(ended, Ok(()), "it takes its leave");
    }
    // Its own word for it costs no handshake.
    assert_eq!(backend.status().await.handshakes, Handshakes { full: 1, resumed: 2 });
}

#[tokio::test(flavor = "local")]
async fn a_response_over_tls_is_broken_off_where_and_how_it_is_told() {
    let backend = Running::start(OnTerm::Exit).await;
    for (told, kind) in [
        (Misbehaviour::Reset as fn(ResponseStage) -> Misbehaviour, ErrorKind::ConnectionReset),
        // A FIN without a farewell: truncation, as TLS has it.
        (Misbehaviour::Close, ErrorKind::UnexpectedEof),
    ] {
        for (stage, least, most) in [
            (ResponseStage::Before, 0, 0),
            (ResponseStage::Head, 1, 200),
            (ResponseStage::Body, 50_000, 60_000),
        ] {
            backend.behaviour.set(Some(told(stage)));
            let (answer, ended) = backend.ask("/").await;
            assert_eq!(ended, Err(kind), "{stage:?}");
            // A reset may erase what was on its way.
            let least = if kind == ErrorKind::ConnectionReset { 0 } else { least };
            assert!((least..=most).contains(&answer.len()), "{stage:?}: {} bytes", answer.len());
        }
    }
    backend.behaviour.set(None);
    assert_eq!(backend.ask("/").await.1, Ok(()));
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_has_said_nothing_keeps_no_backend_from_finishing() {
    let backend = Running::start(OnTerm::Finish).await;
    let mut silent = TcpStream::connect(backend.address).await.unwrap();
    assert_eq!(backend.status().await.received, 0);
    backend.terminate.notify_one();
    backend.served.await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}
