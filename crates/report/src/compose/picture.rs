//! The picture of an answer: one figure of every cell as bars, side by side over the balancers, perhaps beside another figure
//! that it is held against. What it shows is the scenario's to say.

use model::claim::{AnswerPicture, Better, PictureFigure, PicturePart};

use crate::compose::answer::told;
use crate::compose::table::{Cell, Emphasis};
use crate::figure::catalogue::{Figure, figures};
use crate::figure::reading::{NoReading, does_not_apply, read};
use crate::figure::spread::median;
use crate::judge::verdict::RunSummary;
use crate::measure::summary::CellSummary;
use crate::numbers::NONE;

/// Bars for every cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarPicture {
    /// What the bars show, each on a scale of its own: one figure, or two.
    pub(crate) shown: Vec<BarScale>,
    /// What stands as a mark at each bar, on the bar's scale.
    pub(crate) mark: Option<String>,
    /// A panel for each balancer.
    pub(crate) panels: Vec<BarPanel>,
    /// What else a reader should know.
    pub(crate) notes: Vec<String>,
}

/// A figure, and how far its scale reaches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarScale {
    /// What columns of tables call it.
    pub(crate) heading: String,
    /// Whether it counts what was lost.
    pub(crate) is_loss: bool,
    /// The greatest value that is none without end.
    pub(crate) most: f64,
}

/// The bars of one balancer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarPanel {
    /// The balancer, with its version.
    pub(crate) balancer: String,
    /// Its variants; none: why it has no such figure.
    pub(crate) rows: Result<Vec<BarRow>, String>,
}

/// A variant, or a part of its figure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BarRow {
    /// The variant.
    pub(crate) variant: String,
    /// Which part, such as a backend.
    pub(crate) part: Option<String>,
    /// A bar for each figure that is shown; `None`: it was not measured.
    pub(crate) bars: Vec<Option<Bar>>,
    /// Where the mark stands, and its value in words.
    pub(crate) mark: Option<Bar>,
}

/// A figure of a variant over its repeats.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bar {
    /// The least, the median and the greatest; infinite where what it times never came.
    pub(crate) spread: [f64; 3],
    /// In words.
    pub(crate) text: String,
    /// Whether it can't be trusted.
    pub(crate) is_struck: bool,
}

/// The picture of the run's own figure; `None`: nothing to see, as fewer than two bars could be drawn.
pub(crate) fn own(run: &RunSummary) -> Option<BarPicture> {
    let picture = draw(run, &run.figure).ok()?;
    let bars = picture.panels.iter().filter_map(|panel| panel.rows.as_ref().ok()).map(Vec::len);
    (bars.sum::<usize>() > 1).then_some(picture)
}

/// The picture of `asked`, or why no cell of the run has such a figure.
pub(crate) fn draw(run: &RunSummary, asked: &AnswerPicture) -> Result<BarPicture, NoReading> {
    let (mark, beside) = match &asked.against {
        Some(against) if asked.has_one_scale() => (Some(against), None),
        against => (None, against.as_ref()),
    };
    let shown: Vec<&PictureFigure> = std::iter::once(&asked.show).chain(beside).collect();
    let parts = parts(run, &asked.show);
    let of_variant = |cells: &[CellSummary]| -> Vec<BarRow> {
        let row = |part: &Option<String>| BarRow {
            variant: cells[0].variant.clone(),
            part: part.clone(),
            bars: shown.iter().map(|figure| bar(cells, &of_part(figure, part.as_deref()))).collect(),
            mark: mark.and_then(|figure| bar(cells, &of_part(figure, part.as_deref()))),
        };
        parts.iter().map(row).filter(|row| row.bars.iter().any(Option::is_some)).collect()
    };
    let panel = |cells: &[CellSummary]| {
        let same = |a: &CellSummary, b: &CellSummary| a.variant == b.variant;
        let rows: Vec<BarRow> = cells.chunk_by(same).flat_map(&of_variant).collect();
        let (name, version) = (cells[0].balancer, cells[0].balancer_version.as_str());
        BarPanel {
            balancer: format!("{name} {version}").trim().to_owned(),
            rows: if rows.is_empty() {
                Err(why(cells, &of_part(&asked.show, parts[0].as_deref())))
            } else {
                Ok(rows)
            },
        }
    };
    let panels: Vec<BarPanel> = run.cells.chunk_by(|a, b| a.balancer == b.balancer).map(panel).collect();
    let rows: Vec<&BarRow> = panels.iter().filter_map(|panel| panel.rows.as_ref().ok()).flatten().collect();
    if rows.is_empty() {
        let reason = panels.first().and_then(|panel| panel.rows.as_ref().err().cloned());
        return Err(NoReading(reason.unwrap_or_else(|| "it has no cell".to_owned())));
    }
    let most = |place: usize| {
        let bars = rows.iter().filter_map(|row| row.bars[place].as_ref());
        let marks = rows.iter().filter_map(|row| row.mark.as_ref());
        let ends = bars.chain(marks).flat_map(|bar| bar.spread).filter(|end| end.is_finite());
        ends.fold(0.0, f64::max)
    };
    let scale = |(place, figure): (usize, &&PictureFigure)| BarScale {
        heading: heading(figure),
        is_loss: figure.metric.loss().is_some() && figure.metric.better() != Better::Higher,
        most: most(place),
    };
    let notes = notes(run, &rows, asked);
    Ok(BarPicture {
        shown: shown.iter().enumerate().map(scale).collect(),
        mark: mark.map(heading),
        notes,
        panels,
    })
}

