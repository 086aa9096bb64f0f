//! Whatever a peer sends: no panic, the same result wherever the bytes are cut, and nothing is complete that hyper's
//! client doesn't read as the same response.

use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// What was made of a response, as far as it can't depend on how it came.
#[derive(Debug, PartialEq, Eq)]
struct Reading {
    head: Head,
    stage: Stage,
    complete: bool,
    body: BodyCheck,
}

/// Reads `pieces`, and then the connection's end if there is one.
fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, ends: bool) -> Result<Reading, Malformed> {
    let mut reader = ResponseReader::new(model::traffic::Method::Get);
    for piece in pieces {
        reader.read(piece)?;
    }
    if ends {
        reader.end();
    }
    Ok(Reading {
        head: reader.head().clone(),
        stage: reader.stage(),
        complete: reader.is_complete(),
        body: reader.body_check(),
    })
}

/// What hyper's client makes of the same bytes; `None`: no complete response.
async fn as_hyper_reads_it(bytes: &[u8]) -> Option<(u16, BodyCheck)> {
    let (ours, mut theirs) = tokio::io::duplex(1 << 20);
    let (mut sender, connection) = http1::handshake(TokioIo::new(ours)).await.ok()?;
    let asked = async move {
        let request = hyper::Request::get("/").header("host", "rig.test").body(String::new()).ok()?;
        let response = sender.send_request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        Some((head.status.as_u16(), check(&head.headers, &body)))
    };
    let answered = async move {
        // A response before its request would be an error.
        let _ = theirs.read(&mut [0; 1024]).await;
        let _ = theirs.write_all(bytes).await;
        drop(theirs);
    };
    let (asked, _, ()) = tokio::join!(asked, connection, answered);
    asked
}

fn check(headers: &HeaderMap, body: &[u8]) -> BodyCheck {
    let Some(value) = headers.get_all(CHECKSUM_HEADER).iter().next_back() else {
        return BodyCheck::Unstamped;
    };
    let readable = value.to_str().ok().filter(|digits| digits.len() == 8);
    match readable.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
        Some(expected) if expected == crc32fast::hash(body) => BodyCheck::Verified,
        _ => BodyCheck::Mismatch,
    }
}

const STAMP: &str = "X-Rig-Backend: web-1/2\r\nx-rig-crc32: 3610a686\r\n";

/// Responses as they should be; those of a pair end with their connection if so marked.
fn sound() -> Vec<(String, bool)> {
    let padding = "y".repeat(3_000);
    vec![
        (format!("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n{STAMP}\r\nhello"), false),
        (format!("HTTP/1.1 200 OK\r\nx-padding: {padding}\r\ncontent-length: 5\r\n{STAMP}\r\nhello"), false),
        (format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 5\r\n{STAMP}\r\nhello"), false),
        (format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{STAMP}\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), false),
        (format!("HTTP/1.1 500 Oops\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n{STAMP}\r\n0005;a=\"b\"\r\nhello\r\n0;c\r\nx-trailer: 1\r\n\r\n"), false),
        (format!("HTTP/1.1 200 OK\r\n{STAMP}\r\nhello"), true),
        (format!("HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n{STAMP}\r\nhello"), false),
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\netag: \"a\"\r\n\r\n".to_owned(), false),
        ("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad".to_owned(), false),
        ("HTTP/1.1 200 OK\r\nset-cookie: a=b; Max-Age=0\r\nx-rig-session: kept\r\ncontent-length: 0\r\n\r\n".to_owned(), false),
    ]
}

/// Texts that have broken parsers before.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(vec![]),
        prop::sample::select(vec![
            "\r\n",
            "\n",
            "\r",
            "\r\n\r\n",
            " ",
            "\t",
            ":",
            ";",
            "0\r\n\r\n",
            "0",
            "-1",
            "+5",
            "ffffffffffffffff",
            "18446744073709551616",
            "HTTP/1.1 ",
            "HTTP/2 ",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n",
            "content-length: 5\r\n",
            "content-length: 6\r\n",
            "content-length: 5, 5\r\n",
            "transfer-encoding: chunked\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: identity\r\n",
            "connection: close\r\n",
            " folded\r\n",
            "content-length : 5\r\n",
            "200",
            "204",
            "304",
            "099",
            "1000",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 1..4),
    ]
}

/// A response with up to three parts of it replaced, and whether its connection ends.
fn responses() -> impl Strategy<Value = (Vec<u8>, bool)> {
    let sound = prop::sample::select(sound());
    let mutations = prop::collection::vec((any::<prop::sample::Index>(), 0..8_usize, piece()), 0..4);
    (sound, mutations, any::<bool>()).prop_map(|((text, must_end), mutations, ends)| {
        let mut bytes = text.into_bytes();
        for (at, cut, piece) in mutations {
            let at = at.index(bytes.len() + 1);
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        (bytes, ends || must_end)
    })
}

proptest! {
    #[test]
    fn a_response_reads_alike_wherever_it_is_cut_whatever_it_holds(
        (bytes, ends) in responses(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        let begins = [0].into_iter().chain(cuts.iter().copied());
        let pieces = begins.zip(cuts.iter().copied().chain([bytes.len()])).map(|(from, to)| &bytes[from..to]);
        let whole = read([bytes.as_slice()], ends);
        prop_assert_eq!(&read(pieces, ends), &whole);
        prop_assert_eq!(&read(bytes.chunks(1), ends), &whole);
    }

    #[test]
    fn nothing_is_complete_that_hyper_does_not_read_as_the_same_response((bytes, ends) in responses()) {
        if let Ok(Reading { complete: true, head, body, .. }) = read([bytes.as_slice()], ends) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let hyper = runtime.block_on(as_hyper_reads_it(&bytes));
            prop_assert_eq!(hyper, Some((head.status, body)), "{}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn what_is_mutated_is_sound_to_both() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (text, ends) in sound() {
        let reading = read([text.as_bytes()], ends).unwrap();
        assert!(reading.complete, "{text}");
        let hyper = runtime.block_on(as_hyper_reads_it(text.as_bytes()));
        assert_eq!(hyper, Some((reading.head.status, reading.body)), "{text}");
        assert_ne!(reading.body, BodyCheck::Mismatch, "{text}");
    }
}
