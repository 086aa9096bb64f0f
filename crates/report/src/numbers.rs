//! How figures are written: with their units, and no more digits than they deserve.

/// A part of a whole: `63 %`, `1 %`, `0.9 %`, `0.04 %`.
pub fn percent(part: f64) -> String {
    percent_by(part, |figure| figure.round())
}

/// An upper bound on a part of a whole: never smaller than the part itself. Every bound is written by this.
pub fn percent_up(part: f64) -> String {
    // What arithmetic adds to 3/300 makes it no larger part.
    percent_by(part, |figure| (figure - 1e-6).max(0.0).ceil())
}

/// Whole per cents from ten on, one decimal from a tenth on, and one significant digit below.
fn percent_by(part: f64, round: impl Fn(f64) -> f64) -> String {
    let percent = part * 100.0;
    let decimals = if percent >= 10.0 {
        0
    } else if percent >= 0.1 || percent == 0.0 {
        1
    } else {
        (-percent.log10().floor()).clamp(1.0, 9.0) as i32
    };
    let unit = 10_f64.powi(decimals);
    let text = format!("{:.*}", decimals as usize, round(percent * unit) / unit);
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A time in milliseconds: `0.12 ms`, `812 ms`, `1.21 s`.
pub fn millis(ms: f64) -> String {
    if ms.abs() >= 1000.0 {
        format!("{} s", trimmed(ms / 1e3, 2))
    } else if ms.abs() >= 10.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{} ms", trimmed(ms, 2))
    }
}

/// A time in microseconds: `8.3 µs`, `51 µs`, `1.21 ms`.
pub fn micros(us: f64) -> String {
    if us >= 1000.0 {
        millis(us / 1e3)
    } else if us >= 10.0 {
        format!("{us:.0} µs")
    } else {
        format!("{} µs", trimmed(us, 1))
    }
}

/// A number that need not be whole: `0.33`, `1.4`, `133`.
pub fn number(value: f64) -> String {
    trimmed(value, if value.abs() >= 10.0 { 1 } else { 2 })
}

fn trimmed(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A list of counts: the only one, or the smallest and the largest: `5–8`.
pub fn span_of(counts: &[u64]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(min), Some(max)) if min == max => min.to_string(),
        (Some(min), Some(max)) => format!("{min}–{max}"),
        _ => NONE.to_owned(),
    }
}

/// A list of parts of a whole: the only one, or the smallest and the largest: `31–35 %`.
pub fn percent_span_of(parts: &[f64]) -> String {
    let Some(min) = parts.iter().copied().min_by(f64::total_cmp) else {
        return NONE.to_owned();
    };
    let (min, max) = (percent(min), percent(parts.iter().copied().fold(min, f64::max)));
    if min == max { max } else { format!("{}–{max}", min.trim_end_matches(" %")) }
}

/// The first line of a text, without the colon that announces the next: a balancer's own words can have many.
pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end_matches(':')
}

/// What stands where there is nothing to say.
pub const NONE: &str = "–";

/// The name by which JSON knows a value, in words: `killed_in_service` becomes `killed in service`.
pub fn words(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_rounded_up_and_nothing_else_is() {
        for part in [0.6316, 0.1811, 0.010067, 0.0100001, 0.00031, 0.0961, 0.0999, 0.995, 1.0] {
            let figure = |text: String| text.trim_end_matches(" %").parse::<f64>().unwrap() / 100.0;
            assert!(figure(percent_up(part)) >= part - 1e-7, "{part}: {}", percent_up(part));
        }
        assert_eq!(
            [0.6316, 0.010067, 3.0 / 300.0, 0.00031].map(percent_up),
            ["64 %", "1.1 %", "1 %", "0.04 %"]
        );
        assert_eq!([0.0999, 0.00096, 0.0].map(percent_up), ["10 %", "0.1 %", "0 %"]);
    }

    #[test]
    fn figures_carry_their_units_and_few_digits() {
        assert_eq!(millis(0.123), "0.12 ms");
        assert_eq!(millis(812.4), "812 ms");
        assert_eq!(millis(1210.0), "1.21 s");
        assert_eq!(millis(10_000.0), "10 s");
        assert_eq!(micros(8.26), "8.3 µs");
        assert_eq!(micros(51.4), "51 µs");
        assert_eq!(micros(1210.0), "1.21 ms");
        assert_eq!([0.333, 1.4, 20.0, 133.06].map(number), ["0.33", "1.4", "20", "133.1"]);
        assert_eq!(percent(0.333), "33 %");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!([0.6312, 0.0306, 0.00037, 0.004].map(percent), ["63 %", "3.1 %", "0.04 %", "0.4 %"]);
        assert_eq!(span_of(&[5, 8, 6]), "5–8");
        assert_eq!(span_of(&[]), NONE);
        assert_eq!(percent_span_of(&[0.33, 0.31, 0.35]), "31–35 %");
        assert_eq!(percent_span_of(&[0.333, 0.334]), "33 %");
        assert_eq!(percent_span_of(&[]), NONE);
        assert_eq!(words(model::outcome::OutcomeKind::ConnectReset), "connect reset");
    }
}
