//! One network per cell, with a subnet that no other network uses.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};

use super::creations::Creations;
use super::error::DockerError;

/// Subnets are taken from 198.18.0.0/15, which RFC 2544 sets aside for benchmarks of network devices.
const FIRST: u32 = u32::from_be_bytes([198, 18, 0, 0]);
/// How many /24 there are in it.
pub(super) const SUBNETS: u32 = 512;
/// The driver.
pub(super) const DRIVER: &str = "bridge";

/// The network of a cell.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) id: String,
    subnet: Ipv4Addr,
}

impl Network {
    /// Creates a network called `name`; the first subnet that is tried depends on `draw`.
    pub(super) async fn create(
        docker: &Docker,
        creations: &Creations,
        name: &str,
        labels: &HashMap<String, String>,
        draw: u32,
    ) -> Result<Network, DockerError> {
        let routed = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
        let mut last = "the host has routes to all that were tried".to_owned();
        for n in 0..SUBNETS {
            // A stride that is prime to their number, so that attempts don't cluster.
            let subnet = Ipv4Addr::from(FIRST + (draw.wrapping_add(n * 37) % SUBNETS) * 256);
            // The engine accepts a subnet that the host has another way to.
            if is_routed(&routed, subnet) {
                continue;
            }
            let (docker, request) = (docker.clone(), request(name, labels, subnet));
            match creations.create(async move { docker.create_network(request).await }).await {
                Ok(created) => return Ok(Network { id: created.id, subnet }),
                Err(Error::DockerResponseServerError { message, .. }) if is_taken(&message) => last = message,
                Err(error) => return Err(DockerError::refused("create the cell's network")(error)),
            }
        }
        Err(DockerError::NoSubnet { tried: SUBNETS, last })
    }

    /// The address of the `n`-th place in it. The first is the host's.
    pub(super) fn address(&self, n: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.subnet.octets();
        Ipv4Addr::new(a, b, c, n)
    }
}

fn is_taken(message: &str) -> bool {
    message.contains("overlaps") || message.contains("already in use") || message.contains("conflicts with")
}

fn request(name: &str, labels: &HashMap<String, String>, subnet: Ipv4Addr) -> NetworkCreateRequest {
    let config = IpamConfig { subnet: Some(format!("{subnet}/24")), ..IpamConfig::default() };
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some(DRIVER.into()),
        ipam: Some(Ipam { config: Some(vec![config]), ..Ipam::default() }),
        labels: Some(labels.clone()),
        ..NetworkCreateRequest::default()
    }
}

/// How many of the subnets /proc/net/route leads to.
pub(super) fn routed(routes: &str) -> u32 {
    let subnets = (0..SUBNETS).map(|n| Ipv4Addr::from(FIRST + n * 256));
    subnets.map(|subnet| u32::from(is_routed(routes, subnet))).sum()
}

/// Whether a line of /proc/net/route, but for the default one, leads to addresses of `subnet` (/24).
fn is_routed(routes: &str, subnet: Ipv4Addr) -> bool {
    routes.lines().skip(1).any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // Hexadecimal, in the byte order of the machine: little-endian wherever Docker runs.
        let number = |place: usize| {
            fields.get(place).and_then(|hex| u32::from_str_radix(hex, 16).ok()).map(u32::swap_bytes)
        };
        match (number(1), number(7)) {
            (Some(to), Some(mask)) if mask != 0 => {
                let common = mask & 0xffff_ff00;
                to & common == u32::from(subnet) & common
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_that_the_host_has_a_route_to_is_known() {
        let routes = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             br-1\t000712C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert!(is_routed(routes, Ipv4Addr::new(198, 18, 7, 0)));
        assert!(!is_routed(routes, Ipv4Addr::new(198, 18, 8, 0)));
        assert!(!is_routed(routes, Ipv4Addr::new(198, 19, 7, 0)));
        assert_eq!(routed(routes), 1);
        assert_eq!(routed(&routes.replace("00FFFFFF", "0000FEFF")), SUBNETS);
    }
}
