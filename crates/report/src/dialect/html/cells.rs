//! The pictures of a run: for each balancer its variants side by side, at one scale.

use maud::{Markup, html};

use crate::dialect::pictures::canvas::{Alternative, Picture};
use crate::dialect::pictures::ink::Ink;
use crate::dialect::pictures::latency::PERCENTILES;
use crate::dialect::pictures::scale::Scale;
use crate::dialect::pictures::{Illustrated, Pictured, captions, latency, legend, outcomes, shares, states};
use crate::measure::series::{Curve, LISTED, Series};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;

/// A run, and which one of the page.
pub(super) struct Article<'a> {
    pub(super) run: usize,
    pub(super) told: Illustrated<'a>,
}

impl Article<'_> {
    fn id(&self, cell: &CellSummary, of: &str) -> String {
        format!("run-{}-{}-{of}", self.run, cell.cell()).replace('.', "-")
    }
}

/// All pictures of a run.
pub(super) fn section(article: &Article<'_>) -> Markup {
    let scale = Scale::of(article.told.series);
    let rows = article.told.rows();
    html! {
        @for rows in rows.chunk_by(|a, b| a[0].0.balancer == b[0].0.balancer) {
            @let first = rows[0][0].0;
            section.balancer {
                h2 { (first.balancer.as_str()) " " (first.balancer_version) }
                @for cells in rows {
                    @let repeat = cells[0].0.repeat;
                    @if repeat == 1 { (row(article, cells, &scale)) }
                    @else { details { summary { "Repeat " (repeat) } (row(article, cells, &scale)) } }
                }
            }
        }
    }
}

/// The variants of one balancer and repeat.
fn row(article: &Article<'_>, cells: &[Pictured<'_>], scale: &Scale) -> Markup {
    html! {
        (legend(cells))
        div.cells { @for (cell, series) in cells { (column(article, cell, series, scale)) } }
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
        }
    }
}

fn keys(of: &str, entries: &[(Ink, &str)]) -> Markup {
    html! {
        ul.legend aria-label=(of) {
            li.of { (of) }
            @for (ink, name) in entries { li { span.key style=(format!("--key: var({})", ink.property())) {} (name) } }
        }
    }
}

fn column(article: &Article<'_>, cell: &CellSummary, series: &Series, scale: &Scale) -> Markup {
    let id = |of: &str| article.id(cell, of);
    let requests = outcomes::draw(id("requests"), cell, series, scale);
    let states = states::draw(id("backends"), cell, series, scale);
    let latency = latency::over_load(id("latency"), cell, series, scale);
    let shares = shares::draw(id("shares"), cell, series, scale);
    html! {
        section.cell.struck[!cell.is_usable()] {
            h3 { (cell.variant) span.(if cell.counts.dropped == 0 { "good" } else { "bad" }) { (captions::dropped(cell)) } }
            (figure("requests", Shown::AsIs, requests.desc(), &requests))
            (figure("backends", Shown::AsIs, captions::states_in_short(series), &states))
            (figure("latency", Shown::of(&cell.validity.latency), latency.desc(), &latency))
            figure {
                (shares.inline())
                figcaption { strong { "shares" } " " (shares.desc())
                    (keys("received by", &series.backends.iter().enumerate().map(|(n, name)| (Ink::Series(n), name.as_str())).collect::<Vec<_>>()))
                }
            }
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

fn figure(name: &str, shown: Shown, caption: &str, picture: &Picture) -> Markup {
    html! { figure.struck[shown == Shown::Struck] { (picture.inline()) figcaption { strong { (name) } " " (caption) } } }
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
        id: article.id(first, "distribution"),
        title: format!("{}: latency by percentile, all variants", first.balancer),
        desc: caption.clone(),
    };
    let names: Vec<(Ink, &str)> =
        drawn().map(|(n, (cell, _))| (Ink::Series(n), cell.variant.as_str())).collect();
    html! {
        figure.distribution {
            @if !curves.is_empty() {
                (keys("latency by percentile", &names))
                (latency::distribution(told, &curves).inline())
            }
            figcaption { (caption) }
        }
    }
}

/// The dropped requests of a cell, one by one.
fn dropped(cell: &CellSummary, series: &Series) -> Markup {
    let drops = &series.drops;
    html! {
        @if drops.total > 0 {
            details.drops {
                summary { (cell.variant) ": " (drops.total) " dropped requests, one by one" }
                @if drops.total > LISTED as u64 { p.note { "The first " (LISTED) ", in the order in which they were due." } }
                div.scroll tabindex="0" role="region" aria-label="dropped requests" {
                    table {
                        thead { tr { @for name in captions::DROPPED { th scope="col" { (name) } } } }
                        tbody { @for drop in &drops.listed { tr { @for text in captions::dropped_row(drop) { td { (text) } } } } }
                    }
                }
            }
        }
    }
}
