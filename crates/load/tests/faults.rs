//! The generator against a server whose faults are known: no count may differ from the server's.

// Clippy excuses test functions, and not the helpers that they share.
#![allow(clippy::unwrap_used)]

#[path = "faults/ending.rs"]
mod ending;
mod fault_server;
mod harness;

use std::time::Duration;

use fault_server::{FaultServer, Reply};
use harness::{job, run};
use model::outcome::{BodyCheck, Cause, NotSent, Outcome, OutcomeKind, Stage};
use model::statuses::Statuses;
use model::traffic::{Arrivals, Method};
use model::units::{Bytes, Rate, Share, Span};
use socket2::SockRef;

const OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-rig-backend: web-1/1\r\nx-rig-crc32: 3610a686\r\n\r\nhello";

fn say(text: &str) -> Reply {
    Reply::Say(text.into())
}

fn answered(status: u16, body: BodyCheck) -> Outcome {
    Outcome::Answered { status, body, expected: None }
}

fn failed(stage: Stage, cause: Cause) -> Outcome {
    Outcome::Failed { stage, cause }
}

/// Runs every case ten times, mixed, and demands exactly its outcome for each of its requests.
async fn check(cases: Vec<(Reply, Outcome)>, timeout: Span) {
    let (count, requests) = (cases.len() as u64, cases.len() as u64 * 10);
    let replies: Vec<Reply> = cases.iter().map(|(reply, _)| reply.clone()).collect();
    let server = FaultServer::start(move |id| replies[(id % count) as usize].clone());
    let mut job = job(server.address, requests);
    job.traffic.timeout = timeout;
    let run = run(job).await;
    for record in &run.records {
        let (reply, outcome) = &cases[(record.id.0 % count) as usize];
        assert_eq!(record.outcome, *outcome, "after {reply:?}: {record:?}");
    }
    let seen = server.finish();
    assert_eq!(seen.received.len() as u64, requests, "the server received every request");
    assert!(seen.received.values().all(|times| *times == 1), "and none of them twice");
    assert_eq!(seen.accepted, run.report.connections);
}

#[tokio::test(flavor = "local")]
async fn every_complete_response_is_answered_with_its_status_and_checksum() {
    let stamp = "x-rig-backend: web-1/1\r\nx-rig-crc32: 3610a686\r\n";
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{stamp}\r\n5;a=b\r\nhello\r\n0\r\nx-trailer: 1\r\n\r\n"
    );
    let wrong = OK.replace("hello", "hullo");
    check(
        vec![
            (say(OK), answered(200, BodyCheck::Verified)),
            (say(&chunked), answered(200, BodyCheck::Verified)),
            (Reply::Fin(format!("HTTP/1.1 200 OK\r\n{stamp}\r\nhello")), answered(200, BodyCheck::Verified)),
            (
                say(&format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n{OK}")),
                answered(200, BodyCheck::Verified),
            ),
            (say("HTTP/1.1 204 No Content\r\n\r\n"), answered(204, BodyCheck::Unstamped)),
            (
                say("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n"),
                answered(304, BodyCheck::Unstamped),
            ),
            (
                say("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad"),
                answered(502, BodyCheck::Unstamped),
            ),
            (say(&OK.replace("200 OK", "503 Service Unavailable")), answered(503, BodyCheck::Verified)),
            (say(&wrong), answered(200, BodyCheck::Mismatch)),
            (
                Reply::Fin(OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")),
                answered(200, BodyCheck::Verified),
            ),
        ],
        Span::millis(20_000),
    )
    .await;
}

#[tokio::test(flavor = "local")]
async fn every_way_to_break_off_is_told_by_its_stage_and_cause() {
    let (head, body) = (&OK[..30], &OK[..OK.len() - 2]);
    let chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let mut cases = Vec::new();
    for (text, stage) in
        [("", Stage::FirstByte), (head, Stage::Head), (body, Stage::Body), (chunk, Stage::Body)]
    {
        cases.push((Reply::Reset(text.into()), failed(stage, Cause::Reset)));
        cases.push((Reply::Fin(text.into()), failed(stage, Cause::Eof)));
    }
    for (garbage, stage) in [
        ("SSH-2.0-OpenSSH_9.2\r\n".to_owned(), Stage::Head),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned(), Stage::Head),
        (format!("{chunk}zz\r\n"), Stage::Body),
    ] {
        cases.push((Reply::Hang(garbage), failed(stage, Cause::Protocol)));
    }
    cases.push((say(OK), answered(200, BodyCheck::Verified)));
    check(cases, Span::millis(20_000)).await;
}

