//! Templates of the user's: what can't be used is told before anything runs.

use testing::{Haproxy, Nginx, Sandbox, left};

use crate::RIG;

/// A directory with a changed template.
fn own(rig: &Sandbox, name: &str, change: impl Fn(String) -> String) -> String {
    rig.command(["render", "--templates", "all"]).exits(0);
    let built_in = std::fs::read_to_string(rig.path().join("all").join(name)).unwrap();
    rig.write(format!("own/{name}"), change(built_in));
    rig.path().join("own").display().to_string()
}

#[test]
fn templates_that_cannot_be_used_are_wrong_usage_whatever_the_command() {
    let rig = RIG.idle();
    let drain = RIG.scenario("drain");
    let unfit = own(&rig, "nginx/nginx.conf", |text| text.replace("daemon off;", "daemon on;"));
    for (directory, says) in [
        ("/nonexistent", "/nonexistent can't be read"),
        (rig.path().to_str().unwrap(), "`all/nginx` is no template"),
        (unfit.as_str(), "`daemon on;`: nginx would leave rig's sight: remove it"),
    ] {
        for command in [
            &["run", &drain, "--balancer", "nginx", "--runtime", "process"][..],
            &["up", &drain, "--balancer", "nginx", "--runtime", "process"],
            &["render", &drain, "--balancer", "nginx"],
            &["validate", &drain],
            &["compare", "nginx", "haproxy", &drain, "--runtime", "process"],
        ] {
            rig.command(command).args(["--proxy-configs", directory]).exits(2).complains(says);
        }
    }
    assert!(!rig.path().join("results").exists(), "something ran");
}

#[test]
fn what_is_rendered_says_from_which_file() {
    let rig = RIG.idle();
    let own =
        own(&rig, "haproxy/haproxy.cfg", |text| text.replace("timeout connect 1s", "timeout connect 9s"));
    let render =
        |balancer| rig.command(["render", &RIG.scenario("drain"), "--proxy-configs", &own]).on([balancer]);
    render(Haproxy).exits(0).says("timeout connect 9s").says("haproxy.cfg)\n");
    let nginx = render(Nginx).exits(0);
    assert!(!nginx.out.contains(", from "), "{nginx}");
}

const CALM: &str = "name: calm\nquestion: Whose settings?\nbalancers: [nginx]\ntopology:\n  pools: { web: { backends: 2 } }\n  \
                    routes: { all: { path: /, to: web } }\nload: { rate: 100/s, for: 2s, warmup: 500ms, timeout: 1s }\n\
                    variants: { calm: {} }\nexpect: [ calm.ok > 0 ]\n";

#[test]
fn a_report_states_the_settings_of_the_users_template_and_nginx_stays_in_the_foreground_without_being_told() {
    let rig = RIG.beside_others();
    rig.write("calm.yaml", CALM);
    let own = own(&rig, "nginx/nginx.conf", |text| {
        let next = "proxy_next_upstream error http_502;";
        text.replace("daemon off;\n", "").replace("{{ next_upstream }}", next)
    });
    let run = rig.run_file("calm.yaml").args(["--proxy-configs", &own]).json();
    run.exits(0);
    let setting = |name: &str| {
        let settings = &run.cells[0].settings;
        let found = settings.iter().find(|setting| setting.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {settings:?}")).rendered.clone()
    };
    assert_eq!(setting("retries"), "proxy_next_upstream error http_502;");
    assert_eq!(setting("template"), format!("own: {own}/nginx/nginx.conf"));
    let template = &run.environment.templates["nginx/nginx.conf"];
    assert!(template.diff.contains("-daemon off;\n"), "{template:?}");
    assert!(run.experiment.starts_with("100 requests/s (constant) for 2 s"));
    let command = &run.environment.command;
    assert_eq!(command[..3], ["rig", "run", "calm.yaml"]);
    assert!(command.contains(&format!("--proxy-configs={own}")), "{command:?}");
    // What nginx left was in its group, or begun in its directory.
    assert_eq!(left::alive(&rig.histories()[0].launched()), Vec::<String>::new());
}
