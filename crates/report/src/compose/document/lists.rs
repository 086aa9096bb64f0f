//! The lists of a report: claims, sources of dropped requests, derivations, doubts, books.

use std::iter;

use model::plan::{SkippedBalancer, Unavailable};
use model::records::{ContainerEngine, TemplateUsed};
use model::shell;

use super::{Line, Mark, Quote, mark};
use crate::analysis::attribution::DroppedGroup;
use crate::analysis::books::Grade;
use crate::analysis::errors;
use crate::judge::doubts::{self, Doubt};
use crate::judge::verdict::{ClaimVerdict, Holding, Proof, Role, RunProblem, RunSummary};
use crate::measure::counts::Counts;
use crate::measure::generator::GeneratorPart;
use crate::measure::summary::CellSummary;
use crate::measure::zero::per_request;
use crate::numbers::{millis, percent, percent_up, words};

/// What could not be run, and why: it has no cell in any table.
pub(crate) fn unavailable(run: &RunSummary) -> Vec<Line> {
    let line = |it: &Unavailable| Line::plain(format!("{}: n/a ({})", it.variant, it.reason));
    let skipped = |it: &SkippedBalancer| Line::plain(format!("{}: skipped ({})", it.balancer, it.reason));
    run.unavailable.iter().map(line).chain(run.skipped.iter().map(skipped)).collect()
}

/// How a claim about a balancer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StandingClaim {
    /// The balancer, with the repeat where it is about one of several.
    pub(crate) of: String,
    /// The claim.
    pub(crate) claim: String,
    /// What was observed, and why it stands so; perhaps empty.
    pub(crate) details: String,
    pub(crate) mark: Mark,
}

impl StandingClaim {
    /// The claim with its details.
    pub(crate) fn text(&self) -> String {
        match self.details.as_str() {
            "" => self.claim.clone(),
            details => format!("{}  ({details})", self.claim),
        }
    }

    fn line(&self) -> Line {
        Line::new(self.mark, format!("{}  {}", self.of, self.text()))
    }
}

pub(super) fn claims(run: &RunSummary) -> Vec<Line> {
    standing(run).iter().map(StandingClaim::line).collect()
}

/// Each claim once per balancer; of several repeats, also each in which it did not hold.
pub(super) fn standing(run: &RunSummary) -> Vec<StandingClaim> {
    if run.proofs.is_empty() {
        return run.claims.iter().map(|claim| of_claim(run, claim)).collect();
    }
    run.proofs.iter().flat_map(|proof| of_proof(run, proof)).collect()
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Control => "control: ",
        Role::Expect => "",
    }
}

fn of_proof(run: &RunSummary, proof: &Proof) -> Vec<StandingClaim> {
    let about = |claim: &&ClaimVerdict| {
        (claim.balancer, claim.role, &claim.text) == (proof.balancer, proof.role, &proof.text)
    };
    let not_held = run.claims.iter().filter(about).filter(|claim| claim.holding != Holding::Held);
    let mut standing: Vec<_> = not_held.map(|claim| of_claim(run, claim)).collect();
    // What a balancer does not run, it runs in no repeat: one line says it.
    standing.dedup();
    let repeats = run.repeats;
    let details = match &proof.zero {
        _ if proof.held == 0 => return standing,
        Some(zero) => zero.says.clone(),
        None => format!("held in {} of {repeats} repeats: {}", proof.held, proof.observed),
    };
    let mark = if proof.held == repeats { Mark::Good } else { Mark::None };
    let (of, claim) = (proof.balancer.to_string(), format!("{}{}", role_word(proof.role), proof.text));
    standing.push(StandingClaim { of, claim, details, mark });
    standing
}

fn of_claim(run: &RunSummary, claim: &ClaimVerdict) -> StandingClaim {
    let repeat = match claim.holding {
        Holding::NotApplicable(_) => String::new(),
        _ if run.repeats > 1 => format!(" #{}", claim.repeat),
        _ => String::new(),
    };
    let holding = match &claim.holding {
        Holding::Held | Holding::Failed => None,
        Holding::Masked => Some("masked: retries hid every failure".to_owned()),
        Holding::Unproven(reason) => Some(format!("unproven: {reason}")),
        Holding::NotApplicable(reason) => Some(format!("n/a: {reason}")),
    };
    let observed = Some(claim.evidence()).filter(|evidence| !evidence.is_empty());
    let details: Vec<_> = holding.into_iter().chain(observed).collect();
    StandingClaim {
        of: format!("{}{repeat}", claim.balancer),
        claim: format!("{}{}", role_word(claim.role), claim.text),
        details: details.join("; "),
        mark: mark(&claim.holding),
    }
}

pub(super) fn sources(run: &RunSummary) -> Vec<Line> {
    let cell = |cell: &CellSummary| {
        let label = run.label(cell);
        let lines = cell.dropped.iter().map(|group| Line::about(&label, Mark::None, &source(group)));
        lines.collect::<Vec<_>>()
    };
    run.cells.iter().flat_map(cell).collect()
}

