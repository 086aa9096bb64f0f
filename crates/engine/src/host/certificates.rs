//! The certificates of one cell: an authority and a server's certificate signed by it, made for the cell and gone with
//! it. Elliptic keys on P-256: *ring* makes no RSA keys.

use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use model::tls::{ClientTls, SERVER_NAME, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::HostError;

/// What makes a server's key, in words.
pub const KEY: &str = "ECDSA P-256";

/// Where a cell's certificates lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificates {
    directory: PathBuf,
    /// The name that the server's bears; `None`: rig's own.
    name: Option<String>,
}

/// Where they lie among a cell's scratch files.
pub const CERTIFICATES: &str = "certificates";

/// Removes certificates and keys when it goes: however a cell ends, no key is left in its results.
pub struct Swept(PathBuf);

impl Swept {
    /// For what is made in `directory`, if anything is.
    pub fn from(directory: impl Into<PathBuf>) -> Swept {
        Swept(directory.into())
    }
}

impl Drop for Swept {
    fn drop(&mut self) {
        // There is none where TLS is off, and none where the cell's scratch files have been removed already.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Certificates {
    /// Those in `directory`, be they there or not, for a server called `name`; `None`: [`SERVER_NAME`].
    pub fn at(directory: impl Into<PathBuf>, name: Option<&str>) -> Certificates {
        Certificates { directory: directory.into(), name: name.map(str::to_owned) }
    }

    /// Makes an authority, whose key is not kept, and a certificate for `name` and `addresses`.
    pub fn make(
        directory: &Path,
        name: Option<&str>,
        addresses: impl Iterator<Item = IpAddr>,
    ) -> Result<Certificates, HostError> {
        let made = Certificates::at(directory, name);
        std::fs::create_dir_all(directory).map_err(HostError::file(directory))?;
        let pem = pems(made.name(), addresses).map_err(|error| HostError::Certificates(error.to_string()))?;
        let write =
            |path: PathBuf, text: &str, mode: u32| write(&path, text, mode).map_err(HostError::file(&path));
        write(made.authority(), &pem.authority, 0o644)?;
        write(made.certificate(), &pem.certificate, 0o644)?;
        write(made.key(), &pem.key, 0o600)?;
        Ok(made)
    }

    /// The name that the server's certificate bears.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(SERVER_NAME)
    }

    /// The certificate that all others are signed by.
    pub fn authority(&self) -> PathBuf {
        self.directory.join("authority.pem")
    }

    /// The server's certificate.
    pub fn certificate(&self) -> PathBuf {
        self.directory.join("server.pem")
    }

    /// Its private key, under the name by which HAProxy finds it beside the certificate.
    pub fn key(&self) -> PathBuf {
        self.directory.join("server.pem.key")
    }

    /// What a client needs.
    pub fn for_client(&self, resumption: bool) -> ClientTls {
        // Where a scenario names the server, its configuration may want any version and suite.
        ClientTls { authority: Some(self.authority()), server: self.name.clone(), resumption }
    }

    /// What a server needs.
    pub fn for_server(&self) -> ServerTls {
        ServerTls { certificate: self.certificate(), key: self.key() }
    }
}

struct Pems {
    authority: String,
    certificate: String,
    key: String,
}

fn pems(name: &str, addresses: impl Iterator<Item = IpAddr>) -> Result<Pems, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "rig, authority of one cell");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let names = std::iter::once(name.to_owned()).chain(addresses.map(|address| address.to_string()));
    let mut params = CertificateParams::new(names.collect::<Vec<_>>())?;
    // A common name has at most 64 characters (RFC 5280); whoever verifies looks at the names above.
    params.distinguished_name.push(DnType::CommonName, SERVER_NAME);
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &authority)?;
    Ok(Pems { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Writes, or replaces, a file that only its user can read.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => write(path, text, 0o600),
    }
}

/// No other user can read a key, from its first byte on.
fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_cells_certificates_are_what_clients_and_servers_take_and_the_key_is_its_owners() {
        let directory = tempfile::tempdir().unwrap();
        let made = Certificates::make(
            &directory.path().join("tls"),
            None,
            ["127.1.2.3".parse().unwrap()].into_iter(),
        );
        let made = made.unwrap();
        agent::tls::client(&made.for_client(true)).unwrap();
        agent::tls::server(&made.for_server()).unwrap();
        let mode = std::fs::metadata(made.key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // No other certificate can be signed: the authority's key was written nowhere.
        assert_eq!(std::fs::read_dir(directory.path().join("tls")).unwrap().count(), 3);
    }

    #[test]
    fn no_two_cells_share_a_key() {
        let directory = tempfile::tempdir().unwrap();
        let key = |name| {
            let made = Certificates::make(&directory.path().join(name), None, std::iter::empty()).unwrap();
            std::fs::read_to_string(made.key()).unwrap()
        };
        assert_ne!(key("one"), key("two"));
    }
}
