//! Quantities with their units. In documents a unit is compulsory (`250ms`, `400/s`, `2%`, `4KiB`); in
//! records a point in time is a plain integer of nanoseconds.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A point in time: nanoseconds on the host's `CLOCK_MONOTONIC`, which every process on that host shares.
/// Signed, so that a time relative to the first measured request can lie before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub i64);

impl Nanos {
    /// How far `self` lies after `earlier`; zero if it lies before.
    pub fn since(self, earlier: Nanos) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Milliseconds from `origin`, negative before it.
    pub fn millis_from(self, origin: Nanos) -> f64 {
        self.0.saturating_sub(origin.0) as f64 / 1e6
    }
}

impl Add<Duration> for Nanos {
    type Output = Nanos;
    fn add(self, span: Duration) -> Nanos {
        Nanos(self.0.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Nanos {
    type Output = Nanos;
    fn sub(self, span: Duration) -> Nanos {
        Nanos(self.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// Why a text isn't the quantity that was wanted; the message names the form that is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {wanted}, found `{found}`")]
pub struct QuantityError {
    /// The form that is wanted, with an example.
    pub wanted: &'static str,
    /// What stood there.
    pub found: String,
}

fn split_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok()?;
    Some((number, text[digits..].trim_start()))
}

macro_rules! quantity_as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

/// A length of time, written `250us`, `250ms`, `4s`, `1.5s` or `2m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole milliseconds.
    pub const fn millis(ms: u64) -> Span {
        Span(Duration::from_millis(ms))
    }
    /// The span in seconds.
    pub fn seconds(self) -> f64 {
        self.0.as_secs_f64()
    }
    /// The span in whole milliseconds, as most configuration files want it.
    pub fn whole_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
    /// The span in milliseconds.
    pub fn as_millis(self) -> f64 {
        self.0.as_secs_f64() * 1e3
    }
}

impl FromStr for Span {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Span, QuantityError> {
        let wrong = || QuantityError {
            wanted: "a duration with its unit, such as `250ms` or `4s`",
            found: text.into(),
        };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let nanos = match unit {
            "ns" => number,
            "us" | "µs" => number * 1e3,
            "ms" => number * 1e6,
            "s" => number * 1e9,
            "m" | "min" => number * 60e9,
            _ => return Err(wrong()),
        };
        // 10 years: far beyond every limit, and safe to convert.
        if nanos > 3.2e17 {
            return Err(wrong());
        }
        Ok(Span(Duration::from_nanos(nanos.round() as u64)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => f.write_str("0s"),
            n if n % 1_000_000_000 == 0 => write!(f, "{}s", n / 1_000_000_000),
            n if n % 1_000_000 == 0 => write!(f, "{}ms", n / 1_000_000),
            n if n % 1_000 == 0 => write!(f, "{}us", n / 1_000),
            // Measured, not chosen: to the nanosecond, in the unit that people read. Parses back exactly.
            n => write!(f, "{}ms", n as f64 / 1e6),
        }
    }
}
quantity_as_text!(Span);

/// Arrivals per second, written `400/s`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Rate(pub f64);

impl FromStr for Rate {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Rate, QuantityError> {
        match split_unit(text) {
            Some((number, "/s")) => Ok(Rate(number)),
            _ => Err(QuantityError { wanted: "a rate per second, such as `400/s`", found: text.into() }),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}
quantity_as_text!(Rate);

/// A part of a whole, 0 to 1, written `2%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Share(pub f64);

impl FromStr for Share {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Share, QuantityError> {
        match split_unit(text) {
            Some((number, "%")) if number <= 100.0 => Ok(Share(number / 100.0)),
            _ => Err(QuantityError { wanted: "a share from `0%` to `100%`", found: text.into() }),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded where binary fractions would show (0.07 × 100 = 7.000000000000001).
        write!(f, "{}%", (self.0 * 100.0 * 1e9).round() / 1e9)
    }
}
quantity_as_text!(Share);

/// A size in bytes, written `512B`, `4KiB` or `1MiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

impl FromStr for Bytes {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Bytes, QuantityError> {
        let wrong =
            || QuantityError { wanted: "a size, such as `512B`, `4KiB` or `1MiB`", found: text.into() };
        let (number, unit) = split_unit(text).ok_or_else(wrong)?;
        let factor = match unit {
            "B" => 1.0,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            _ => return Err(wrong()),
        };
        Ok(Bytes((number * factor).round() as u64))
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            n if n > 0 && n % (1024 * 1024) == 0 => write!(f, "{}MiB", n / (1024 * 1024)),
            n if n > 0 && n % 1024 == 0 => write!(f, "{}KiB", n / 1024),
            n => write!(f, "{n}B"),
        }
    }
}
quantity_as_text!(Bytes);

/// A multiple, written `10x`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Factor(pub f64);

impl Factor {
    /// What changes nothing.
    pub const ONE: Factor = Factor(1.0);
}

impl FromStr for Factor {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Factor, QuantityError> {
        match split_unit(text) {
            Some((number, "x")) => Ok(Factor(number)),
            _ => Err(QuantityError { wanted: "a factor, such as `10x`", found: text.into() }),
        }
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x", self.0)
    }
}
quantity_as_text!(Factor);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_read_back_what_they_print() {
        for text in ["0s", "250us", "250ms", "4s", "1500ms", "90s", "213.551489ms", "0.000001ms"] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
        }
        assert_eq!("1.5s".parse::<Span>().unwrap(), Span::millis(1500));
        assert_eq!("2m".parse::<Span>().unwrap(), Span::millis(120_000));
        assert_eq!("7%".parse::<Share>().unwrap().to_string(), "7%");
        assert_eq!("400/s".parse::<Rate>().unwrap(), Rate(400.0));
        assert_eq!("4KiB".parse::<Bytes>().unwrap(), Bytes(4096));
        assert_eq!("10x".parse::<Factor>().unwrap(), Factor(10.0));
    }

    #[test]
    fn a_quantity_without_its_unit_is_refused_with_an_example() {
        assert_eq!(
            "250".parse::<Span>().unwrap_err().to_string(),
            "expected a duration with its unit, such as `250ms` or `4s`, found `250`"
        );
        assert!("-1s".parse::<Span>().is_err());
        assert!("400".parse::<Rate>().is_err());
        assert!("101%".parse::<Share>().is_err());
        assert!("1e300s".parse::<Span>().is_err());
    }
}
