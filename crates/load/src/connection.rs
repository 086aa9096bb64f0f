//! One TCP connection of the generator, and whether it can still be used. What is said on it is an
//! [`Exchange`].

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};

use agent::clock;
use model::outcome::Cause;
use model::request::ConnectionUse;
use model::units::Nanos;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::{TcpSocket, TcpStream};

use crate::context::count;
use crate::exchange::Exchange;

/// An open connection. Dropping it closes it.
pub(crate) struct Connection {
    stream: TcpStream,
    source: Option<IpAddr>,
    number: u64,
    carried: u32,
    idle_since: Option<Nanos>,
}

impl Connection {
    /// Opens a connection, from the address `source` if that matters; its number is how many were `opened` before.
    pub(crate) async fn open(
        target: SocketAddr,
        source: Option<IpAddr>,
        opened: &Cell<u64>,
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
        Ok(Connection { stream, source, number: count(opened), carried: 0, idle_since: None })
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
        }
    }

    /// Carries one exchange to its end. `buffer` is only used while bytes are being read, so that all
    /// connections can share one.
    pub(crate) async fn carry(
        &mut self,
        exchange: &mut Exchange,
        buffer: &RefCell<Box<[u8]>>,
    ) -> Result<(), Cause> {
        let stream = &mut self.stream;
        let ended = poll_fn(|cx| exchange.poll(cx, stream, &mut buffer.borrow_mut())).await;
        self.idle_since = Some(clock::now());
        ended
    }

    /// Whether the peer has left the idle connection alone. A FIN, a reset or bytes that nobody asked for make
    /// it unusable. Asks the kernel, because the runtime may not have heard yet.
    pub(crate) fn is_quiet(&self) -> bool {
        self.peek().is_err_and(|errno| errno == Errno::AGAIN)
    }

    /// Resolves when the connection isn't quiet any more.
    pub(crate) async fn disturbed(&self) {
        while self.stream.readable().await.is_ok() {
            let peeked = self.stream.try_io(Interest::READABLE, || Ok(self.peek()?));
            if !peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return;
            }
        }
    }

    fn peek(&self) -> Result<usize, Errno> {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(&self.stream, &mut [0u8; 1], flags).map(|(read, _)| read)
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
        let opened = Cell::new(0);
        let connection = Connection::open(listener.local_addr().unwrap(), None, &opened).await.unwrap();
        assert_eq!((connection.number, opened.get()), (0, 1));
        assert!(connection.is_quiet());
        (connection, listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn a_fin_a_reset_and_unsolicited_bytes_each_end_the_quiet() {
        let (closed, peer) = idle_pair().await;
        drop(peer);
        closed.disturbed().await;
        assert!(!closed.is_quiet());

        let (reset, peer) = idle_pair().await;
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        reset.disturbed().await;

        let (spoken_to, mut peer) = idle_pair().await;
        peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").await.unwrap();
        spoken_to.disturbed().await;
        assert!(!spoken_to.is_quiet());
    }
}
