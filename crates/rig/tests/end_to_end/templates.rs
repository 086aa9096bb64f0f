//! Templates of the user's: what can't be used is told before anything runs.

use std::path::Path;

use serde_json::Value;

use crate::harness::{alive, bundled, histories, launched, machine, rig, said};

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

const CALM: &str = "name: calm\nquestion: Whose settings?\nbalancers: [nginx]\ntopology:\n  pools: { web: { backends: 2 } }\n  \
                    routes: { all: { path: /, to: web } }\nload: { rate: 100/s, for: 2s, warmup: 500ms, timeout: 1s }\n\
                    variants: { calm: {} }\nexpect: [ calm.ok > 0 ]\n";

#[test]
fn a_report_states_the_settings_of_the_users_template_and_nginx_stays_in_the_foreground_without_being_told() {
    let _alone = machine();
    let out = tempfile::tempdir().unwrap();
    std::fs::write(out.path().join("calm.yaml"), CALM).unwrap();
    let own = own(out.path(), "nginx/nginx.conf", |text| {
        let next = "proxy_next_upstream error http_502;";
        text.replace("daemon off;\n", "").replace("{{ next_upstream }}", next)
    });
    let arguments = [
        "run",
        "calm.yaml",
        "--runtime",
        "process",
        "--quiet",
        "--format",
        "json",
        "--proxy-configs",
        own.as_str(),
    ];
    let told = said(&mut rig(out.path(), &arguments));
    assert_eq!(told.code, 0, "{} {}", told.out, told.err);
    let run: Value = serde_json::from_str(&told.out).unwrap();
    let setting = |name: &str| {
        let settings = run["cells"][0]["settings"].as_array().unwrap();
        let found = settings.iter().find(|setting| setting["name"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {settings:?}"))["rendered"].as_str().unwrap().to_owned()
    };
    assert_eq!(setting("retries"), "proxy_next_upstream error http_502;");
    assert_eq!(setting("template"), format!("own: {own}/nginx/nginx.conf"));
    let template = &run["environment"]["templates"]["nginx/nginx.conf"];
    assert!(template["diff"].as_str().unwrap().contains("-daemon off;\n"), "{template}");
    assert!(run["experiment"].as_str().unwrap().starts_with("100 requests/s (constant) for 2 s"));
    let command: Vec<&str> =
        run["environment"]["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(command[..3], ["rig", "run", "calm.yaml"]);
    assert!(command.contains(&format!("--proxy-configs={own}").as_str()), "{command:?}");
    // What nginx left was in its group, or begun in its directory.
    let history: Vec<Value> =
        histories(out.path())[0].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(alive(&launched(&history)), Vec::<String>::new());
}
