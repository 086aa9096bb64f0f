//! What a configuration says about the machine that it runs on: users, sockets, logs, files, other programs.

use crate::balancer::adoption::Limit;

use super::{AdoptionDraft, ConfigLine, ConfigSection, Proxies, milliseconds, refusing, removed, word};

/// Lines of `global` that belong to another machine.
const OF_THE_MACHINE: [(&str, &str); 12] = [
    ("user", "HAProxy runs as rig's own user"),
    ("group", "HAProxy runs as rig's own user"),
    ("uid", "HAProxy runs as rig's own user"),
    ("gid", "HAProxy runs as rig's own user"),
    ("chroot", "the cell's directory would be out of its reach"),
    ("pidfile", "rig knows its process"),
    ("localpeer", "no peer is here"),
    ("unix-bind", "sockets are the cell's own"),
    ("server-state-base", "the servers are others"),
    ("server-state-file", "the servers are others"),
    ("ssl-engine", "the cell has the software of this machine"),
    ("deviceatlas-json-file", "the cell has the software of this machine"),
];

/// Lines of any section that would ask or tell other programs, or that would hide requests.
const ELSEWHERE: [(&str, &str); 14] = [
    ("load-server-state-from-file", "the servers are others"),
    ("filter spoe", "no agent is here"),
    ("option external-check", "rig runs no other programs"),
    ("external-check", "rig runs no other programs"),
    ("email-alert", "no mail is to be sent"),
    ("mailer", "no mail is to be sent"),
    ("http-request cache-use", "an answer from a cache says nothing about a backend"),
    ("http-response cache-store", "an answer from a cache says nothing about a backend"),
    ("http-request auth", "the load has no password"),
    ("use-fcgi-app", "rig's backends speak HTTP"),
    ("option dontlog-normal", "every request is to be in the log"),
    ("option logasap", "a line is to be written when a request has ended"),
    ("source", "the address is another machine's"),
    ("usesrc", "the address is another machine's"),
];

pub(super) fn edit(
    draft: &mut AdoptionDraft<'_>,
    sections: &[ConfigSection],
    proxies: &Proxies<'_>,
    main: &ConfigSection,
) {
    match sections.iter().find(|section| section.kind == "global") {
        Some(global) => of_global(draft, global),
        None => {
            let at = sections.get(1).map_or(0, |section| section.head.at.start);
            draft.edits.insert(at, format!("global\n    {LOG}\n    {SOCKET}\n\n"));
            draft.mapped(at, "added: `global` with a log and a runtime socket");
        }
    }
    for section in sections {
        match section.kind.as_str() {
            "program" => {
                let end = section.lines.last().map_or(section.head.at.end, |line| line.at.end);
                draft.edits.remove(&draft.source.text, section.head.at.start..end);
                draft.left(
                    section.head.at.start,
                    format!("`{}` is left out: rig runs no other programs", section.head.text()),
                    "",
                );
                continue;
            }
            "ring" | "peers" | "log-forward" => {
                for line in section.lines.iter().filter(|line| line.is("server") && line.words.len() > 2) {
                    word(draft, line, 2, refusing());
                }
            }
            _ => {}
        }
        for line in &section.lines {
            of_any(draft, section, line);
        }
    }
    // The main frontend has to log, whatever its defaults say.
    for line in proxies.held(main, "no log") {
        draft.edits.replace(line.words_at[0].start..line.at.end, "log global");
    }
}

const LOG: &str = "log stdout format raw daemon";
const SOCKET: &str = "stats socket {{ admin }} mode 600 level admin expose-fd listeners";

fn of_global(draft: &mut AdoptionDraft<'_>, global: &ConfigSection) {
    let (mut logs, mut sockets) = (0, 0);
    for line in &global.lines {
        let whole = line.words_at[0].start..line.words_at.last().map_or(line.at.end, |at| at.end);
        if line.is("log") {
            logs += 1;
            match logs {
                1 => {
                    draft.edits.replace(whole, LOG);
                    draft.mapped(
                        line.at.start,
                        format!("`{}`: rig reads HAProxy's standard output", line.text()),
                    );
                }
                _ => removed(draft, line, "rig reads HAProxy's standard output"),
            }
        } else if line.is("stats socket") {
            sockets += 1;
            match sockets {
                1 => {
                    draft.edits.replace(whole, SOCKET);
                    draft.mapped(line.at.start, format!("`{}`: the cell's runtime socket", line.text()));
                }
                _ => word(draft, line, 2, format!("{{{{ sockets }}}}/stats-{sockets}.sock")),
            }
        } else if let Some((_, why)) = OF_THE_MACHINE.iter().find(|(known, _)| line.word(0) == *known) {
            draft.edits.remove(&draft.source.text, whole);
            draft.mapped(line.at.start, format!("`{}` is left out: {why}", line.text()));
        }
    }
    let mut added = String::new();
    let limits = global.lines.iter().find(|line| line.is("maxconn") || line.is("ulimit-n"));
    if let Some(line) = limits.filter(|_| global.named("no strict-limits").next().is_none()) {
        added.push_str("\n    no strict-limits  # added by rig");
        let what = format!(
            "`{}`: `no strict-limits` is added, so that it starts where a process may have fewer descriptors",
            line.text()
        );
        draft.mapped(line.at.start, what);
    }
    if logs == 0 {
        added.push_str(&format!("\n    {LOG}  # added by rig"));
    }
    if sockets == 0 {
        added.push_str(&format!("\n    {SOCKET}  # added by rig"));
        draft.mapped(global.head.at.start, "added: a runtime socket, by which backends are taken out");
    }
    draft.edits.insert(global.head.at.end, added);
}

