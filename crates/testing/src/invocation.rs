//! What `rig` is asked to do, put together word by word.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use model::identity::BalancerName;

use crate::ended::{Ended, Run};
use crate::running::Running;
use crate::sandbox::Sandbox;

/// A command line of `rig` that has not been executed yet.
#[derive(Clone, Debug)]
#[must_use = "nothing is executed yet"]
pub struct Invocation {
    sandbox: Sandbox,
    /// What executes it: words before its own.
    within: Vec<OsString>,
    arguments: Vec<OsString>,
    /// What `rig run` gets as well, unless something else was said.
    runtime: Option<&'static str>,
    quiet: bool,
    environment: Vec<(String, OsString)>,
}

impl Invocation {
    pub(crate) fn new<A: AsRef<OsStr>>(
        sandbox: Sandbox,
        arguments: impl IntoIterator<Item = A>,
    ) -> Invocation {
        let arguments = arguments.into_iter().map(|word| word.as_ref().to_owned()).collect();
        let (within, environment) = (Vec::new(), Vec::new());
        Invocation { sandbox, within, arguments, runtime: None, quiet: false, environment }
    }

    pub(crate) fn run(sandbox: Sandbox, file: impl AsRef<OsStr>) -> Invocation {
        let bare = Invocation::new(sandbox, [OsStr::new("run"), file.as_ref()]);
        Invocation { runtime: Some("process"), quiet: true, ..bare }
    }

    pub(crate) fn shell(sandbox: Sandbox, line: &str) -> Invocation {
        let binary = Path::new(sandbox.rig().executable).parent().expect("an executable is in a directory");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let tools = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/bin"));
        let first = [binary, tools].map(Path::to_owned).into_iter();
        let path = std::env::join_paths(first.chain(std::env::split_paths(&path)));
        let bare = Invocation::new(sandbox, [""; 0]).env("PATH", path.expect("no directory has a colon"));
        // bash takes the executable, which comes next, as its own name.
        bare.within(["bash", "-eu", "-o", "pipefail", "-c", line])
    }

    /// These balancers only.
    pub fn on(self, balancers: impl IntoIterator<Item = impl Into<BalancerName>>) -> Invocation {
        let names: Vec<String> = balancers.into_iter().map(|name| name.into().to_string()).collect();
        self.args(["--balancer", &names.join(",")])
    }

    /// These variants only.
    pub fn variants<'a>(self, variants: impl IntoIterator<Item = &'a str>) -> Invocation {
        let names: Vec<&str> = variants.into_iter().collect();
        self.args(["--variant", &names.join(",")])
    }

    /// Sets a key of the scenario.
    pub fn set(self, key: &str, value: &str) -> Invocation {
        self.args(["--set", &format!("{key}={value}")])
    }

    /// In containers instead of local processes.
    pub fn docker(self) -> Invocation {
        self.runtime("docker")
    }

    /// With two of its cells at the same time: for tests of counts, which mostly wait for the end of a load.
    pub fn at_once(self) -> Invocation {
        self.args(["--jobs", "2"])
    }

    /// On this runtime.
    pub fn runtime(self, runtime: &'static str) -> Invocation {
        Invocation { runtime: Some(runtime), ..self }
    }

    /// With what is said of the run's progress.
    pub fn loud(self) -> Invocation {
        Invocation { quiet: false, ..self }
    }

    /// With more arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Invocation {
        self.arguments.extend(arguments.into_iter().map(|word| word.as_ref().to_owned()));
        self
    }

    /// With a variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Invocation {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Executed by another program, e.g. `unshare --net`.
    pub fn within<'a>(mut self, program: impl IntoIterator<Item = &'a str>) -> Invocation {
        self.within.extend(program.into_iter().map(OsString::from));
        self
    }

    /// Executed by a shell that did `setup` before, e.g. `ulimit -n 128`.
    pub fn after(self, setup: &str) -> Invocation {
        self.within(["sh", "-c", &format!("{setup}; exec \"$@\""), "sh"])
    }

    /// Executes it, and waits for its end.
    #[must_use = "nothing is asserted yet"]
    pub fn ends(self) -> Ended {
        let Output { status, stdout, stderr } = self.as_command().output().expect("rig can be executed");
        let text = |bytes| String::from_utf8(bytes).expect("rig writes UTF-8");
        let code = status.code().expect("rig ends by itself");
        Ended { code, out: text(stdout), err: text(stderr), sandbox: self.sandbox }
    }

    /// Executes it, and waits for its end, which must be this.
    #[track_caller]
    pub fn exits(self, code: i32) -> Ended {
        self.ends().exits(code)
    }

    /// Executes it, and reads the summary of the run.
    #[must_use = "nothing is asserted yet"]
    #[track_caller]
    pub fn json(self) -> Run {
        self.args(["--format", "json"]).ends().run()
    }

    /// Executes it in the background.
    pub fn begin(self) -> Running {
        let mut command = self.as_command();
        Running::begin(&mut command, self.sandbox)
    }

    /// The command line, in the sandbox's directory, for tests that talk with the process.
    pub fn as_command(&self) -> Command {
        let words = self.within.iter().cloned().chain([self.sandbox.rig().executable.into()]);
        let mut words = words.collect::<Vec<OsString>>().into_iter();
        let mut command = Command::new(words.next().expect("rig's own word"));
        command.args(words).args(&self.arguments).current_dir(self.sandbox.path()).stdin(Stdio::null());
        if let Some(runtime) = self.runtime {
            command.args(["--runtime", runtime]);
        }
        if self.quiet {
            command.arg("--quiet");
        }
        for kind in ["NGINX", "HAPROXY", "ENVOY", "REDIS"] {
            command.env_remove(format!("RIG_{kind}"));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}
