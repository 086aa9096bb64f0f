//! How a backend misbehaves when told to, and the connection on which it breaks off a response.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::Response;
use hyper::body::Bytes;
use model::degrade::{Misbehaviour, ResponseStage};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::response::Stamped;
use crate::transport::Transport;

/// How a backend behaves, shared with the code that receives commands.
#[derive(Clone, Debug, Default)]
pub struct Behaviour(Rc<Cell<Option<Misbehaviour>>>);

impl Behaviour {
    /// It misbehaves so from now on; `None`: not at all.
    pub fn set(&self, misbehaviour: Option<Misbehaviour>) {
        self.0.set(misbehaviour);
    }

    pub(crate) fn get(&self) -> Option<Misbehaviour> {
        self.0.get()
    }
}

/// A response with this among its extensions is broken off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakOff {
    pub(crate) stage: ResponseStage,
    /// By RST, else by FIN.
    pub(crate) reset: bool,
}

/// What is left to write of a response before its connection ends.
struct Stump {
    rest: Bytes,
    reset: bool,
}

/// Breaks off the response that its connection writes next.
#[derive(Clone, Default)]
pub(crate) struct Axe(Rc<RefCell<Option<Stump>>>);

impl Axe {
    /// Takes note of a response that is to be broken off, before it is written.
    pub(crate) fn look_at(&self, response: &Response<Stamped>) {
        if let Some(BreakOff { stage, reset }) = response.extensions().get::<BreakOff>().copied() {
            self.0.replace(Some(Stump { rest: stump(response, stage).into(), reset }));
        }
    }
}

/// The part of `response` before the place where it is broken off. The server never writes part of a head, so it is
/// written here.
fn stump(response: &Response<Stamped>, stage: ResponseStage) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    match stage {
        ResponseStage::Before => bytes.clear(),
        ResponseStage::Head => bytes.truncate(bytes.len() / 2),
        ResponseStage::Body => {
            let body = response.body().rest();
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body[..body.len() / 2]);
        }
    }
    bytes
}

/// A connection that passes everything through, until a response must be broken off.
pub(crate) struct CutWire {
    stream: Transport,
    axe: Axe,
}

impl CutWire {
    pub(crate) fn new(stream: Transport, axe: Axe) -> CutWire {
        CutWire { stream, axe }
    }

    /// Writes what may be written of a broken response, then fails, which ends the connection; ready with `None` if
    /// there is nothing to break off.
    fn poll_break_off(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Error>> {
        let mut broken = self.axe.0.borrow_mut();
        let Some(stump) = broken.as_mut() else { return Poll::Ready(None) };
        while !stump.rest.is_empty() {
            match ready!(Pin::new(&mut self.stream).poll_write(context, &stump.rest)) {
                Ok(written) => drop(stump.rest.split_to(written)),
                Err(error) => return Poll::Ready(Some(error)),
            }
        }
        // TLS may still hold what the kernel has not taken.
        if let Err(error) = ready!(Pin::new(&mut self.stream).poll_flush(context)) {
            return Poll::Ready(Some(error));
        }
        if stump.reset
            && let Err(error) = self.stream.set_zero_linger()
        {
            return Poll::Ready(Some(error));
        }
        Poll::Ready(Some(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl AsyncRead for CutWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for CutWire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_break_off(context)) {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match ready!(self.poll_break_off(context)) {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