#[tokio::test(flavor = "local")]
async fn a_server_that_falls_silent_is_a_time_out_at_the_stage_where_it_did() {
    let hang = |text: &str, stage| (Reply::Hang(text.into()), failed(stage, Cause::Timeout));
    check(
        vec![
            hang("", Stage::FirstByte),
            hang(&OK[..30], Stage::Head),
            hang(&OK[..OK.len() - 2], Stage::Body),
            hang("HTTP/1.1 200 OK\r\n\r\nunlimited", Stage::Body),
        ],
        Span::millis(1_500),
    )
    .await;
}

#[tokio::test(flavor = "local")]
async fn where_nobody_listens_every_request_is_refused() {
    // Bound and not listening: the address is ours, and connections are refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let run = run(job(socket.local_addr().unwrap(), 50)).await;
    for record in &run.records {
        assert_eq!(record.outcome, failed(Stage::Connect, Cause::Refused));
        assert_eq!((record.bytes_out, record.on), (0, None));
    }
    assert_eq!(run.report.connections, 0);
}

#[tokio::test(flavor = "local")]
async fn a_connection_that_the_peer_closed_while_idle_costs_no_request() {
    let server = FaultServer::start(|_| Reply::Fin(OK.into()));
    let run = run(job(server.address, 200)).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 200)].into());
    assert_eq!((run.report.unannounced_closes, run.report.announced_closes), (200, 0));
    let seen = server.finish();
    assert_eq!((seen.accepted, seen.received.len()), (200, 200));
}

#[tokio::test(flavor = "local")]
async fn a_response_that_arrived_whole_before_a_reset_counts() {
    let server = FaultServer::start(|_| Reply::Reset(OK.into()));
    let mut job = job(server.address, 100);
    job.traffic.fresh_connections = Share(1.0);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 100)].into());
    assert_eq!(server.finish().accepted, 100);
}

#[tokio::test(flavor = "local")]
async fn a_connection_reset_before_the_request_is_read_is_a_reset_once_per_connection() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let job = job(listener.local_addr().unwrap(), 100);
    let accepting = tokio::task::spawn_local(async move {
        for _ in 0..100 {
            let (stream, _) = listener.accept().await.unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }
    });
    let run = run(job).await;
    accepting.await.unwrap();
    // The reset may overtake the client's notice that the connection stood.
    let kinds = run.kinds();
    let count = |kind| kinds.get(&kind).copied().unwrap_or(0);
    assert_eq!(count(OutcomeKind::Reset) + count(OutcomeKind::ConnectReset), 100, "{kinds:?}");
    assert_eq!(run.report.connections, count(OutcomeKind::Reset));
}

#[tokio::test(flavor = "local")]
async fn an_announced_close_is_counted_as_such_and_costs_no_request() {
    let reply = OK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let server = FaultServer::start(move |_| Reply::Fin(reply.clone()));
    let run = run(job(server.address, 100)).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 100)].into());
    assert!(run.records.iter().all(|record| record.on.unwrap().close_announced));
    assert_eq!((run.report.announced_closes, run.report.unannounced_closes), (100, 0));
    assert_eq!(server.finish().accepted, 100);
}

#[tokio::test(flavor = "local")]
async fn fresh_requests_have_a_connection_of_their_own_and_others_share() {
    let server = FaultServer::start(|_| say(OK));
    let mut job = job(server.address, 400);
    job.traffic.fresh_connections = Share(0.25);
    let fresh: Vec<u64> = load::Schedule::new(&job.traffic, job.origin, job.seed)
        .filter(|arrival| arrival.connect == load::Connect::Fresh)
        .map(|arrival| arrival.id.0)
        .collect();
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 400)].into());
    for id in &fresh {
        let on = run.records[*id as usize].on.unwrap();
        assert_eq!(on.nth, 1);
        let on_it = run.records.iter().filter(|record| record.on.unwrap().connection == on.connection);
        assert_eq!(on_it.count(), 1, "nothing follows on a fresh connection");
    }
    assert_eq!(server.finish().accepted, run.report.connections);
    assert!(run.report.connections >= fresh.len() as u64);
}

