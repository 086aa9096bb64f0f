//! The bytes of requests. All but the id is the same for every request of a class and laid out once.

use std::fmt::Write;
use std::rc::Rc;

use model::identity::{CHECKSUM_HEADER, COST_HEADER, REQUEST_ID_HEADER, RequestId};
use model::traffic::RequestClass;
use model::units::Factor;

use crate::schedule::Connect;

/// What all requests of a class have in common.
pub(crate) struct Template {
    /// The head up to the id.
    start: Vec<u8>,
    /// The body.
    body: Rc<[u8]>,
}

/// One request, ready to be sent.
pub(crate) struct RequestBytes {
    head: Vec<u8>,
    body: Rc<[u8]>,
}

impl Template {
    pub(crate) fn new(class: &RequestClass, host: &str) -> Template {
        let length = usize::try_from(class.body.0).unwrap_or(usize::MAX);
        let body: Rc<[u8]> = (b'a'..=b'z').cycle().take(length).collect();
        let mut start = format!("{} {} HTTP/1.1\r\n", class.method.name(), class.path);
        let mut header = |name: &str, value: &dyn std::fmt::Display| {
            write!(start, "{name}: {value}\r\n").expect("a string takes all text");
        };
        if !class.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            header("Host", &host);
        }
        for (name, value) in &class.headers {
            header(name, value);
        }
        if class.method == model::traffic::Method::Post || length > 0 {
            header("Content-Length", &length);
            header(CHECKSUM_HEADER, &format_args!("{:08x}", crc32fast::hash(&body)));
        }
        if class.cost != Factor::ONE {
            header(COST_HEADER, &class.cost);
        }
        start.push_str(REQUEST_ID_HEADER);
        start.push_str(": ");
        Template { start: start.into_bytes(), body }
    }

    /// The request `id`, with `more` header lines, each of them ended.
    pub(crate) fn request(&self, id: RequestId, connect: Connect, more: &str) -> RequestBytes {
        let end = match connect {
            Connect::Reuse => "\r\n",
            Connect::Fresh => "Connection: close\r\n\r\n",
        };
        let mut head = Vec::with_capacity(self.start.len() + more.len() + 48);
        head.extend_from_slice(&self.start);
        head.extend_from_slice(id.to_string().as_bytes());
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(more.as_bytes());
        head.extend_from_slice(end.as_bytes());
        RequestBytes { head, body: self.body.clone() }
    }
}

impl RequestBytes {
    /// The length of the body.
    pub(crate) fn body_length(&self) -> usize {
        self.body.len()
    }

    /// What is to be sent after `sent` bytes if no more than `body` bytes of the body may be, as far as it is in one
    /// piece; empty if that is nothing.
    pub(crate) fn next(&self, sent: usize, body: usize) -> &[u8] {
        match sent.checked_sub(self.head.len()) {
            None => &self.head[sent..],
            Some(sent) => self.body.get(sent..body).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::traffic::Method;
    use model::units::Bytes;

    fn text(method: Method, headers: &[(&str, &str)], body: u64, connect: Connect) -> String {
        text_of(&class(method, headers, body), connect)
    }

    fn class(method: Method, headers: &[(&str, &str)], body: u64) -> RequestClass {
        RequestClass {
            name: "all".into(),
            method,
            path: "/a?b".into(),
            headers: headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect(),
            body: Bytes(body),
            ..RequestClass::default()
        }
    }

    fn text_of(class: &RequestClass, connect: Connect) -> String {
        let host = "127.0.0.1:8080";
        let request = Template::new(class, host).request(RequestId(42), connect, "");
        let mut bytes = Vec::new();
        while let Some(byte) = request.next(bytes.len(), request.body_length()).first() {
            // One byte at a time: a write may stop anywhere.
            bytes.push(*byte);
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_get_carries_its_id_and_a_fresh_one_announces_the_end() {
        assert_eq!(
            text(Method::Get, &[("X-Canary", "true")], 0, Connect::Reuse),
            "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nX-Canary: true\r\nx-rig-seq: 42\r\n\r\n"
        );
        assert_eq!(
            text(Method::Get, &[("host", "a.test")], 0, Connect::Fresh),
            "GET /a?b HTTP/1.1\r\nhost: a.test\r\nx-rig-seq: 42\r\nConnection: close\r\n\r\n"
        );
    }

    #[test]
    fn a_post_carries_its_body_with_length_and_checksum() {
        assert_eq!(
            text(Method::Post, &[], 3, Connect::Reuse),
            "POST /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nContent-Length: 3\r\n\
             x-rig-crc32: 352441c2\r\nx-rig-seq: 42\r\n\r\nabc"
        );
    }

    #[test]
    fn what_a_user_holds_goes_along() {
        let target = "127.0.0.1:8080";
        let template = Template::new(&class(Method::Get, &[], 0), target);
        let request = template.request(RequestId(42), Connect::Reuse, "Cookie: a=b\r\n");
        let end = "x-rig-seq: 42\r\nCookie: a=b\r\n\r\n";
        assert!(request.next(0, 0).ends_with(end.as_bytes()));
    }

    #[test]
    fn a_class_that_costs_more_says_so() {
        let costly = RequestClass { cost: Factor(20.0), ..class(Method::Get, &[], 0) };
        assert_eq!(
            text_of(&costly, Connect::Reuse),
            "GET /a?b HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nx-rig-cost: 20x\r\nx-rig-seq: 42\r\n\r\n"
        );
    }
}