/// What the figures are, and which variants have none.
fn notes(run: &RunSummary, rows: &[&BarRow], asked: &AnswerPicture) -> Vec<String> {
    let mut notes: Vec<String> = asked
        .figures()
        .map(|figure| format!("{}: {}", figure.metric.heading(), figure.metric.what()))
        .collect();
    if run.repeats > 1 {
        notes.push(format!(
            "Bars are medians of {} repeats, and lines reach from the least to the greatest.",
            run.repeats
        ));
    }
    let has_none = |variant: &str| rows.iter().all(|row| row.variant != variant);
    let mut without: Vec<&str> =
        run.cells.iter().map(|cell| cell.variant.as_str()).filter(|variant| has_none(variant)).collect();
    without.sort_unstable();
    without.dedup();
    if !without.is_empty() {
        notes.push(format!("Not measured in {}.", without.join(", ")));
    }
    vec![notes.join(" ")]
}

fn heading(figure: &PictureFigure) -> String {
    let heading = figure.metric.heading();
    match (&figure.part, figure.metric.facet()) {
        (PicturePart::One(name), _) => format!("{heading} {name}"),
        (PicturePart::Each, Some(facet)) => format!("{heading} of each {facet}"),
        _ => heading.to_owned(),
    }
}

/// The parts of `figure` that a cell has; `None` among them: it is shown as a whole, or of the part that it names.
fn parts(run: &RunSummary, figure: &PictureFigure) -> Vec<Option<String>> {
    if figure.part != PicturePart::Each {
        return vec![None];
    }
    let known = figures(&run.cells).into_iter().filter(|known| known.metric == figure.metric);
    let parts: Vec<_> = known.filter(|known| known.facet.is_some()).map(|known| known.facet).collect();
    if parts.is_empty() { vec![None] } else { parts }
}

fn of_part(figure: &PictureFigure, part: Option<&str>) -> Figure {
    let facet = match &figure.part {
        PicturePart::Whole => None,
        PicturePart::One(name) => Some(name.as_str()),
        PicturePart::Each => part,
    };
    Figure { metric: figure.metric, facet: facet.map(str::to_owned) }
}

/// The figure of the repeats that can be trusted, or of all if none can.
fn bar(cells: &[CellSummary], figure: &Figure) -> Option<Bar> {
    let known = cells.iter().filter_map(|cell| Some((figure.read(cell)?, figure.is_usable(cell))));
    let (usable, doubtful): (Vec<_>, Vec<_>) = known.partition(|(_, is_usable)| *is_usable);
    let shown = if usable.is_empty() { doubtful } else { usable };
    let mut values: Vec<f64> = shown.into_iter().map(|(value, _)| value).collect();
    values.sort_by(f64::total_cmp);
    let (least, most) = (*values.first()?, *values.last()?);
    let median = median(&values)?;
    let Cell { text, emphasis } = told(figure, cells);
    Some(Bar { spread: [least, median, most], text, is_struck: emphasis == Emphasis::Struck })
}

/// Why none of `cells` has the figure.
fn why(cells: &[CellSummary], figure: &Figure) -> String {
    let facet = figure.facet.as_deref();
    let reason = |cell: &CellSummary| {
        does_not_apply(cell, figure.metric, facet)
            .or_else(|| read(cell, figure.metric, facet).err().map(|no| no.0))
    };
    cells.iter().find_map(reason).unwrap_or_else(|| NONE.to_owned())
}