/// Every second request gets more than its response, with it or while its connection is idle. Both are one thing: the
/// response that was complete counts, and nothing follows on the connection.
#[tokio::test(flavor = "local")]
async fn surplus_bytes_end_alike_whenever_they_come() {
    let together = |_| say(&format!("{OK}surplus"));
    let later = |_| Reply::Trickle(vec![OK.into(), "surplus".into()], Duration::from_millis(1));
    let scripts: [fn(u64) -> Reply; 2] = [together, later];
    for script in scripts {
        let server = FaultServer::start(move |id| if id % 2 == 0 { script(id) } else { say(OK) });
        // Far enough apart that a surplus comes before the next request.
        let mut job = job(server.address, 500);
        job.traffic.rate = Rate(10.0);
        let run = run(job).await;
        assert_eq!(run.kinds(), [(OutcomeKind::Ok, 5)].into());
        // The last one may come when no process listens any more.
        assert!((2..=3).contains(&run.report.surplus), "{}", run.report.surplus);
        let report = &run.report;
        assert_eq!((report.unannounced_closes, report.announced_closes), (0, 0));
        for odd in run.records.iter().filter(|record| record.id.0 % 2 == 1) {
            assert_eq!(odd.on.unwrap().nth, 1, "nothing follows on a connection with surplus bytes");
        }
        assert_eq!(server.finish().accepted, run.report.connections);
    }
}

#[tokio::test(flavor = "local")]
async fn a_status_that_is_declared_is_expected_and_any_other_is_dropped() {
    let reply = |status: &str| say(&OK.replace("200 OK", status));
    let server =
        FaultServer::start(move |id| reply(["404 Not Found", "200 OK", "500 Oops"][id as usize % 3]));
    let mut job = job(server.address, 30);
    job.traffic.mix[0].expect_status = Some(Statuses(vec!["404".parse().unwrap()]));
    let run = run(job).await;
    let ended = [(OutcomeKind::ExpectedStatus, 10), (OutcomeKind::HttpOther, 10), (OutcomeKind::Http5xx, 10)];
    assert_eq!(run.kinds(), ended.into());
    server.finish();
}

#[tokio::test(flavor = "local")]
async fn a_response_to_a_head_has_no_body_whatever_it_says() {
    let server = FaultServer::start(|_| say(&OK[..OK.len() - 5]));
    let mut job = job(server.address, 50);
    job.traffic.mix[0].method = Method::Head;
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 50)].into());
    let seen = server.finish();
    assert_eq!((seen.received.len(), seen.accepted), (50, run.report.connections));
}

#[tokio::test(flavor = "local")]
async fn beyond_the_connection_limit_requests_wait_and_end_unsent() {
    let server = FaultServer::start(|_| Reply::Hang(String::new()));
    let mut job = job(server.address, 10);
    // Deadlines lie closer together than the timer's wake-ups, so that several pass in the queue at once.
    job.traffic.rate = Rate(20_000.0);
    job.traffic.timeout = Span::millis(300);
    job.traffic.connections = 2;
    let run = run(job).await;
    let kinds = run.kinds();
    // Some leave the queue so late that the time runs out while a connection is opened for them.
    let timeouts =
        kinds[&OutcomeKind::Timeout] + kinds.get(&OutcomeKind::ConnectTimeout).copied().unwrap_or(0);
    assert_eq!(timeouts + kinds[&OutcomeKind::NotSentBacklog], 200, "{kinds:?}");
    for record in &run.records {
        let unsent = record.outcome == Outcome::NotSent(NotSent::Backlog);
        assert_eq!(unsent, record.sent.is_none(), "{record:?}");
        let until = record.sent.unwrap_or(record.end);
        assert_eq!(record.waited > 0, record.id.0 >= 2, "who had no connection at once waited: {record:?}");
        assert!(record.waited <= until.0 - record.released.0, "{record:?}");
    }
    assert!(server.finish().received.len() as u64 <= timeouts);
}

#[tokio::test(flavor = "local")]
async fn with_one_connection_every_request_waits_for_its_turn_and_none_is_lost() {
    let server = FaultServer::start(|_| say(OK));
    let mut job = job(server.address, 10);
    job.traffic.rate = Rate(20_000.0);
    job.traffic.connections = 1;
    job.traffic.fresh_connections = Share(0.2);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 200)].into());
    let mut by_sent = run.records.clone();
    by_sent.sort_by_key(|record| record.sent);
    assert!(by_sent.is_sorted_by_key(|record| record.id), "first come, first served");
    assert!(by_sent.windows(2).all(|pair| Some(pair[0].end) <= pair[1].sent), "one at a time");
    assert_eq!(server.finish().accepted, run.report.connections);
}

