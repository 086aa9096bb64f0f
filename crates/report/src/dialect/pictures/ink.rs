//! What a picture is drawn with. The plotting library knows colours, and the page chooses them: light or dark, on a
//! screen or on paper. So each ink is drawn in a colour that stands for it, and that is replaced by a custom property.

use plotters::style::RGBColor;

use crate::measure::series::{BackendState, Group};

/// The colours of all inks and of text, light and dark, as CSS.
pub(crate) const COLOURS: &str = include_str!("colours.css");

/// One thing that has a colour of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Text,
    Grid,
    Axis,
    /// A moment.
    Mark,
    Serving,
    Outcome(Group),
    State(BackendState),
    /// One of several alike: backends, variants, percentiles.
    Series(usize),
}

/// So many alike can be told apart; then colours begin again.
pub(crate) const SERIES: usize = 8;

impl Ink {
    /// The colour that stands for it.
    pub(crate) fn rgb(self) -> RGBColor {
        RGBColor(1, 0, self.number())
    }

    /// Replaces in an SVG all colours that stand for inks.
    pub(crate) fn replace_all(svg: &str) -> String {
        let mut parts = svg.split("\"#0100");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let ink = part.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
            let ink = Ink::all().into_iter().find(|known| Some(known.number()) == ink);
            match ink {
                Some(ink) => out.push_str(&format!("\"var({}){}", ink.property(), &part[2..])),
                None => out.push_str(&format!("\"#0100{part}")),
            }
        }
        out
    }

    /// The custom property that has its colour.
    pub(crate) fn property(self) -> String {
        match self {
            Ink::Text => "--text".to_owned(),
            Ink::Grid => "--grid".to_owned(),
            Ink::Axis => "--axis".to_owned(),
            Ink::Mark => "--mark".to_owned(),
            Ink::Serving => "--serving".to_owned(),
            Ink::Outcome(group) => format!("--{}", group.name().replace(' ', "-")),
            Ink::State(BackendState::MarkedDown) => "--marked-down".to_owned(),
            Ink::State(state) => format!("--{}", state.name()),
            Ink::Series(n) => format!("--series-{}", n % SERIES + 1),
        }
    }

    fn number(self) -> u8 {
        match self {
            Ink::Text => 1,
            Ink::Grid => 2,
            Ink::Axis => 3,
            Ink::Mark => 5,
            Ink::Serving => 6,
            Ink::Outcome(group) => 0x10 + group as u8,
            Ink::State(state) => 0x20 + state as u8,
            Ink::Series(n) => 0x30 + (n % SERIES) as u8,
        }
    }

    fn all() -> Vec<Ink> {
        let mut all = vec![Ink::Text, Ink::Grid, Ink::Axis, Ink::Mark, Ink::Serving];
        all.extend(Group::ALL.iter().copied().map(Ink::Outcome));
        all.extend(BackendState::ALL.iter().copied().map(Ink::State));
        all.extend((0..SERIES).map(Ink::Series));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::{COLOURS, Ink};

    #[test]
    fn each_ink_has_a_property_that_the_style_sheet_sets_for_light_and_for_dark() {
        for ink in Ink::all() {
            let set = COLOURS.matches(&format!("{}:", ink.property())).count();
            assert!(set >= 2, "{} is set {set} times", ink.property());
        }
    }

    #[test]
    fn no_ink_is_taken_for_another() {
        let all = Ink::all();
        for (n, ink) in all.iter().enumerate() {
            assert!(
                all[..n]
                    .iter()
                    .all(|other| other.number() != ink.number() && other.property() != ink.property())
            );
        }
        assert_eq!(
            Ink::replace_all(r##"<a fill="#010005" b="#0100FF"/>"##),
            r##"<a fill="var(--mark)" b="#0100FF"/>"##
        );
    }
}
