//! What a run shows about one balancer's deploys and faults, as a runbook needs it.

use model::catalog::BalancerKind;
use model::plan::Variant;
use model::timeline::{Action, Deregister, Drain, Strategy};

use crate::analysis::faults::FaultRecord;
use crate::judge::run::LabelledRun;
use crate::measure::deploy::DeployRecord;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::summary::CellSummary;
use crate::numbers::percent;

/// A cell whose deploy can be trusted.
#[derive(Clone, Copy)]
pub(super) struct Deployed<'a> {
    pub(super) cell: &'a CellSummary,
    pub(super) record: &'a DeployRecord,
}

/// One run's deploys: the safe ones by what their plan asked, and those that show a cause of loss; and its faults.
pub(super) struct SeenRun<'a> {
    pub(super) run: &'a LabelledRun<'a>,
    /// Asked to be safe, whatever came of it.
    pub(super) safe: Vec<Deployed<'a>>,
    /// Not drained.
    pub(super) undrained: Vec<Deployed<'a>>,
    /// Drained for too short a time.
    pub(super) expired: Vec<Deployed<'a>>,
    /// Drained, and they lost requests all the same.
    pub(super) leaking: Vec<Deployed<'a>>,
    /// Stopped because a new generation did not become healthy.
    pub(super) aborted: Vec<Deployed<'a>>,
    /// Faults of backends, in cells that can be trusted.
    pub(super) faults: Vec<(&'a CellSummary, &'a FaultRecord)>,
    /// Cells with a deploy that are left out, as they can't be trusted.
    pub(super) untrusted: usize,
}

impl<'a> SeenRun<'a> {
    /// Every run of `balancer`, the plainest first.
    pub(super) fn all(balancer: BalancerKind, runs: &'a [LabelledRun<'a>]) -> Vec<SeenRun<'a>> {
        let mut seen: Vec<SeenRun<'a>> = runs.iter().map(|run| SeenRun::of(balancer, run)).collect();
        seen.sort_by_key(|seen| seen.run.plan.variants.len());
        seen
    }

    fn of(balancer: BalancerKind, run: &'a LabelledRun<'a>) -> SeenRun<'a> {
        let mut seen = SeenRun {
            run,
            safe: vec![],
            undrained: vec![],
            expired: vec![],
            leaking: vec![],
            aborted: vec![],
            faults: vec![],
            untrusted: 0,
        };
        for cell in run.summary.cells.iter().filter(|cell| cell.balancer == balancer) {
            if cell.is_usable() {
                seen.faults.extend(cell.faults.iter().map(|fault| (cell, fault)));
            }
            let Some((record, variant)) = cell.deploy.as_ref().zip(run.plan.variant(&cell.variant)) else {
                continue;
            };
            // Scaling is no deploy, and has its own report.
            if variant.rollouts() > variant.deploys().count() {
                continue;
            }
            if !cell.is_usable() {
                seen.untrusted += 1;
                continue;
            }
            // The page is about deploys that wait for the balancer, and those that don't tell it.
            if record.termination.is_none() {
                seen.sort(Deployed { cell, record }, variant);
            }
        }
        seen
    }

    fn sort(&mut self, deployed: Deployed<'a>, variant: &Variant) {
        let record = deployed.record;
        if asks_for_safe_deploys(variant) {
            self.safe.push(deployed);
        }
        if record.aborted.is_some() {
            self.aborted.push(deployed);
        }
        match record.drain {
            Drain::Off => self.undrained.push(deployed),
            _ if record.drains_expired > 0 => self.expired.push(deployed),
            _ if deployed.cell.counts.dropped > 0 => self.leaking.push(deployed),
            _ => {}
        }
    }

    /// Whether anything on the page can be from it.
    pub(super) fn is_used(&self) -> bool {
        !self.faults.is_empty() || self.untrusted > 0 || self.deploys().next().is_some()
    }

    fn deploys(&self) -> impl Iterator<Item = &Deployed<'a>> {
        [&self.safe, &self.undrained, &self.expired, &self.leaking, &self.aborted].into_iter().flatten()
    }

    /// Its safe deploys of one variant, the first: unlike ones are not added up.
    pub(super) fn safe(&self) -> &[Deployed<'a>] {
        alike(&self.safe, None)
    }

    /// Its deploys without draining of one variant: the control of the safe ones, or the first.
    pub(super) fn careless(&self) -> &[Deployed<'a>] {
        let control = self.safe.first().and_then(|deployed| deployed.cell.zero.control.as_deref());
        alike(&self.undrained, control)
    }

    /// The longest window of its safe deploys, in milliseconds.
    pub(super) fn window(&self) -> Option<f64> {
        let windows = self.safe().iter().filter_map(|deployed| deployed.record.window);
        windows.map(|window| window.length.as_millis()).max_by(f64::total_cmp)
    }

    /// The longest of a time in its safe deploys, in milliseconds.
    pub(super) fn longest(&self, of: impl Fn(&ReplacementRecord) -> Option<f64>) -> Option<f64> {
        let replacements = self.safe().iter().flat_map(|deployed| &deployed.record.replacements);
        replacements.filter_map(of).max_by(f64::total_cmp)
    }
}

/// The repeats of one variant: of `wanted`, or of the first.
fn alike<'d, 'a>(deploys: &'d [Deployed<'a>], wanted: Option<&str>) -> &'d [Deployed<'a>] {
    let variants = || deploys.chunk_by(|a, b| a.cell.variant == b.cell.variant);
    let named = variants().find(|of| Some(of[0].cell.variant.as_str()) == wanted);
    named.or(variants().next()).unwrap_or_default()
}

/// Whether a variant's deploys are what the page recommends: in place, told live, drained for the derived window, and
/// nothing else does harm meanwhile. Only the plan decides: a zero that is chosen for being one proves nothing.
fn asks_for_safe_deploys(variant: &Variant) -> bool {
    let harms = |action: &Action| matches!(action, Action::Fault(_) | Action::Degrade(_) | Action::Reload(_));
    variant.deploys().all(|deploy| {
        deploy.strategy == Strategy::InPlace
            && deploy.leaving.deregister == Deregister::Live
            && deploy.leaving.drain == Drain::Auto
            && deploy.leaving.termination.is_none()
            && !deploy.new_generation_unhealthy
    }) && !variant.timeline.iter().any(|entry| harms(&entry.action))
}

/// How many requests these deploys of one run dropped, and of how many.
pub(super) fn dropped_of(deploys: &[Deployed<'_>]) -> (u64, u64) {
    let counts = || deploys.iter().map(|deployed| &deployed.cell.counts);
    (counts().map(|it| it.dropped).sum(), counts().map(|it| it.scheduled).sum())
}

/// The part that was dropped.
pub(super) fn error_rate(dropped: u64, scheduled: u64) -> String {
    percent(dropped as f64 / scheduled.max(1) as f64)
}
