use model::history::{CellStage, Event, Happening};
use model::records::{ContainerEngine, Environment, ImageUsed, TemplateUsed};
use model::units::Span;
use report::{Colour, Format, RunSummary, Style, judge, render, render_answer, summarise, verdict_json};

use crate::build::*;
use crate::cpu::measured;

pub(crate) fn held() -> RunSummary {
    let plan = plan();
    let cells = [CONTROL, DRAINED].map(|variant| summarise(&plan, &cell(variant)));
    judge(&plan, &environment(), cells.into(), vec![])
}

/// The drained cell lost its deploy's end and a record, and the balancer's log.
pub(crate) fn invalid() -> RunSummary {
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

/// A run in containers whose engine was read all along, but for one cell's generator and last stage.
pub(crate) fn in_containers() -> RunSummary {
    let plan = plan();
    let mut cells = [measured(), measured()];
    cells[1].cell.variant = DRAINED.into();
    let generator = |event: &Event| matches!(&event.what, Happening::CpuRead { component, .. } if *component == part("generator"));
    cells[1].history.retain(|event| !generator(event));
    // Of the other the steal time was not measured.
    for at in [0.0, 20_100.0] {
        let read = Happening::MachineRead { seconds: 10.0 + at / 1e3, stolen: 0.0, idle: None };
        cells[0].history.push(event(at, read));
    }
    let stages = [CellStage::Launch, CellStage::Ready, CellStage::Load, CellStage::Teardown];
    for (records, known) in cells.iter_mut().zip([4, 3]) {
        for (stage, took) in stages.into_iter().zip([1250, 430, 20_100, 2700]).take(known) {
            let took = Span::millis(took);
            records.history.push(event(20_300.0, Happening::StageEnded { stage, took }));
        }
        for event in &mut records.history {
            match &mut event.what {
                Happening::CellStarted { runtime, .. } => *runtime = "docker".into(),
                Happening::Balancer { published, .. } => *published = Some("127.0.0.1:32768".into()),
                _ => {}
            }
        }
    }
    let image = |reference: &str, origin: &str| ImageUsed {
        reference: reference.into(),
        digest: "sha256:4f06".into(),
        origin: origin.into(),
    };
    let engine = ContainerEngine {
        endpoint: "unix:///var/run/docker.sock".into(),
        version: "20.10.24".into(),
        api: "1.41".into(),
        network: "bridge".into(),
        facts: [("storage driver".to_owned(), "overlay2".to_owned())].into(),
        images: [
            ("agent".to_owned(), image("rig-agent:1", "packed from target/debug/rig")),
            ("nginx".to_owned(), image("nginx:1.22.1", "local")),
        ]
        .into(),
    };
    let environment = Environment { engine: Some(engine), ..environment() };
    judge(&plan, &environment, cells.iter().map(|records| summarise(&plan, records)).collect(), vec![])
}

/// What `text` says under `title`.
fn section<'t>(text: &'t str, title: &str) -> &'t str {
    let found = text.split("\n\n## ").find(|section| section.starts_with(title));
    found.unwrap_or_else(|| panic!("no {title} in {text}"))
}

#[test]
fn what_containers_add_to_markdown() {
    let text = render(&in_containers(), Format::Markdown, PLAIN);
    let titles = ["CPU time over the load", "Notes", "How long each stage took", "Environment"];
    insta::assert_snapshot!(titles.map(|title| section(&text, title)).join("\n\n"));
}

#[test]
fn a_terminal_shows_cpu_time_and_leaves_stages_to_the_full_report() {
    let text = terminal(&in_containers(), 120, Colour::Never);
    assert!(!text.contains("How long each stage took"), "{text}");
    let table = text.split("\n\n").find(|block| block.starts_with("CPU time over the load"));
    insta::assert_snapshot!(table.unwrap());
}

#[test]
fn what_nobody_measured_has_no_table() {
    let text = render(&held(), Format::Markdown, PLAIN);
    assert!(!text.contains("CPU time") && !text.contains("stage took"), "{text}");
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

fn answer(run: &RunSummary, width: u16) -> String {
    let rest = ["Everything: rig report results/drain/latest --full".to_owned()];
    render_answer(run, &rest, Style { width, colour: Colour::Never })
}

#[test]
fn the_answer_ends_with_the_verdict_and_where_the_rest_is() {
    insta::assert_snapshot!(answer(&held(), 80));
}

#[test]
fn an_answer_says_whatever_limits_trust() {
    let text = answer(&invalid(), 80);
    insta::assert_snapshot!(text);
    for words in
        ["unproven", "counts INVALID", "latency INVALID", "deploy INVALID", "? drain: INVALID", "~0~"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn no_line_of_an_answer_is_wider_than_the_terminal_and_no_number_loses_its_unit() {
    for width in [60, 80, 120] {
        for run in [held(), invalid(), in_containers()] {
            for line in answer(&run, width).lines().filter(|line| !line.starts_with("Everything: ")) {
                assert!(line.chars().count() <= usize::from(width), "{width}: {line}");
                assert!(!["ms", "%", "s"].contains(&line.trim()), "{width}: {line}");
            }
        }
    }
}

#[test]
fn the_same_records_give_the_same_bytes() {
    for format in Format::ALL.iter().copied() {
        assert_eq!(render(&held(), format, PLAIN), render(&held(), format, PLAIN));
    }
}

#[test]
fn the_verdict_alone_says_what_the_summary_says() {
    for run in [held(), invalid()] {
        let alone: serde_json::Value = serde_json::from_str(&verdict_json(&run)).unwrap();
        let whole = serde_json::to_value(&run).unwrap();
        let parts = ["schema", "scenario", "verdict", "degraded", "claims", "unavailable", "problems"];
        assert_eq!(alone.as_object().unwrap().len(), parts.len());
        for part in parts {
            assert_eq!(alone[part], whole[part], "{part}");
        }
    }
}

#[test]
fn own_templates_and_the_command_are_told_as_they_were() {
    let mut run = held();
    run.environment.command =
        ["rig", "run", "my drain.yaml", "--set=load.rate=9/s"].map(str::to_owned).to_vec();
    let used = TemplateUsed {
        own: Some("own/nginx/nginx.conf".into()),
        sha256: "00ff".into(),
        diff: "-proxy_next_upstream off;\n+proxy_next_upstream error;\n".into(),
    };
    run.environment.templates = [("nginx/nginx.conf".to_owned(), used)].into();
    let text = render(&run, Format::Markdown, PLAIN);
    assert_eq!(section(&text, "Reproduce"), "Reproduce\n\n- rig run 'my drain.yaml' --set=load.rate=9/s\n");
    assert!(
        section(&text, "Environment")
            .contains("template nginx/nginx.conf: own: own/nginx/nginx.conf, SHA-256 00ff")
    );
    assert!(section(&text, "Own templates").contains("+proxy_next_upstream error;"), "{text}");
    assert!(render(&run, Format::Json, PLAIN).contains("\"sha256\": \"00ff\""));
}

#[test]
fn the_experiment_stands_above_everything_else() {
    let run = held();
    let told = "400 requests/s (constant) for 20 s";
    assert!(run.experiment.starts_with(told), "{}", run.experiment);
    for format in [Format::Table, Format::Markdown, Format::Json] {
        let text = render(&run, format, PLAIN);
        let head: String = text.lines().take(8).collect::<Vec<_>>().join(" ");
        assert!(head.contains(told), "{head}");
    }
}
