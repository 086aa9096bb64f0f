//! What a page leads with: the picture of the answer.

use maud::{Markup, html};

use crate::compose::picture;
use crate::dialect::pictures::bars;
use crate::judge::verdict::RunSummary;

/// The figure that the scenario chose, a panel for each balancer; nothing where there is nothing to compare.
pub(super) fn section(run: &RunSummary) -> Markup {
    let Some(picture) = picture::own(run) else { return html! {} };
    let keys = bars::legend(&picture);
    html! {
        section.lead {
            h2 { (bars::title(&picture)) }
            @if !keys.is_empty() {
                ul.legend { @for (ink, name) in &keys { li { span.key style=(format!("--key: var({ink})")) {} (name) } } }
            }
            div.panels {
                @for (panel, drawn) in picture.panels.iter().zip(bars::panels(&picture)) {
                    figure {
                        figcaption { strong { (panel.balancer) } }
                        svg.bars role="img" aria-label=(format!("{}: {}", panel.balancer, drawn.words))
                            viewBox=(format!("0 0 {} {}", drawn.width, drawn.height)) { (drawn.shapes) }
                    }
                }
            }
            @for note in &picture.notes { p.note { (note) } }
        }
    }
}
