//! Reads one HTTP/1.1 response out of the bytes of a connection. It does no I/O, keeps no body, and gives the
//! same result wherever the bytes are cut.

use std::rc::Rc;

use httparse::{EMPTY_HEADER, Header, Status};
use model::identity::{CHECKSUM_HEADER, Incarnation, STAMP_HEADER};
use model::interned::Interned;
use model::outcome::{BodyCheck, Stage};
use model::sessions::{SESSION_HEADER, SessionAnswer};
use model::traffic::Method;

use crate::chunked::{BrokenChunk, Chunked};
use crate::users::SetCookie;

/// The longest head, in bytes.
const HEAD_LIMIT: usize = 64 * 1024;
/// The most header lines.
const HEADERS_LIMIT: usize = 128;
/// The longest body, in bytes.
const BODY_LIMIT: u64 = 1 << 30;

/// What arrived isn't HTTP/1.1, or is beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<BrokenChunk> for Malformed {
    fn from(_: BrokenChunk) -> Malformed {
        Malformed
    }
}

/// A reader of one response.
#[derive(Debug)]
pub(crate) struct ResponseReader {
    state: ParseState,
    /// Bytes of a head that isn't complete yet.
    partial: Vec<u8>,
    checksum: crc32fast::Hasher,
    received: u64,
    head: Head,
    /// The header that says who answered, where it is not rig's own.
    identity_header: Option<Rc<str>>,
    /// Whether it answers a HEAD, and so has no body.
    to_head: bool,
    /// Whether more arrived with it than belongs to it.
    surplus: bool,
}

#[derive(Debug)]
enum ParseState {
    Start,
    Head,
    Sized { rest: u64 },
    Chunked(Chunked),
    UntilClose,
    Complete,
}

/// What a response's head says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status.
    pub(crate) status: u16,
    /// The stamp of the backend that answered.
    pub(crate) served_by: Option<Interned<Incarnation>>,
    /// What the target's identity header says.
    pub(crate) identity: Option<Box<str>>,
    /// Whether the connection's end is announced.
    pub(crate) close: bool,
    /// What it sets or deletes in the user's jar.
    pub(crate) cookies: Vec<SetCookie>,
    /// What the backend says about the session.
    pub(crate) session: Option<SessionAnswer>,
    checksum: Checksum,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Checksum {
    #[default]
    Absent,
    Unreadable,
    Is(u32),
}

impl ResponseReader {
    /// This reader, which keeps what the header of that name says, if there is one.
    pub(crate) fn identified_by(self, identity_header: Option<Rc<str>>) -> ResponseReader {
        ResponseReader { identity_header, ..self }
    }

    /// A reader of the response to a request of `method`.
    pub(crate) fn new(method: Method) -> ResponseReader {
        ResponseReader {
            state: ParseState::Start,
            to_head: method == Method::Head,
            surplus: false,
            partial: Vec::new(),
            checksum: crc32fast::Hasher::new(),
            received: 0,
            identity_header: None,
            head: Head::default(),
        }
    }

    /// How far the response has come.
    pub(crate) fn stage(&self) -> Stage {
        match self.state {
            ParseState::Start => Stage::FirstByte,
            ParseState::Head => Stage::Head,
            _ => Stage::Body,
        }
    }