fn source(group: &DroppedGroup) -> String {
    let source = &group.source;
    let (who, phase, count) = (source.who(), source.phase, group.count);
    let errors = errors::words(&group.errors).map_or(String::new(), |errors| format!(" ({errors})"));
    format!("{who} {phase}: {count} × {}{errors}, {}", group.seen_as(), source.sub_cause.words())
}

pub(super) fn windows(run: &RunSummary) -> Vec<Line> {
    let line = |cell: &CellSummary| {
        let window = cell.deploy.as_ref()?.window?;
        let length = millis(window.length.as_millis());
        let why = match window.derived {
            None => "as the scenario says".to_owned(),
            Some(derived) => format!(
                "1.2 × {} (the slowest of {} requests in the baseline) + 250 ms; at 95 % fewer than {} of \
                 requests are slower",
                millis(derived.slowest.as_millis()),
                derived.samples,
                percent_up(per_request(derived.samples.max(1)))
            ),
        };
        Some(Line::about(&run.label(cell), Mark::None, &format!("{length} = {why}")))
    };
    run.cells.iter().filter_map(line).collect()
}

/// Every doubt, with its reason.
pub(super) fn doubts(run: &RunSummary) -> Vec<Line> {
    let line = |doubt: Doubt| {
        let mark = if doubt.known { Mark::None } else { Mark::Unknown };
        match &doubt.label {
            Some(label) => Line::about(label, mark, &doubt.said()),
            None => Line::new(mark, doubt.said()),
        }
    };
    doubts::of(run).into_iter().map(line).collect()
}

/// One line per cell: who kept the books, did they balance, and with which exceptions; then what nothing explains.
pub(super) fn books(run: &RunSummary) -> Vec<Line> {
    let lines = |cell: &CellSummary| {
        let label = run.label(cell);
        let unmatched =
            cell.books.unmatched.iter().map(|unmatched| Line::about(&label, Mark::Bad, &unmatched.words()));
        let unmatched: Vec<_> = unmatched.collect();
        std::iter::once(books_line(&label, cell)).chain(unmatched).collect::<Vec<_>>()
    };
    run.cells.iter().flat_map(lines).collect()
}

fn books_line(label: &str, cell: &CellSummary) -> Line {
    let books = &cell.books;
    let (mark, word) = match books.balance() {
        true => (Mark::Good, "balanced"),
        false => (Mark::Bad, "not balanced"),
    };
    let kept = match books.grade {
        Grade::Full => "full (client, ledgers and access log)".to_owned(),
        grade => {
            let why = match books.own_services {
                true => Some("client and access log: your own service keeps no ledger"),
                false => None,
            };
            let why = books.access_log.why_not().or(why).unwrap_or("no backend keeps a ledger");
            format!("{} ({why})", grade.name())
        }
    };
    let mut text = format!("{word}; books: {kept}; {} requests", books.recorded);
    // Without ledgers no execution is known.
    if books.grade != Grade::ClientOnly && !books.own_services {
        text.push_str(&format!(", {} executions", books.executions));
    }
    for (count, name) in [(books.duplicates, "executed more than once"), (books.masked, "masked")] {
        if count > 0 {
            text.push_str(&format!("; {count} {name}"));
        }
    }
    for (exception, count) in &books.exceptions {
        text.push_str(&format!("; {count} {}", words(exception)));
    }
    Line::about(label, mark, &text)
}

/// What a reader should know of a cell, beside its figures.
pub(crate) fn notes_of(cell: &CellSummary) -> Vec<String> {
    let mut notes = Vec::new();
    let Counts { dropped, scheduled, .. } = &cell.warmup;
    if *dropped > 0 {
        notes.push(format!(
            "{dropped} of {scheduled} requests of the warm-up were dropped; they are not in the counts"
        ));
    }
    if cell.generator.surplus > 0 {
        notes.push(format!(
            "on {} connections, more bytes arrived than the responses had; the complete responses count, and the \
             connections were closed",
            cell.generator.surplus
        ));
    }
    notes.extend(cell.warnings.iter().cloned());
    notes
}

pub(super) fn notes(run: &RunSummary) -> Vec<Line> {
    let mut lines = Vec::new();
    for cell in &run.cells {
        let label = run.label(cell);
        if let Some(published) = &cell.published {
            let text = format!("while it ran, the listener was published at {published}");
            lines.push(Line::about(&label, Mark::None, &text));
        }
        lines.extend(notes_of(cell).iter().map(|note| Line::about(&label, Mark::None, note)));
    }
    for problem in &run.problems {
        if let RunProblem::Note(note) = problem {
            lines.push(Line::plain(note.clone()));
        }
    }
    lines
}

