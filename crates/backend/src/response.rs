//! Responses: stamped, with a length and a checksum, and a body that tells the ledger before its last byte.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_LENGTH, HeaderValue};
use hyper::{Response, StatusCode};
use model::identity::{CHECKSUM_HEADER, STAMP_HEADER};

use crate::ledger::Receipt;

/// The most that is handed over at once, so that a large body's receipt stays open until its end is near.
const PIECE: usize = 64 * 1024;

/// A body's bytes with their checksum, computed once.
#[derive(Clone)]
pub(crate) struct Content {
    bytes: Bytes,
    checksum: HeaderValue,
}

impl Content {
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Content {
        let bytes = bytes.into();
        let checksum = format!("{:08x}", crc32fast::hash(&bytes));
        Content {
            checksum: HeaderValue::try_from(checksum).expect("hex digits are a valid header value"),
            bytes,
        }
    }

    /// `length` bytes of readable text.
    pub(crate) fn of_length(length: u64) -> Content {
        let text = b"The quick brown fox jumps over the lazy dog.\n";
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Content::new(text.iter().copied().cycle().take(length).collect::<Vec<u8>>())
    }
}

/// The response with `content`; `receipt` is finished as the last byte is handed over.
pub(crate) fn response(
    status: StatusCode,
    stamp: HeaderValue,
    content: Content,
    receipt: Option<Receipt>,
) -> Response<Stamped> {
    let length = HeaderValue::from(content.bytes.len());
    let mut response = Response::new(Stamped::new(content.bytes, receipt));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(STAMP_HEADER, stamp);
    headers.insert(CHECKSUM_HEADER, content.checksum);
    headers.insert(CONTENT_LENGTH, length);
    response
}

/// A response body. Dropped before its end, it leaves the ledger without a *finished* line.
pub(crate) struct Stamped {
    rest: Bytes,
    receipt: Option<Receipt>,
}

impl Stamped {
    fn new(rest: Bytes, receipt: Option<Receipt>) -> Stamped {
        let mut body = Stamped { rest, receipt };
        body.finish_at_end();
        body
    }

    /// What has not been handed over yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.rest
    }

    fn finish_at_end(&mut self) {
        if self.rest.is_empty()
            && let Some(receipt) = self.receipt.take()
        {
            receipt.finish();
        }
    }
}

impl Body for Stamped {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.finish_at_end();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use model::identity::RequestId;

    use super::*;
    use crate::ledger::Ledger;

    fn next(body: &mut Stamped) -> Option<usize> {
        match Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(frame))) => Some(frame.into_data().unwrap().len()),
            _ => None,
        }
    }

    #[test]
    fn finished_is_written_with_the_last_piece_and_not_before() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let lines = || std::fs::read_to_string(file.path()).unwrap().lines().count();
        let ledger = Ledger::open(file.path()).unwrap();
        let receipt = ledger.receive(RequestId(1));
        let mut body = Stamped::new(Content::of_length(100_000).bytes, Some(receipt));
        assert_eq!(next(&mut body), Some(PIECE));
        assert_eq!((lines(), ledger.in_flight()), (1, 1));
        assert_eq!(next(&mut body), Some(100_000 - PIECE));
        assert_eq!((lines(), ledger.in_flight()), (2, 0));
        assert_eq!(next(&mut body), None);
    }

    #[test]
    fn an_empty_body_is_finished_before_its_head_is_written() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let ledger = Ledger::open(file.path()).unwrap();
        let receipt = ledger.receive(RequestId(1));
        let stamp = HeaderValue::from_static("web-1/1");
        let response = response(StatusCode::OK, stamp, Content::of_length(0), Some(receipt));
        assert!(response.body().is_end_stream());
        assert_eq!(ledger.in_flight(), 0);
    }
}
