//! What other load generators say of the same faults, obtained by hand: `cargo test -p rig-lab --test fault_matrix -- --ignored`
//! writes `peers.tsv`, which `docs/fault-matrix.md` shows. It needs wrk and h2load.

use std::net::SocketAddr;
use std::process::Command;

use crate::faults::FAULTS;
use crate::sending::TIMES;
use crate::standing::Standing;

#[test]
#[ignore = "needs wrk and h2load, which the page's other columns do not"]
fn what_other_load_generators_say() {
    let standing = Standing::up(None);
    let mut text = format!("the server\t{}\t{}\n", version("wrk", "-v"), version("h2load", "--version"));
    for fault in FAULTS.iter().filter(|fault| fault.method == model::traffic::Method::Get) {
        let target = standing.does(fault);
        text.push_str(&format!("{}\t{}\t{}\n", fault.name, wrk(target), h2load(target)));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fault_matrix/peers.tsv");
    std::fs::write(path, text).unwrap();
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// `wrk 4.1.0`.
fn version(name: &str, argument: &str) -> String {
    let said = output(Command::new(name).arg(argument));
    let words = |c: char| c.is_whitespace() || "/-".contains(c);
    let version =
        said.split(words).find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
    format!("{name} {}", version.unwrap_or_default())
}

/// Which kinds of errors it counts; it runs for a time, so that their number says nothing.
fn wrk(target: SocketAddr) -> String {
    let said = output(Command::new("timeout").args([
        "20",
        "wrk",
        "-t1",
        "-c1",
        "-d1s",
        &format!("http://{target}/"),
    ]));
    let counted = |line: &str| -> Vec<String> {
        let errors = line.split(':').nth(1).unwrap_or_default().split(',').map(str::trim);
        errors
            .filter(|error| !error.ends_with(" 0"))
            .map(|it| it.split(' ').next().unwrap().to_owned())
            .collect()
    };
    let mut found: Vec<String> = Vec::new();
    for line in said.lines().map(str::trim) {
        if line.starts_with("Socket errors") {
            found.extend(counted(line).into_iter().map(|kind| format!("`{kind}` errors")));
        } else if line.starts_with("Non-2xx") {
            found.push("non-2xx or 3xx".into());
        } else if line.starts_with("unable to connect") {
            found.push("unable to connect".into());
        }
    }
    let none = said.lines().any(|line| line.trim().starts_with("0 requests in"));
    match (found.is_empty(), none) {
        (true, true) => "no request, no error".into(),
        (true, false) => "ok".into(),
        _ => found.join(", "),
    }
}

/// Its own summary.
fn h2load(target: SocketAddr) -> String {
    let requests = TIMES.to_string();
    let said = output(Command::new("timeout").args([
        "20",
        "h2load",
        "--h1",
        "-c1",
        "-n",
        &requests,
        "-T",
        "2s",
        "-N",
        "2s",
        &format!("http://{target}/"),
    ]));
    let after = |start: &str| {
        said.lines().find_map(|line| line.strip_prefix(start)).map(str::trim).map(str::to_owned)
    };
    let told = |line: String| {
        let some = line.split(", ").filter(|part| !part.starts_with("0 ")).map(str::to_owned);
        some.filter(|part| !part.ends_with("total") && !part.ends_with("started") && !part.ends_with("done"))
            .collect::<Vec<_>>()
    };
    match after("requests:") {
        Some(line) => {
            let status = after("status codes:").map(told).unwrap_or_default();
            told(line)
                .into_iter()
                .chain(status.into_iter().filter(|it| !it.ends_with("2xx")))
                .collect::<Vec<_>>()
                .join(", ")
        }
        None => "did not end within 20 s".into(),
    }
}
