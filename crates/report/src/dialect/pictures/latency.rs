//! Latency: its percentiles over time, and its whole distribution.

use plotters::element::{Cross, PathElement};
use plotters::prelude::{ChartBuilder, IntoLogRange};
use plotters::style::{Color, TRANSPARENT};

use super::canvas::{
    Alternative, Area, BELOW, Chart, Drawn, LEFT, Picture, RIGHT, TEXT, axes, line, no_frame, over_time,
    picture, text,
};
use super::captions;
use super::ink::Ink;
use super::scale::Scale;
use crate::measure::latency::{Level, Quantile};
use crate::measure::series::{Curve, Series};
use crate::measure::summary::CellSummary;
use crate::numbers::millis;

const HEIGHT: u32 = 280;
const CURVE_HEIGHT: u32 = 380;
const ABOVE: u32 = 20;

/// A percentile that is drawn over time.
pub(crate) struct Percentile {
    pub(crate) name: &'static str,
    pub(crate) ink: Ink,
    pub(crate) of: Quantile,
}

/// Those that are drawn over time.
pub(crate) const PERCENTILES: [Percentile; 3] = [
    Percentile { name: "p50", ink: Ink::Series(0), of: Quantile::P50 },
    Percentile { name: "p90", ink: Ink::Series(1), of: Quantile::P90 },
    Percentile { name: "p99", ink: Ink::Series(7), of: Quantile::P99 },
];

/// The percentiles of a cell over time.
pub(crate) fn over_load(cell: &CellSummary, series: &Series, scale: &Scale) -> Picture {
    let told = Alternative::of(cell, "latency percentiles over time", captions::latency(cell, series));
    let frame = |area: &Area<'_>| axes(area, scale.seconds, scale.ms, ABOVE, &millis);
    picture(told, HEIGHT, frame, |area| {
        let mut chart = over_time(area, scale.seconds, scale.ms, ABOVE)?;
        for mark in &series.marks {
            let ends = vec![(mark.at, 0.0), (mark.at, scale.ms)];
            chart.draw_series([line(ends, Ink::Grid, 2)])?;
        }
        for percentile in &PERCENTILES {
            one(&mut chart, percentile, series, scale)?;
        }
        Ok(())
    })
}

/// One percentile: a line through the middles of the windows, and a cross at the top where it is beyond any time.
fn one(chart: &mut Chart<'_, '_>, percentile: &Percentile, series: &Series, scale: &Scale) -> Drawn {
    let width = series.latency.width;
    let mut run: Vec<(f64, f64)> = Vec::new();
    let mut runs = Vec::new();
    for (n, window) in series.latency.windows.iter().enumerate() {
        let middle = f64::midpoint(n as f64 * width, ((n + 1) as f64 * width).min(series.seconds));
        match window.latency.level(percentile.of) {
            Level::Ms(ms) => run.push((middle, ms)),
            Level::TooFew => runs.push(std::mem::take(&mut run)),
            Level::Failed => {
                runs.push(std::mem::take(&mut run));
                let style = percentile.ink.rgb().stroke_width(3);
                chart.draw_series([Cross::new((middle, scale.ms), 8, style)])?;
            }
        }
    }
    runs.push(run);
    for run in runs.into_iter().filter(|run| !run.is_empty()) {
        // One window alone is a dash.
        let run = match run.as_slice() {
            [(at, ms)] => vec![(at - width / 2.0, *ms), (at + width / 2.0, *ms)],
            _ => run,
        };
        chart.draw_series([line(run, percentile.ink, 3)])?;
    }
    Ok(())
}

/// Latency by percentile, the slow end spread out; one line for each of `curves`.
pub(crate) fn distribution(told: Alternative, curves: &[(Ink, &Curve)]) -> Picture {
    let points = || curves.iter().flat_map(|(_, curve)| &curve.points);
    let slowest = points().map(|(_, ms)| *ms).fold(1e-3, f64::max) * 1.05;
    let rarest = curves.iter().map(|(_, curve)| curve.requests as f64).fold(10.0, f64::max);
    picture(told, CURVE_HEIGHT, no_frame, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin_top(ABOVE)
            .margin_right(RIGHT + TEXT)
            .x_label_area_size(BELOW)
            .y_label_area_size(LEFT)
            .build_cartesian_2d((1.0..rarest).log_scale(), 0.0..slowest)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(Ink::Grid.rgb())
            .axis_style(Ink::Axis.rgb())
            .label_style(text(Ink::Text))
            .x_labels(6)
            .y_labels(5)
            .x_label_formatter(&|one_in| percentile_name(*one_in))
            .y_label_formatter(&|ms| millis(*ms))
            .draw()?;
        for (ink, curve) in curves {
            chart.draw_series([PathElement::new(curve.points.clone(), ink.rgb().stroke_width(3))])?;
            if let (Some(_), Some(last)) = (curve.failed_from, curve.points.last()) {
                chart.draw_series([Cross::new(*last, 8, ink.rgb().stroke_width(3))])?;
            }
        }
        Ok(())
    })
}

/// `90 %` for one in ten, `99.9 %` for one in a thousand; nothing for what is no power of ten.
fn percentile_name(one_in: f64) -> String {
    let power = one_in.log10().round();
    if (one_in.log10() - power).abs() > 1e-6 {
        return String::new();
    }
    let digits = (power as usize).saturating_sub(2);
    format!("{:.digits$} %", 100.0 * (1.0 - 10_f64.powf(-power)))
}

#[cfg(test)]
mod tests {
    use super::percentile_name;

    #[test]
    fn powers_of_ten_are_percentiles() {
        assert_eq!([1.0, 10.0, 100.0, 1e4].map(percentile_name), ["0 %", "90 %", "99 %", "99.99 %"]);
        assert_eq!(percentile_name(20.0), "");
    }
}
