//! What a connection of the generator speaks: plain TCP, or TLS over it.

use std::io;
use std::sync::Arc;

use model::tls::Handshake;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection};

/// How TLS is spoken, and with whom.
#[derive(Clone)]
pub(crate) struct WireTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) server: ServerName<'static>,
}

/// A stream below a connection.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// A plain connection that speaks TLS from now on, and how the handshake went.
    pub(crate) async fn secure(
        stream: TcpStream,
        WireTls { config, server }: WireTls,
    ) -> io::Result<(Wire, Option<Handshake>)> {
        let stream = TlsConnector::from(config).connect(server, stream).await?;
        let handshake = agent::tls::handshake(stream.get_ref().1.handshake_kind());
        Ok((Wire::Tls(Box::new(stream)), handshake))
    }

    /// Whether the idle connection can still be used. A FIN, a reset or unexpected data make it unusable; tickets for later
    /// sessions do not. Asks the kernel, because the runtime may not know yet.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let found = match self {
            Wire::Plain(stream) => peek(stream).map(drop),
            Wire::Tls(stream) => {
                let (stream, session) = stream.get_mut();
                settle(stream, session)
            }
        };
        found.is_err_and(|errno| errno == Errno::AGAIN)
    }

    /// Whether the idle connection received data, and not its end.
    pub(crate) fn has_surplus(&mut self) -> bool {
        match self {
            Wire::Plain(stream) => peek(stream).is_ok_and(|length| length > 0),
            Wire::Tls(stream) => {
                let state = stream.get_mut().1.process_new_packets();
                state.is_ok_and(|state| state.plaintext_bytes_to_read() > 0)
            }
        }
    }

    /// Resolves when the connection isn't quiet any more.
    pub(crate) async fn disturbed(&mut self) {
        let quiet_again =
            |found: io::Result<()>| found.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
        match self {
            Wire::Plain(stream) => {
                while stream.readable().await.is_ok() {
                    let peeked = stream.try_io(Interest::READABLE, || Ok(peek(stream).map(drop)?));
                    if !quiet_again(peeked) {
                        return;
                    }
                }
            }
            Wire::Tls(stream) => {
                let (stream, session) = stream.get_mut();
                while stream.readable().await.is_ok() {
                    let settled = stream.try_io(Interest::READABLE, || Ok(settle(stream, session)?));
                    if !quiet_again(settled) {
                        return;
                    }
                }
            }
        }
    }
}

/// How much of one byte there is to read: none is a FIN. EAGAIN: there is nothing.
fn peek(stream: &TcpStream) -> Result<usize, Errno> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    rustix::net::recv(stream, &mut [0u8; 1], flags).map(|(length, _)| length)
}

/// Reads what the peer sent meanwhile. As long as these are tickets and their like, it is nothing (EAGAIN).
fn settle(stream: &TcpStream, session: &mut ClientConnection) -> Result<(), Errno> {
    let mut buffer = [0u8; 4096];
    loop {
        let (length, _) = match rustix::net::recv(stream, &mut buffer, RecvFlags::DONTWAIT) {
            // Data that was read before but not used counts as well.
            Err(Errno::AGAIN) if has_data(session) => return Ok(()),
            other => other?,
        };
        let mut records = &buffer[..length];
        if records.is_empty() {
            return Ok(());
        }
        while !records.is_empty() {
            if session.read_tls(&mut records).is_err() || has_data(session) {
                return Ok(());
            }
        }
    }
}

/// Whether `session` holds data for its user, or its end.
fn has_data(session: &mut ClientConnection) -> bool {
    session
        .process_new_packets()
        .map_or(true, |state| state.plaintext_bytes_to_read() > 0 || state.peer_has_closed())
}
