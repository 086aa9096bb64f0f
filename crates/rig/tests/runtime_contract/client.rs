//! An HTTP client that shows what becomes of its connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Long enough for an answer that comes at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// What takes longer hangs.
const HANGS: Duration = Duration::from_millis(300);

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> io::Result<Client> {
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(address)).await;
        let stream = connected.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Client { stream, read: Vec::new() })
    }

    /// Sends a request; one of the load if it has an `id`.
    pub(crate) async fn send(&mut self, id: Option<u64>) -> io::Result<()> {
        let id = id.map(|id| format!("{}: {id}\r\n", model::identity::REQUEST_ID_HEADER)).unwrap_or_default();
        self.stream.write_all(format!("GET / HTTP/1.1\r\nHost: contract\r\n{id}\r\n").as_bytes()).await
    }

    /// The next response: its head and its body.
    pub(crate) async fn answer(&mut self) -> io::Result<String> {
        let answered = tokio::time::timeout(PATIENCE, self.response()).await;
        answered.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Nothing comes, not even an end of the connection.
    pub(crate) async fn hangs(&mut self) -> bool {
        tokio::time::timeout(HANGS, self.response()).await.is_err()
    }

    async fn response(&mut self) -> io::Result<String> {
        loop {
            if let Some(length) = length_of(&self.read) {
                let rest = self.read.split_off(length);
                let response = std::mem::replace(&mut self.read, rest);
                return Ok(String::from_utf8_lossy(&response).into_owned());
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The length of the response that `bytes` begin with, if it is complete.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let head = text.find("\r\n\r\n")? + 4;
    let field = text[..head].lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = head + field?;
    (bytes.len() >= length).then_some(length)
}

/// What one request on a connection of its own is answered.
pub(crate) async fn get(address: SocketAddr) -> io::Result<String> {
    let mut client = Client::connect(address).await?;
    client.send(None).await?;
    client.answer().await
}

/// Asserts that connections to `address` are refused.
pub(crate) async fn refused(address: SocketAddr) {
    let error = Client::connect(address).await.err().map(|error| error.kind());
    assert_eq!(error, Some(io::ErrorKind::ConnectionRefused), "{address}");
}