/// What may stand in several kinds of sections.
fn of_any(draft: &mut AdoptionDraft<'_>, section: &ConfigSection, line: &ConfigLine) {
    let proxy = matches!(section.kind.as_str(), "defaults" | "frontend" | "backend" | "listen");
    if proxy && line.is("log") && line.word(1) != "global" {
        draft.edits.replace(line.words_at[0].start..line.at.end, "log global");
        draft.mapped(line.at.start, format!("`{}`: rig reads HAProxy's standard output", line.text()));
        return;
    }
    if let Some((_, why)) = ELSEWHERE.iter().find(|(known, _)| line.is(known)) {
        removed(draft, line, why);
        return;
    }
    if refuses_other_addresses(section, line) {
        removed(draft, line, "the load comes from an address of the cell");
        return;
    }
    let file = match line.word(0) {
        "errorfile" => Some(2),
        "lua-load" | "lua-load-per-thread" | "lua-prepend-path" | "ssl-dh-param-file" => Some(1),
        _ => None,
    };
    if let Some(nth) = file {
        let path = line.word(nth).to_owned();
        match draft.companion(line.at.start, &path, false) {
            Some(placed) => word(draft, line, nth, placed),
            None => removed(draft, line, "the file is neither beside the configuration nor on this machine"),
        }
    }
    for (nth, text) in line.words.iter().enumerate().skip(1) {
        if line.word(nth - 1) == "-f" {
            if let Some(placed) = draft.companion(line.at.start, text, true) {
                word(draft, line, nth, placed);
            }
        } else {
            maps(draft, line, nth);
        }
    }
}

/// Whether a rule refuses whoever does not come from certain addresses.
fn refuses_other_addresses(section: &ConfigSection, line: &ConfigLine) -> bool {
    let refuses = ["http-request deny", "http-request reject", "tcp-request connection reject"];
    if !refuses.iter().chain(&["tcp-request content reject"]).any(|rule| line.is(rule)) {
        return false;
    }
    let of_address = |name: &str| section.named("acl").any(|acl| acl.word(1) == name && acl.word(2) == "src");
    let Some(at) = line.words.iter().position(|word| word == "if" || word == "unless") else { return false };
    let wants = |nth: usize| {
        let word = line.word(nth);
        (word == "{" && line.word(nth + 1) == "src") || of_address(word)
    };
    let negated = |nth: usize| match line.word(nth) {
        "!" => wants(nth + 1),
        "!{" => line.word(nth + 1) == "src",
        word => word.strip_prefix('!').is_some_and(of_address),
    };
    let unless = line.word(at) == "unless";
    (at + 1..line.words.len()).any(|nth| if unless { wants(nth) } else { negated(nth) })
}

/// The files of `map(…)` converters.
fn maps(draft: &mut AdoptionDraft<'_>, line: &ConfigLine, nth: usize) {
    let Some(place) = line.words_at.get(nth).cloned() else { return };
    let written = draft.source.text[place.clone()].to_owned();
    for (at, _) in written.match_indices("map") {
        let Some(open) =
            written[at..].find('(').filter(|open| !written[at..at + open].contains([',', ')', ' ']))
        else {
            continue;
        };
        let from = at + open + 1;
        let Some(length) = written[from..].find([',', ')']) else { continue };
        let path = &written[from..from + length];
        if (path.starts_with('/') || path.contains('.'))
            && let Some(placed) = draft.companion(line.at.start, path, true)
        {
            draft.edits.replace(place.start + from..place.start + from + length, placed);
        }
    }
}

/// What rules let through from one address.
pub(super) fn limits(sections: &[ConfigSection]) -> Vec<Limit> {
    let lines = || sections.iter().flat_map(|section| &section.lines);
    let inside =
        |text: &str, name: &str| Some(text.split_once(&format!("{name}("))?.1.split(')').next()?.to_owned());
    let tables = || lines().filter(|line| line.is("stick-table")).map(ConfigLine::text);
    let period = tables().find_map(|text| milliseconds(&inside(&text, "http_req_rate")?)).unwrap_or(10_000);
    let limits = lines().filter_map(|line| {
        let at = line.words.iter().position(|word| word == "gt" || word == "ge")?;
        let (what, most) = (line.word(at.checked_sub(1)?), line.word(at + 1).parse::<f64>().ok()?);
        let says = format!("`{}`", line.text());
        if what.contains("http_req_rate") {
            return Some(Limit::per_second(most * 1000.0 / period as f64, says));
        }
        what.contains("conn_cur").then(|| Limit::at_once(most, says))
    });
    limits.collect()
}
