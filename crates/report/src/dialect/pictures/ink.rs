//! What a picture is drawn with. The plotting library knows colours, and the page chooses them: light or dark, on a
//! screen or on paper. So each ink is drawn in a colour that stands for it, and that is replaced by a custom property.

use plotters::style::RGBColor;

use crate::measure::series::{BackendState, Group};

/// The height of the text in a picture.
pub(crate) const TEXT: u32 = 23;
/// The colours of all inks and of text, light and dark, as CSS.
pub(crate) const COLOURS: &str = include_str!("colours.css");

/// A picture by itself, for programs that know neither custom properties nor a reader's choice of colours: it has light ones,
/// and those that know more show the dark ones where the reader chose that.
pub(crate) fn by_itself(svg: &str) -> String {
    let (light, dark) = COLOURS.split_once("@media").unwrap_or((COLOURS, ""));
    let (mut drawn, mut rules) = (svg.to_owned(), String::new());
    for (property, colour) in set(light) {
        let used = format!("var({property})");
        if !drawn.contains(&used) {
            continue;
        }
        drawn = drawn.replace(&used, colour);
        if let Some((_, other)) = set(dark).find(|(name, _)| *name == property) {
            for attribute in
                ["fill", "stroke"].iter().filter(|it| drawn.contains(&format!("{it}=\"{colour}\"")))
            {
                let rule = format!("[{attribute}=\"{colour}\"]{{{attribute}:{other}}}");
                if !rules.contains(&rule) {
                    rules.push_str(&rule);
                }
            }
        }
    }
    drawn.replacen(
        "<style></style>",
        &format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"),
        1,
    )
}

/// The properties that a style sheet sets to a colour.
fn set(css: &str) -> impl Iterator<Item = (&str, &str)> {
    let colour = |declaration: &str| declaration.starts_with('#');
    css.split([';', '{'])
        .filter_map(|declaration| declaration.trim().split_once(": "))
        .filter(move |it| colour(it.1))
}

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
    use std::collections::BTreeMap;

    use super::{COLOURS, Ink, by_itself, set};

    #[test]
    fn a_picture_by_itself_has_light_colours_and_knows_the_dark_ones() {
        let drawn = by_itself("<style></style><path fill=\"var(--ok)\" stroke=\"var(--mark)\"/>");
        assert_eq!(
            drawn,
            "<style>@media (prefers-color-scheme:dark){[stroke=\"#3c4858\"]{stroke:#b6c2d0}[fill=\"#9fcbb4\"]{fill:#3f7d5f}}</style>\
             <path fill=\"#9fcbb4\" stroke=\"#3c4858\"/>"
        );
    }

    #[test]
    fn what_has_one_light_colour_has_one_dark_colour() {
        let (light, dark) = COLOURS.split_once("@media").unwrap();
        let dark: BTreeMap<&str, &str> = set(dark).collect();
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (property, colour) in set(light) {
            assert_eq!(known.entry(colour).or_insert(dark[property]), &dark[property], "{property}");
        }
        assert!(known.len() > 20);
    }

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
