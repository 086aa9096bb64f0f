//! What `make dist` makes, where it was made; and what the README says of it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::{RIG, root, text};

/// Prints `command`'s output, a line per element; `None`: there is nothing of this version in `target/dist`.
fn of_dist(command: &str) -> Option<BTreeSet<String>> {
    let dist = root().join("target/dist");
    let name = format!("rig-{}-{}-linux.tar.gz", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    if !dist.join(name).is_file() {
        eprintln!("skipped: target/dist has no files of this version (make dist)");
        return None;
    }
    let line = format!("cd '{}'; {command}", dist.display());
    Some(RIG.idle().shell(&line).exits(0).out.lines().map(str::to_owned).collect())
}

#[test]
fn checksums_are_those_of_all_files() {
    let Some(_) = of_dist("sha256sum --check --quiet --strict SHA256SUMS") else { return };
    let listed = of_dist("cut -d ' ' -f 3 SHA256SUMS").unwrap();
    let mut present = of_dist("ls").unwrap();
    present.remove("SHA256SUMS");
    assert_eq!(listed, present);
}

#[test]
fn the_archive_has_a_static_binary_completions_pages_and_licences() {
    let Some(listed) = of_dist("tar -tzf rig-*-linux.tar.gz | cut -d / -f 2-") else { return };
    #[rustfmt::skip]
    let wanted = [
        "rig", "README.md", "LICENSE", "LICENSES-OF-LIBRARIES", "completions/rig.bash", "completions/_rig",
        "completions/rig.fish", "man/rig.1", "man/rig-run.1",
    ];
    wanted.iter().for_each(|file| assert!(listed.contains(*file), "{file} is not in {listed:?}"));
    let unpacked = "tar -xzf rig-*-linux.tar.gz -C \"$OLDPWD\"; cd \"$OLDPWD\"/rig-*";
    let said = of_dist(&format!("{unpacked}; ldd ./rig 2>&1 || true; ./rig --version")).unwrap();
    let said = said.into_iter().collect::<Vec<_>>().join("\n");
    assert!(said.contains(concat!("rig ", env!("CARGO_PKG_VERSION"))), "{said}");
    assert!(said.contains("statically linked") || said.contains("not a dynamic executable"), "{said}");
}

#[test]
fn the_package_names_the_balancers_and_debians_other_rig() {
    let Some(fields) = of_dist("dpkg-deb --field rig-lab_*.deb") else { return };
    for field in ["Package: rig-lab", "Recommends: nginx, libnginx-mod-stream, haproxy", "Conflicts: rig"] {
        assert!(fields.contains(field), "{field}: {fields:?}");
    }
    // It is static.
    assert!(!fields.iter().any(|field| field.starts_with("Depends:")), "{fields:?}");
    let files = of_dist("dpkg-deb --fsys-tarfile rig-lab_*.deb | tar -t").unwrap();
    #[rustfmt::skip]
    let wanted = [
        "usr/bin/rig", "usr/share/bash-completion/completions/rig", "usr/share/zsh/vendor-completions/_rig",
        "usr/share/fish/vendor_completions.d/rig.fish", "usr/share/man/man1/rig-run.1.gz", "usr/share/doc/rig-lab/copyright",
    ];
    wanted
        .iter()
        .for_each(|file| assert!(files.contains(&format!("./{file}")), "{file} is not in {files:?}"));
}

#[test]
fn the_sbom_has_every_crate_that_is_built_in() {
    let Some(sbom) = of_dist("cat rig-*.cdx.json") else { return };
    let lines = |start: &str| sbom.iter().filter(|line| line.trim_start().starts_with(start)).count();
    assert!(lines("\"bom-ref\": \"pkg:cargo/tokio@") == 1 && lines("\"purl\": \"pkg:cargo/") > 100);
}

#[test]
fn the_command_of_the_readme_installs_this_crate() {
    let readme = text("README.md");
    let command = readme.lines().find_map(|line| line.strip_prefix("cargo install ")).unwrap();
    let path = command.split(" --path ").nth(1).unwrap().split(' ').next().unwrap();
    let package = root().join(path).canonicalize().unwrap();
    assert_eq!(package, PathBuf::from(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap());
    assert!(command.contains("--locked"));
}
