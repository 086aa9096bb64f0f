//! The text form of claims.

use std::ops::Range;
use std::str::FromStr;

use super::{Claim, Comparison, Facet, Metric, Operand, Reading, Unit};
use crate::scenario::{listed, suggestion};
use crate::units::{Share, Span};

/// Why a text isn't a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClaimError {
    /// What is wrong.
    pub message: String,
    /// The offending bytes of the text.
    pub bytes: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

/// What stands in brackets for each part of a metric, where pictures show it; no name has this form.
pub(super) const EACH: &str = "*";

/// A part of the claim's text that knows its place in it.
#[derive(Clone, Copy)]
pub(super) struct Fragment<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
}

impl<'t> Fragment<'t> {
    pub(super) fn trim(self) -> Fragment<'t> {
        let start = self.start + self.text.len() - self.text.trim_start().len();
        Fragment { text: self.text.trim(), start }
    }

    pub(super) fn split_at(self, at: usize) -> (Fragment<'t>, Fragment<'t>) {
        let (left, right) = self.text.split_at(at);
        (Fragment { text: left, start: self.start }, Fragment { text: right, start: self.start + at })
    }

    pub(super) fn wrong(self, message: impl Into<String>) -> ClaimError {
        let bytes = self.start..self.start + self.text.len();
        ClaimError { message: message.into(), bytes, help: None }
    }
}

impl ClaimError {
    pub(super) fn help(self, help: impl Into<String>) -> ClaimError {
        ClaimError { help: Some(help.into()), ..self }
    }
}

impl FromStr for Claim {
    type Err = ClaimError;

    /// Reads `variant.metric[facet] op value` or `variant.metric[facet] op k × variant.metric[facet]`; `*` and
    /// `x` may stand for `×`, a metric alone is one of the same variant, and `all` is as many as there can be. Checks all that the text alone can tell; whether a variant or a backend exists is
    /// the scenario's to say.
    fn from_str(text: &str) -> Result<Claim, ClaimError> {
        let whole = Fragment { text, start: 0 }.trim();
        let Some(at) = comparison_begins(whole.text) else {
            return Err(whole.wrong("a claim compares two things").help("such as `with-drain.dropped == 0`"));
        };
        let (left, rest) = whole.split_at(at);
        let length = rest.text.find(|c| !matches!(c, '=' | '!' | '<' | '>')).unwrap_or(rest.text.len());
        let (sign, right) = rest.split_at(length);
        let comparison = Comparison::ALL.iter().copied().find(|comparison| comparison.sign() == sign.text);
        let comparison = comparison.ok_or_else(|| {
            let signs = listed(Comparison::ALL.iter().map(|comparison| comparison.sign()));
            sign.wrong(format!("`{}` is not a comparison", sign.text)).help(format!("known: {signs}"))
        })?;
        let left = reading(left.trim(), None)?;
        let right = operand(right.trim(), &left)?;
        Ok(Claim { text: whole.text.to_owned(), left, comparison, right, gate: false })
    }
}

/// Where the comparison begins: not within brackets, where a name may have its signs (`flag[<NOSRV>]`).
fn comparison_begins(text: &str) -> Option<usize> {
    let mut in_brackets = false;
    let is_sign = |c: char| matches!(c, '=' | '!' | '<' | '>');
    let outside = text.char_indices().find_map(|(at, c)| {
        match c {
            '[' => in_brackets = true,
            ']' => in_brackets = false,
            _ => {}
        }
        (!in_brackets && is_sign(c)).then_some(at)
    });
    // Of a bracket that is never closed the reader of names complains.
    outside.or_else(|| text.find(is_sign))
}

impl FromStr for Reading {
    type Err = ClaimError;

    /// Reads `variant.metric[facet]`.
    fn from_str(text: &str) -> Result<Reading, ClaimError> {
        reading(Fragment { text, start: 0 }.trim(), None)
    }
}

impl Reading {
    /// Reads `metric[facet]`, of no variant in particular.
    ///
    /// # Errors
    /// There is no such metric, or it has no such part.
    pub fn of_any_variant(text: &str) -> Result<(Metric, Option<String>), ClaimError> {
        one_part(Fragment { text, start: 0 }.trim(), "")
    }
}

