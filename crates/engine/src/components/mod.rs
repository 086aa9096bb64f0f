//! What can stand in a cell beside rig's own agents, as data: balancers, and services that backends use. A new service is a
//! file here and its line in [`SERVICES`].

pub mod redis;

use std::net::SocketAddr;

use model::catalog::BalancerKind;
use model::sessions::Password;
use model::topology::Topology;

use crate::balancer::adapter;
use crate::program::Program;

/// Every service.
pub const SERVICES: [&Service; 1] = [&redis::SERVICE];

/// A server that backends use.
#[derive(Debug)]
pub struct Service {
    /// Its program, by whose name it is known.
    pub program: &'static Program,
    /// What errors call it.
    pub title: &'static str,
    /// Whether a topology needs one.
    pub needed_by: fn(&Topology) -> bool,
    /// How it is started at an address, with a password that keeps everybody else out.
    pub start: fn(SocketAddr, &Password) -> ServiceStart,
}

/// How a service is started, and what shows that it serves.
#[derive(Debug)]
pub struct ServiceStart {
    /// Its configuration, which only its own user may read: the name of the file in its directory, and the text.
    pub configuration: (&'static str, String),
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What is sent to it on a connection of its own until it answers.
    pub question: String,
    /// What it answers when it serves.
    pub answer: &'static str,
    /// What that proves, in words.
    pub proof: &'static str,
}

/// The services that `topology` needs.
pub fn beside(topology: &Topology) -> impl Iterator<Item = &'static Service> {
    SERVICES.into_iter().filter(|service| (service.needed_by)(topology))
}

/// Every program that a component may run, in the order of tables.
pub fn programs() -> impl Iterator<Item = &'static Program> {
    balancers().chain(SERVICES.iter().map(|service| service.program))
}

/// The program of each balancer.
pub fn balancers() -> impl Iterator<Item = &'static Program> {
    BalancerKind::ALL.into_iter().map(|kind| adapter(kind).program())
}
