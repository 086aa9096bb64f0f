//! The scripts of the action, as its steps run them, with a release that is a directory of this machine.

use std::path::{Path, PathBuf};

use testing::{Ended, Sandbox};

use super::{RIG, root, text};

/// What stands in for rig: it keeps its words, and saves a run as rig would.
const STAND_IN: &str = r#"#!/bin/bash
printf '%s\n' "$@" >>"$0.words"
if [ "$1" = report ]; then echo "::notice::reported"; exit 0; fi
while [ "$1" != --out ]; do shift; done
run="$2/drain/$(date +%s%N)"
mkdir -p "$run"
touch "$run/summary.json" "$run/junit.xml"
echo The report
"#;

/// A job of a workflow.
struct Job(Sandbox);

impl Job {
    fn begins() -> Job {
        let job = Job(RIG.idle());
        let stand_in = job.0.write("with blanks/rig", STAND_IN);
        job.0.shell(&format!("chmod 755 '{}'", stand_in.display())).exits(0);
        job
    }

    /// Runs a script of the action in a directory of this job.
    fn step(&self, script: &str, environment: &[(&str, &str)]) -> Ended {
        let line = format!("'{}'/tools/{script}", root().display());
        let path = |name: &str| self.0.path().join(name).into_os_string();
        let step = self.0.shell(&line);
        let step = step.env("GITHUB_OUTPUT", path("output")).env("GITHUB_STEP_SUMMARY", path("summary.md"));
        let step = step.env("RUNNER_TEMP", self.0.path()).env("GITHUB_JOB", "test").env("JOB_INDEX", "0");
        environment.iter().fold(step, |step, (name, value)| step.env(name, value)).ends()
    }

    fn runs(&self, environment: &[(&str, &str)]) -> String {
        let rig = self.0.path().join("with blanks/rig");
        let mut all = vec![("RIG", rig.to_str().unwrap())];
        all.extend(environment);
        self.step("action-run.sh", &all).exits(0);
        self.takes("output")
    }

    /// The text of a file, which is then gone.
    fn takes(&self, name: &str) -> String {
        let path = self.0.path().join(name);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    }
}

/// The lines of an output that has several.
fn lines<'a>(output: &'a str, name: &str) -> Vec<&'a str> {
    let begins = format!("{name}<<END_OF_OUTPUT");
    output
        .lines()
        .skip_while(|line| *line != begins)
        .skip(1)
        .take_while(|line| *line != "END_OF_OUTPUT")
        .collect()
}

#[test]
fn inputs_may_have_blanks() {
    let job = Job::begins();
    job.0.write("my scenarios/a b.yaml", "");
    let output = job.runs(&[
        ("SCENARIOS", "drain\n'my scenarios/a b.yaml' my*/*.yaml"),
        ("RESULTS", "my results"),
        ("BALANCERS", "nginx, haproxy\n"),
        ("FAIL_ON", "with-drain.reset > 0\n\nwith-drain.p99 > 1s\n"),
        ("ARGUMENTS", "--set 'load.rate=200/s' --variant \"with drain,*\""),
    ]);
    let words = job.takes("with blanks/rig.words");
    let (run, report) = words.split_once("\nreport\n").unwrap();
    let scenario = "my scenarios/a b.yaml";
    #[rustfmt::skip]
    let expected = [
        "run", "drain", scenario, scenario, "--runtime", "process", "--out", "my results", "--format", "markdown",
        "--set", "load.rate=200/s", "--variant", "with drain,*", "--balancer", "nginx,haproxy",
        "--fail-on", "with-drain.reset > 0", "--fail-on", "with-drain.p99 > 1s",
    ];
    assert_eq!(run.lines().collect::<Vec<_>>(), expected);
    let runs = lines(&output, "results");
    assert!(matches!(runs.as_slice(), [run] if run.starts_with("my results/drain/")), "{output}");
    assert_eq!(report.lines().collect::<Vec<_>>(), [runs[0], "--format", "github"]);
    assert_eq!(lines(&output, "junit"), [format!("{}/junit.xml", runs[0])]);
    assert_eq!(job.takes("summary.md"), "The report\n");
}

