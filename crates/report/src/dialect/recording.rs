//! Saved runs as one OpenMetrics text in which each sample has the time at which its run began: what a time-series database
//! takes over as history (`promtool tsdb create-blocks-from openmetrics`).

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::visible::visible;

use crate::dialect::openmetrics;
use crate::judge::verdict::RunSummary;

/// The last line of an exposition.
const EOF: &str = "# EOF";

/// What is known of one name.
#[derive(Default)]
struct Recorded {
    /// Help, unit and type.
    about: Vec<String>,
    /// Values by their labels and time. Of two runs that began in the same second, the last stands.
    samples: BTreeMap<(String, i64), String>,
}

/// Lays out `runs`. A run whose beginning is no time (RFC 3339) is left out.
pub fn recording(runs: &[&RunSummary]) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut recorded: BTreeMap<String, Recorded> = BTreeMap::new();
    for run in runs {
        let Ok(began) = run.environment.started.parse::<Timestamp>() else { continue };
        let text = openmetrics::render(&[*run]).expect("one run is of one scenario");
        let mut about: Vec<String> = Vec::new();
        let mut name = String::new();
        for line in text.lines().filter(|line| *line != EOF) {
            if let Some(comment) = line.strip_prefix("# ") {
                let of = comment.split(' ').nth(1).unwrap_or_default();
                if of != name {
                    about.clear();
                    of.clone_into(&mut name);
                }
                about.push(line.to_owned());
                continue;
            }
            // Labels may hold blanks, and the value none.
            let Some((labelled, value)) = line.rsplit_once(' ') else { continue };
            let family = recorded.entry(name.clone()).or_insert_with(|| {
                names.push(name.clone());
                Recorded { about: about.clone(), ..Recorded::default() }
            });
            family.samples.insert((labelled.to_owned(), began.as_second()), value.to_owned());
        }
    }
    let mut out = String::new();
    for family in names.iter().filter_map(|name| recorded.get(name)) {
        for line in &family.about {
            out.push_str(&format!("{line}\n"));
        }
        for ((labelled, second), value) in &family.samples {
            out.push_str(&format!("{labelled} {value} {second}\n"));
        }
    }
    out.push_str(EOF);
    out.push('\n');
    // A label's text came from outside.
    visible(&out).into_owned()
}
