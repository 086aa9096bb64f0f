//! The two sizes of a zero: what none shows, at 95 % confidence, beside what a control lost on the same arrivals, and over
//! so many replacements. Beside it stand its shadows: what retries hid, and what was executed twice.

use serde::{Deserialize, Serialize};

use crate::numbers::percent_up;

/// How small "none lost" shows the true loss to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ZeroBound {
    /// The variant that lost some on the same arrivals; `None`: none shows that any could be lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// How many it lost.
    #[serde(default)]
    pub lost: u64,
    /// Of requests such as these fewer than this part are lost: 3/N.
    pub per_request: Option<f64>,
    /// Replacements over which nothing was lost.
    pub replacements: u64,
    /// Fewer than this part of replacements lose anything: 1 − 0.05^(1/k).
    pub per_replacement: Option<f64>,
    /// `per_request` as tables say it: `< 1.1 %`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
}

impl ZeroBound {
    /// The bound of a zero over `replacements`, beside nothing as yet.
    pub fn over_replacements(replacements: u64) -> ZeroBound {
        ZeroBound {
            replacements,
            per_replacement: (replacements > 0).then(|| per_replacement(replacements)),
            ..ZeroBound::default()
        }
    }

    /// The same beside a `control` that lost so many.
    pub fn beside(self, control: &str, lost: u64) -> ZeroBound {
        let per_request = (lost > 0).then(|| per_request(lost));
        let says = per_request.map(|part| format!("< {}", percent_up(part)));
        ZeroBound { control: Some(control.to_owned()), lost, per_request, says, ..self }
    }

    /// The bound of a zero over all that `bounds` are over: repeats shrink both sizes.
    pub fn over<'a>(bounds: impl Iterator<Item = &'a ZeroBound>) -> ZeroBound {
        let (mut controls, mut lost, mut replacements) = (Vec::new(), 0, 0);
        for bound in bounds {
            controls.extend(bound.control.clone());
            lost += bound.lost;
            replacements += bound.replacements;
        }
        controls.sort();
        controls.dedup();
        let pooled = ZeroBound::over_replacements(replacements);
        if controls.is_empty() { pooled } else { pooled.beside(&controls.join(", "), lost) }
    }
}

/// Fewer than this part of requests has the property that none of `n` had: the rule of three.
pub fn per_request(n: u64) -> f64 {
    (3.0 / n as f64).min(1.0)
}

/// Fewer than this part of replacements drops anything, if none of `k` did.
pub fn per_replacement(k: u64) -> f64 {
    1.0 - 0.05_f64.powf(1.0 / k as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_over_few_replacements_proves_little_and_is_never_rounded_down() {
        assert_eq!([3, 15, 300].map(|k| percent_up(per_replacement(k))), ["64 %", "19 %", "1 %"]);
    }

    #[test]
    fn a_zero_beside_what_a_control_lost_follows_the_rule_of_three() {
        let zero = |lost| ZeroBound::default().beside("undrained", lost).says;
        assert_eq!(zero(298).as_deref(), Some("< 1.1 %"));
        assert_eq!(zero(300).as_deref(), Some("< 1 %"));
        assert_eq!(zero(49).as_deref(), Some("< 6.2 %"));
        assert_eq!(zero(8001).as_deref(), Some("< 0.04 %"));
        assert_eq!(zero(2).as_deref(), Some("< 100 %"));
        assert_eq!(zero(0), None);
    }
}
