//! The sockets: datagrams, and connections for answers that don't fit.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use model::job::NameRecords;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};

use crate::message::{DnsTransport, answer};
use crate::zone::Zone;

/// The longest message that is read from a datagram.
const LONGEST: usize = 4096;
/// Connections that are served at a time.
const CONNECTIONS: usize = 64;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);
/// How long to wait when the system has no descriptor for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Why the server can't serve.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The address can't be had.
    #[error("cannot listen on {address} by {transport}: {source}; see what holds it with `ss -lntup`")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// `UDP` or `TCP`.
        transport: &'static str,
        /// Why.
        source: io::Error,
    },
}

/// A DNS server whose sockets are open.
#[derive(Debug)]
pub struct DnsServer {
    datagrams: UdpSocket,
    connections: TcpListener,
    zone: watch::Sender<Zone>,
}

impl DnsServer {
    /// Listens on `address`, by UDP and TCP.
    ///
    /// # Errors
    /// If it can't be had.
    pub async fn bind(address: SocketAddr, zone: Zone) -> Result<DnsServer, DnsError> {
        let refused = |transport| move |source| DnsError::Listen { address, transport, source };
        let datagrams = UdpSocket::bind(address).await.map_err(refused("UDP"))?;
        let connections = TcpListener::bind(address).await.map_err(refused("TCP"))?;
        Ok(DnsServer { datagrams, connections, zone: watch::Sender::new(zone) })
    }

    /// A name has other records: every question that is read from now on gets them.
    pub fn set(&self, records: NameRecords) {
        self.zone.send_modify(|zone| zone.set(records));
    }

    /// Answers for ever.
    pub async fn serve(&self) {
        tokio::join!(self.serve_datagrams(), self.serve_connections());
    }

    async fn serve_datagrams(&self) {
        let mut message = vec![0; LONGEST];
        loop {
            // What a client's host says of an earlier answer is no matter of the next question.
            let Ok((length, client)) = self.datagrams.recv_from(&mut message).await else { continue };
            let answered = answer(&message[..length], DnsTransport::Udp, &self.zone.borrow());
            if let Some(answered) = answered {
                let _ = self.datagrams.send_to(&answered, client).await;
            }
        }
    }

    async fn serve_connections(&self) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok((stream, _)) = self.connections.accept().await else {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            // One too many is closed: its client asks again.
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let zone = self.zone.subscribe();
            tokio::spawn(async move {
                // A client that goes away needs no answer.
                let _ = converse(stream, zone).await;
                drop(place);
            });
        }
    }
}

/// Answers the questions of a connection, each with its length before it (RFC 1035, section 4.2.2).
async fn converse(mut stream: TcpStream, zone: watch::Receiver<Zone>) -> io::Result<()> {
    loop {
        let asked = async {
            let length = stream.read_u16().await?;
            let mut message = vec![0; length.into()];
            stream.read_exact(&mut message).await?;
            Ok::<_, io::Error>(message)
        };
        let message = tokio::time::timeout(SILENCE, asked).await??;
        let answered = answer(&message, DnsTransport::Tcp, &zone.borrow());
        let Some(answered) = answered else { return Ok(()) };
        let length = u16::try_from(answered.len()).unwrap_or(u16::MAX);
        let framed = [&length.to_be_bytes(), answered.as_slice()].concat();
        tokio::time::timeout(SILENCE, stream.write_all(&framed)).await??;
    }
}
