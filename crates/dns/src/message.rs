//! Messages on the wire (RFC 1035, section 4; EDNS(0): RFC 6891). A question is read as far as an answer needs it, and stands in
//! the answer byte by byte as it was asked: some resolvers look at the case of its letters.

use std::net::Ipv4Addr;

use crate::zone::{LookedUp, Zone};

/// The length of a message's head.
const HEAD: usize = 12;
/// What every client takes by UDP (RFC 1035, section 4.2.1).
const PLAIN_UDP: usize = 512;
/// The most that is sent by UDP, whatever the client takes: what passes any network in one piece.
const MOST_UDP: u16 = 1232;
/// The longest name (RFC 1035, section 2.3.4), its labels and their lengths.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: u8 = 63;

const TYPE_A: u16 = 1;
const TYPE_OPT: u16 = 41;
const TYPE_ANY: u16 = 255;
const CLASS_IN: u16 = 1;
const CLASS_ANY: u16 = 255;

/// Bits of the head's second word.
const RESPONSE: u16 = 0x8000;
const OPCODE: u16 = 0x7800;
const AUTHORITATIVE: u16 = 0x0400;
const TRUNCATED: u16 = 0x0200;
const RECURSION_DESIRED: u16 = 0x0100;

/// How a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsTransport {
    /// In a datagram, which limits the answer.
    Udp,
    /// On a connection.
    Tcp,
}

/// What a server says of a question (RFC 1035, section 4.1.1; RFC 6891, section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    NoError = 0,
    FormatError = 1,
    NameError = 3,
    NotImplemented = 4,
    Refused = 5,
    BadVersion = 16,
}

/// The answer to `query`; `None`: it is no question, and answering it could go on for ever.
pub fn answer(query: &[u8], transport: DnsTransport, zone: &Zone) -> Option<Vec<u8>> {
    let mut head = MessageReader(query);
    let id = head.word()?;
    let flags = head.word()?;
    let [questions, answers, authorities, others] = [head.word()?, head.word()?, head.word()?, head.word()?];
    if flags & RESPONSE != 0 {
        return None;
    }
    let reply = |code, question: &[u8], edns, records| {
        let reply = Reply { id, asked: flags, code, question, edns, records };
        Some(reply.written(transport))
    };
    if flags & OPCODE != 0 {
        return reply(Code::NotImplemented, &[], None, Records::default());
    }
    let body = &query[HEAD..];
    let read = (questions == 1 && answers == 0 && authorities == 0).then(|| Question::read(body)).flatten();
    let Some((question, rest)) = read else {
        return reply(Code::FormatError, &[], None, Records::default());
    };
    let Ok(edns) = Edns::find(rest, others) else {
        return reply(Code::FormatError, question.text, None, Records::default());
    };
    if edns.is_some_and(|edns| edns.version != 0) {
        return reply(Code::BadVersion, question.text, edns, Records::default());
    }
    let (code, records) = question.answered(zone);
    reply(code, question.text, edns, records)
}

/// The records of an answer.
#[derive(Clone, Copy, Default)]
struct Records<'z> {
    ttl: u32,
    addresses: &'z [Ipv4Addr],
}

/// The one question of a message.
struct Question<'q> {
    /// As it came.
    text: &'q [u8],
    name: String,
    kind: u16,
    class: u16,
}

impl<'q> Question<'q> {
    /// The question at the beginning of `bytes`, and what follows it.
    fn read(bytes: &'q [u8]) -> Option<(Question<'q>, &'q [u8])> {
        let mut rest = MessageReader(bytes);
        let name = rest.name()?;
        let (kind, class) = (rest.word()?, rest.word()?);
        let text = &bytes[..bytes.len() - rest.0.len()];
        Some((Question { text, name, kind, class }, rest.0))
    }

    /// Of what is asked for beside addresses, there is none.
    fn answered<'z>(&self, zone: &'z Zone) -> (Code, Records<'z>) {
        let none = Records::default();
        match zone.look_up(&self.name) {
            _ if !matches!(self.class, CLASS_IN | CLASS_ANY) => (Code::Refused, none),
            LookedUp::Elsewhere => (Code::Refused, none),
            LookedUp::Missing => (Code::NameError, none),
            LookedUp::Here { ttl, addresses } if matches!(self.kind, TYPE_A | TYPE_ANY) => {
                (Code::NoError, Records { ttl, addresses })
            }
            LookedUp::Here { .. } => (Code::NoError, none),
        }
    }
}

