//! A server that does wrong on purpose, each request as its id says, and counts what it did.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What the server does with one request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Writes this and reads the next request.
    Say(String),
    /// Writes these one after the other, each so long after the one before, and reads the next request.
    Trickle(Vec<String>, Duration),
    /// Writes this, if anything, and closes; both arrive at once.
    Fin(String),
    /// Writes this, if anything, and resets.
    Reset(String),
    /// Writes this, if anything, and then nothing more, until the client gives up.
    Hang(String),
    /// Writes this without reading the request's body, and resets.
    Early(String),
    /// The whole server goes away, with all its connections.
    Die,
}

/// What the server saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How often each id was received.
    pub(crate) received: BTreeMap<u64, u64>,
    /// Requests whose body had the right checksum.
    pub(crate) intact_bodies: u64,
    /// Connections accepted.
    pub(crate) accepted: u64,
    /// Requests answered by [`Reply::Say`].
    pub(crate) said: u64,
}

/// A running server; it ends when this is dropped.
pub(crate) struct FaultServer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    end: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
}

type Script = Arc<dyn Fn(u64) -> Reply + Send + Sync>;

impl FaultServer {
    pub(crate) fn start(script: impl Fn(u64) -> Reply + Send + Sync + 'static) -> FaultServer {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let end = Arc::new(Notify::new());
        let (script, counts, ended): (Script, _, _) = (Arc::new(script), seen.clone(), end.clone());
        // A thread and runtime of its own: when the runtime is dropped, every socket closes at once.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        counts.lock().unwrap().accepted += 1;
                        let ended = ended.clone();
                        tokio::spawn(converse(stream, script.clone(), counts.clone(), ended));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    () = ended.notified() => {}
                }
            });
        });
        FaultServer { address, seen, end, thread: Some(thread) }
    }

    /// What it has seen so far.
    #[allow(dead_code, reason = "the fault matrix of `rig` asks while it runs")]
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Counts from zero again.
    #[allow(dead_code, reason = "the fault matrix of `rig` asks while it runs")]
    pub(crate) fn forget(&self) {
        *self.seen.lock().unwrap() = Seen::default();
    }

    /// Ends the server and says what it saw.
    pub(crate) fn finish(mut self) -> Seen {
        self.end.notify_one();
        self.thread.take().unwrap().join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.end.notify_one();
    }
}

async fn converse(mut stream: TcpStream, script: Script, seen: Arc<Mutex<Seen>>, end: Arc<Notify>) {
    let mut input = Vec::new();
    while let Ok(Some(head)) = read_head(&mut stream, &mut input).await {
        let id = {
            let received = &mut seen.lock().unwrap().received;
            // Other clients than rig's send no ids: theirs are numbered.
            let id = header(&head, "x-rig-seq").map_or(received.len() as u64, |id| id.parse().unwrap());
            *received.entry(id).or_default() += 1;
            id
        };
        let reply = script(id);
        if !matches!(reply, Reply::Early(_)) {
            let Ok(intact) = read_body(&mut stream, &mut input, &head).await else {
                return;
            };
            seen.lock().unwrap().intact_bodies += u64::from(intact);
        }
        match reply {
            Reply::Say(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                seen.lock().unwrap().said += 1;
            }
            Reply::Trickle(texts, gap) => {
                for (n, text) in texts.iter().enumerate() {
                    if n > 0 {
                        tokio::time::sleep(gap).await;
                    }
                    // The client may have had enough.
                    if stream.write_all(text.as_bytes()).await.is_err() {
                        return;
                    }
                }
                seen.lock().unwrap().said += 1;
            }
            Reply::Fin(text) => {
                // Corked, so that the FIN comes in the same segment as the text.
                SockRef::from(&stream).set_tcp_cork(true).unwrap();
                stream.write_all(text.as_bytes()).await.unwrap();
                return;
            }
            Reply::Reset(text) | Reply::Early(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                reset(&stream);
                return;
            }
            Reply::Hang(text) => {
                stream.write_all(text.as_bytes()).await.unwrap();
                let _ = stream.read(&mut [0; 1]).await;
                return;
            }
            Reply::Die => return end.notify_one(),
        }
    }
}

/// Makes the close that follows a reset.
fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// Reads up to the end of a head; `None` if the client closed before it began one.
async fn read_head(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = input.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8(head).unwrap()));
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

async fn read_body(stream: &mut TcpStream, input: &mut Vec<u8>, head: &str) -> io::Result<bool> {
    let length: usize = header(head, "content-length").map_or(0, |length| length.parse().unwrap());
    while input.len() < length {
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body: Vec<u8> = input.drain(..length).collect();
    Ok(header(head, "x-rig-crc32") == Some(format!("{:08x}", crc32fast::hash(&body)).as_str()))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}
