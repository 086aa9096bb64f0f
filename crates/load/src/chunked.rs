//! The chunked transfer coding, decoded byte by byte: it may be cut anywhere between two reads.

/// The longest chunk extension and the longest trailer section, in bytes.
const LINE_LIMIT: usize = 64 * 1024;

/// The coding is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BrokenChunk;

/// A decoder of one body.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    at: At,
    /// Bytes of the current chunk that are still to come.
    rest: u64,
    /// Bytes of extensions and trailers so far.
    overhead: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    #[default]
    Size,
    /// After a digit of a size.
    SizeDigits,
    /// In the blanks behind a size.
    Blank,
    /// Behind the semicolon, before the line's end.
    Extension,
    /// Expects the LF of a size line.
    SizeEnd,
    /// Inside a chunk.
    Data,
    /// Expects the CR behind a chunk.
    DataCr,
    /// Expects the LF behind a chunk.
    DataLf,
    /// At the start of a trailer line, or of the empty line that ends the body.
    TrailerStart,
    /// Inside the name of a trailer.
    TrailerName,
    /// Behind the colon of a trailer.
    Trailer,
    /// Expects the LF of a trailer line.
    TrailerEnd,
    /// Expects the last LF.
    LastLf,
    /// The body is complete.
    Done,
}

impl Chunked {
    /// Whether the body is complete.
    pub(crate) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes bytes up to the body's end, passes the decoded ones to `data`, and says how many it took.
    pub(crate) fn read(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> Result<usize, BrokenChunk> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_done() {
            if self.at == At::Data {
                let available = bytes.len() - taken;
                let length = usize::try_from(self.rest).map_or(available, |rest| rest.min(available));
                data(&bytes[taken..taken + length]);
                taken += length;
                self.rest -= length as u64;
                if self.rest == 0 {
                    self.at = At::DataCr;
                }
            } else {
                self.at = self.step(bytes[taken])?;
                taken += 1;
            }
        }
        Ok(taken)
    }

    fn step(&mut self, byte: u8) -> Result<At, BrokenChunk> {
        match (self.at, byte) {
            (At::Size | At::SizeDigits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).ok_or(BrokenChunk)?;
                if self.rest >> 60 != 0 {
                    return Err(BrokenChunk);
                }
                self.rest = self.rest << 4 | u64::from(digit);
                Ok(At::SizeDigits)
            }
            (At::SizeDigits | At::Blank | At::Extension, b'\r') => Ok(At::SizeEnd),
            (At::SizeDigits | At::Blank, b' ' | b'\t') => self.overhead(At::Blank),
            (At::SizeDigits | At::Blank, b';') => self.overhead(At::Extension),
            (At::Extension, byte) if byte != b'\n' => self.overhead(At::Extension),
            (At::SizeEnd, b'\n') => Ok(match self.rest {
                0 => At::TrailerStart,
                _ => At::Data,
            }),
            (At::DataCr, b'\r') => Ok(At::DataLf),
            (At::DataLf, b'\n') => Ok(At::Size),
            (At::TrailerStart, b'\r') => Ok(At::LastLf),
            (At::LastLf, b'\n') => Ok(At::Done),
            (At::TrailerEnd, b'\n') => Ok(At::TrailerStart),
            (At::Trailer, b'\r') => Ok(At::TrailerEnd),
            (At::TrailerName, b':') => self.overhead(At::Trailer),
            (At::TrailerStart | At::TrailerName, byte) if is_token(byte) => self.overhead(At::TrailerName),
            // A field's value has no control characters but the tab (RFC 9110, section 5.5).
            (At::Trailer, b'\t' | b' '..=b'~' | 0x80..) => self.overhead(At::Trailer),
            _ => Err(BrokenChunk),
        }
    }

    fn overhead(&mut self, next: At) -> Result<At, BrokenChunk> {
        self.overhead += 1;
        match self.overhead > LINE_LIMIT {
            true => Err(BrokenChunk),
            false => Ok(next),
        }
    }
}

/// Whether a field's name may have `byte` (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), BrokenChunk> {
        let mut chunked = Chunked::default();
        let mut body = Vec::new();
        for piece in pieces {
            let taken = chunked.read(piece, |data| body.extend_from_slice(data))?;
            assert_eq!(taken, piece.len(), "nothing lies behind the body");
        }
        Ok((body, chunked.is_done()))
    }

    #[test]
    fn a_trailer_is_a_field() {
        for trailer in ["x: 1\r\n", "x:\r\ny: caf\u{e9}\r\n"] {
            let text = format!("0\r\n{trailer}\r\n");
            assert_eq!(decode(&[text.as_bytes()]), Ok((vec![], true)), "{trailer}");
        }
        for trailer in ["x\r\n", ": 1\r\n", "x : 1\r\n", " x: 1\r\n", "x: \u{1}\r\n", "x: 1\r\r\n", "x: 1\n"]
        {
            let text = format!("0\r\n{trailer}\r\n");
            assert_eq!(decode(&[text.as_bytes()]), Err(BrokenChunk), "{trailer}");
        }
    }

    #[test]
    fn a_body_decodes_alike_wherever_it_is_cut() {
        let text: &[u8] =
            b"5;name=\"v\"\r\nhello\r\n00a\r\n, 1\r\nworld\r\n0\r\nx-sum: 1\r\nx-more: 2\r\n\r\n";
        for cut in 0..=text.len() {
            let (body, done) = decode(&[&text[..cut], &text[cut..]]).unwrap();
            assert_eq!(body, b"hello, 1\r\nworld");
            assert!(done);
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decode(&bytes).unwrap().0, b"hello, 1\r\nworld");
    }

    #[test]
    fn what_follows_the_body_is_not_taken() {
        let mut chunked = Chunked::default();
        assert_eq!(chunked.read(b"0\r\n\r\nHTTP/1.1", |_| {}), Ok(5));
        assert!(chunked.is_done());
    }

    #[test]
    fn a_body_that_stops_early_is_not_done() {
        let text: &[u8] = b"2\r\nab\r\n0\r\n\r\n";
        for end in 0..text.len() {
            assert!(!decode(&[&text[..end]]).unwrap().1, "{end} bytes");
        }
    }

    #[test]
    fn broken_coding_is_refused() {
        for text in ["\r\n", "x\r\n", "-1\r\n", "2\nab", "2\r\nabc\r\n", "11111111111111111\r\n", "0\r\n\n"] {
            assert_eq!(decode(&[text.as_bytes()]), Err(BrokenChunk), "{text:?}");
        }
        let endless = format!("1;{}", "x".repeat(LINE_LIMIT));
        assert_eq!(decode(&[endless.as_bytes()]), Err(BrokenChunk));
    }
}
