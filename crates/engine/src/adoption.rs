//! Lets the real balancer look at a configuration that was taken over. What it refuses is left out and said, as long as it
//! refuses one statement after another.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use model::catalog::BalancerKind;
use model::plan::Plan;

use crate::balancer::{Adoption, RenderError, Rotation, Site, Templates, adapter, example_site};
use crate::host::HostError;
use crate::host::certificates::Certificates;
use crate::program::installed::find;

/// More than a file has that lacks one module.
const MOST: usize = 60;
/// How long the balancer may look at it: it may ask a name server for the names in it.
const WITHIN: Duration = Duration::from_secs(30);

/// Why it could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It can't be rendered.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// No place for it.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The balancer does not come to an end.
    #[error("{kind} looked at what was taken over for more than {seconds} s: does it resolve a name?")]
    Hangs {
        /// The balancer.
        kind: BalancerKind,
        /// How long it was given.
        seconds: u64,
    },
    /// A cell could not work with it.
    #[error("a cell can't run what was taken over:\n{0}")]
    Unfit(String),
    /// The balancer refuses it, and no statement can be left out.
    #[error("{kind} refuses what was taken over:\n{said}")]
    Refused {
        /// The balancer.
        kind: BalancerKind,
        /// Its words.
        said: String,
    },
}

/// The configuration as the balancer of this machine accepts it for the topology of `plan`, and what is to be said of that.
///
/// # Errors
/// If it accepts none.
pub fn checked(
    kind: BalancerKind,
    mut adoption: Adoption,
    plan: &Plan,
) -> Result<(Adoption, String), CheckError> {
    let (Some(adopts), Some(variant)) = (adapter(kind).adopts(), plan.variants.first()) else {
        return Ok((adoption, String::new()));
    };
    let program = adapter(kind).program();
    let Ok(executable) = find(program) else {
        return Ok((adoption, format!("not checked: {} is not on this machine", program.name)));
    };
    let scratch = tempfile::tempdir().map_err(HostError::file::<HostError>("/tmp"))?;
    let site = site(scratch.path(), example_site(variant, kind.into()), variant.traffic.host())?;
    for left_out in 0..=MOST {
        let templates = Templates::embedded().with_adopted(kind, &adoption);
        let topology = &variant.topology;
        let files = adapter(kind).files(topology, &site, &Rotation::initial(topology), &templates)?;
        for file in &files {
            let path = site.directory.join(&file.path);
            let made = std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))
                .and_then(|()| std::fs::write(&path, &file.text));
            made.map_err(HostError::file::<HostError>(&path))?;
        }
        let arguments = adapter(kind).arguments(topology, &site, &files);
        let mut test = Command::new(&executable);
        test.args(adopts.test_arguments()).args(arguments).current_dir(&site.directory);
        let output = ended(test).map_err(HostError::file::<HostError>(&executable))?;
        let Some(output) = output else { return Err(CheckError::Hangs { kind, seconds: WITHIN.as_secs() }) };
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() {
            let misfits = adapter(kind).misfits(topology, &site, &files);
            if !misfits.is_empty() {
                let said: Vec<_> = misfits.iter().map(|it| format!("{}: {}", it.what, it.fix)).collect();
                return Err(CheckError::Unfit(said.join("\n")));
            }
            return Ok((adoption, format!("checked: {} of this machine accepts it", program.name)));
        }
        let refused = adopts.refused(&said).filter(|_| left_out < MOST);
        if !refused.is_some_and(|(line, words)| adoption.without(adopts, line, &words)) {
            return Err(CheckError::Refused { kind, said: said.trim().to_owned() });
        }
    }
    Ok((adoption, String::new()))
}

/// What a command said, once it has ended; `None`: it had not within its time, and was ended.
fn ended(command: Command) -> std::io::Result<Option<Output>> {
    let waiting = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    waiting.block_on(async {
        let mut command = tokio::process::Command::from(command);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output();
        match tokio::time::timeout(WITHIN, output).await {
            Ok(output) => output.map(Some),
            Err(_) => Ok(None),
        }
    })
}

/// A place where nothing runs, with certificates.
fn site(scratch: &Path, example: Site, host: Option<&str>) -> Result<Site, HostError> {
    let certificates = match &example.certificates {
        Some(_) => Some(Certificates::make(&scratch.join("certificates"), host, std::iter::empty())?),
        None => None,
    };
    // A port that the kernel gives to no other process while this looks.
    let reserved = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|it| it.local_addr());
    let listener: SocketAddr = reserved.map_err(HostError::file("127.0.0.1"))?;
    let (directory, admin) = (scratch.join("cell"), scratch.join("admin.sock"));
    Ok(Site { directory, admin, listener, certificates, ..example })
}
