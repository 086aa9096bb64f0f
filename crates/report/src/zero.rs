//! The two sizes of a zero: what none out of so many excludes, at 95 % confidence.

use serde::{Deserialize, Serialize};

use crate::figures::percent;

/// How small "none dropped" shows the true loss to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ZeroBound {
    /// Requests in flight at, or started during, a replacement: a longer baseline must not flatter the zero.
    pub exposed: u64,
    /// Fewer than this part of such requests are dropped: 3/N.
    pub per_request: Option<f64>,
    /// Replacements that dropped nothing.
    pub replacements: u64,
    /// Fewer than this part of replacements drop anything: 1 − 0.05^(1/k).
    pub per_replacement: Option<f64>,
}

impl ZeroBound {
    /// The bound of a zero over `exposed` requests and `replacements`.
    pub fn of(exposed: u64, replacements: u64) -> ZeroBound {
        ZeroBound {
            exposed,
            per_request: (exposed > 0).then(|| per_request(exposed)),
            replacements,
            per_replacement: (replacements > 0).then(|| per_replacement(replacements)),
        }
    }

    /// The bound of a zero over all that `bounds` are over: repeats shrink both sizes.
    pub fn over<'a>(bounds: impl Iterator<Item = &'a ZeroBound>) -> ZeroBound {
        let (exposed, replacements) =
            bounds.fold((0, 0), |(n, k), bound| (n + bound.exposed, k + bound.replacements));
        ZeroBound::of(exposed, replacements)
    }

    /// Both sizes, as reports tell them; `None` if one of them is unknown.
    pub fn words(&self) -> Option<String> {
        let (request, replacement) = (percent(self.per_request?), percent(self.per_replacement?));
        Some(format!("fewer than {request} per request, {replacement} per replacement at 95 %"))
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
    fn a_zero_over_few_replacements_proves_little() {
        assert_eq!(percent(per_replacement(3)), "63 %");
        assert_eq!(percent(per_replacement(15)), "18 %");
        assert_eq!(percent(per_replacement(300)), "1 %");
    }

    #[test]
    fn a_zero_over_requests_follows_the_rule_of_three() {
        assert_eq!(percent(per_request(8000)), "0.04 %");
        assert_eq!(percent(per_request(2)), "100 %");
        assert_eq!(ZeroBound::of(0, 0).per_request, None);
    }

    #[test]
    fn repeats_shrink_both_sizes() {
        let repeat = ZeroBound::of(1600, 3);
        assert_eq!(
            repeat.words().as_deref(),
            Some("fewer than 0.2 % per request, 63 % per replacement at 95 %")
        );
        let five = ZeroBound::over([repeat; 5].iter());
        assert_eq!(
            five.words().as_deref(),
            Some("fewer than 0.04 % per request, 18 % per replacement at 95 %")
        );
        assert_eq!(ZeroBound::over([].iter()).words(), None);
    }
}