/// Reads `variant.metric[facet]`, or a metric alone if there is a `variant` that it can be of.
fn reading(part: Fragment<'_>, variant: Option<&str>) -> Result<Reading, ClaimError> {
    let form = "a reading is `variant.metric`, such as `with-drain.dropped`";
    let (variant, rest) = match (part.text.find('.'), variant) {
        (Some(dot), _) => {
            let (variant, rest) = part.split_at(dot);
            (variant, rest.split_at(1).1)
        }
        (None, Some(text)) => (Fragment { text, start: part.start }, part),
        (None, None) => return Err(part.wrong(format!("`{}` names no metric", part.text)).help(form)),
    };
    if variant.text.is_empty() {
        return Err(part.wrong(format!("`{}` names no variant", part.text)).help(form));
    }
    let (metric, facet) = one_part(rest, &format!("{}.", variant.text))?;
    Ok(Reading { variant: variant.text.to_owned(), metric, facet })
}

/// The same as [`figure`], without `[*]`.
fn one_part(rest: Fragment<'_>, before: &str) -> Result<(Metric, Option<String>), ClaimError> {
    let (metric, facet) = figure(rest, before)?;
    if facet.as_deref() == Some(EACH) {
        return Err(rest
            .wrong("a reading is of one part")
            .help("name it in the brackets; `[*]` is for `figure`"));
    }
    Ok((metric, facet))
}

/// Reads `metric[facet]`; `before` stands before it where an example is given.
pub(super) fn figure(rest: Fragment<'_>, before: &str) -> Result<(Metric, Option<String>), ClaimError> {
    let (metric, facet) = match rest.text.find('[') {
        Some(bracket) => {
            let (metric, facet) = rest.split_at(bracket);
            (metric, Some(facet))
        }
        None => (rest, None),
    };
    let Some(known) = Metric::named(metric.text) else {
        let names: Vec<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        let message = format!("there is no metric `{}`", metric.text);
        return Err(metric.wrong(message).help(suggestion(metric.text, names)));
    };
    let facet = match (known.facet(), facet) {
        (None, None) => None,
        (Some(what), Some(facet)) => {
            match facet.text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
                Some(status) if what == Facet::Status && status != EACH && !is_status(status) => {
                    let help = "a status is a number from 100 to 599, such as `[504]`";
                    return Err(facet.wrong(format!("`{status}` is no status")).help(help));
                }
                Some(name) if !name.is_empty() => Some(name.to_owned()),
                _ => {
                    let help = format!("such as `[{}]`", example_of(what));
                    return Err(facet.wrong("expected a name in brackets").help(help));
                }
            }
        }
        (None, Some(facet)) => return Err(facet.wrong(format!("`{known}` has no parts"))),
        (Some(_), None) if known.without_facet().is_some() => None,
        (Some(what), None) => {
            let help = format!("such as `{before}{known}[{}]`", example_of(what));
            return Err(metric.wrong(format!("`{known}` needs a {what}")).help(help));
        }
    };
    Ok((known, facet))
}

/// A part of a metric whose parts are `what`.
fn example_of(what: Facet) -> &'static str {
    match what {
        Facet::Pool => "web",
        Facet::Status => "504",
        Facet::Flag => "UO",
        Facet::Backend => "web-1",
    }
}

fn is_status(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|status| (100..600).contains(&status))
}

/// Reads what `left` is compared with.
fn operand(part: Fragment<'_>, left: &Reading) -> Result<Operand, ClaimError> {
    let metric = left.metric;
    if part.text.is_empty() {
        return Err(part.wrong("nothing to compare with").help(format!("such as {}", example(metric))));
    }
    if part.text == "all" {
        return match metric.whole() {
            Some(_) => Ok(Operand::All),
            None => Err(part.wrong(format!("`{metric}` is no part of anything that is counted"))),
        };
    }
    if names_a_reading(part.text) {
        return multiple(1.0, part, left);
    }
    let digits = part.text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(part.text.len());
    let (number, rest) = part.split_at(digits);
    let rest = rest.trim();
    if let Some(after) = rest.text.strip_prefix(['×', '*', 'x']) {
        let times: f64 =
            number.text.parse().map_err(|_| number.wrong("expected a factor").help("such as `0.25 ×`"))?;
        let (_, other) = rest.split_at(rest.text.len() - after.len());
        return multiple(times, other.trim(), left);
    }
    let wrong =
        |why: String| part.wrong(why).help(format!("`{metric}` is compared with {}", example(metric)));
    match metric.unit() {
        Unit::Count => match part.text.parse() {
            Ok(count) => Ok(Operand::Count(count)),
            Err(_) => Err(wrong(format!("expected a whole number, found `{}`", part.text))),
        },
        // Digits and a point: `f64` would also read `inf`, `nan` and `1e3`.
        Unit::Number if rest.text.is_empty() => match number.text.parse() {
            Ok(number) => Ok(Operand::Number(number)),
            Err(_) => Err(wrong(format!("expected a number, found `{}`", part.text))),
        },
        Unit::Number => Err(wrong(format!("expected a number, found `{}`", part.text))),
        Unit::Span => part.text.parse::<Span>().map(Operand::Span).map_err(|error| wrong(error.to_string())),
        Unit::Share => {
            part.text.parse::<Share>().map(Operand::Share).map_err(|error| wrong(error.to_string()))
        }
    }
}

