//! What a scenario claims: `with-drain.dropped == 0`, `lc.p99 < 0.25 × rr.p99`, `rr.share[web-1] > 30%`.
//! `expect` and `control` share this one form: `variant.metric[facet] op value | k × variant.metric[facet]`.

mod metrics;
mod parse;
mod picture;

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use crate::units::{Share, Span};

pub use metrics::{Better, Facet, Kind, Metric, PartOf, RestsOn, Unit};
pub use parse::ClaimError;
pub use picture::{AnswerPicture, PictureFigure, PicturePart};

/// A claim about the measured numbers, checked per balancer and repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// As the scenario words it.
    pub text: String,
    /// The measured side.
    pub left: Reading,
    /// How they compare.
    pub comparison: Comparison,
    /// What it is compared with.
    pub right: Operand,
    /// Whether it is a gate: what `--fail-on` forbids, turned round.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gate: bool,
}

impl Claim {
    /// The gate that holds where this claim does not.
    pub fn forbidden(&self) -> Claim {
        let comparison = self.comparison.opposite();
        // A claim has one sign.
        let text = self.text.replacen(self.comparison.sign(), comparison.sign(), 1);
        Claim { text, comparison, gate: true, ..self.clone() }
    }

    /// What must be measured to judge it.
    pub fn readings(&self) -> impl Iterator<Item = &Reading> {
        let other = match &self.right {
            Operand::Multiple { reading, .. } => Some(reading),
            _ => None,
        };
        std::iter::once(&self.left).chain(other)
    }

    /// The variants that it needs.
    pub fn variants(&self) -> impl Iterator<Item = &str> {
        self.readings().map(|reading| reading.variant.as_str())
    }
}

/// One measured number of a variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The variant.
    pub variant: String,
    /// The number.
    pub metric: Metric,
    /// Which part of it, e.g. a backend.
    pub facet: Option<String>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, strum::VariantArray)]
pub enum Comparison {
    /// `==`
    #[serde(rename = "==")]
    Equal,
    /// `!=`
    #[serde(rename = "!=")]
    NotEqual,
    /// `<`
    #[serde(rename = "<")]
    Less,
    /// `<=`
    #[serde(rename = "<=")]
    AtMost,
    /// `>`
    #[serde(rename = ">")]
    Greater,
    /// `>=`
    #[serde(rename = ">=")]
    AtLeast,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: &'static [Comparison] = Comparison::VARIANTS;

    /// What holds where this does not.
    fn opposite(self) -> Comparison {
        match self {
            Comparison::Equal => Comparison::NotEqual,
            Comparison::NotEqual => Comparison::Equal,
            Comparison::Less => Comparison::AtLeast,
            Comparison::AtMost => Comparison::Greater,
            Comparison::Greater => Comparison::AtMost,
            Comparison::AtLeast => Comparison::Less,
        }
    }

    /// As claims write it.
    pub fn sign(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
        }
    }
}

/// The right side of a claim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    /// A count.
    Count(u64),
    /// A number that need not be whole.
    Number(f64),
    /// A length of time.
    Span(Span),
    /// A share.
    Share(Share),
    /// As many as there can be: every replacement, every scheduled request.
    All,
    /// A multiple of another reading.
    Multiple {
        /// The factor; 1 if none is written.
        times: f64,
        /// The other reading.
        reading: Reading,
    },
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.variant, self.metric)?;
        match &self.facet {
            Some(facet) => write!(f, "[{facet}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sign())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Count(count) => count.fmt(f),
            Operand::Number(number) => number.fmt(f),
            Operand::Span(span) => span.fmt(f),
            Operand::Share(share) => share.fmt(f),
            Operand::All => f.write_str("all"),
            Operand::Multiple { times, reading } => write!(f, "{times} × {reading}"),
        }
    }
}
