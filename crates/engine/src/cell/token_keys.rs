//! The keys with which the backends of a cell sign sessions. They are made for it and are in no record of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Read;
use std::net::SocketAddr;

use model::plan::Variant;
use model::sessions::{JwtKey, JwtKeys, Password, Sessions, SessionsJob};

use super::error::CellError;

/// As many bytes as the hash has (RFC 7518, section 3.2).
const LENGTH: usize = 32;
const RANDOM: &str = "/dev/urandom";

/// An old key and a new one, and who has got which.
pub(super) struct TokenKeys {
    old: JwtKey,
    new: JwtKey,
    /// Places that a deploy has filled.
    renewed: RefCell<BTreeSet<String>>,
}

impl TokenKeys {
    pub(super) fn make() -> Result<TokenKeys, CellError> {
        Ok(TokenKeys { old: key()?, new: key()?, renewed: RefCell::default() })
    }

    /// What runs at `backend` from now on is of the new generation.
    pub(super) fn renew(&self, backend: &str) {
        self.renewed.borrow_mut().insert(backend.to_owned());
    }

    /// Where the next life at `backend` keeps its sessions; `None`: it keeps none.
    pub(super) fn sessions(
        &self,
        variant: &Variant,
        backend: &str,
        store: Option<(SocketAddr, Password)>,
    ) -> Option<SessionsJob> {
        let pool = variant.topology.pool_of(backend)?;
        match pool.sessions? {
            Sessions::Memory => Some(SessionsJob::Memory),
            Sessions::Redis => store.map(|(address, password)| SessionsJob::Redis { address, password }),
            Sessions::Jwt => {
                let deploy = variant.deploys().find(|deploy| deploy.pool == pool.name);
                let keys = deploy.map_or(JwtKeys::Same, |deploy| deploy.jwt_keys);
                let renewed = self.renewed.borrow().contains(backend);
                let sign = if renewed && keys != JwtKeys::Same { &self.new } else { &self.old };
                let accept = match keys {
                    JwtKeys::Overlapping => vec![self.old.clone(), self.new.clone()],
                    JwtKeys::Same | JwtKeys::Replaced => vec![sign.clone()],
                };
                Some(SessionsJob::Jwt { sign: sign.clone(), accept })
            }
        }
    }
}

/// A password for a service.
pub(super) fn password() -> Result<Password, CellError> {
    secret().map(Password)
}

fn key() -> Result<JwtKey, CellError> {
    secret().map(JwtKey)
}

fn secret() -> Result<String, CellError> {
    let mut bytes = [0; LENGTH];
    std::fs::File::open(RANDOM)
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(CellError::file(RANDOM))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