    /// Whether the whole response was read.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, ParseState::Complete)
    }

    /// Whether more arrived with a complete response than belongs to it. It is not known whose that is: the connection
    /// must not be used again.
    pub(crate) fn has_surplus(&self) -> bool {
        self.surplus
    }

    /// The head; empty before [`Stage::Body`].
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// What the checksum says about a complete body.
    pub(crate) fn body_check(&self) -> BodyCheck {
        match self.head.checksum {
            _ if self.to_head => BodyCheck::Unstamped,
            Checksum::Absent => BodyCheck::Unstamped,
            Checksum::Is(expected) if expected == self.checksum.clone().finalize() => BodyCheck::Verified,
            Checksum::Is(_) | Checksum::Unreadable => BodyCheck::Mismatch,
        }
    }

    /// Takes the next bytes of the connection.
    pub(crate) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            match &mut self.state {
                ParseState::Start | ParseState::Head => {
                    self.state = ParseState::Head;
                    match self.read_head(bytes)? {
                        Some(taken) => bytes = &bytes[taken..],
                        None => return Ok(()),
                    }
                }
                ParseState::Sized { rest } => {
                    let length = usize::try_from(*rest).map_or(bytes.len(), |rest| rest.min(bytes.len()));
                    self.checksum.update(&bytes[..length]);
                    *rest -= length as u64;
                    if *rest == 0 {
                        self.state = ParseState::Complete;
                    }
                    bytes = &bytes[length..];
                }
                ParseState::Chunked(chunked) => {
                    let (checksum, received) = (&mut self.checksum, &mut self.received);
                    let taken = chunked.read(bytes, |data| {
                        checksum.update(data);
                        *received += data.len() as u64;
                    })?;
                    if *received > BODY_LIMIT {
                        return Err(Malformed);
                    }
                    if chunked.is_done() {
                        self.state = ParseState::Complete;
                    }
                    bytes = &bytes[taken..];
                }
                ParseState::UntilClose => {
                    self.checksum.update(bytes);
                    self.received += bytes.len() as u64;
                    if self.received > BODY_LIMIT {
                        return Err(Malformed);
                    }
                    return Ok(());
                }
                ParseState::Complete => {
                    self.surplus = true;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Takes the connection's end, which is the end of a response that has neither length nor chunks.
    pub(crate) fn end(&mut self) {
        if matches!(self.state, ParseState::UntilClose) {
            self.state = ParseState::Complete;
        }
    }

    /// Reads the head that begins in `partial` and goes on in `bytes`; says how many of `bytes` belong to it,
    /// or `None` if all do and it isn't complete.
    fn read_head(&mut self, bytes: &[u8]) -> Result<Option<usize>, Malformed> {
        let before = self.partial.len();
        // Most heads arrive whole and are read where they lie.
        let parsed = if before == 0 {
            parse(bytes, self.identity_header.as_deref())?
        } else {
            let room = HEAD_LIMIT.saturating_sub(before);
            self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
            parse(&self.partial, self.identity_header.as_deref())?
        };
        let Some(parsed) = parsed else {
            if before == 0 {
                self.partial.extend_from_slice(&bytes[..bytes.len().min(HEAD_LIMIT)]);
            }
            return match self.partial.len() < HEAD_LIMIT {
                true => Ok(None),
                false => Err(Malformed),
            };
        };
        self.partial.clear();
        if parsed.length > HEAD_LIMIT {
            return Err(Malformed);
        }
        let framing = match parsed.head.status {
            // Nothing that rig sends asks for another protocol.
            101 => return Err(Malformed),
            // An interim response: the head of the final one follows.
            100..=199 => return Ok(Some(parsed.length - before)),
            204 | 304 => ParseState::Complete,
            _ if self.to_head => ParseState::Complete,
            _ => parsed.framing,
        };
        self.state = framing;
        self.head = parsed.head;
        Ok(Some(parsed.length - before))
    }
}

/// The longest identity that is kept, in characters.
const LONGEST_IDENTITY: usize = 64;

struct ParsedHead {
    length: usize,
    head: Head,
    framing: ParseState,
}

fn parse(bytes: &[u8], identity_header: Option<&str>) -> Result<Option<ParsedHead>, Malformed> {
    let mut headers = [EMPTY_HEADER; HEADERS_LIMIT];
    let mut response = httparse::Response::new(&mut headers);
    let Status::Complete(length) = response.parse(bytes).map_err(|_| Malformed)? else {
        return Ok(None);
    };
    let mut head = Head {
        status: response.code.filter(|code| (100..=999).contains(code)).ok_or(Malformed)?,
        close: response.version == Some(0),
        ..Head::default()
    };
    let mut framing = ParseState::UntilClose;
    for header in response.headers.iter() {
        read_header(header, &mut head, &mut framing)?;
        if identity_header.is_some_and(|name| header.name.eq_ignore_ascii_case(name)) {
            let said = String::from_utf8_lossy(header.value);
            head.identity = Some(said.trim().chars().take(LONGEST_IDENTITY).collect());
        }
    }
    Ok(Some(ParsedHead { length, head, framing }))
}

fn read_header(header: &Header<'_>, head: &mut Head, framing: &mut ParseState) -> Result<(), Malformed> {
    let is = |name: &str| header.name.eq_ignore_ascii_case(name);
    let text = || std::str::from_utf8(header.value).map_err(|_| Malformed);
    if is("content-length") {
        let length = text()?.trim();
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Malformed);
        }
        let length: u64 = length.parse().map_err(|_| Malformed)?;
        *framing = match framing {
            ParseState::UntilClose if length == 0 => ParseState::Complete,
            ParseState::UntilClose if length <= BODY_LIMIT => ParseState::Sized { rest: length },
            // Repeated, beside chunks, or too long.
            _ => return Err(Malformed),
        };
    } else if is("transfer-encoding") {
        *framing = match framing {
            ParseState::UntilClose if text()?.trim().eq_ignore_ascii_case("chunked") => {
                ParseState::Chunked(Chunked::default())
            }
            _ => return Err(Malformed),
        };
    } else if is("connection") {
        for option in text()?.split(',').map(str::trim) {
            if option.eq_ignore_ascii_case("close") {
                head.close = true;
            } else if option.eq_ignore_ascii_case("keep-alive") {
                head.close = false;
            }
        }
    } else if is("set-cookie") {
        // One that can't be read is ignored, as user agents do.
        head.cookies.extend(text().ok().and_then(SetCookie::read));
    } else if is(SESSION_HEADER) {
        head.session = text().ok().and_then(|answer| answer.parse().ok());
    } else if is(STAMP_HEADER) {
        head.served_by = text().ok().and_then(|stamp| stamp.parse::<Incarnation>().ok()).map(Interned::from);
    } else if is(CHECKSUM_HEADER) {
        let readable = text().ok().filter(|digits| digits.len() == 8);
        head.checksum = readable
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .map_or(Checksum::Unreadable, Checksum::Is);
    }
    Ok(())
}

#[cfg(test)]
#[path = "response_hostile_tests.rs"]
mod hostile_tests;
#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
