//! The pictures of a run: for each balancer its variants side by side, at one scale.

use maud::{Markup, html};

use crate::dialect::pictures::canvas::{Alternative, Frames, Picture};
use crate::dialect::pictures::ink::{Ink, SERIES};
use crate::dialect::pictures::latency::PERCENTILES;
use crate::dialect::pictures::scale::Scale;
use crate::dialect::pictures::{Illustrated, Pictured, captions, latency, legend, outcomes, shares, states};
use crate::measure::series::{Curve, DroppedRequest, LISTED, Series};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;

/// A run, and what its pictures share with others of the page.
pub(super) struct Article<'a> {
    pub(super) told: Illustrated<'a>,
    pub(super) frames: &'a Frames,
}

/// All pictures of a run.
pub(super) fn section(article: &Article<'_>) -> Markup {
    let scale = Scale::of(article.told.series);
    let rows = article.told.rows();
    html! {
        @for rows in rows.chunk_by(|a, b| a[0].0.balancer == b[0].0.balancer) {
            @let first = rows[0][0].0;
            details.evidence.balancer {
                summary { (first.balancer.as_str()) " " (first.balancer_version) " over time" }
                // The tables have all repeats; what one looks like, the first shows.
                @if let Some(cells) = rows.first() {
                    @if rows.len() > 1 { p.note { "Pictures of repeat " (cells[0].0.repeat) " of " (rows.len()) "." } }
                    (row(article, cells, &scale))
                }
            }
        }
    }
}

/// The variants of one balancer and repeat.
fn row(article: &Article<'_>, cells: &[Pictured<'_>], scale: &Scale) -> Markup {
    html! {
        (legend(cells))
        @let own_keys = common_backends(cells).is_none();
        div.cells { @for (cell, series) in cells { (column(article, cell, series, scale, own_keys)) } }
        (distribution(article, cells))
        @for (cell, series) in cells { (dropped(cell, series)) }
    }
}

/// What the colours mean.
fn legend(cells: &[Pictured<'_>]) -> Markup {
    let series: Vec<&Series> = cells.iter().map(|(_, series)| *series).collect();
    html! {
        div.legends {
            (keys("requests", &legend::outcomes(&series)))
            (keys("backends", &legend::states(&series)))
            (keys("latency", &PERCENTILES.map(|percentile| (percentile.ink, percentile.name))))
            @if let Some(backends) = common_backends(cells) { (keys("shares", &inks(backends))) }
        }
    }
}

/// The backends of all variants, where they are the same.
fn common_backends<'a>(cells: &[Pictured<'a>]) -> Option<&'a [String]> {
    let (first, others) = cells.split_first()?;
    others
        .iter()
        .all(|(_, series)| series.backends == first.1.backends)
        .then_some(first.1.backends.as_slice())
}

fn inks(backends: &[String]) -> Vec<(Ink, &str)> {
    backends.iter().enumerate().map(|(n, name)| (Ink::Series(n), name.as_str())).collect()
}

fn keys(of: &str, entries: &[(Ink, &str)]) -> Markup {
    html! {
        ul.legend aria-label=(of) {
            li.of { (of) }
            @for (ink, name) in entries { li { span.key style=(format!("--key: var({})", ink.property())) {} (name) } }
        }
    }
}

