//! The third stage: one figure of a cell, by its name: how it is read, what it rests on, and how one, several of them, or
//! a zero are written.

pub(crate) mod bounds;
pub mod catalogue;
pub mod reading;
pub(crate) mod spread;
