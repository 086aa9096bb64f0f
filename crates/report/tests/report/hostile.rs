//! Records of somebody else: nothing in them drives a terminal, reads as something else, or hides.

use model::history::Happening;
use model::visible::first_unseen;
use report::{Colour, Format, Style, judge, render, render_several, summarise, verdict_json};

use crate::build::*;

/// It clears the screen, and reads backwards after that.
const HOSTILE: &str = "nginx \u{1b}[2J\u{9b}1m\u{202e}dessap\u{2066}\u{200b}\u{feff}\u{7}\r said";
/// How it is shown.
const SHOWN: &str = r"nginx \u{1b}[2J\u{9b}1m\u{202e}dessap\u{2066}\u{200b}\u{feff}\u{7}\u{d} said";

#[test]
fn no_dialect_lets_through_what_cannot_be_seen() {
    let mut plan = plan();
    plan.question = HOSTILE.to_owned();
    let mut records = cell(DRAINED);
    for what in [
        Happening::Warning { message: HOSTILE.to_owned() },
        Happening::Failed { message: format!("{HOSTILE}\n{HOSTILE}") },
    ] {
        records.history.push(event(1.0, what));
    }
    let mut environment = environment();
    environment.cpu = HOSTILE.to_owned();
    let run = judge(&plan, &environment, vec![summarise(&plan, &records)], vec![]);
    let style = |colour| Style { width: 500, colour };
    for format in Format::ALL.iter().copied() {
        let alone = render(&run, format, style(Colour::Never));
        let several = render_several(&[(&run).into()], format, style(Colour::Never)).unwrap();
        for text in [&alone, &several] {
            assert_eq!(first_unseen(text), None, "{format:?}: {text}");
        }
        let told = match format {
            Format::Table | Format::Html => alone.contains(SHOWN),
            Format::Markdown | Format::Junit | Format::Github => alone.contains(r"\u{202e}dessap"),
            Format::Json => alone.contains(r"\u202edessap\u2066"),
            // These have names and figures only.
            Format::Csv | Format::Openmetrics | Format::Svg => true,
        };
        assert!(told, "{format:?}: {alone}");
    }
    assert_eq!(first_unseen(&verdict_json(&run)), None);
    let coloured = render(&run, Format::Table, style(Colour::Always));
    assert!(coloured.contains(SHOWN), "{coloured}");
}
