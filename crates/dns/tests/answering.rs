//! The server on its sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use dns::{DnsServer, Zone};
use model::job::NameRecords;

/// A question for the addresses of `web.rig.test`.
const QUERY: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03web\x03rig\x04test\x00\x00\x01\x00\x01";

fn records(addresses: u8) -> NameRecords {
    let addresses = (1..=addresses).map(|n| Ipv4Addr::new(127, 0, 0, n)).collect();
    NameRecords { name: "web.rig.test".into(), ttl: 1, addresses }
}

/// How many addresses an answer has; `None`: it was cut.
fn count(message: &[u8]) -> Option<u8> {
    (message[2] & 0x02 == 0).then_some(message[7])
}

fn by_datagram(server: SocketAddr) -> Option<u8> {
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.send_to(QUERY, server).unwrap();
    let mut message = [0; 2048];
    let (length, _) = client.recv_from(&mut message).unwrap();
    count(&message[..length])
}

fn by_connection(stream: &mut TcpStream) -> Option<u8> {
    let framed = [&(QUERY.len() as u16).to_be_bytes(), QUERY].concat();
    stream.write_all(&framed).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut message).unwrap();
    count(&message)
}

#[test]
fn it_answers_with_the_records_that_it_was_last_given() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let zone: Zone = [records(2)].into_iter().collect();
    let server = runtime.block_on(DnsServer::bind(address, zone)).unwrap();
    runtime.block_on(async {
        let asks = async {
            let asked = tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                // One connection carries several questions.
                (by_datagram(address), by_connection(&mut stream), by_connection(&mut stream))
            });
            assert_eq!(asked.await.unwrap(), (Some(2), Some(2), Some(2)));
            server.set(records(100));
            let asked = tokio::task::spawn_blocking(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                (by_datagram(address), by_connection(&mut stream))
            });
            assert_eq!(asked.await.unwrap(), (None, Some(100)), "a cut answer is whole on a connection");
        };
        tokio::select! {
            () = server.serve() => {}
            () = asks => {}
        }
    });
}

#[test]
fn an_address_that_is_taken_is_an_error_with_advice() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let error = runtime.block_on(DnsServer::bind(taken.local_addr().unwrap(), Zone::default())).unwrap_err();
    assert!(error.to_string().contains("by UDP") && error.to_string().contains("ss -lntup"), "{error}");
}
