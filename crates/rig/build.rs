//! Tells the binary which commit it was built from, so that results say it.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=../../.git/HEAD");
    println!("cargo:rerun-if-changed=../../.git/logs/HEAD");
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    if let Some(commit) = output.ok().filter(|output| output.status.success()) {
        println!("cargo:rustc-env=RIG_COMMIT={}", String::from_utf8_lossy(&commit.stdout).trim());
    }
}
