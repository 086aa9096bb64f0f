//! The pictures of a run: for each balancer its variants side by side, at one scale.

use std::collections::BTreeSet;

use maud::{Markup, html};
use model::identity::BalancerName;

use super::canvas::Alternative;
use super::ink::Ink;
use super::latency::PERCENTILES;
use super::scale::Scale;
use super::{Illustrated, latency, outcomes, shares, states, words};
use crate::measure::series::{Curve, Group, LISTED, Series, State};
use crate::measure::summary::CellSummary;
use crate::measure::validity::Validity;

/// A run, and which one of the page.
pub(super) struct Place<'a> {
    pub(super) run: usize,
    pub(super) told: Illustrated<'a>,
}

/// A cell with what its pictures are drawn from.
type Pictured<'a> = (&'a CellSummary, &'a Series);

impl<'a> Place<'a> {
    fn cells(&self, balancer: BalancerName, repeat: u32) -> Vec<Pictured<'a>> {
        let here = |cell: &&CellSummary| cell.balancer == balancer && cell.repeat == repeat;
        let cells = self.told.run.cells.iter().filter(here);
        cells
            .filter_map(|cell| Some((cell, self.told.series.iter().find(|s| s.cell == cell.cell())?)))
            .collect()
    }

    fn id(&self, cell: &CellSummary, of: &str) -> String {
        format!("run-{}-{}-{of}", self.run, cell.cell()).replace('.', "-")
    }
}

/// All pictures of a run.
pub(super) fn section(place: &Place<'_>) -> Markup {
    let run = place.told.run;
    let scale = Scale::of(place.told.series);
    let balancers: BTreeSet<BalancerName> =
        place.told.series.iter().map(|series| series.cell.balancer).collect();
    html! {
        @for balancer in balancers {
            section.balancer {
                h2 { (balancer.as_str()) " " (version(place, balancer)) }
                @for repeat in 1..=run.repeats {
                    @let cells = place.cells(balancer, repeat);
                    @if !cells.is_empty() {
                        @if repeat == 1 { (row(place, &cells, &scale)) }
                        @else { details { summary { "Repeat " (repeat) } (row(place, &cells, &scale)) } }
                    }
                }
            }
        }
    }
}

fn version(place: &Place<'_>, balancer: BalancerName) -> String {
    let cell = place.told.run.cells.iter().find(|cell| cell.balancer == balancer);
    cell.map(|cell| cell.balancer_version.clone()).unwrap_or_default()
}

/// The variants of one balancer and repeat.
fn row(place: &Place<'_>, cells: &[Pictured<'_>], scale: &Scale) -> Markup {
    html! {
        (legend(cells))
        div.cells { @for (cell, series) in cells { (column(place, cell, series, scale)) } }
        (distribution(place, cells))
        @for (cell, series) in cells { (dropped(cell, series)) }
    }
}

/// What the colours mean; only of what is there.
fn legend(cells: &[Pictured<'_>]) -> Markup {
    let groups =
        Group::ALL.into_iter().filter(|group| cells.iter().any(|(_, s)| s.outcomes.total(*group) > 0));
    let states = State::ALL
        .into_iter()
        .filter(|state| cells.iter().any(|(_, s)| s.bands.iter().any(|b| b.state == *state)));
    let entries = groups.map(|group| (Ink::Outcome(group), group.name()));
    let states = states.map(|state| (Ink::State(state), state.name()));
    html! {
        div.legends {
            (keys("requests", &entries.collect::<Vec<_>>()))
            (keys("backends", &[(Ink::Serving, "serving")].into_iter().chain(states).collect::<Vec<_>>()))
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

fn column(place: &Place<'_>, cell: &CellSummary, series: &Series, scale: &Scale) -> Markup {
    let told = |of: &str, title: String, desc: &str| Alternative {
        id: place.id(cell, of),
        title: format!("{} {}: {title}", cell.balancer, cell.variant),
        desc: desc.to_owned(),
    };
    let trusted = cell.is_usable();
    let (requests, states, latency) =
        (words::outcomes(cell, series), words::states(series), words::latency(cell, series));
    let shares = words::shares(series);
    html! {
        section.cell.struck[!trusted] {
            h3 { (cell.variant) span.(if cell.counts.dropped == 0 { "good" } else { "bad" }) { (words::dropped(cell)) } }
            (figure("requests", Shown::AsIs, &requests, &outcomes::draw(&told("requests", "how requests ended over time".into(), &requests), series, scale)))
            (figure("backends", Shown::AsIs, &words::first_of(&states), &states::draw(&told("backends", "what was done to each backend".into(), &states), series, scale)))
            (figure("latency", Shown::of(&cell.validity.latency), &latency, &latency::over_load(&told("latency", "latency percentiles over time".into(), &latency), series, scale)))
            figure {
                (shares::draw(&told("shares", "share of each backend over time".into(), &shares), series, scale))
                figcaption { strong { "shares" } " " (shares)
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

fn figure(name: &str, shown: Shown, caption: &str, picture: &Markup) -> Markup {
    html! { figure.struck[shown == Shown::Struck] { (picture) figcaption { strong { (name) } " " (caption) } } }
}

/// The percentile curves of all variants, one over the other.
fn distribution(place: &Place<'_>, cells: &[Pictured<'_>]) -> Markup {
    let Some((first, _)) = cells.first() else {
        return html! {};
    };
    // A curve can't be struck, as it lies among others: the words alone tell of it.
    let drawn = || cells.iter().enumerate().filter(|(_, (cell, _))| cell.validity.latency.is_usable());
    let curves: Vec<(Ink, &Curve)> =
        drawn().map(|(n, (_, series))| (Ink::Series(n), &series.curve)).collect();
    let caption = words::distribution(cells);
    let told = Alternative {
        id: place.id(first, "distribution"),
        title: format!("{}: latency by percentile, all variants", first.balancer),
        desc: caption.clone(),
    };
    let names: Vec<(Ink, &str)> =
        drawn().map(|(n, (cell, _))| (Ink::Series(n), cell.variant.as_str())).collect();
    html! {
        figure.distribution {
            @if !curves.is_empty() {
                (keys("latency by percentile", &names))
                (latency::distribution(&told, &curves))
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
                        thead { tr { @for name in words::DROPPED { th scope="col" { (name) } } } }
                        tbody { @for drop in &drops.listed { tr { @for text in words::dropped_row(drop) { td { (text) } } } } }
                    }
                }
            }
        }
    }
}
