//! Sessions of a backend served in-process: what it says of them, and what becomes of them with it.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use backend::Behaviour;
use model::identity::Incarnation;
use model::job::BackendJob;
use model::sessions::{JwtKey, Password, SessionsJob};
use model::topology::Backend;
use model::units::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Serves one incarnation until the test ends, and says where.
async fn serve(generation: u32, sessions: SessionsJob) -> SocketAddr {
    let directory = tempfile::tempdir().unwrap();
    let job = BackendJob {
        incarnation: Incarnation::new("web-1", generation),
        listen: "127.0.0.1:0".parse().unwrap(),
        backend: Backend { id: "web-1".into(), queue: 0, body: Bytes(8), ..Backend::default() },
        health_path: "/health".into(),
        unhealthy: false,
        seed: 3,
        ledger: directory.path().join("ledger.ndjson"),
        tls: None,
        sessions: Some(sessions),
    };
    let (listening, listens) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let listening = |address| listening.send(address).unwrap();
        backend::serve(job, Behaviour::default(), listening, std::future::pending()).await.unwrap();
        drop(directory);
    });
    listens.await.unwrap()
}

/// What a backend answers to a request with this cookie: its status line, its word about the session, and the cookie.
async fn ask(backend: SocketAddr, cookie: Option<&str>, seen: u64) -> (String, String, Option<String>) {
    let cookie = cookie.map_or(String::new(), |it| format!("cookie: a=b; rig-session={it}; c=d\r\n"));
    let more = format!("{cookie}x-rig-session-seen: {seen}\r\nx-rig-seq: 1\r\n");
    let text = request(backend, &more).await;
    let header = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    };
    let set = header("set-cookie")
        .map(|set| set.strip_prefix("rig-session=").unwrap().split(';').next().unwrap().to_owned());
    let status = text.lines().next().unwrap_or_default().to_owned();
    (status, header("x-rig-session").unwrap_or_default(), set)
}

async fn request(backend: SocketAddr, more: &str) -> String {
    let mut stream = TcpStream::connect(backend).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn ok(word: &str, cookie: Option<&str>) -> (String, String, Option<String>) {
    ("HTTP/1.1 200 OK".into(), word.into(), cookie.map(str::to_owned))
}

#[tokio::test(flavor = "local")]
async fn memory_keeps_a_session_as_long_as_the_incarnation_lives() {
    let first = serve(1, SessionsJob::Memory).await;
    assert_eq!(ask(first, None, 0).await, ok("new 1 web-1.1-0", Some("web-1.1-0")));
    assert_eq!(ask(first, Some("web-1.1-0"), 1).await, ok("kept 2 web-1.1-0", None));
    let next = serve(2, SessionsJob::Memory).await;
    assert_eq!(ask(next, Some("web-1.1-0"), 2).await, ok("lost 1 web-1.2-0", Some("web-1.2-0")));
    assert_eq!(ask(next, Some("web-1.2-0"), 1).await, ok("kept 2 web-1.2-0", None));
}

#[tokio::test(flavor = "local")]
async fn a_counter_that_is_behind_what_the_user_has_seen_is_a_lost_session() {
    let backend = serve(1, SessionsJob::Memory).await;
    ask(backend, None, 0).await;
    assert_eq!(ask(backend, Some("web-1.1-0"), 2).await, ok("lost 1 web-1.1-1", Some("web-1.1-1")));
}

#[tokio::test(flavor = "local")]
async fn what_is_no_load_has_no_session() {
    let backend = serve(1, SessionsJob::Memory).await;
    let answer = request(backend, "cookie: rig-session=web-1.1-0\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("x-rig-session"), "{answer}");
}

#[tokio::test(flavor = "local")]
async fn a_token_survives_its_backend_and_not_its_key() {
    let jwt = |sign: &str, accept: &[&str]| SessionsJob::Jwt {
        sign: JwtKey(sign.into()),
        accept: accept.iter().map(|key| JwtKey((*key).into())).collect(),
    };
    let old = serve(1, jwt("old", &["old"])).await;
    let (_, word, token) = ask(old, None, 0).await;
    assert_eq!(word, "new 1 web-1.1-0");
    let same = serve(2, jwt("old", &["old"])).await;
    let (_, word, token) = ask(same, token.as_deref(), 1).await;
    assert_eq!(word, "kept 2 web-1.1-0");
    let both = serve(3, jwt("new", &["old", "new"])).await;
    let (_, word, token) = ask(both, token.as_deref(), 2).await;
    assert_eq!(word, "kept 3 web-1.1-0");
    let (_, word, _) = ask(old, token.as_deref(), 3).await;
    assert_eq!(word, "lost 1 web-1.1-1", "the old generation doesn't know the new key");
}

/// A real Redis; it ends with this.
struct Redis {
    server: Child,
    address: SocketAddr,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// On a port that was free a moment ago; `None`: there is no redis-server here.
fn redis() -> Option<Redis> {
    let program = std::env::var_os("RIG_REDIS").map_or_else(|| PathBuf::from("redis-server"), PathBuf::from);
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Command::new(program)
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--save", "", "--dir", "/tmp"])
        .args(["--requirepass", "secret"])
        .stdout(Stdio::null())
        .spawn();
    match server {
        Ok(server) => Some(Redis { server, address }),
        Err(error) => {
            eprintln!("skipped: redis-server can't be run: {error}; `make setup` installs it");
            None
        }
    }
}

#[tokio::test(flavor = "local")]
async fn redis_keeps_a_session_for_all_backends_and_without_it_requests_are_refused() {
    let Some(mut redis) = redis() else { return };
    while TcpStream::connect(redis.address).await.is_err() {
        assert_eq!(redis.server.try_wait().unwrap(), None, "redis-server ended");
        tokio::task::yield_now().await;
    }
    let job = || SessionsJob::Redis { address: redis.address, password: Password("secret".into()) };
    let first = serve(1, job()).await;
    let next = serve(2, job()).await;
    assert_eq!(ask(first, None, 0).await, ok("new 1 web-1.1-0", Some("web-1.1-0")));
    assert_eq!(ask(next, Some("web-1.1-0"), 1).await, ok("kept 2 web-1.1-0", None));
    assert_eq!(ask(first, Some("web-1.1-0"), 2).await, ok("kept 3 web-1.1-0", None));
    assert_eq!(ask(next, Some("nobody"), 0).await, ok("lost 1 web-1.2-0", Some("web-1.2-0")));
    drop(redis);
    for backend in [first, next] {
        let away = ("HTTP/1.1 503 Service Unavailable".to_owned(), "unavailable".to_owned(), None);
        assert_eq!(ask(backend, Some("web-1.1-0"), 3).await, away);
    }
}
