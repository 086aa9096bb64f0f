//! TLS as rig's own ends speak it: one version, one key exchange and one cipher suite, so that every balancer between
//! them does the same work. TLS 1.3, X25519, AES-128-GCM with SHA-256, by rustls on *ring*.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::tls::{ClientTls, Handshake, SERVER_NAME, ServerTls};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore, ServerConfig, version};

/// How reports call what [`client`] and [`server`] speak.
pub const SUITE: &str = "TLS 1.3, X25519, TLS_AES_128_GCM_SHA256";

/// Sessions that a client keeps; of one server's name rustls keeps eight tickets, each for one handshake.
const SESSIONS: usize = 64;

/// Why TLS can't be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read as PEM.
    #[error("cannot read {}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system has no certificates of authorities.
    #[error("this system trusts no authority (Debian has them in the package ca-certificates)")]
    NoRoots,
    /// A server can't have that name.
    #[error("`{0}` is not the name or the address of a server")]
    Name(String),
    /// rustls refuses what was read.
    #[error("cannot speak TLS: {0}")]
    Refused(#[from] rustls::Error),
}

/// A client that trusts the authority it is given, or those of the system, and no other.
pub fn client(tls: &ClientTls) -> Result<Arc<ClientConfig>, TlsError> {
    let (provider, versions): (_, &[_]) = match tls.server {
        None => (provider(), &[&version::TLS13]),
        Some(_) => (Arc::new(ring::default_provider()), &[&version::TLS13, &version::TLS12]),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_root_certificates(trusted(tls.authority.as_deref())?)
        .with_no_client_auth();
    config.resumption = match tls.resumption {
        true => Resumption::in_memory_sessions(SESSIONS),
        false => Resumption::disabled(),
    };
    Ok(Arc::new(config))
}

/// A server with tickets under a key of its own, which no other process knows.
pub fn server(tls: &ServerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(unreadable(&tls.key))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&version::TLS13])?
        .with_no_client_auth()
        .with_single_cert(certificates(&tls.certificate)?, key)?;
    config.ticketer = ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

/// The certificates of a file, or those that the system trusts.
fn trusted(authority: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut trusted = RootCertStore::empty();
    match authority {
        Some(path) => {
            for certificate in certificates(path)? {
                trusted.add(certificate)?;
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            // One that rustls can't read is not trusted; others may do.
            let (known, _) = trusted.add_parsable_certificates(found.certs);
            if known == 0 {
                return Err(TlsError::NoRoots);
            }
        }
    }
    Ok(trusted)
}

/// The name that a client asks for.
pub fn server_name(tls: &ClientTls) -> Result<ServerName<'static>, TlsError> {
    let name = tls.server.clone().unwrap_or_else(|| SERVER_NAME.to_owned());
    ServerName::try_from(name.clone()).map_err(|_| TlsError::Name(name))
}

/// How a handshake went, once it has ended.
pub fn handshake(kind: Option<HandshakeKind>) -> Option<Handshake> {
    kind.map(|kind| match kind {
        HandshakeKind::Resumed => Handshake::Resumed,
        HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => Handshake::Full,
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![ring::kx_group::X25519],
        ..ring::default_provider()
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let each = CertificateDer::pem_file_iter(path).map_err(unreadable(path))?;
    each.collect::<Result<_, _>>().map_err(unreadable(path))
}

fn unreadable<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> TlsError + use<'_, E> {
    move |error| TlsError::File { path: path.to_owned(), reason: error.to_string() }
}

pub use rustls::Error as Refusal;

/// Why rustls gave up on a connection; `None`: it was not rustls that did.
pub fn refusal(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}
