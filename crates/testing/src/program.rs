//! The balancers' executables, for tests that run them without rig.

use std::path::{Path, PathBuf};

use model::catalog::BalancerKind;

/// The executable where `make setup` has put it.
pub fn of(balancer: BalancerKind) -> PathBuf {
    named(balancer.name()).unwrap_or_else(|| panic!("{balancer} is missing: run `make setup`"))
}

/// The executable of that name, such as `nginx-1.31.3` of one version; `None`: there is none.
pub fn named(name: &str) -> Option<PathBuf> {
    let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/bin")).to_owned();
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([tools, "/usr/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}
