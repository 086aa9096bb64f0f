//! Which figure the picture of an answer shows of every cell: `dropped`, `share[*]`, `detection[web-1] against bound[web-1]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::metrics::{Metric, Unit};
use super::parse::{ClaimError, EACH, Fragment, figure};

/// What a picture shows of every cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AnswerPicture {
    /// The figure.
    pub show: PictureFigure,
    /// The one that it is seen beside.
    pub against: Option<PictureFigure>,
}

/// A figure of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureFigure {
    /// The metric.
    pub metric: Metric,
    /// Which part of it.
    pub part: PicturePart,
}

/// Which part of a metric is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PicturePart {
    /// It has none, or is the greatest of them.
    Whole,
    /// This one.
    One(String),
    /// Each that the cells have, one by one.
    Each,
}

impl AnswerPicture {
    /// What is shown unless a scenario says otherwise.
    pub fn of_losses() -> AnswerPicture {
        AnswerPicture {
            show: PictureFigure { metric: Metric::Dropped, part: PicturePart::Whole },
            against: None,
        }
    }

    /// Whether both figures are shown on one scale.
    pub fn has_one_scale(&self) -> bool {
        self.against.as_ref().is_some_and(|against| against.unit() == self.show.unit())
    }

    /// Its figures.
    pub fn figures(&self) -> impl Iterator<Item = &PictureFigure> {
        std::iter::once(&self.show).chain(&self.against)
    }
}

impl PictureFigure {
    /// What it is measured in.
    pub fn unit(&self) -> Unit {
        self.metric.unit()
    }

    fn read(text: Fragment<'_>) -> Result<PictureFigure, ClaimError> {
        let (metric, facet) = figure(text.trim(), "")?;
        let part = match facet {
            None => PicturePart::Whole,
            Some(each) if each == EACH => PicturePart::Each,
            Some(name) => PicturePart::One(name),
        };
        Ok(PictureFigure { metric, part })
    }
}

/// What stands between two figures.
const AGAINST: &str = " against ";

impl FromStr for AnswerPicture {
    type Err = ClaimError;

    /// Reads `metric[part]`, or two of them with `against` between; `[*]` is each part. Whether the scenario has such a
    /// part, and can measure that, is the scenario's to say.
    fn from_str(text: &str) -> Result<AnswerPicture, ClaimError> {
        let Some((left, right)) = text.split_once(AGAINST) else {
            return Ok(AnswerPicture {
                show: PictureFigure::read(Fragment { text, start: 0 })?,
                against: None,
            });
        };
        let right = Fragment { text: right, start: left.len() + AGAINST.len() };
        let show = PictureFigure::read(Fragment { text: left, start: 0 })?;
        let against = PictureFigure::read(right)?;
        if against.part == PicturePart::Each && show.part != PicturePart::Each {
            let help = format!("show each of both, such as `{}[*] against {against}`", show.metric);
            return Err(right.trim().wrong("one figure can't stand against several").help(help));
        }
        Ok(AnswerPicture { show, against: Some(against) })
    }
}

impl TryFrom<String> for AnswerPicture {
    type Error = ClaimError;
    fn try_from(text: String) -> Result<AnswerPicture, ClaimError> {
        text.parse()
    }
}

impl From<AnswerPicture> for String {
    fn from(picture: AnswerPicture) -> String {
        picture.to_string()
    }
}

impl fmt::Display for PictureFigure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            PicturePart::Whole => write!(f, "{}", self.metric),
            PicturePart::One(name) => write!(f, "{}[{name}]", self.metric),
            PicturePart::Each => write!(f, "{}[{EACH}]", self.metric),
        }
    }
}

impl fmt::Display for AnswerPicture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.against {
            None => self.show.fmt(f),
            Some(against) => write!(f, "{}{AGAINST}{against}", self.show),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_written_as_it_was_read() {
        for text in [
            "dropped",
            "share[*]",
            "status[504]",
            "queue_max",
            "detection[web-1] against bound[web-1]",
            "dropped against longest_drain",
        ] {
            let picture: AnswerPicture = text.parse().unwrap();
            assert_eq!(picture.to_string(), text);
            assert_eq!(serde_json::to_value(&picture).unwrap(), text);
            assert_eq!(serde_json::from_value::<AnswerPicture>(text.into()).unwrap(), picture);
        }
        assert_eq!(AnswerPicture::of_losses(), "dropped".parse().unwrap());
    }

    #[test]
    fn two_figures_of_one_unit_have_one_scale() {
        let has = |text: &str| text.parse::<AnswerPicture>().unwrap().has_one_scale();
        assert!(has("detection[web-1] against bound[web-1]"));
        assert!(!has("dropped against longest_drain") && !has("dropped"));
    }

    #[test]
    fn an_error_points_at_the_offending_part() {
        for (text, part, help) in [
            ("dropt", "dropt", "did you mean `dropped`?"),
            ("share", "share", "such as `share[web-1]`"),
            ("p99[web-1]", "[web-1]", ""),
            ("dropped against longest_drian", "longest_drian", "did you mean `longest_drain`?"),
            (
                "bound[web-1] against detection[*]",
                "detection[*]",
                "show each of both, such as `bound[*] against detection[*]`",
            ),
        ] {
            let error = text.parse::<AnswerPicture>().unwrap_err();
            assert_eq!(&text[error.bytes.clone()], part, "{error}");
            assert_eq!(error.help.unwrap_or_default(), help);
        }
    }
}
