use super::*;

const HELLO: u32 = 0x3610_a686;

fn read(text: &str) -> Result<ResponseReader, Malformed> {
    let mut reader = ResponseReader::new(Method::Get);
    reader.read(text.as_bytes())?;
    Ok(reader)
}

fn stamped(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Rig-Backend: web-1/2\r\nx-rig-crc32: {HELLO:08x}\r\n\r\n{body}"
    )
}

#[test]
fn a_response_reads_alike_wherever_it_is_cut() {
    let responses = [
        stamped("hello"),
        format!("HTTP/1.1 100 Continue\r\n\r\n{}", stamped("hello")),
        format!(
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-rig-backend: web-1/2\r\n\
             x-rig-crc32: {HELLO:08x}\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nx-trailer: 1\r\n\r\n"
        ),
    ];
    for text in responses {
        for cut in 1..text.len() {
            let (left, right) = text.split_at(cut);
            let mut reader = read(left).unwrap();
            assert!(!reader.is_complete(), "complete after {cut} of {} bytes", text.len());
            reader.read(right.as_bytes()).unwrap();
            assert!(reader.is_complete());
            assert_eq!(reader.head().status, 200);
            assert_eq!(reader.head().served_by, Some(Incarnation::new("web-1", 2).into()));
            assert_eq!(reader.body_check(), BodyCheck::Verified);
        }
    }
}

#[test]
fn the_stage_tells_how_far_a_response_came() {
    let text = stamped("hello");
    let head = text.len() - 5;
    for (length, stage) in [
        (0, Stage::FirstByte),
        (1, Stage::Head),
        (head - 1, Stage::Head),
        (head, Stage::Body),
        (head + 4, Stage::Body),
    ] {
        let mut reader = read(&text[..length]).unwrap();
        reader.end();
        assert!(!reader.is_complete());
        assert_eq!(reader.stage(), stage, "after {length} bytes");
    }
    let interim = read("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").unwrap();
    assert_eq!(interim.stage(), Stage::Head, "an interim response is no answer");
}

#[test]
fn a_body_that_was_changed_is_a_mismatch_and_one_without_checksum_is_unstamped() {
    assert_eq!(read(&stamped("hullo")).unwrap().body_check(), BodyCheck::Mismatch);
    let unreadable = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nx-rig-crc32: zz\r\n\r\n";
    assert_eq!(read(unreadable).unwrap().body_check(), BodyCheck::Mismatch);
    let unstamped = read("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 3\r\n\r\nbad").unwrap();
    assert!(unstamped.is_complete());
    assert_eq!((unstamped.body_check(), unstamped.head().status), (BodyCheck::Unstamped, 502));
    assert_eq!(unstamped.head().served_by, None);
}

#[test]
fn responses_that_have_no_body_end_with_their_head() {
    for text in [
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ] {
        assert!(read(text).unwrap().is_complete(), "{text:?}");
    }
}

#[test]
fn without_length_and_chunks_the_connections_end_ends_the_body() {
    let mut reader = read("HTTP/1.1 200 OK\r\n\r\nhel").unwrap();
    reader.read(b"lo").unwrap();
    assert!(!reader.is_complete());
    reader.end();
    assert!(reader.is_complete());
}

#[test]
fn the_end_of_the_connection_is_announced_by_header_or_version() {
    let close = |head: &str| read(&format!("{head}content-length: 0\r\n\r\n")).unwrap().head().close;
    assert!(!close("HTTP/1.1 200 OK\r\n"));
    assert!(close("HTTP/1.1 200 OK\r\nConnection: foo, Close\r\n"));
    assert!(close("HTTP/1.0 200 OK\r\n"));
    assert!(!close("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"));
}

#[test]
fn what_is_not_a_response_is_malformed() {
    for text in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    ] {
        assert_eq!(read(text).err(), Some(Malformed), "{text:?}");
    }
}

#[test]
fn what_follows_a_complete_response_is_surplus_wherever_it_is_cut() {
    for text in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab", "HTTP/1.1 204 No Content\r\n\r\n"] {
        let whole = format!("{text}HTTP/1.1 200 OK\r\n");
        for cut in 1..whole.len() {
            let mut reader = read(&whole[..cut]).unwrap();
            assert_eq!(reader.has_surplus(), cut > text.len());
            reader.read(&whole.as_bytes()[cut..]).unwrap();
            assert!(reader.is_complete() && reader.has_surplus());
        }
        assert!(!read(text).unwrap().has_surplus());
    }
}

#[test]
fn a_response_to_a_head_ends_with_its_head() {
    let mut reader = ResponseReader::new(Method::Head);
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    reader.read(format!("{interim}{}", stamped("")).as_bytes()).unwrap();
    assert!(reader.is_complete() && !reader.has_surplus());
    assert_eq!((reader.head().status, reader.body_check()), (200, BodyCheck::Unstamped));
}

#[test]
fn an_endless_head_is_malformed_at_its_limit() {
    let mut reader = ResponseReader::new(Method::Get);
    reader.read(b"HTTP/1.1 200 OK\r\n").unwrap();
    let line = format!("x-filler: {}\r\n", "y".repeat(4_084));
    let lines = (1..100).find(|_| reader.read(line.as_bytes()).is_err());
    assert_eq!(lines, Some(16), "4,096 bytes a line");
}