fn column(
    article: &Article<'_>,
    cell: &CellSummary,
    series: &Series,
    scale: &Scale,
    own_keys: bool,
) -> Markup {
    // What a level picture would show, its words say.
    let drawn =
        |picture: Picture, is_level: bool| (picture.desc().to_owned(), (!is_level).then_some(picture));
    let quiet = series.bands.is_empty() && series.marks.is_empty();
    let requests = drawn(outcomes::draw(cell, series, scale), quiet && series.outcomes.is_one());
    let states = drawn(states::draw(cell, series, scale), series.bands.is_empty());
    let latency = drawn(latency::over_load(cell, series, scale), series.latency.is_level());
    let shares = drawn(shares::draw(cell, series, scale), series.shares.is_level());
    let received_by = if own_keys && shares.1.is_some() {
        keys("received by", &inks(&series.backends))
    } else {
        html! {}
    };
    let figure = |name, shown, (words, picture): &(String, Option<Picture>), more: &Markup| {
        html! {
            @if let Some(picture) = picture {
                figure class=[(shown == Shown::Struck).then_some("struck")] {
                    (picture.inline(name, article.frames))
                    figcaption { b { (name) } " " (words) (more) }
                }
            } @else { p.note.struck[shown == Shown::Struck] { b { (name) } " " (words) } }
        }
    };
    html! {
        section.cell.struck[!cell.is_usable()] {
            h3 { (cell.variant) span.(if cell.counts.dropped == 0 { "good" } else { "bad" }) { (captions::dropped(cell)) } }
            (figure("requests", Shown::AsIs, &requests, &html! {}))
            (figure("backends", Shown::AsIs, &states, &html! {}))
            (figure("latency", Shown::of(&cell.validity.latency), &latency, &html! {}))
            (figure("shares", Shown::AsIs, &shares, &received_by))
        }
    }
}

/// How a picture is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsIs,
    /// Its figures can't be trusted.
    Struck,
}

impl Shown {
    fn of(validity: &Validity) -> Shown {
        if validity.is_usable() { Shown::AsIs } else { Shown::Struck }
    }
}

/// The percentile curves of all variants, one over the other.
fn distribution(article: &Article<'_>, cells: &[Pictured<'_>]) -> Markup {
    let Some((first, _)) = cells.first() else {
        return html! {};
    };
    // A curve can't be struck, as it lies among others: the words alone tell of it.
    let drawn = || cells.iter().enumerate().filter(|(_, (cell, _))| cell.validity.latency.is_usable());
    let curves: Vec<(Ink, &Curve)> =
        drawn().map(|(n, (_, series))| (Ink::Series(n), &series.curve)).collect();
    let caption = captions::distribution(cells);
    let told = Alternative {
        title: format!("{}: latency by percentile, all variants", first.balancer),
        desc: caption.clone(),
    };
    let names: Vec<(Ink, &str)> =
        drawn().map(|(n, (cell, _))| (Ink::Series(n), cell.variant.as_str())).collect();
    html! {
        figure.distribution {
            // More curves than colours could not be told apart.
            @if curves.is_empty() || curves.len() > SERIES { figcaption { (caption) } }
            @else {
                @let picture = latency::distribution(told, &curves);
                (keys("latency by percentile", &names))
                (picture.inline(&format!("{}: latency by percentile", first.balancer), article.frames))
                figcaption { (caption) }
            }
        }
    }
}

/// The dropped requests of a cell; those that were lost alike are told together.
fn dropped(cell: &CellSummary, series: &Series) -> Markup {
    let drops = &series.drops;
    let mut alike: Vec<Vec<&DroppedRequest>> = Vec::new();
    for drop in &drops.listed {
        let known =
            |of: &&mut Vec<&DroppedRequest>| (&of[0].class, &of[0].source) == (&drop.class, &drop.source);
        match alike.iter_mut().find(known) {
            Some(of) => of.push(drop),
            None => alike.push(vec![drop]),
        }
    }
    html! {
        @if drops.total > 0 {
            details.drops {
                summary { (cell.variant) ": " (drops.total) " dropped requests, by where they were lost" }
                @if drops.total > LISTED as u64 { p.note { "The first " (LISTED) ", in the order in which they were due." } }
                div.scroll tabindex="0" role="region" aria-label="dropped requests" {
                    table {
                        thead { tr { @for name in captions::DROPPED { th { (name) } } } }
                        tbody {
                            @for drops in &alike { tr { @for text in captions::dropped_row(drops) { td { (text) } } } }
                        }
                    }
                }
            }
        }
    }
}