#[test]
fn a_job_may_use_the_action_again_with_the_same_inputs() {
    let job = Job::begins();
    let outputs = [(); 3].map(|()| job.runs(&[("SCENARIOS", "drain")]));
    let names = ["rig-test-0", "rig-test-0-2", "rig-test-0-3"];
    for (output, name) in outputs.iter().zip(names) {
        assert!(output.contains(&format!("artifact={name}\n")), "{output}");
        // Only its own run, and not that of the use before.
        assert_eq!(lines(output, "results").len(), 1, "{output}");
    }
    assert_ne!(lines(&outputs[0], "results"), lines(&outputs[1], "results"));
    assert!(job.runs(&[("SCENARIOS", "drain"), ("ARTIFACT", "mine")]).contains("artifact=mine\n"));
}

/// A server with one release, and its file of checksums.
fn release(job: &Job, checksum_of: &str) -> (String, PathBuf) {
    let version = env!("CARGO_PKG_VERSION");
    let machine = std::env::consts::ARCH;
    let name = format!("rig-{version}-{machine}-linux");
    let folder = job.0.path().join(format!("server/OWNER/rig/releases/download/v{version}"));
    let make = format!(
        "mkdir -p '{0}' {name} && cp 'with blanks/rig' {name}/rig && tar -czf '{0}/{name}.tar.gz' {name} && \
         cd '{0}' && echo \"$({checksum_of} | sha256sum | cut -d ' ' -f 1)  {name}.tar.gz\" >SHA256SUMS",
        folder.display()
    );
    job.0.shell(&make).exits(0);
    (format!("file://{}", job.0.path().join("server").display()), folder)
}

fn gets(job: &Job, server: &str, reference: &str) -> Ended {
    job.step("action-install.sh get", &[("SERVER", server), ("REPOSITORY", "OWNER/rig"), ("REF", reference)])
}

fn is_installed(job: &Job) -> bool {
    job.0.path().join("rig-bin/rig").exists()
}

#[test]
fn a_release_is_downloaded_once_and_only_where_the_action_is_used_by_it() {
    let job = Job::begins();
    let (server, folder) = release(&job, "cat *.tar.gz");
    for other in ["main", "v0", "v99.0.0", "0123456789012345678901234567890123456789"] {
        gets(&job, &server, other).exits(0);
        let output = job.takes("output");
        let key = output.lines().find_map(|line| line.strip_prefix("build=")).unwrap();
        assert!(key.len() == 64 && !is_installed(&job), "{other}: {output}");
    }
    gets(&job, &server, "v1").exits(0).says("as released");
    assert!(is_installed(&job) && !job.takes("output").contains("build="));
    std::fs::remove_dir_all(&folder).unwrap();
    gets(&job, &server, "v1").exits(0).says("here already");
    assert!(!job.takes("output").contains("build="));
}

#[test]
fn the_commit_of_a_release_is_as_good_as_its_tag() {
    let job = Job::begins();
    let (server, _) = release(&job, "cat *.tar.gz");
    let tag = format!(
        "cd server/OWNER/rig; git init --quiet; export GIT_CONFIG_COUNT=2; \
         export GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0=a GIT_CONFIG_KEY_1=user.email GIT_CONFIG_VALUE_1=a@b; \
         git commit --quiet --allow-empty --message released; git tag --annotate --message it v{}; \
         git rev-parse HEAD",
        env!("CARGO_PKG_VERSION")
    );
    let commit = job.0.shell(&tag).exits(0).out;
    gets(&job, &server, commit.trim()).exits(0).says("as released");
    assert!(is_installed(&job));
}

#[test]
fn without_a_release_it_is_built_and_a_release_that_was_changed_is_refused() {
    let job = Job::begins();
    let server = format!("file://{}", job.0.path().display());
    gets(&job, &server, "v1").exits(0).says("is built from its sources");
    assert!(job.takes("output").contains("build="));
    let (server, _) = release(&job, "echo something else");
    gets(&job, &server, "v1").exits(3).says("is not what SHA256SUMS says");
    assert!(!is_installed(&job));
}

#[test]
fn every_script_that_the_action_names_can_be_executed() {
    let action = text("action.yml");
    let scripts = action.split("$GITHUB_ACTION_PATH/").skip(1).map(|rest| rest.split('"').next().unwrap());
    let scripts: Vec<&str> = scripts.filter(|path| path.ends_with(".sh")).collect();
    assert!(scripts.len() >= 3, "{scripts:?}");
    for script in scripts {
        use std::os::unix::fs::PermissionsExt;
        let mode = Path::new(&root()).join(script).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{script}");
    }
}
