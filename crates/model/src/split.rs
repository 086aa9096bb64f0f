//! Where a route sends its requests: to one pool, or to several by shares.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Share;

/// Pools with their shares, which sum to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Split(Vec<SplitPart>);

/// A pool's part of a route's requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SplitPart {
    /// The pool.
    pub pool: String,
    /// How much of the requests.
    pub share: Share,
}

impl Split {
    /// The shares of a whole, in hundredths of a percent: what every balancer can tell apart.
    pub const PARTS: u32 = 10_000;

    /// Everything to `pool`.
    pub fn all_to(pool: impl Into<String>) -> Split {
        Split(vec![SplitPart { pool: pool.into(), share: Share(1.0) }])
    }

    /// Several pools; the caller has checked that their shares sum to 1.
    pub fn of(parts: Vec<SplitPart>) -> Split {
        Split(parts)
    }

    /// Its parts, in the order of the document.
    pub fn parts(&self) -> &[SplitPart] {
        &self.0
    }

    /// The only pool; `None`: there are several.
    pub fn only(&self) -> Option<&str> {
        match self.0.as_slice() {
            [part] => Some(&part.pool),
            _ => None,
        }
    }

    /// Its pools.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|part| part.pool.as_str())
    }

    /// For every part but the last, where it ends in a draw from 0 to [`Split::PARTS`]; the last takes the rest.
    pub fn bounds(&self) -> Vec<(&str, u32)> {
        let earlier = &self.0[..self.0.len().saturating_sub(1)];
        let bounds = earlier.iter().scan(0.0, |sum, part| {
            *sum += part.share.0;
            Some((part.pool.as_str(), (*sum * f64::from(Split::PARTS)).round() as u32))
        });
        bounds.collect()
    }
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(pool) = self.only() {
            return f.write_str(pool);
        }
        let parts: Vec<_> = self.0.iter().map(|part| format!("{}: {}", part.pool, part.share)).collect();
        write!(f, "{{ {} }}", parts.join(", "))
    }
}

impl Serialize for Split {
    /// A name for one pool, as plans had it before there were several; else a list.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.only() {
            Some(pool) => serializer.serialize_str(pool),
            None => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum WrittenSplit {
            One(String),
            Several(Vec<SplitPart>),
        }
        Ok(match WrittenSplit::deserialize(deserializer)? {
            WrittenSplit::One(pool) => Split::all_to(pool),
            WrittenSplit::Several(parts) => Split(parts),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(parts: &[(&str, f64)]) -> Split {
        Split::of(
            parts.iter().map(|(pool, p)| SplitPart { pool: (*pool).into(), share: Share(*p) }).collect(),
        )
    }

    #[test]
    fn a_draw_meets_each_part_as_often_as_its_share_says() {
        assert_eq!(split(&[("web", 0.99), ("canary", 0.01)]).bounds(), [("web", 9_900)]);
        assert_eq!(split(&[("a", 0.1), ("b", 0.0), ("c", 0.9)]).bounds(), [("a", 1_000), ("b", 1_000)]);
        assert_eq!(Split::all_to("web").bounds(), []);
    }

    #[test]
    fn one_pool_is_saved_as_its_name_and_several_as_a_list() {
        for (split, text) in [
            (Split::all_to("web"), r#""web""#),
            (
                split(&[("web", 0.9), ("canary", 0.1)]),
                r#"[{"pool":"web","share":"90%"},{"pool":"canary","share":"10%"}]"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&split).unwrap(), text);
            assert_eq!(serde_json::from_str::<Split>(text).unwrap(), split);
        }
    }
}
