//! The generator against servers that speak TLS, rightly and wrongly: no count may differ from the server's.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

mod harness;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use harness::{Run, job, run};
use model::job::LoadJob;
use model::outcome::{BodyCheck, Cause, Outcome, OutcomeKind, Stage};
use model::tls::{ClientTls, Handshake, Handshakes, SERVER_NAME, ServerTls};
use model::units::{Share, Span};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-rig-backend: web-1/1\r\nx-rig-crc32: 3610a686\r\n\r\nhello";

/// An authority's and a server's files.
struct Files {
    directory: TempDir,
}

impl Files {
    fn make(name: &str) -> Files {
        let directory = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let write = |name: &str, text: String| std::fs::write(directory.path().join(name), text).unwrap();
        write("authority.pem", authority.pem());
        write("server.pem", certificate.pem());
        write("server.pem.key", key.serialize_pem());
        Files { directory }
    }

    fn acceptor(&self) -> TlsAcceptor {
        let file = |name: &str| self.directory.path().join(name);
        let tls = ServerTls { certificate: file("server.pem"), key: file("server.pem.key") };
        agent::tls::server(&tls).unwrap().into()
    }

    fn client(&self, resumption: bool) -> ClientTls {
        ClientTls { authority: Some(self.directory.path().join("authority.pem")), server: None, resumption }
    }
}

/// What a server does with a request; it is told the number of its connection.
#[derive(Clone, Copy)]
enum Reply {
    Say(&'static str),
    /// Says it and goes without a farewell: a FIN that anybody on the way could have made.
    Cut(&'static str),
    /// Says it and takes its leave (close_notify).
    Close(&'static str),
}

/// Answers every request so; returns where, and the handshakes that it made.
async fn serve(acceptor: TlsAcceptor, reply: Reply) -> (SocketAddr, Rc<Cell<Handshakes>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = Rc::new(Cell::new(Handshakes::default()));
    let counted = made.clone();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, counted) = (acceptor.clone(), counted.clone());
            tokio::task::spawn_local(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let kind = agent::tls::handshake(stream.get_ref().1.handshake_kind()).unwrap();
                let mut handshakes = counted.get();
                handshakes.add(kind);
                counted.set(handshakes);
                converse(stream, reply).await;
            });
        }
    });
    (address, made)
}

async fn converse(mut stream: TlsStream<TcpStream>, reply: Reply) {
    let mut input = Vec::new();
    loop {
        while !input.ends_with(b"\r\n\r\n") {
            if !stream.read_buf(&mut input).await.is_ok_and(|read| read > 0) {
                return;
            }
        }
        input.clear();
        let (Reply::Say(text) | Reply::Cut(text) | Reply::Close(text)) = reply;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        match reply {
            Reply::Say(_) => {}
            Reply::Cut(_) => return,
            Reply::Close(_) => return drop(stream.shutdown().await),
        }
    }
}

fn secured(target: SocketAddr, requests: u64, tls: ClientTls) -> LoadJob {
    LoadJob { tls: Some(tls), ..job(target, requests) }
}

/// One request at a time, each on a connection of its own.
fn one_by_one(job: &mut LoadJob) {
    job.traffic.connections = 1;
    job.traffic.fresh_connections = Share(1.0);
}

fn by_client(run: &Run) -> Handshakes {
    let mut handshakes = Handshakes::default();
    for handshake in run.records.iter().filter_map(|record| record.on?.handshake) {
        handshakes.add(handshake);
    }
    handshakes
}

fn failed(stage: Stage, cause: Cause) -> Outcome {
    Outcome::Failed { stage, cause }
}

#[tokio::test(flavor = "local")]
async fn without_resumption_every_connection_has_a_full_handshake() {
    let files = Files::make(SERVER_NAME);
    let (address, made) = serve(files.acceptor(), Reply::Say(OK)).await;
    let mut job = secured(address, 40, files.client(false));
    one_by_one(&mut job);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 40)].into());
    assert_eq!((by_client(&run), made.get()), (Handshakes { full: 40, resumed: 0 }, by_client(&run)));
}

#[tokio::test(flavor = "local")]
async fn a_session_is_taken_up_again_by_every_connection_after_the_first() {
    let files = Files::make(SERVER_NAME);
    let (address, made) = serve(files.acceptor(), Reply::Say(OK)).await;
    let mut job = secured(address, 40, files.client(true));
    one_by_one(&mut job);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 40)].into());
    assert_eq!((by_client(&run), made.get()), (Handshakes { full: 1, resumed: 39 }, by_client(&run)));
    assert_eq!(run.records[0].on.unwrap().handshake, Some(Handshake::Full));
}

