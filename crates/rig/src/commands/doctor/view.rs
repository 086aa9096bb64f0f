//! The checks, for people: a mark, a name and the finding, with the fix below.

use anstyle::AnsiColor;
use engine::checkup::{Check, CheckState};
use model::visible::visible;
use report::Style;
use textwrap::{Options, WordSplitter};

use super::{CheckSection, Checkup};

/// On narrower terminals, lines still have this width.
const NARROWEST: usize = 50;

/// Lays it out.
pub(super) fn render(checkup: &Checkup, style: Style) -> String {
    let checks = checkup.sections.iter().flat_map(|section| &section.checks);
    let names = checks.map(|check| check.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for CheckSection { title, runs, checks, .. } in &checkup.sections {
        out.push_str(title);
        match runs.as_deref() {
            None => {}
            Some([]) => out.push_str(": can run no balancer"),
            Some(runs) => out.push_str(&format!(": can run {}", runs.join(", "))),
        }
        out.push('\n');
        checks.iter().for_each(|check| out.push_str(&line(check, names, style)));
        out.push('\n');
    }
    out.push_str(&conclusion(checkup));
    out
}

/// A check, and what to do about it.
fn line(check: &Check, names: usize, style: Style) -> String {
    let (sign, colour) = match check.state {
        CheckState::Ok => ("✓", AnsiColor::Green.on_default()),
        CheckState::Failed => ("✗", AnsiColor::Red.on_default()),
        CheckState::Limits => ("!", AnsiColor::Yellow.on_default()),
        CheckState::NotChecked => ("–", anstyle::Style::new().dimmed()),
    };
    let sign = style.paint(sign, colour);
    let indent = names + 6;
    let width = usize::from(style.width).max(NARROWEST).saturating_sub(indent);
    let mut out = format!("  {sign} {:<names$}  {}", check.name, hung(&visible(&check.found), indent, width));
    if let Some(fix) = &check.fix {
        // Users copy the command, so it must not be wrapped.
        out.push_str(&format!(
            "{:indent$}→ {}\n",
            "",
            visible(fix).replace('\n', &format!("\n{:indent$}  ", ""))
        ));
    }
    out
}

/// `text` wrapped to `width`, with all lines but the first indented; ends with a line end.
fn hung(text: &str, indent: usize, width: usize) -> String {
    let options = Options::new(width).break_words(false).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).join(&format!("\n{:indent$}", "")) + "\n"
}

fn conclusion(checkup: &Checkup) -> String {
    let checks = || checkup.sections.iter().flat_map(|section| &section.checks);
    let count = |state| checks().filter(|check| check.state == state).count();
    let verdict = match checkup.can_run {
        true => "rig can run here",
        false => "rig can't run here: no runtime can run any balancer",
    };
    let told = [
        (CheckState::Failed, "failed"),
        (CheckState::Limits, "limit figures"),
        (CheckState::NotChecked, "not checked"),
    ];
    let counts: Vec<String> = told
        .into_iter()
        .map(|(state, words)| (count(state), words))
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    let counts = if counts.is_empty() { "all passed".to_owned() } else { counts.join(", ") };
    format!("{verdict}. Of {} checks: {counts}.\n", checks().count())
}

#[cfg(test)]
mod tests {
    use report::Colour;

    use super::*;

    fn checkup() -> Checkup {
        let process = vec![
            Check::ok("nginx", "1.22.1, /usr/sbin/nginx"),
            Check::failed("envoy", "envoy is not installed: no `envoy` on PATH", "make setup"),
            Check::limits("loopback", "127.0.0.1 alone", "look\ntwice"),
            Check::not_checked("clock", "/sys: no such file"),
        ];
        Checkup {
            can_run: true,
            sections: vec![
                CheckSection {
                    name: "process",
                    title: "Process runtime",
                    runs: Some(vec!["nginx"]),
                    checks: process,
                },
                CheckSection { name: "docker", title: "Docker runtime", runs: Some(vec![]), checks: vec![] },
                CheckSection { name: "results", title: "Results", runs: None, checks: vec![] },
            ],
        }
    }

    #[test]
    fn each_check_has_its_mark_and_its_fix_below() {
        let expected = "\
Process runtime: can run nginx
  ✓ nginx     1.22.1, /usr/sbin/nginx
  ✗ envoy     envoy is not installed: no `envoy`
              on PATH
              → make setup
  ! loopback  127.0.0.1 alone
              → look
                twice
  – clock     /sys: no such file

Docker runtime: can run no balancer

Results

rig can run here. Of 4 checks: 1 failed, 1 limit figures, 1 not checked.
";
        assert_eq!(render(&checkup(), Style { width: 50, colour: Colour::Never }), expected);
    }

    #[test]
    fn the_sign_alone_is_coloured() {
        let coloured = render(&checkup(), Style { width: 50, colour: Colour::Always });
        assert!(coloured.contains("\x1b[31m✗\x1b[0m envoy     envoy is"), "{coloured}");
    }
}
