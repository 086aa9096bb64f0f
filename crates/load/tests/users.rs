//! Users against a server that keeps sessions: each has a cookie jar, and an address if that identifies users.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use harness::{job, run};
use model::outcome::OutcomeKind;
use model::sessions::SessionState;
use model::traffic::{Identity, Skew, Users};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server saw: for each session its counter and the addresses of its user.
type Seen = Arc<Mutex<BTreeMap<String, (u64, BTreeSet<IpAddr>)>>>;

/// Serves in this thread's runtime, beside the generator; forgets every session at its tenth request.
async fn server() -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let sessions = seen.clone();
    tokio::task::spawn_local(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            tokio::task::spawn_local(converse(stream, peer.ip(), sessions.clone()));
        }
    });
    (address, seen)
}

async fn converse(mut stream: TcpStream, from: IpAddr, sessions: Seen) {
    let mut input = Vec::new();
    loop {
        while !input.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut input).await.unwrap_or(0) == 0 {
                return;
            }
        }
        let head = String::from_utf8(std::mem::take(&mut input)).unwrap();
        let answer = answer(&head, from, &mut sessions.lock().unwrap());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

fn answer(head: &str, from: IpAddr, sessions: &mut BTreeMap<String, (u64, BTreeSet<IpAddr>)>) -> String {
    let header = |name: &str| head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| *n == name);
    let named =
        header("Cookie").and_then(|(_, cookie)| cookie.strip_prefix("rig-session=")).map(str::to_owned);
    let known = named.clone().filter(|id| sessions.get(id).is_some_and(|(count, _)| *count < 10));
    let state = match (&named, &known) {
        (None, _) => "new",
        (_, Some(_)) => "kept",
        _ => "lost",
    };
    let id = known.clone().unwrap_or_else(|| format!("s-{}", sessions.len()));
    let (count, addresses) = sessions.entry(id.clone()).or_default();
    *count += 1;
    addresses.insert(from);
    if let Some((_, seen)) = header("x-rig-session-seen") {
        assert!(state == "lost" || seen.parse::<u64>().unwrap() < *count, "{head}");
    }
    let cookie =
        if known.is_none() { format!("set-cookie: rig-session={id}; Path=/\r\n") } else { String::new() };
    format!(
        "HTTP/1.1 200 OK\r\n{cookie}x-rig-session: {state} {count} {id}\r\nx-rig-backend: web-1/1\r\n\
         x-rig-crc32: 3610a686\r\ncontent-length: 5\r\n\r\nhello"
    )
}

/// Runs 600 requests of 12 users, and checks what holds in any case.
async fn run_users(identity: Identity, connections: u32) -> (harness::Run, Seen) {
    let (address, seen) = server().await;
    let mut job = job(address, 600);
    job.traffic.users = Some(Users { count: 12, skew: Skew::Zipf(1.1), identity });
    job.traffic.connections = connections;
    let run = run(job).await;
    assert_eq!((run.report.recorded, run.kinds()), (600, BTreeMap::from([(OutcomeKind::Ok, 600)])));
    let sessions =
        |state| run.records.iter().filter(move |r| r.session.as_ref().is_some_and(|s| s.state == state));
    // One beginning for each user, and one for each request that went out before the first answer: on a busy machine several.
    let begins: BTreeSet<_> = sessions(SessionState::New).map(|record| record.user).collect();
    assert_eq!(begins.len(), 12);
    let first_answer = |user| run.records.iter().filter(|r| r.user == user).map(|r| r.end).min();
    assert!(sessions(SessionState::New).all(|record| Some(record.released) <= first_answer(record.user)));
    assert!(run.records[..12].iter().enumerate().all(|(n, record)| record.user == Some(n as u32)));
    let kept = sessions(SessionState::Kept).filter_map(|record| record.session.as_ref());
    assert!(kept.clone().count() > 0 && kept.clone().all(|kept| kept.count.is_some_and(|n| n > kept.seen)));
    let of_server: u64 = seen.lock().unwrap().values().map(|(count, _)| count - 1).sum();
    assert_eq!(kept.count() as u64, of_server, "whatever the server counted on, the records say was kept");
    let lost: BTreeSet<_> =
        sessions(SessionState::Lost).map(|r| r.session.as_ref().unwrap().id.clone()).collect();
    let forgotten = seen.lock().unwrap().values().filter(|(count, _)| *count == 10).count();
    assert!(lost.len() > 12 && lost.len() <= forgotten, "{} of {forgotten}", lost.len());
    (run, seen)
}

#[tokio::test(flavor = "local")]
async fn every_session_that_the_server_forgot_is_a_lost_one_and_no_other() {
    let (_, seen) = run_users(Identity::Cookie, 64).await;
    let addresses: BTreeSet<IpAddr> =
        seen.lock().unwrap().values().flat_map(|(_, from)| from.clone()).collect();
    assert_eq!(addresses.len(), 1);
}

#[tokio::test(flavor = "local")]
async fn a_user_with_an_address_asks_from_there_even_if_connections_are_short() {
    for connections in [64, 3] {
        let (_, seen) = run_users(Identity::SourceAddress, connections).await;
        let seen = seen.lock().unwrap();
        assert!(seen.values().all(|(_, addresses)| addresses.len() == 1));
        let all: BTreeSet<IpAddr> = seen.values().flat_map(|(_, addresses)| addresses.clone()).collect();
        assert_eq!(all.len(), 12);
    }
}
