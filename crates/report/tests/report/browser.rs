//! Pages in a real browser, without a window: at three widths, light and dark, nothing is wider than the page, nothing is
//! fetched, and nothing is complained about. Where no browser is installed this says so; with `RIG_REQUIRE_BROWSER` it fails.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use report::{Colour, Format, Illustrated, Style, render_several};
use serde::Deserialize;

use crate::referenced::{Referenced, reference};

const WIDTHS: [u32; 3] = [1400, 820, 400];
/// What a browser is called.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What the measuring script found in a frame.
#[derive(Debug, Deserialize)]
struct Measured {
    #[allow(dead_code, reason = "a failure shows it")]
    page: String,
    width: u32,
    dark: bool,
    /// How wide its content is.
    content: u32,
    /// What is wider than the page, or than the picture that it is in.
    wider: Vec<String>,
    /// What it fetched.
    fetched: Vec<String>,
    /// Pictures that it shows.
    pictures: u32,
}

/// Opens every part of each frame's page, and measures it.
const SCRIPT: &str = r"
const found = [];
for (const frame of document.querySelectorAll('iframe')) {
  const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
  for (const part of page.querySelectorAll('details')) part.open = true;
  const wider = [];
  const name = e => e.tagName + '.' + (e.getAttribute('class') || '') + ' ' + e.textContent.trim().slice(0, 40);
  const right = e => e.getBoundingClientRect().right;
  for (const e of page.body.querySelectorAll('*')) {
    const picture = e.closest('svg.bars');
    if (picture && e.tagName === 'text' && right(e) > right(picture) + 1) wider.push(name(e));
    if (e.closest('svg') && e.tagName !== 'svg') continue;
    if (e.parentElement.closest('.scroll, pre')) continue;
    if (e.getBoundingClientRect().width > 0 && right(e) > root.clientWidth + 1) wider.push(name(e));
  }
  found.push({
    page: frame.dataset.page, width: Number(frame.width), content: root.scrollWidth, wider: wider.slice(0, 5),
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    fetched: view.performance.getEntriesByType('resource').map(it => it.name),
    pictures: [...page.querySelectorAll('svg[role=img]')].filter(it => it.getBoundingClientRect().height > 9).length,
  });
}
document.getElementById('found').textContent = encodeURIComponent(JSON.stringify(found));
";

/// The browser; `None`: there is none, which has been said.
fn browser() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let names = NAMES.map(str::to_owned);
    let found = env::split_paths(&path).flat_map(|folder| names.clone().map(|name| folder.join(name)));
    let found = found.into_iter().find(|path| path.is_file());
    if found.is_none() {
        assert!(
            env::var_os("RIG_REQUIRE_BROWSER").is_none(),
            "there is no browser: tools/setup.sh --browser"
        );
        eprintln!("skipped: none of {} is installed (tools/setup.sh --browser)", NAMES.join(", "));
    }
    found
}

/// Runs the browser with a profile of its own; nothing of the network can be found. Gives what it printed and complained.
fn run(browser: &Path, profile: &Path, arguments: &[&str]) -> (String, String) {
    let output = Command::new(browser)
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ])
        .args(["--allow-file-access-from-files", "--enable-logging=stderr", "--hide-scrollbars"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--disable-background-networking"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(arguments)
        .output()
        .expect("the browser starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{err}");
    (out, err)
}

fn page(runs: &[Illustrated<'_>]) -> String {
    render_several(runs, Format::Html, Style { width: 120, colour: Colour::Never })
        .expect("it is of any runs")
}

/// A folder that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("it can be written");
        Folder(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("it can be written");
        format!("file://{}", path.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn told(it: &Referenced) -> Illustrated<'_> {
    Illustrated { run: &it.run, series: &it.series }
}

#[test]
fn pages_fit_every_width_light_and_dark_and_fetch_nothing() {
    let Some(browser) = browser() else { return };
    let folder = Folder::new("browser");
    let [drain, health] = ["drain", "health-check"].map(reference);
    let pages = [("drain", page(&[told(&drain)])), ("both", page(&[told(&drain), told(&health)]))];
    let mut frames = String::new();
    for (name, text) in &pages {
        folder.file(&format!("{name}.html"), text);
        for width in WIDTHS {
            frames.push_str(&format!(
                "<iframe src=\"{name}.html\" data-page=\"{name}\" width=\"{width}\" height=\"900\" style=\"border:0\"></iframe>"
            ));
        }
    }
    let wrapper = format!(
        "<!DOCTYPE html><body>{frames}<pre id=\"found\"></pre><script>onload = () => {{ {SCRIPT} }}</script></body>"
    );
    let wrapper = folder.file("wrapper.html", &wrapper);
    for dark in [false, true] {
        let scheme = format!("--blink-settings=preferredColorScheme={}", if dark { 0 } else { 1 });
        let profile = folder.0.join(if dark { "dark" } else { "light" });
        let (out, complaints) =
            run(&browser, &profile, &[&scheme, "--window-size=1600,1000", "--dump-dom", &wrapper]);
        let complained: Vec<_> = complaints.lines().filter(|line| line.contains("CONSOLE")).collect();
        assert!(complained.is_empty(), "{complained:#?}");
        let found = out
            .split_once("<pre id=\"found\">")
            .and_then(|(_, rest)| rest.split_once('<'))
            .expect("it ran")
            .0;
        let found: Vec<Measured> =
            serde_json::from_str(&decoded(found)).expect("it is what the script writes");
        assert_eq!(found.len(), pages.len() * WIDTHS.len());
        for frame in found {
            assert_eq!(frame.dark, dark, "{frame:?}");
            assert!(frame.content <= frame.width && frame.wider.is_empty(), "{frame:#?}");
            assert!(frame.fetched.is_empty(), "{frame:#?}");
            assert!(frame.pictures > 10, "{frame:#?}");
        }
    }
}

#[test]
fn the_drain_proof_is_at_most_four_printed_pages() {
    let Some(browser) = browser() else { return };
    let folder = Folder::new("printed");
    let drain = reference("drain");
    let page = folder.file("drain.html", &page(&[told(&drain)]));
    let printed = folder.0.join("drain.pdf");
    let print = format!("--print-to-pdf={}", printed.display());
    run(&browser, &folder.0.join("profile"), &[&print, "--no-pdf-header-footer", &page]);
    let pdf = fs::read(&printed).expect("it was printed");
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!((1..=4).contains(&pages), "{pages} pages");
}

/// A text without the escapes of URLs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| std::str::from_utf8(after.get(..2)?).ok()).flatten();
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).expect("a script writes text")
}
