//! Who speaks TLS with whom in a cell, and how one handshake went.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The name that clients ask for (SNI) and that certificates bear beside the addresses. `.test` is reserved: no
/// resolver knows it (RFC 6761).
pub const SERVER_NAME: &str = "rig.test";

/// Where TLS ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It is off.
    #[default]
    Off,
    /// At the balancer, which speaks plain HTTP with its backends (layer 7).
    Terminate,
    /// At the balancer, which speaks TLS with its backends as well (layer 7).
    Reencrypt,
    /// At the backends; the balancer forwards what it can't read (layer 4).
    Passthrough,
}

impl Tls {
    /// Every way, with its name in scenarios.
    pub const ALL: [(&str, Tls); 4] = [
        ("off", Tls::Off),
        ("terminate", Tls::Terminate),
        ("reencrypt", Tls::Reencrypt),
        ("passthrough", Tls::Passthrough),
    ];

    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        self.into()
    }
    /// Whether clients speak TLS.
    pub fn at_listener(self) -> bool {
        self != Tls::Off
    }
    /// Whether the balancer itself needs the certificate's key.
    pub fn at_balancer(self) -> bool {
        matches!(self, Tls::Terminate | Tls::Reencrypt)
    }
    /// Whether backends speak TLS.
    pub fn at_backends(self) -> bool {
        matches!(self, Tls::Reencrypt | Tls::Passthrough)
    }
}

/// How a handshake went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handshake {
    /// With the server's certificate, its signature, and the client's verification of both.
    Full,
    /// From a ticket of an earlier session: no certificate, no signature.
    Resumed,
}

/// What a client needs to speak TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientTls {
    /// Certificates that the server's must be signed by: a PEM file. `None`: those that the system trusts.
    #[serde(default)]
    pub authority: Option<PathBuf>,
    /// The name of a server that is not rig's, with which anything may be agreed upon that is safe. `None`:
    /// [`SERVER_NAME`], with rig's own suite.
    #[serde(default)]
    pub server: Option<String>,
    /// Whether sessions are taken up again.
    pub resumption: bool,
}

/// What a server needs to speak TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerTls {
    /// Its certificate: a PEM file.
    pub certificate: PathBuf,
    /// The certificate's private key: a PEM file.
    pub key: PathBuf,
}

/// Handshakes, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handshakes {
    /// [`Handshake::Full`].
    pub full: u64,
    /// [`Handshake::Resumed`].
    pub resumed: u64,
}

impl Handshakes {
    /// Counts one.
    pub fn add(&mut self, handshake: Handshake) {
        match handshake {
            Handshake::Full => self.full += 1,
            Handshake::Resumed => self.resumed += 1,
        }
    }
    /// Both kinds.
    pub fn all(self) -> u64 {
        self.full + self.resumed
    }
    /// What has come since `earlier`.
    pub fn since(self, earlier: Handshakes) -> Handshakes {
        Handshakes {
            full: self.full.saturating_sub(earlier.full),
            resumed: self.resumed.saturating_sub(earlier.resumed),
        }
    }
}
