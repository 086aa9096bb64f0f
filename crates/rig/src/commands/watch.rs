//! `rig watch`: a scenario from the command line, about a service that rig did not launch.

use std::fmt::Write;
use std::path::PathBuf;

use engine::balancer::Templates;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};
use report::run::Lacks;

use super::judged::{exit, rendered};
use super::planning::{Planned, problems};
use super::run::{controlled, run};
use super::targets;
use crate::cli::{self, Deploys, PullName, RuntimeName, Watch};
use crate::exit::{Exit, Failure, print, tell};

/// The variant with the deploy.
const DEPLOY: &str = "deploy";
/// The variant with the careless one.
const CONTROL: &str = "careless";
/// The variant without any.
const LOOK: &str = "look";

/// Watches, and prints the report.
pub(crate) fn perform(wanted: &Watch) -> Result<Exit, Failure> {
    let usage = |message: &'static str| Failure::usage(anyhow::anyhow!(message));
    let Deploys { careless: control, asked: deploy } = wanted.deploys().map_err(usage)?;
    if deploy.is_none() && wanted.duration.is_none() {
        return Err(usage("name the command that deploys it, after `--`, or how long to look: --for 30s"));
    }
    let text = scenario(wanted, control, deploy);
    let document = Scenario::parse(&wanted.name, &text, &[]).map_err(|found| problems(&found))?;
    let about = if deploy.is_some() { DEPLOY } else { LOOK };
    let choice = Choice {
        repeats: wanted.repeat,
        fail_on: vec![format!("{about}.dropped > 0")],
        without_controls: control.is_none(),
        ..Choice::default()
    };
    let here = std::env::current_dir().map_err(Failure::environment)?;
    let plan =
        Plan::build(&document, &engine::balancer::catalog(), &choice).map_err(|found| problems(&found))?;
    let plan = plan.in_directory(&here);
    // Whoever writes the URL names its host.
    targets::check(&plan, std::slice::from_ref(&wanted.url.host), wanted.max_rate)?;
    let planned = Planned {
        path: PathBuf::from(&wanted.name),
        sets: vec![],
        choice,
        document,
        plan,
        again: Some(words()),
    };
    let as_run = cli::Run {
        scenarios: vec![],
        choice: cli::Choice { balancer: vec![], variant: vec![], sets: vec![], repeat: None, seed: None },
        output: wanted.output.clone(),
        runtime: RuntimeName::Process,
        pull: PullName::Never,
        out: wanted.out.clone(),
        listen: None,
        proxy_configs: None,
        allow_target: vec![wanted.url.host.clone()],
        max_rate: wanted.max_rate,
        fail_on: vec![],
        strict: wanted.strict,
        jobs: cli::Jobs::Auto,
        skip_missing: false,
        quiet: wanted.quiet,
    };
    controlled(async |interrupted| {
        let done = run(&as_run, &planned, &Templates::embedded(), interrupted).await?;
        let measured = done.judged.run.cells.iter().any(|cell| cell.counts.scheduled > 0);
        if done.broken.is_none() || measured {
            print(&rendered(&done.judged, &done.path, &wanted.output))?;
        }
        if let Some(failure) = done.broken {
            return Err(failure);
        }
        let exit = exit(&done.judged.run, wanted.strict);
        let lacks = done.judged.run.lacks();
        match (exit, lacks) {
            (Exit::Invalid, Lacks::Proof) if wanted.unproved_ok => {
                tell("nothing was lost; that is unproved, and accepted (--unproved-ok)");
                Ok(Exit::Held)
            }
            _ => Ok(exit),
        }
    })
}

/// The words of this command line.
fn words() -> Vec<String> {
    let given = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    std::iter::once("rig".to_owned()).chain(given).collect()
}

/// The scenario that the command line says.
fn scenario(wanted: &Watch, control: Option<&[String]>, deploy: Option<&[String]>) -> String {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let list = |words: &[String]| serde_json::to_string(words).unwrap_or_default();
    let bare = model::target::TargetUrl { path: "/".to_owned(), ..wanted.url.clone() };
    let question = match deploy {
        Some(_) => format!("Does the deploy of {} lose requests?", wanted.url),
        None => format!("Does {} lose requests?", wanted.url),
    };
    let mut out = String::new();
    // A String takes any text.
    let _ = writeln!(out, "name: {}\nquestion: {}\ntarget:", quoted(&wanted.name), quoted(&question));
    let _ = writeln!(out, "  url: {}", quoted(&bare.to_string()));
    let optional = [("host", &wanted.host), ("identity_header", &wanted.identity_header)];
    for (key, value) in optional {
        if let Some(value) = value {
            let _ = writeln!(out, "  {key}: {}", quoted(value));
        }
    }
    if let Some(ca) = &wanted.ca {
        let _ = writeln!(out, "  ca: {}", quoted(&ca.display().to_string()));
    }
    let _ = writeln!(out, "load:\n  rate: {}\n  timeout: {}", wanted.rate, wanted.timeout);
    let _ = writeln!(out, "  warmup: 1s\n  fresh_connections: {}", wanted.fresh_connections);
    let _ = writeln!(out, "  method: {}\n  path: {}", quoted(&wanted.method), quoted(&wanted.url.path));
    // A header that is repeated is one key with a list.
    let mut headers: Vec<(&str, Vec<String>)> = Vec::new();
    for (name, value) in &wanted.header {
        match headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, values)) => values.push(value.clone()),
            None => headers.push((name, vec![value.clone()])),
        }
    }
    if !headers.is_empty() {
        let headers: Vec<_> =
            headers.iter().map(|(name, values)| format!("{}: {}", quoted(name), list(values))).collect();
        let _ = writeln!(out, "  headers: {{{}}}", headers.join(", "));
    }
    if !wanted.expect_status.is_empty() {
        let _ = writeln!(out, "  expect_status: {}", list(&wanted.expect_status));
    }
    let command =
        |words: &[String]| format!("{{run: {}, within: {}, environment: all}}", list(words), wanted.within);
    match deploy {
        None => {
            let duration = wanted.duration.unwrap_or(wanted.baseline);
            let _ = writeln!(out, "  for: {duration}\nvariants:\n  {LOOK}: {{}}");
        }
        Some(deploy) => {
            let most = model::units::Span(wanted.baseline.0 + wanted.within.0 + 4 * wanted.timeout.0);
            let _ = writeln!(out, "  for: {most}\n  until: settled");
            let _ = writeln!(out, "timeline:\n  deploy: {{at: {}, roll: {{}}}}\nvariants:", wanted.baseline);
            for (name, words) in [(CONTROL, control), (DEPLOY, Some(deploy))] {
                if let Some(words) = words {
                    let _ = writeln!(out, "  {name}: {{target: {{commands: {{roll: {}}}}}}}", command(words));
                }
            }
        }
    }
    if control.is_some() {
        let _ = writeln!(out, "control: [{CONTROL}.dropped > 0]");
    }
    out
}
