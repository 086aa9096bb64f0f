//! The verbs of rig. A cell of a [`model::plan::Plan`] goes through here like this:
//!
//! [`cell::run`] leases addresses and launches backends and balancer on a [`runtime`], waits until requests
//! *through the listener* have been answered by every backend, starts the generator, performs the timeline
//! ([`cell`]'s deploy and faults), ends everything in order, and leaves the records in the cell's directory.
//!
//! A [`balancer`] is one small file that returns data: files to render, a command, steps that change the
//! rotation, how to read its status and its log. One interpreter ([`cell`]'s `control`) performs the steps.
//!
//! A [`checkup`] tells beforehand whether all of that can be done here; it ends with a [`cell::trial()`].

pub mod balancer;
pub mod capacity;
pub mod cell;
pub mod checkup;
pub mod components;
pub mod help;
pub mod host;
pub mod preflight;
pub mod program;
pub mod runtime;
pub mod salvage;
