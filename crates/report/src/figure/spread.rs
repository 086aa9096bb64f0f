//! Numbers of several repeats, told together, and no more of them than so few can tell.

use crate::numbers::NONE;

/// Fewer numbers are told one by one: two repeats make no interval.
pub(crate) const INTERVAL_FROM: usize = 3;

/// How sure one can be that the median of all such repeats lies between the smallest and the largest of `repeats`
/// independent ones: 1 − 2^(1−n), whatever the distribution (David & Nagaraja, "Order Statistics", §7.1). `None`:
/// too few.
pub(crate) fn confidence(repeats: usize) -> Option<f64> {
    let lost = i32::try_from(repeats).ok()?.checked_sub(1)?;
    (repeats >= INTERVAL_FROM).then(|| 1.0 - 0.5_f64.powi(lost))
}

/// Some numbers of one kind: `98 ms`, `98 ms and 104 ms`, `98 (95–104) ms`, which is the median with the smallest and
/// the largest. Everything that is measured several times is reported by this.
pub(crate) fn spread_of(numbers: impl IntoIterator<Item = f64>, show: impl Fn(f64) -> String) -> String {
    spread(numbers.into_iter().map(|number| (number, ())).collect(), |(), number| show(number))
}

/// The same, of numbers that need something beside them to be shown: a cell.
pub(crate) fn spread<C: Copy>(mut numbers: Vec<(f64, C)>, show: impl Fn(C, f64) -> String) -> String {
    numbers.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let told = |(value, cell): &(f64, C)| show(*cell, *value);
    let (Some(least), Some(most)) = (numbers.first().map(told), numbers.last().map(told)) else {
        return NONE.to_owned();
    };
    if least == most {
        return most;
    }
    if numbers.len() < INTERVAL_FROM {
        return numbers.iter().map(told).collect::<Vec<_>>().join(" and ");
    }
    let values: Vec<f64> = numbers.iter().map(|(value, _)| *value).collect();
    let (middle, cell) = (median(&values).unwrap_or(f64::NAN), numbers[numbers.len() / 2].1);
    interval(&least, &show(cell, middle), &most)
}

/// The median of numbers that are in order; `None`: there are none.
pub(crate) fn median(numbers: &[f64]) -> Option<f64> {
    let below = numbers.get(numbers.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(*below, *numbers.get(numbers.len() / 2)?))
}

/// `3 (2–5)`, `98 (95–104) ms`, `41 (38–44) of 8000`, `980 ms (95 ms to 1.02 s)`: what follows all three is said once.
fn interval(least: &str, median: &str, most: &str) -> String {
    match [least, median, most].map(|text| text.split_once(' ')) {
        [Some((low, unit)), Some((middle, same)), Some((high, too))] if unit == same && unit == too => {
            format!("{middle} ({low}–{high}) {unit}")
        }
        [None, None, None] => format!("{median} ({least}–{most})"),
        _ => format!("{median} ({least} to {most})"),
    }
}

#[cfg(test)]
mod tests {
    use super::{confidence, interval, spread_of};

    #[test]
    fn the_median_of_an_even_number_lies_halfway() {
        let told = |numbers: &[f64]| spread_of(numbers.iter().copied(), |number| number.to_string());
        assert_eq!(told(&[]), "–");
        assert_eq!(told(&[1.0]), "1");
        assert_eq!(told(&[3.0, 1.0]), "1 and 3");
        assert_eq!(told(&[1.0, 2.0, 9.0]), "2 (1–9)");
        assert_eq!(told(&[9.0, 2.0, 4.0, 1.0]), "3 (1–9)");
        assert_eq!(told(&[2.0, 2.0, 2.0]), "2");
    }

    #[test]
    fn an_interval_says_once_what_follows_all_its_numbers() {
        assert_eq!(interval("3", "4", "4"), "4 (3–4)");
        assert_eq!(interval("38 of 8000", "40 of 8000", "41 of 8000"), "40 (38–41) of 8000");
        assert_eq!(interval("98 ms", "99 ms", "104 ms"), "99 (98–104) ms");
        assert_eq!(interval("980 ms", "1 s", "1.02 s"), "1 s (980 ms to 1.02 s)");
        assert_eq!(interval("4 s", "4 s", "> 5 s (2 failed)"), "4 s (4 s to > 5 s (2 failed))");
    }

    #[test]
    fn two_repeats_give_no_interval_and_more_give_a_surer_one() {
        assert_eq!([0, 1, 2].map(confidence), [None; 3]);
        assert_eq!(confidence(3), Some(0.75));
        assert_eq!(confidence(5), Some(0.9375));
    }
}
