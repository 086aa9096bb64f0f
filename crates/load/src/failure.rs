//! What an error of the system means for a request.

use std::io;

use model::outcome::{Cause, NotSent, Outcome, Stage};
use rustix::io::Errno;
use tokio_rustls::rustls as tls;

/// What ended a request on an open connection, or one being opened.
pub(crate) fn cause(error: &io::Error) -> Cause {
    match errno(error) {
        Errno::CONNREFUSED => Cause::Refused,
        Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE => Cause::Reset,
        Errno::IO => of_tls(error),
        other => Cause::Errno(other.raw_os_error()),
    }
}

/// TLS has errors without a number. A FIN without close_notify is one of them.
fn of_tls(error: &io::Error) -> Cause {
    match agent::tls::refusal(error) {
        Some(tls::Error::InvalidCertificate(_)) => Cause::Untrusted,
        Some(_) => Cause::Protocol,
        None if error.kind() == io::ErrorKind::UnexpectedEof => Cause::Eof,
        None => Cause::Errno(Errno::IO.raw_os_error()),
    }
}

/// How a request ends whose connection could not be opened, or not secured.
pub(crate) fn opening_outcome(error: &io::Error, stage: Stage) -> Outcome {
    let errno = errno(error);
    match errno {
        _ if stage == Stage::Tls => Outcome::Failed { stage, cause: cause(error) },
        // No port, no descriptor, no memory: the peer is not to blame.
        Errno::ADDRNOTAVAIL
        | Errno::MFILE
        | Errno::NFILE
        | Errno::NOBUFS
        | Errno::NOMEM
        | Errno::AGAIN
        | Errno::ADDRINUSE => Outcome::NotSent(NotSent::LocalResource(errno.raw_os_error())),
        _ => Outcome::Failed { stage, cause: cause(error) },
    }
}

/// Every error of a socket has a number; EIO stands for one that has none.
fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno.raw_os_error())
    }

    #[test]
    fn the_kernels_numbers_become_causes_and_unknown_ones_are_kept() {
        assert_eq!(cause(&error(Errno::CONNREFUSED)), Cause::Refused);
        for reset in [Errno::CONNRESET, Errno::CONNABORTED, Errno::PIPE] {
            assert_eq!(cause(&error(reset)), Cause::Reset);
        }
        assert_eq!(cause(&error(Errno::HOSTUNREACH)), Cause::Errno(113));
    }

    #[test]
    fn a_lack_of_ports_or_descriptors_is_the_generators_own() {
        for (own, number) in [(Errno::ADDRNOTAVAIL, 99), (Errno::MFILE, 24), (Errno::NFILE, 23)] {
            assert_eq!(
                opening_outcome(&error(own), Stage::Connect),
                Outcome::NotSent(NotSent::LocalResource(number))
            );
        }
        assert_eq!(
            opening_outcome(&error(Errno::CONNREFUSED), Stage::Connect),
            Outcome::Failed { stage: Stage::Connect, cause: Cause::Refused }
        );
    }
}
