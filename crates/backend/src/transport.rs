//! What a connection of the backend speaks: plain TCP, or TLS over it. A client that starts with a handshake gets TLS, any
//! other plain HTTP. So rig's own status requests cost no cryptography, which is measured.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use model::tls::{Handshake, Handshakes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The first byte of a TLS record that holds a handshake (RFC 8446, section 5.1); no HTTP request begins so.
const HANDSHAKE: u8 = 0x16;

/// A stream below a connection.
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How to take in connections, and what came of it.
pub(crate) struct Reception {
    acceptor: Option<TlsAcceptor>,
    handshakes: Cell<Handshakes>,
}

impl Reception {
    /// `acceptor`: speaks TLS; `None`: plain HTTP only.
    pub(crate) fn new(acceptor: Option<TlsAcceptor>) -> Reception {
        Reception { acceptor, handshakes: Cell::default() }
    }

    /// Handshakes so far.
    pub(crate) fn handshakes(&self) -> Handshakes {
        self.handshakes.get()
    }

    /// Takes in `stream`, waiting for its first byte if that decides what it speaks.
    pub(crate) async fn welcome(&self, stream: TcpStream) -> io::Result<Transport> {
        let Some(acceptor) = &self.acceptor else { return Ok(Transport::Plain(stream)) };
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 || first[0] != HANDSHAKE {
            return Ok(Transport::Plain(stream));
        }
        let stream = acceptor.accept(stream).await?;
        let handshake = agent::tls::handshake(stream.get_ref().1.handshake_kind());
        let mut handshakes = self.handshakes.get();
        handshakes.add(handshake.unwrap_or(Handshake::Full));
        self.handshakes.set(handshakes);
        Ok(Transport::Tls(Box::new(stream)))
    }
}

impl Transport {
    /// Makes the close that follows a reset.
    pub(crate) fn set_zero_linger(&self) -> io::Result<()> {
        match self {
            Transport::Plain(stream) => stream.set_zero_linger(),
            Transport::Tls(stream) => stream.get_ref().0.set_zero_linger(),
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Transport::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Transport::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(context),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
