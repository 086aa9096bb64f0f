//! What the server knows.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use model::discovery::ZONE;
use model::job::NameRecords;

/// The names and their records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zone {
    /// By the name in lower case.
    names: BTreeMap<String, NameRecords>,
}

/// What there is to say of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookedUp<'z> {
    /// Its addresses, which may be used for so many seconds.
    Here { ttl: u32, addresses: &'z [Ipv4Addr] },
    /// The zone has no such name.
    Missing,
    /// It is in no zone of this server.
    Elsewhere,
}

impl Zone {
    /// The name has these records from now on, and no others.
    pub fn set(&mut self, records: NameRecords) {
        self.names.insert(records.name.to_ascii_lowercase(), records);
    }

    /// Case does not matter (RFC 4343).
    pub(crate) fn look_up(&self, name: &str) -> LookedUp<'_> {
        let name = name.to_ascii_lowercase();
        let below_it = || name.strip_suffix(ZONE).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        match self.names.get(&name) {
            Some(NameRecords { ttl, addresses, .. }) => LookedUp::Here { ttl: *ttl, addresses },
            None if below_it() => LookedUp::Missing,
            None => LookedUp::Elsewhere,
        }
    }
}

impl FromIterator<NameRecords> for Zone {
    fn from_iter<I: IntoIterator<Item = NameRecords>>(all: I) -> Zone {
        let mut zone = Zone::default();
        all.into_iter().for_each(|records| zone.set(records));
        zone
    }
}
