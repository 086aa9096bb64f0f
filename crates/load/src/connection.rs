//! One connection of the generator, and whether it can still be used. It carries [`Exchange`]s.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};

use agent::clock;
use model::outcome::{Cause, Stage};
use model::request::ConnectionUse;
use model::tls::Handshake;
use model::units::Nanos;
use tokio::net::{TcpSocket, TcpStream};

use crate::exchange::Exchange;
use crate::wire::{Wire, WireTls};

/// An open connection. Dropping it closes it.
pub(crate) struct Connection {
    wire: Wire,
    handshake: Option<Handshake>,
    source: Option<IpAddr>,
    number: u64,
    carried: u32,
    idle_since: Option<Nanos>,
}

impl Connection {
    /// Opens a connection, from the address `source` if that matters; `number` gives it its number. `tls` says how to speak
    /// it; `at` learns how far the opening has come.
    pub(crate) async fn open(
        target: SocketAddr,
        source: Option<IpAddr>,
        number: impl FnOnce() -> u64,
        tls: Option<&WireTls>,
        at: &mut Stage,
    ) -> io::Result<Connection> {
        let stream = match source {
            None => TcpStream::connect(target).await?,
            Some(source) => {
                let socket = if source.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
                socket.bind(SocketAddr::new(source, 0))?;
                socket.connect(target).await?
            }
        };
        stream.set_nodelay(true)?;
        let number = number();
        let (wire, handshake) = match tls {
            None => (Wire::Plain(stream), None),
            Some(tls) => {
                *at = Stage::Tls;
                Wire::secure(stream, tls.clone()).await?
            }
        };
        Ok(Connection { wire, handshake, source, number, carried: 0, idle_since: None })
    }

    /// The address that it was opened from, if that mattered.
    pub(crate) fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// Begins a request at `now`.
    pub(crate) fn begin(&mut self, now: Nanos) -> ConnectionUse {
        self.carried += 1;
        ConnectionUse {
            connection: self.number,
            nth: self.carried,
            idle: self.idle_since.map_or(0, |since| now.0 - since.0),
            close_announced: false,
            handshake: self.handshake.filter(|_| self.carried == 1),
        }
    }

    /// Carries one exchange to its end. `buffer` is only used while bytes are being read, so that all
    /// connections can share one.
    pub(crate) async fn carry(
        &mut self,
        exchange: &mut Exchange,
        buffer: &RefCell<Box<[u8]>>,
    ) -> Result<(), Cause> {
        let wire = &mut self.wire;
        let ended = poll_fn(|cx| match wire {
            Wire::Plain(stream) => exchange.poll(cx, stream, &mut buffer.borrow_mut()),
            Wire::Tls(stream) => exchange.poll(cx, stream, &mut buffer.borrow_mut()),
        })
        .await;
        self.idle_since = Some(clock::now());
        ended
    }

    /// Whether the idle connection can still be used.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.wire.is_quiet()
    }

    /// Whether the peer sent unexpected data on the idle connection.
    pub(crate) fn has_surplus(&mut self) -> bool {
        self.wire.has_surplus()
    }

    /// Resolves when the connection isn't quiet any more.
    pub(crate) async fn disturbed(&mut self) {
        self.wire.disturbed().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use socket2::SockRef;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::*;

    async fn idle_pair() -> (Connection, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let mut connection = Connection::open(target, None, || 7, None, &mut Stage::Connect).await.unwrap();
        assert_eq!(connection.begin(clock::now()).connection, 7);
        assert!(connection.is_quiet());
        (connection, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_fin_a_reset_and_unsolicited_bytes_each_end_the_quiet() {
        let (mut closed, peer) = idle_pair().await;
        drop(peer);
        closed.disturbed().await;
        assert!(!closed.is_quiet());

        let (mut reset, peer) = idle_pair().await;
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        reset.disturbed().await;

        let (mut spoken_to, mut peer) = idle_pair().await;
        peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        spoken_to.disturbed().await;
        assert!(!spoken_to.is_quiet());
    }
}
