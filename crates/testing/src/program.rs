//! The balancers' executables, for tests that run them without rig.

use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;

/// The executable where `make setup` has put it.
pub fn of(balancer: BalancerKind) -> PathBuf {
    let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/bin")).to_owned();
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([tools, "/usr/sbin".into()])
        .map(|directory| directory.join(balancer.name()))
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("{balancer} is missing: run `make setup`"))
}