#[tokio::test(flavor = "local")]
async fn a_kept_connection_has_one_handshake_and_its_tickets_disturb_nobody() {
    let files = Files::make(SERVER_NAME);
    let (address, made) = serve(files.acceptor(), Reply::Say(OK)).await;
    let mut job = secured(address, 100, files.client(true));
    job.traffic.connections = 1;
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 100)].into());
    assert_eq!((made.get().all(), run.report.connections, run.report.unannounced_closes), (1, 1, 0));
    let with_handshake: Vec<u64> =
        run.records.iter().filter(|r| r.on.unwrap().handshake.is_some()).map(|r| r.id.0).collect();
    assert_eq!(with_handshake, [0]);
    assert_eq!(run.records[99].on.unwrap().nth, 100);
}

#[tokio::test(flavor = "local")]
async fn a_farewell_on_an_idle_connection_ends_its_use() {
    let files = Files::make(SERVER_NAME);
    for reply in [Reply::Close(OK), Reply::Cut(OK)] {
        let (address, _) = serve(files.acceptor(), reply).await;
        let mut job = secured(address, 20, files.client(true));
        // Time enough between two requests for the farewell to arrive.
        job.traffic.rate = model::units::Rate(50.0);
        job.traffic.duration = Span::millis(400);
        job.traffic.connections = 1;
        let run = run(job).await;
        assert_eq!(run.kinds(), [(OutcomeKind::Ok, 20)].into(), "none was sent into a closed connection");
        assert_eq!((run.report.connections, run.report.unannounced_closes), (20, 20));
    }
}

#[tokio::test(flavor = "local")]
async fn a_certificate_that_the_runs_authority_has_not_signed_or_that_names_another_is_refused() {
    let files = Files::make(SERVER_NAME);
    for strange in [Files::make(SERVER_NAME), Files::make("other.test")] {
        let (address, _) = serve(strange.acceptor(), Reply::Say(OK)).await;
        let run = run(secured(address, 10, files.client(true))).await;
        assert_eq!(run.kinds(), [(OutcomeKind::Tls, 10)].into());
        assert!(run.records.iter().all(|r| r.outcome == failed(Stage::Tls, Cause::Untrusted)));
        assert!(run.records.iter().all(|r| r.on.is_none() && r.bytes_out == 0));
    }
    // Signed by the right authority, for another name.
    let other = Files::make("other.test");
    let (address, _) = serve(other.acceptor(), Reply::Say(OK)).await;
    let run = run(secured(address, 10, other.client(true))).await;
    assert!(run.records.iter().all(|r| r.outcome == failed(Stage::Tls, Cause::Untrusted)));
}

#[tokio::test(flavor = "local")]
async fn a_handshake_that_breaks_off_or_never_ends_is_told_as_such() {
    let files = Files::make(SERVER_NAME);
    let plain = |act: fn(TcpStream) -> std::pin::Pin<Box<dyn Future<Output = ()>>>| async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            loop {
                tokio::task::spawn_local(act(listener.accept().await.unwrap().0));
            }
        });
        address
    };
    let silent = plain(|stream| {
        Box::pin(async move {
            std::future::pending::<()>().await;
            drop(stream)
        })
    })
    .await;
    let closing = plain(|mut stream| {
        Box::pin(async move {
            let _ = stream.read(&mut [0; 4096]).await;
        })
    });
    let speaking = plain(|mut stream| {
        Box::pin(async move {
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        })
    });
    for (address, cause, kind) in [
        (silent, Cause::Timeout, OutcomeKind::Timeout),
        (closing.await, Cause::Eof, OutcomeKind::Tls),
        (speaking.await, Cause::Protocol, OutcomeKind::Tls),
    ] {
        let mut job = secured(address, 10, files.client(true));
        job.traffic.timeout = Span::millis(200);
        let run = run(job).await;
        assert_eq!(run.kinds(), [(kind, 10)].into(), "{cause:?}");
        assert!(run.records.iter().all(|r| r.outcome == failed(Stage::Tls, cause)), "{:?}", run.records[0]);
    }
}

#[tokio::test(flavor = "local")]
async fn a_response_that_is_cut_is_told_from_one_that_ends() {
    const SIZED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello";
    const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\n\r\nhello";
    let files = Files::make(SERVER_NAME);
    let complete = Outcome::Answered { status: 200, body: BodyCheck::Unstamped, expected: None };
    let truncated = failed(Stage::Body, Cause::Eof);
    for (reply, outcome) in [
        (Reply::Cut(SIZED), truncated),
        (Reply::Close(SIZED), truncated),
        // Without a length the farewell is all that tells the end from an attack.
        (Reply::Cut(UNTIL_CLOSE), truncated),
        (Reply::Close(UNTIL_CLOSE), complete),
    ] {
        let (address, _) = serve(files.acceptor(), reply).await;
        let run = run(secured(address, 10, files.client(true))).await;
        assert!(run.records.iter().all(|r| r.outcome == outcome), "{:?}", run.records[0]);
    }
}