/// What the OPT record of a question says.
#[derive(Clone, Copy)]
struct Edns {
    /// The longest datagram that its client takes.
    size: u16,
    version: u8,
}

/// The message can't be read.
struct MalformedMessage;

impl Edns {
    /// The OPT record among the `records` further ones in `bytes`.
    fn find(bytes: &[u8], records: u16) -> Result<Option<Edns>, MalformedMessage> {
        let mut rest = MessageReader(bytes);
        let mut found = None;
        for _ in 0..records {
            let (kind, edns) = rest.record().ok_or(MalformedMessage)?;
            if kind == TYPE_OPT && found.replace(edns).is_some() {
                return Err(MalformedMessage);
            }
        }
        Ok(found)
    }
}

/// What is left to read.
struct MessageReader<'q>(&'q [u8]);

impl<'q> MessageReader<'q> {
    fn bytes(&mut self, count: usize) -> Option<&'q [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u16> {
        let bytes: [u8; 2] = self.bytes(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// A name, without the full stop at its end. A question has none to point at, so it points nowhere.
    fn name(&mut self) -> Option<String> {
        let (mut labels, mut length) = (Vec::new(), 1);
        loop {
            match self.byte()? {
                0 => return Some(labels.join(".")),
                long if long > LONGEST_LABEL => return None,
                label => {
                    length += 1 + usize::from(label);
                    if length > LONGEST_NAME {
                        return None;
                    }
                    // A full stop within a label parts nothing.
                    labels.push(String::from_utf8_lossy(self.bytes(label.into())?).replace('.', "\\."));
                }
            }
        }
    }

    /// A record: its type, and what it says if it is an OPT.
    fn record(&mut self) -> Option<(u16, Edns)> {
        self.name()?;
        let (kind, size) = (self.word()?, self.word()?);
        let [_, version, _, _]: [u8; 4] = self.bytes(4)?.try_into().ok()?;
        let length = self.word()?;
        self.bytes(length.into())?;
        Some((kind, Edns { size, version }))
    }
}

/// An answer.
struct Reply<'a> {
    id: u16,
    /// The flags of the question.
    asked: u16,
    code: Code,
    /// As it came; nothing, if it could not be read.
    question: &'a [u8],
    edns: Option<Edns>,
    records: Records<'a>,
}

impl Reply<'_> {
    /// It is cut where its client does not take all of it: the client then asks again on a connection.
    fn written(&self, transport: DnsTransport) -> Vec<u8> {
        let most = match (transport, self.edns) {
            (DnsTransport::Tcp, _) => usize::from(u16::MAX),
            (DnsTransport::Udp, None) => PLAIN_UDP,
            (DnsTransport::Udp, Some(edns)) => usize::from(edns.size.min(MOST_UDP)).max(PLAIN_UDP),
        };
        let whole = self.bytes(self.records.addresses, 0);
        if whole.len() <= most { whole } else { self.bytes(&[], TRUNCATED) }
    }

    fn bytes(&self, addresses: &[Ipv4Addr], cut: u16) -> Vec<u8> {
        let code = self.code as u16;
        let known = if matches!(self.code, Code::NoError | Code::NameError) { AUTHORITATIVE } else { 0 };
        let flags = RESPONSE | self.asked & (OPCODE | RECURSION_DESIRED) | known | cut | code & 0x000f;
        let (questions, others) = (u16::from(!self.question.is_empty()), u16::from(self.edns.is_some()));
        // A pool has fewer backends than that.
        let answers = u16::try_from(addresses.len()).unwrap_or(u16::MAX);
        let head = [self.id, flags, questions, answers, 0, others];
        let mut bytes: Vec<u8> = head.into_iter().flat_map(u16::to_be_bytes).collect();
        bytes.extend(self.question);
        for address in addresses.iter().take(answers.into()) {
            // Its name is that of the question: a pointer to where that begins (RFC 1035, section 4.1.4).
            let name = 0xc000 | HEAD as u16;
            bytes.extend([name, TYPE_A, CLASS_IN].into_iter().flat_map(u16::to_be_bytes));
            bytes.extend(self.records.ttl.to_be_bytes());
            bytes.extend(4_u16.to_be_bytes());
            bytes.extend(address.octets());
        }
        if self.edns.is_some() {
            bytes.push(0);
            bytes.extend([TYPE_OPT, MOST_UDP].into_iter().flat_map(u16::to_be_bytes));
            // The upper bits of the code, the version, no flags, no options.
            bytes.extend([(code >> 4) as u8, 0, 0, 0, 0, 0]);
        }
        bytes
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
