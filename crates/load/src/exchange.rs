//! One request and its response on one connection: both directions at once, because a peer may answer, or
//! close, before it has read the whole request.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use agent::clock;
use model::outcome::{Cause, Stage};
use model::traffic::Method;
use model::units::Nanos;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::failure::cause;
use crate::pace::Pace;
use crate::request::RequestBytes;
use crate::response::ResponseReader;

/// An exchange, kept outside the task's futures: it says how far the request came if the timeout ends it.
pub(crate) struct Exchange {
    request: RequestBytes,
    /// `None`: the body goes as fast as the connection takes it.
    pace: Option<Pace>,
    response: ResponseReader,
    sent: usize,
    received: u64,
    first_byte: Option<Nanos>,
    /// Whether bytes may still be buffered: TLS keeps what the kernel has not accepted.
    to_flush: bool,
    write_failure: Option<Cause>,
    ended_by_close: bool,
}

impl Exchange {
    pub(crate) fn new(
        method: Method,
        identity_header: Option<Rc<str>>,
        request: RequestBytes,
        pace: Option<Pace>,
    ) -> Exchange {
        Exchange {
            request,
            pace,
            response: ResponseReader::new(method).identified_by(identity_header),
            sent: 0,
            received: 0,
            first_byte: None,
            to_flush: false,
            write_failure: None,
            ended_by_close: false,
        }
    }

    /// The response, as far as it was read.
    pub(crate) fn response(&self) -> &ResponseReader {
        &self.response
    }

    /// Bytes written.
    pub(crate) fn bytes_out(&self) -> u64 {
        self.sent as u64
    }

    /// Bytes read.
    pub(crate) fn bytes_in(&self) -> u64 {
        self.received
    }

    /// When the first byte of the response was read.
    pub(crate) fn first_byte(&self) -> Option<Nanos> {
        self.first_byte
    }

    /// How far it came.
    pub(crate) fn stage(&self) -> Stage {
        match self.response.stage() {
            Stage::FirstByte if !self.is_sent() => Stage::Send,
            stage => stage,
        }
    }

    /// Whether another exchange may follow on the connection after a complete response.
    pub(crate) fn leaves_reusable(&self) -> bool {
        let left_alone = !self.ended_by_close && !self.response.has_surplus();
        self.is_sent() && left_alone && !self.response.head().close
    }

    fn is_sent(&self) -> bool {
        self.request.next(self.sent, self.request.body_length()).is_empty()
    }

    /// Writes and reads what is possible; ready once the response is complete or can't become so.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        buffer: &mut [u8],
    ) -> Poll<Result<(), Cause>> {
        self.poll_send(cx, stream);
        loop {
            let mut read = ReadBuf::new(buffer);
            if let Err(error) = ready!(Pin::new(&mut *stream).poll_read(cx, &mut read)) {
                return Poll::Ready(Err(self.write_failure.unwrap_or(cause(&error))));
            }
            let bytes = read.filled();
            if bytes.is_empty() {
                self.ended_by_close = true;
                self.response.end();
                return Poll::Ready(match self.response.is_complete() {
                    true => Ok(()),
                    false => Err(self.write_failure.unwrap_or(Cause::Eof)),
                });
            }
            self.first_byte.get_or_insert_with(clock::now);
            self.received += bytes.len() as u64;
            if self.response.read(bytes).is_err() {
                return Poll::Ready(Err(Cause::Protocol));
            }
            if self.response.is_complete() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes as much as the pace allows and the kernel accepts. A failure is kept and not returned, because the peer's
    /// response, or its beginning, may have arrived before.
    fn poll_send(&mut self, cx: &mut Context<'_>, stream: &mut (impl AsyncWrite + Unpin)) {
        while self.write_failure.is_none() && !self.is_sent() {
            let body = self.request.body_length();
            let allowed = self.pace.as_mut().map_or(body, |pace| pace.allowed(cx, body));
            let bytes = self.request.next(self.sent, allowed);
            if bytes.is_empty() {
                break;
            }
            match Pin::new(&mut *stream).poll_write(cx, bytes) {
                Poll::Ready(Ok(written)) => {
                    self.sent += written;
                    self.to_flush = true;
                }
                Poll::Ready(Err(error)) => self.write_failure = Some(cause(&error)),
                Poll::Pending => break,
            }
        }
        if self.write_failure.is_none() && self.to_flush {
            match Pin::new(&mut *stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.to_flush = false,
                Poll::Ready(Err(error)) => self.write_failure = Some(cause(&error)),
                Poll::Pending => {}
            }
        }
    }
}