#[tokio::test(flavor = "local")]
async fn when_the_server_dies_what_it_answered_is_ok_and_all_the_rest_is_dropped() {
    let server = FaultServer::start(|id| if id == 60 { Reply::Die } else { say(OK) });
    let mut job = job(server.address, 200);
    job.traffic.arrivals = Arrivals::Poisson;
    let run = run(job).await;
    let kinds = run.kinds();
    let seen = server.finish();
    assert_eq!(kinds[&OutcomeKind::Ok], seen.said);
    assert!(kinds[&OutcomeKind::Refused] > 0);
    let died = &run.records[60].outcome;
    assert_eq!(*died, failed(Stage::FirstByte, Cause::Eof));
    assert!(seen.received.values().all(|times| *times == 1), "nothing was sent twice");
}

#[tokio::test(flavor = "local")]
async fn a_post_arrives_whole_once_and_with_its_checksum() {
    let server = FaultServer::start(|_| say(OK));
    let mut job = job(server.address, 40);
    job.traffic.mix[0].method = Method::Post;
    job.traffic.mix[0].body = Bytes(300_000);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 40)].into());
    assert!(run.records.iter().all(|record| record.bytes_out > 300_000));
    let seen = server.finish();
    assert_eq!((seen.intact_bodies, seen.received.len()), (40, 40));
}

/// Twenty POSTs whose bodies take a while.
fn slow_uploads(server: &FaultServer) -> model::job::LoadJob {
    let mut job = job(server.address, 20);
    job.traffic.mix[0].method = Method::Post;
    job.traffic.mix[0].body = Bytes(10_000);
    job.traffic.mix[0].upload = Some(Span::millis(300));
    job
}

#[tokio::test(flavor = "local")]
async fn a_slow_upload_takes_its_time_and_arrives_whole() {
    let server = FaultServer::start(|_| say(OK));
    let run = run(slow_uploads(&server)).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Ok, 20)].into());
    for record in &run.records {
        assert!(record.bytes_out > 10_000);
        assert!(record.first_byte.unwrap().since(record.sent.unwrap()) >= Duration::from_millis(300));
    }
    assert_eq!(server.finish().intact_bodies, 20);
}

#[tokio::test(flavor = "local")]
async fn an_answer_during_a_slow_upload_is_taken_and_the_rest_is_not_sent() {
    let server = FaultServer::start(|_| Reply::Early(OK.replace("200 OK", "502 Bad Gateway")));
    let run = run(slow_uploads(&server)).await;
    assert_eq!(run.kinds(), [(OutcomeKind::Http5xx, 20)].into());
    assert!(run.records.iter().all(|record| record.bytes_out < 10_000 && record.on.unwrap().nth == 1));
    assert!(server.finish().received.values().all(|times| *times == 1), "nothing was sent twice");
}

#[tokio::test(flavor = "local")]
async fn a_server_that_breaks_off_during_a_slow_upload_is_told_by_that_stage() {
    let server = FaultServer::start(|_| Reply::Early(String::new()));
    let run = run(slow_uploads(&server)).await;
    for record in &run.records {
        assert_eq!(record.outcome, failed(Stage::Send, Cause::Reset), "{record:?}");
        assert!(record.bytes_out < 10_000);
    }
    assert_eq!(server.finish().received.len(), 20);
}

#[tokio::test(flavor = "local")]
async fn an_answer_that_came_before_the_request_could_be_written_still_counts() {
    let server = FaultServer::start(|_| Reply::Early(OK.replace("200 OK", "413 Content Too Large")));
    let mut job = job(server.address, 20);
    job.traffic.mix[0].method = Method::Post;
    job.traffic.mix[0].body = Bytes(8 * 1024 * 1024);
    let run = run(job).await;
    assert_eq!(run.kinds(), [(OutcomeKind::HttpOther, 20)].into());
    assert!(
        run.records.iter().all(|record| record.on.unwrap().nth == 1),
        "a half-written connection is not reused"
    );
    server.finish();
}

#[tokio::test(flavor = "local")]
async fn a_generator_that_is_too_late_blames_itself() {
    let server = FaultServer::start(|_| say(OK));
    let mut job = job(server.address, 50);
    job.origin = job.origin - Duration::from_secs(60);
    let run = run(job).await;
    assert!(run.records.iter().all(|record| record.outcome == Outcome::NotSent(NotSent::Stall)));
    assert_eq!(server.finish().accepted, 0);
}
