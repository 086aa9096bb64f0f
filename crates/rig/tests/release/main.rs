//! What users install, the action that they use, and what later versions must still be able to read.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod action;
mod files;
mod samples;

use std::path::{Path, PathBuf};

use testing::Rig;

const RIG: Rig = Rig::new(env!("CARGO_BIN_EXE_rig"), "");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}
