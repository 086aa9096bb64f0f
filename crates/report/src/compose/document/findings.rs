//! What a reader should know although no claim is about it: it stands above the claims.

use model::detection::DetectionBound;

use super::{Line, Mark};
use crate::analysis::ejections::sentence;
use crate::analysis::faults::FaultRecord;
use crate::judge::verdict::RunSummary;
use crate::measure::reloads::WithoutReloads;
use crate::measure::replacement::ReplacementRecord;
use crate::measure::summary::CellSummary;
use crate::numbers::{millis, percent};

/// The findings of every cell.
pub(super) fn findings(run: &RunSummary) -> Vec<Line> {
    let of = |cell: &CellSummary| {
        let label = run.label(cell);
        let lines = findings_of(cell).into_iter();
        lines.map(|line| Line::about(&label, line.mark, &line.text)).collect::<Vec<_>>()
    };
    run.cells.iter().flat_map(of).collect()
}

/// The findings of a cell.
pub(crate) fn findings_of(cell: &CellSummary) -> Vec<Line> {
    let deaths = cell.deaths.iter().map(|death| Line::new(Mark::Bad, death.sentence()));
    let replacements = cell.deploy.iter().flat_map(|deploy| &deploy.replacements);
    let shares = replacements.filter_map(share);
    let late = cell.faults.iter().filter_map(late);
    let others = shares.chain(late).chain(sentence(&cell.ejections)).chain(reloads(cell)).map(Line::plain);
    deaths.chain(others).collect()
}

/// A new generation that the balancer did not use as it should.
fn share(replacement: &ReplacementRecord) -> Option<String> {
    let seen = replacement.confirmation.filter(|seen| !seen.fair)?;
    let new = replacement.new.as_ref()?;
    let waited = seen.waited_ms.map_or_else(String::new, |ms| format!(" for {}", millis(ms)));
    let first = match seen.first_ms {
        Some(ms) => format!("its first came {} after it was ready", millis(ms)),
        None => "none ever came".to_owned(),
    };
    Some(format!("{new} got {} of its pool's requests{waited}; {first}", percent(seen.share)))
}

/// What reloads cost, against the same load without them.
fn reloads(cell: &CellSummary) -> Option<String> {
    let (without, dropped) = (cell.without_reloads.as_ref()?, cell.counts.dropped);
    let cost = match dropped.checked_sub(without.dropped) {
        Some(0) | None => "no more".to_owned(),
        Some(more) => format!("{more} more"),
    };
    let WithoutReloads { variant, dropped: before } = without;
    Some(format!("{dropped} requests were dropped, {cost} than without the reload ({variant}: {before})"))
}

/// A fault that the balancer noticed later than its configuration promises.
fn late(fault: &FaultRecord) -> Option<String> {
    let DetectionBound::Within { most, why, .. } = &fault.bound else { return None };
    let seen = fault.seen_down.as_ref()?;
    // The change lies between two looks.
    (seen.after_ms > most.as_millis()).then(|| {
        let (backend, kind) = (&fault.backend, &fault.fault);
        let (after, most) = (millis(seen.after_ms), millis(most.as_millis()));
        format!("{backend}, {kind}: still up in the balancer's view after {after}, over its nominal {most} ({why})")
    })
}
