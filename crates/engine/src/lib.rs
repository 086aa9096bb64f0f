//! The verbs of rig, in layers: each uses only those above it.
//!
//! [`host`] is this machine: processes, signals, files, addresses, limits. A [`program`] is what a component runs, as data.
//! A [`runtime`] launches programs, as processes or in containers; beside it, a [`balancer`] is an adapter that returns data:
//! files to render, steps that change the rotation, how to read its status and its log. [`components`] lists what can stand
//! in a cell.
//!
//! A [`cell`] brings it all together: [`cell::run`] leases addresses and launches backends and balancer, waits until requests
//! *through the listener* have been answered by every backend, starts the generator, performs the timeline, ends everything
//! in order, and leaves the records in the cell's directory.
//!
//! [`preflight()`](preflight::preflight), [`capacity`], [`room`] and [`checkup`] tell beforehand whether that can be done here;
//! [`salvage`] reads what a killed run has left.

pub mod adoption;
pub mod balancer;
pub mod capacity;
pub mod cell;
pub mod checkup;
pub mod components;
pub mod help;
pub mod host;
pub mod preflight;
pub mod program;
pub mod room;
pub mod runtime;
pub mod salvage;
