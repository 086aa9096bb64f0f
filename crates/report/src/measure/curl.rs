//! What curl was told while the load ran.

use model::history::{CurlAnswer, Event, Happening};
use model::identity::STAMP_HEADER;
use serde::{Deserialize, Serialize};

/// One conversation of curl's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transcript {
    /// The timeline's entry.
    pub entry: String,
    /// The command line.
    pub command: String,
    /// What `-v` said.
    pub transcript: String,
    /// The first bytes of the response's body.
    pub body: String,
    /// How curl ended.
    pub status: String,
}

impl Transcript {
    /// Everything that curl said in `history`.
    pub fn all(history: &[Event]) -> Vec<Transcript> {
        let curl = |event: &Event| match event.what.clone() {
            Happening::Curl(CurlAnswer { entry, command, transcript, body, status }) => {
                Some(Transcript { entry, command, transcript, body, status })
            }
            _ => None,
        };
        history.iter().filter_map(curl).collect()
    }

    /// Who answered, by the backend's stamp, with the status line: `web-1/1, HTTP/1.1 200 OK`.
    pub fn answer(&self) -> Option<String> {
        let mut heads = self.transcript.lines().filter_map(|line| line.strip_prefix("< ")).map(str::trim);
        let status = heads.next()?.to_owned();
        let stamp = heads.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(STAMP_HEADER).then(|| value.trim())
        });
        Some(format!("{}, {status}", stamp.unwrap_or("no backend")))
    }

    /// The headers of request and response, which curl marks by `>` and `<`; all of it, if there are none.
    pub fn spoken(&self) -> impl Iterator<Item = &str> {
        let header = |line: &&str| line.starts_with(['>', '<']);
        let headers = self.transcript.lines().any(|line| header(&line));
        self.transcript.lines().filter(move |line| !headers || header(line)).map(str::trim_end)
    }
}
