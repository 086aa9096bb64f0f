use model::history::Happening;
use report::{Colour, Format, RunSummary, Style, judge, render, summarise, verdict_json};

use crate::build::*;

fn held() -> RunSummary {
    let plan = plan();
    let cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    judge(&plan, &environment(), cells.into(), vec![])
}

/// The drained cell lost its deploy's end and a record, and the balancer's log.
fn invalid() -> RunSummary {
    let plan = plan();
    let mut broken = cell(DRAINED);
    broken.requests.remove(100);
    broken
        .history
        .retain(|e| !matches!(e.what, Happening::DeployFinished { .. } | Happening::AccessLog { .. }));
    let message = "the clock of web-3 | read late".to_owned();
    broken.history.push(event(1.0, Happening::Warning { message }));
    let cells = vec![summarise(&plan, &cell(CONTROL)), summarise(&plan, &broken)];
    judge(&plan, &environment(), cells, vec![])
}

fn terminal(run: &RunSummary, width: u16, colour: Colour) -> String {
    render(run, Format::Table, Style { width, colour })
}

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

#[test]
fn on_a_terminal_of_120_columns() {
    insta::assert_snapshot!(terminal(&held(), 120, Colour::Never));
}

#[test]
fn on_a_narrow_terminal() {
    insta::assert_snapshot!(terminal(&held(), 80, Colour::Never));
}

#[test]
fn what_cannot_be_trusted_is_struck_and_not_hidden() {
    insta::assert_snapshot!(terminal(&invalid(), 160, Colour::Never));
}

#[test]
fn in_colour() {
    let text = terminal(&invalid(), 120, Colour::Always);
    insta::assert_snapshot!(text.replace('\x1b', "␛"));
}

#[test]
fn as_markdown() {
    insta::assert_snapshot!(render(&held(), Format::Markdown, PLAIN));
}

#[test]
fn as_markdown_with_what_cannot_be_trusted() {
    insta::assert_snapshot!(render(&invalid(), Format::Markdown, PLAIN));
}

#[test]
fn as_csv() {
    insta::assert_snapshot!(render(&held(), Format::Csv, PLAIN));
}

#[test]
fn as_json() {
    insta::assert_snapshot!(render(&held(), Format::Json, PLAIN));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [80, 100, 120, 160] {
        for run in [held(), invalid()] {
            for line in terminal(&run, width, Colour::Never).lines() {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
            }
        }
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    for format in [Format::Table, Format::Markdown, Format::Json, Format::Csv] {
        assert_eq!(render(&held(), format, PLAIN), render(&held(), format, PLAIN));
    }
}

#[test]
fn the_verdict_alone_says_what_the_summary_says() {
    for run in [held(), invalid()] {
        let alone: serde_json::Value = serde_json::from_str(&verdict_json(&run)).unwrap();
        let whole = serde_json::to_value(&run).unwrap();
        let parts = ["schema", "scenario", "verdict", "degraded", "claims", "problems"];
        assert_eq!(alone.as_object().unwrap().len(), parts.len());
        for part in parts {
            assert_eq!(alone[part], whole[part], "{part}");
        }
    }
}
