//! Templates of the user's: what can't be used is told before anything runs.

use std::path::Path;

use crate::harness::{bundled, rig, said};

/// A directory with a changed template.
fn own(out: &Path, name: &str, change: impl Fn(String) -> String) -> String {
    let directory = out.join("own");
    assert_eq!(said(&mut rig(out, &["render", "--templates", "all"])).code, 0);
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, change(std::fs::read_to_string(out.join("all").join(name)).unwrap())).unwrap();
    directory.display().to_string()
}

#[test]
fn templates_that_cannot_be_used_are_wrong_usage_whatever_the_command() {
    let out = tempfile::tempdir().unwrap();
    let drain = bundled("drain");
    let unfit = own(out.path(), "nginx/nginx.conf", |text| text.replace("daemon off;", "daemon on;"));
    for (directory, says) in [
        ("/nonexistent", "/nonexistent can't be read"),
        (out.path().to_str().unwrap(), "`all/nginx` is no template"),
        (unfit.as_str(), "`daemon on;`: nginx would leave rig's sight: remove it"),
    ] {
        for command in [
            &["run", &drain, "--balancer", "nginx", "--runtime", "process"][..],
            &["up", &drain, "--balancer", "nginx", "--runtime", "process"],
            &["render", &drain, "--balancer", "nginx"],
            &["validate", &drain],
            &["compare", "nginx", "haproxy", &drain, "--runtime", "process"],
        ] {
            let told = said(rig(out.path(), command).args(["--proxy-configs", directory]));
            assert_eq!(told.code, 2, "{command:?}: {}", told.err);
            assert!(told.err.contains(says), "{command:?}: {}", told.err);
        }
    }
    assert!(!out.path().join("results").exists(), "something ran");
}

#[test]
fn what_is_rendered_says_from_which_file() {
    let out = tempfile::tempdir().unwrap();
    let drain = bundled("drain");
    let own = own(out.path(), "haproxy/haproxy.cfg", |text| {
        text.replace("timeout connect 1s", "timeout connect 9s")
    });
    let rendered = |balancer: &str| {
        let told =
            said(&mut rig(out.path(), &["render", &drain, "--balancer", balancer, "--proxy-configs", &own]));
        assert_eq!(told.code, 0, "{}", told.err);
        told.out
    };
    let haproxy = rendered("haproxy");
    assert!(haproxy.contains("timeout connect 9s") && haproxy.contains("haproxy.cfg)\n"), "{haproxy}");
    assert!(!rendered("nginx").contains(", from "));
}
