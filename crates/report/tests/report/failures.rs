//! How a report shows what went wrong.

use model::claim::Operand;
use model::history::Happening;
use model::plan::SavedPlan;
use model::records::CellRecords;
use report::{Colour, Format, RunSummary, Style, judge, render, summarise};

use crate::build::*;

const PLAIN: Style = Style { width: 120, colour: Colour::Never };

fn run(plan: &SavedPlan, cells: &[CellRecords]) -> RunSummary {
    judge(plan, &environment(), cells.iter().map(|records| summarise(plan, records)).collect(), vec![])
}

/// The drained cell's balancer refused its configuration.
fn refused(message: &str) -> RunSummary {
    let mut records = without_requests(DRAINED, 0);
    records.history.truncate(2);
    records.history.push(event(-700.0, Happening::Failed { message: message.into() }));
    run(&plan(), &[cell(CONTROL), records])
}

const REFUSAL: &str = "nginx refused its configuration:\n  line 3: `|` unexpected\n          ^";

/// The last word or words of each row of the first table.
fn verdicts(run: &RunSummary) -> Vec<String> {
    let text = render(run, Format::Markdown, PLAIN);
    let rows = text.lines().filter(|line| line.starts_with("| nginx")).take(run.cells.len());
    rows.map(|row| row.split(" | ").nth(2).unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_failure_is_told_by_its_first_line_and_once_in_full_on_a_terminal() {
    insta::assert_snapshot!(render(&refused(REFUSAL), Format::Table, PLAIN));
}

#[test]
fn a_failure_is_told_by_its_first_line_and_once_in_full_in_markdown() {
    let text = render(&refused(REFUSAL), Format::Markdown, PLAIN);
    assert_eq!(text.matches("nginx refused its configuration").count(), 3, "{text}");
    let quoted = "nginx with-drain:\n\n```text\nnginx refused its configuration:\n  line 3: `|` unexpected\n          ^\n```\n";
    assert!(text.contains(quoted), "{text}");
}

#[test]
fn a_failure_that_quotes_a_fence_stays_inside_its_own() {
    let text = render(&refused("see:\n```\nnever mind\n```"), Format::Markdown, PLAIN);
    assert!(text.contains("````text\nsee:\n```\nnever mind\n```\n````\n"), "{text}");
}

#[test]
fn each_row_has_the_verdict_on_its_variants_claims_and_the_worst_trust() {
    let honest = [cell(CONTROL), cell(DRAINED)];
    assert_eq!(verdicts(&run(&plan(), &honest)), ["✓ VALID", "✓ VALID"]);
    let mut failing = plan();
    failing.expect[1].right = Operand::Count(4);
    assert_eq!(verdicts(&run(&failing, &honest)), ["✓ VALID", "**✗ VALID**"]);
    let mut unproved = cell(DRAINED);
    unproved.history.retain(|e| !matches!(e.what, Happening::DeployFinished { .. }));
    let unproved = run(&plan(), &[cell(CONTROL), unproved]);
    assert_eq!(verdicts(&unproved), ["✓ VALID", "**? INVALID**"]);
    let unclaimed = SavedPlan { control: vec![], expect: vec![], ..plan() };
    assert_eq!(verdicts(&run(&unclaimed, &honest)), ["VALID", "VALID"]);
}

#[test]
fn settings_name_the_variants_only_where_they_differ() {
    let mut other = cell(DRAINED);
    for event in &mut other.history {
        if let Happening::Balancer { settings, .. } = &mut event.what {
            settings[0].rendered = "proxy_next_upstream error".into();
        }
    }
    let rows = |run: &RunSummary| {
        let text = render(run, Format::Markdown, PLAIN);
        let rows: Vec<_> =
            text.lines().filter(|line| line.contains("| retries ")).map(String::from).collect();
        rows
    };
    let same = rows(&run(&plan(), &[cell(CONTROL), cell(DRAINED)]));
    assert_eq!(same, [r"| nginx 1.22.1 | retries | proxy\_next\_upstream off |"]);
    let mut never_stood = cell(DRAINED);
    never_stood.history.truncate(1);
    assert_eq!(rows(&run(&plan(), &[cell(CONTROL), never_stood])), same);
    let different = rows(&run(&plan(), &[cell(CONTROL), other]));
    assert_eq!(
        different,
        [
            r"| nginx 1.22.1 | retries (without-drain) | proxy\_next\_upstream off |",
            r"| nginx 1.22.1 | retries (with-drain) | proxy\_next\_upstream error |",
        ]
    );
}