fn multiple(times: f64, part: Fragment<'_>, left: &Reading) -> Result<Operand, ClaimError> {
    let metric = left.metric;
    let reading = reading(part, Some(&left.variant))?;
    if reading.metric.unit() != metric.unit() {
        let message = format!("`{metric}` and `{}` are not measured in the same unit", reading.metric);
        return Err(part.wrong(message).help(format!("`{metric}` is compared with {}", example(metric))));
    }
    Ok(Operand::Multiple { times, reading })
}

/// Whether a text is a metric, or begins as `variant.metric`. A number doesn't: a digit follows its point, and so does none.
fn names_a_reading(text: &str) -> bool {
    let alone = text.split_once('[').map_or(text, |(metric, _)| metric);
    if Metric::ALL.iter().any(|metric| metric.name() == alone) {
        return true;
    }
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = |name: &str| name.chars().all(fits) && !name.is_empty();
    text.split_once('.')
        .is_some_and(|(variant, metric)| is_name(variant) && metric.starts_with(|c: char| c.is_alphabetic()))
}

fn example(metric: Metric) -> &'static str {
    match metric.unit() {
        Unit::Count => "a whole number, such as `0`",
        Unit::Number => "a number, such as `1.5`",
        Unit::Span => "a duration, such as `250ms`",
        Unit::Share => "a share, such as `30%`",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn readings(unit: Unit) -> impl Strategy<Value = Reading> {
        let metrics: Vec<_> = Metric::ALL.iter().copied().filter(|metric| metric.unit() == unit).collect();
        ("[a-z0-9-]{1,8}", prop::sample::select(metrics), "[a-z0-9-]{1,8}").prop_map(
            |(variant, metric, name)| Reading {
                variant,
                metric,
                facet: metric.facet().map(|what| if what == Facet::Status { "504".to_owned() } else { name }),
            },
        )
    }

    fn claims() -> impl Strategy<Value = Claim> {
        let units = prop::sample::select(vec![Unit::Count, Unit::Number, Unit::Span, Unit::Share]);
        let sides = units.prop_flat_map(|unit| {
            let value = match unit {
                Unit::Count => any::<u64>().prop_map(Operand::Count).boxed(),
                Unit::Number => (0.0..1e6_f64).prop_map(Operand::Number).boxed(),
                Unit::Span => (0..100_000_u64).prop_map(|ms| Operand::Span(Span::millis(ms))).boxed(),
                Unit::Share => (0..=100_u8).prop_map(|p| Operand::Share(Share(f64::from(p) / 100.0))).boxed(),
            };
            let times = (0.001..1000.0_f64, readings(unit));
            let multiple = times.prop_map(|(times, reading)| Operand::Multiple { times, reading });
            (readings(unit), prop_oneof![value, multiple])
        });
        (sides, prop::sample::select(Comparison::ALL.to_vec())).prop_map(|((left, right), comparison)| {
            let text = format!("{left} {comparison} {right}");
            Claim { text, left, comparison, right, gate: false }
        })
    }

    proptest! {
        #[test]
        fn a_claim_reads_back_what_it_prints(claim in claims()) {
            prop_assert_eq!(claim.text.parse::<Claim>().unwrap(), claim);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-c.0-9 =<>!×*x\\[\\]%µ]{0,24}") {
            if let Err(error) = text.parse::<Claim>() {
                prop_assert!(text.get(error.bytes).is_some());
            }
        }
    }

    #[test]
    fn the_factor_may_be_written_three_ways_or_left_out() {
        for (text, factor) in [
            ("lc.p99 < 0.25 × rr.p99", 0.25),
            ("lc.p99 < 0.25*rr.p99", 0.25),
            ("lc.p99 < 0.25x rr.p99", 0.25),
            ("lc.p99 < rr.p99", 1.0),
        ] {
            let Operand::Multiple { times, reading } = text.parse::<Claim>().unwrap().right else {
                panic!("{text} should compare with a reading");
            };
            assert_eq!((times, reading.to_string().as_str()), (factor, "rr.p99"));
        }
    }

    #[test]
    fn a_metric_alone_is_of_the_same_variant() {
        for (text, times, same) in [
            ("tls.handshakes_full == scheduled", 1.0, "tls.scheduled"),
            ("tls.handshakes_resumed > 0.9 × scheduled", 0.9, "tls.scheduled"),
            ("lc.queue_mean[web-1] < queue_mean[web-2]", 1.0, "lc.queue_mean[web-2]"),
        ] {
            let Operand::Multiple { times: factor, reading } = text.parse::<Claim>().unwrap().right else {
                panic!("{text} should compare with a reading");
            };
            assert_eq!((factor, reading.to_string().as_str()), (times, same));
        }
    }

    #[test]
    fn a_word_of_a_log_may_have_blanks_and_signs() {
        for flag in ["no live upstreams", "<NOSRV>", "sQ"] {
            let claim: Claim = format!("a.flag[{flag}] <= 2 × b.flag[{flag}]").parse().unwrap();
            let names: Vec<_> = claim.readings().map(|reading| reading.facet.as_deref()).collect();
            assert_eq!((names, claim.comparison), (vec![Some(flag); 2], Comparison::AtMost));
        }
    }

    #[test]
    fn all_is_as_many_as_there_can_be() {
        assert_eq!("a.replaced == all".parse::<Claim>().unwrap().right, Operand::All);
        let error = "a.reloads == all".parse::<Claim>().unwrap_err();
        assert_eq!(error.message, "`reloads` is no part of anything that is counted");
    }

    #[test]
    fn what_backends_have_in_hand_may_be_asked_of_the_worst() {
        let claim: Claim = "rr.queue_growth > 1.5".parse().unwrap();
        assert_eq!(claim.left.facet, None);
        assert!("rr.share > 3%".parse::<Claim>().is_err());
    }

    #[test]
    fn an_error_points_at_the_offending_part() {
        for (text, part) in [
            ("a.dropt == 0", "dropt"),
            ("a.dropped = 0", "="),
            ("a.p99 < 250", "250"),
            ("a.dropped == 1.5", "1.5"),
            ("a.imbalance < 2s", "2s"),
            ("a.imbalance < 1.5 × b.queue_max[web-1]", "b.queue_max[web-1]"),
            ("a.queue_mean[web-1] < inf", "inf"),
            ("a.dropped < 2 × b.p99", "b.p99"),
            ("a.share > 3%", "share"),
            ("a.p99[web-1] > 3ms", "[web-1]"),
            ("a.share[web-1 > 3%", "[web-1"),
            ("a.status[5xx] == 0", "[5xx]"),
            ("a.status[600] == 0", "[600]"),
            ("a.status == 0", "status"),
            ("a.status[*] == 0", "status[*]"),
            ("a.flag[] == 0", "[]"),
            ("dropped == 0", "dropped"),
            ("a.dropped", "a.dropped"),
        ] {
            let error = text.parse::<Claim>().unwrap_err();
            assert_eq!(&text[error.bytes.clone()], part, "{error}");
        }
    }

    #[test]
    fn plans_and_scenarios_of_earlier_versions_can_still_be_read() {
        for (old, new) in
            [("harmed", "failed_requests"), ("removal", "time_to_eject"), ("recovery", "time_to_restore")]
        {
            let metric: Metric = serde_json::from_value(old.into()).unwrap();
            assert_eq!((metric.name(), Metric::named(old)), (new, Some(metric)));
            let reading: Reading = format!("crash.{old}[web-1]").parse().unwrap();
            assert_eq!(reading.to_string(), format!("crash.{new}[web-1]"));
        }
    }

    #[test]
    fn the_example_of_a_missing_name_is_one_that_would_be_read() {
        for metric in Metric::ALL.iter().filter(|m| m.facet().is_some() && m.without_facet().is_none()) {
            let help = format!("a.{metric} == 0").parse::<Claim>().unwrap_err().help.unwrap();
            let example = help.split('`').nth(1).unwrap();
            assert_eq!(example.parse::<Reading>().unwrap().metric, *metric, "{example}");
        }
    }
}
