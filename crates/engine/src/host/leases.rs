//! Addresses that outlive the processes which use them. "Bind port 0, note the number, close" is a race; here a
//! socket stays bound and never listens, so that no other process gets the address, connections to it are refused
//! while no component serves, and a component binds over it (SO_REUSEADDR or SO_REUSEPORT, same user).

use std::cell::RefCell;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Domain, Socket, Type};

use super::HostError;

/// Below the range of ephemeral ports, so that no outgoing connection takes one.
pub(crate) const PORTS: std::ops::Range<u16> = 20_000..28_000;

/// How many ports are tried for one address.
const ATTEMPTS: u16 = 64;

/// Which address is tried next, in this process: an address that a cell has just left is full of connections in
/// TIME_WAIT.
static NEXT: AtomicU16 = AtomicU16::new(0);

/// The addresses of one runtime: each its own 127.a.b.c, where the system has all of 127/8.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: RefCell<Vec<Socket>>,
}

impl Leases {
    /// A new address, with the port that is `wanted`, if one is.
    pub(crate) fn take(&self, wanted: Option<u16>) -> Result<SocketAddr, HostError> {
        // The process id keeps two runs on one host apart; the port moves on where it doesn't.
        let pid = std::process::id();
        let [_, high, middle, low] = pid.to_be_bytes();
        let mut last = None;
        for _ in 0..ATTEMPTS {
            let n = NEXT.fetch_add(1, Ordering::Relaxed);
            let host = u8::try_from(n % 253).unwrap_or(0) + 2;
            let own = Ipv4Addr::new(127, 1 + (middle ^ high) % 254, low, host);
            let port = PORTS.start + (u16::from(low).wrapping_mul(31).wrapping_add(n)) % PORTS.len() as u16;
            let port = wanted.unwrap_or(port);
            for ip in [own, Ipv4Addr::LOCALHOST] {
                let address = SocketAddr::V4(SocketAddrV4::new(ip, port));
                // Without options the bind fails if anybody has the address in any way. The placeholder that
                // follows could share it with a stranger of the same user, and never know.
                match self.hold(address, Sharing::None) {
                    Ok(()) => return Ok(address),
                    // The system has 127.0.0.1 only.
                    Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => continue,
                    Err(error) => last = Some((address, error)),
                }
                break;
            }
        }
        let (address, error) = last.unwrap_or_else(|| {
            (SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start)), io::ErrorKind::AddrNotAvailable.into())
        });
        Err(HostError::AddressBusy {
            address: format!("{address} (the last of {ATTEMPTS} tried: {error})"),
            help: format!("free some ports from {} to {} on loopback", PORTS.start, PORTS.end),
        })
    }

    /// Exactly `address`.
    pub(crate) fn take_at(&self, address: SocketAddr) -> Result<(), HostError> {
        // Connections that an earlier cell left in TIME_WAIT are no obstacle; a listener is.
        self.hold(address, Sharing::Address).map_err(|error| HostError::AddressBusy {
            address: format!("{address} ({error})"),
            help: "free it, or choose another with --listen".into(),
        })
    }

    /// Holds `address` if a bind that shares no more than `probe` says that it is free.
    fn hold(&self, address: SocketAddr, probe: Sharing) -> io::Result<()> {
        drop(bound(address, probe)?);
        self.held.borrow_mut().push(bound(address, Sharing::AddressAndPort)?);
        Ok(())
    }
}

/// With whom a bound socket shares its address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    None,
    /// SO_REUSEADDR: with sockets that have it too and don't listen.
    Address,
    /// SO_REUSEPORT as well: with every socket of this user that has it.
    AddressAndPort,
}

fn bound(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(sharing != Sharing::None)?;
    socket.set_reuse_port(sharing == Sharing::AddressAndPort)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_leased_address_refuses_connections_and_lets_a_server_of_ours_bind() {
        let leases = Leases::default();
        let address = leases.take(None).unwrap();
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let listener = TcpListener::bind(address).unwrap();
        TcpStream::connect(address).unwrap();
        drop(listener);
    }

    #[test]
    fn several_addresses_can_have_the_same_port() {
        let leases = Leases::default();
        let first = leases.take(None).unwrap();
        let second = leases.take(Some(first.port())).unwrap();
        assert_eq!(first.port(), second.port());
        assert_ne!(first.ip(), second.ip());
        let [one, other] = [first, second].map(|address| TcpListener::bind(address).unwrap());
        TcpStream::connect(one.local_addr().unwrap()).unwrap();
        TcpStream::connect(other.local_addr().unwrap()).unwrap();
    }

    #[test]
    fn no_address_is_leased_twice_and_a_taken_one_is_refused() {
        let leases = Leases::default();
        let first = leases.take(None).unwrap();
        assert_ne!(first, leases.take(None).unwrap());
        let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
        let refused = leases.take_at(stranger.local_addr().unwrap());
        assert!(matches!(refused, Err(HostError::AddressBusy { .. })));
    }
}