pub(super) fn generator(run: &RunSummary) -> Vec<Line> {
    let lines = |cell: &CellSummary| {
        let g = &cell.generator;
        let label = run.label(cell);
        let cpu = match g.cpu_seconds_per_million {
            Some(seconds) => format!("{seconds:.1} CPU seconds per million requests"),
            None => "no account of its CPU".to_owned(),
        };
        let of = match g.parts.len() {
            0 => String::new(),
            n => format!("{n} generators: "),
        };
        let said = format!(
            "{of}late wake p50 {}, p99 {}; {cpu}; {} connections, {} closed with notice, {} without",
            millis(g.late_wake_p50_ms),
            millis(g.late_wake_p99_ms),
            g.connections,
            g.announced_closes,
            g.unannounced_closes
        );
        let all = Line::about(&label, Mark::None, &said);
        let part = |(n, it): (usize, &GeneratorPart)| {
            let recorded = it.recorded.map_or("no account".to_owned(), |n| format!("{n} requests"));
            let busiest = it.busiest_second.map_or(String::new(), |share| {
                format!(", {} of a processor in its busiest second", percent(share))
            });
            let late = millis(it.late_wake_p99_ms);
            Line::plain(format!("{label}, generator {}: {recorded}, late wake p99 {late}{busiest}", n + 1))
        };
        let parts: Vec<_> = g.parts.iter().enumerate().map(part).collect();
        iter::once(all).chain(parts)
    };
    run.cells.iter().flat_map(lines).collect()
}

pub(super) fn environment(run: &RunSummary) -> Vec<Line> {
    let e = &run.environment;
    let commit = e.commit.as_ref().map_or(String::new(), |commit| format!(" ({commit})"));
    let mut lines = vec![
        Line::plain(format!("rig {}{commit}, started {}", e.rig, e.started)),
        Line::plain(format!("kernel {}, {} × {}", e.kernel, e.cpus, e.cpu)),
        Line::plain(format!("load average {}, open files {}", e.load_average, e.open_files)),
    ];
    for (name, build) in &e.balancers {
        let remark = build.remark.as_ref().map_or(String::new(), |remark| format!("; {remark}"));
        lines.push(Line::plain(format!("{name} {}: {}{remark}", build.version, build.binary)));
    }
    if !run.cells.is_empty() {
        lines.push(Line::plain(format!("runtime {}", run.runtimes())));
    }
    for (name, it) in &e.templates {
        let whose = it.own.as_ref().map_or("built-in".to_owned(), |path| format!("own: {path}"));
        lines.push(Line::plain(format!("template {name}: {whose}, SHA-256 {}", it.sha256)));
    }
    for (name, value) in &e.sysctls {
        lines.push(Line::plain(format!("{name} = {value}")));
    }
    lines.extend(e.engine.iter().flat_map(container_engine));
    lines
}

/// What own templates change of the built-in ones.
pub(super) fn own_templates(run: &RunSummary) -> Vec<Quote> {
    let quote = |(name, it): (&String, &TemplateUsed)| {
        let path = it.own.as_ref()?;
        let text =
            if it.diff.is_empty() { "(nothing: it is the built-in one)".into() } else { it.diff.clone() };
        Some(Quote { from: format!("{path} against the built-in {name}"), text })
    };
    run.environment.templates.iter().filter_map(quote).collect()
}

fn container_engine(engine: &ContainerEngine) -> Vec<Line> {
    let mut lines = vec![Line::plain(format!(
        "container engine {} at {}, API {}, network {}",
        engine.version, engine.endpoint, engine.api, engine.network
    ))];
    lines.extend(engine.facts.iter().map(|(name, value)| Line::plain(format!("{name} = {value}"))));
    let images = engine.images.iter();
    lines.extend(images.map(|(component, image)| {
        Line::plain(format!("image of {component}: {} {} ({})", image.reference, image.digest, image.origin))
    }));
    lines
}

pub(super) fn readings(run: &RunSummary) -> Vec<Line> {
    run.readings.iter().map(|told| Line::plain(format!("{}: {}", told.balancer, told.text))).collect()
}

pub(super) fn reproduce(run: &RunSummary) -> Vec<Line> {
    let command = &run.environment.command;
    if !command.is_empty() {
        return vec![Line::plain(shell::line(command))];
    }
    // Saved before the command was: what is known of it.
    let mut balancers: Vec<_> = run.cells.iter().map(|cell| cell.balancer.as_str()).collect();
    balancers.dedup();
    vec![Line::plain(format!(
        "rig run scenarios/{}.yaml --runtime {} --balancer {} --seed {} --repeat {}",
        run.scenario,
        // A run has one, unless it has no cell.
        Some(run.runtimes()).filter(|runtime| !runtime.is_empty()).unwrap_or_else(|| "auto".into()),
        balancers.join(","),
        run.seed,
        run.repeats
    ))]
}
