//! What a configuration says about the machine that it runs on: users, processes, logs, files, modules, certificates, and who
//! may ask.

use super::includes::is_list;
use super::listeners::socket;
use super::{ACCESS_LOG, AdoptionDraft, Directive, ERROR_LOG, refusing};

/// Directives whose file or directory nginx writes.
const WRITTEN: [&str; 9] = [
    "pid",
    "lock_file",
    "client_body_temp_path",
    "proxy_temp_path",
    "fastcgi_temp_path",
    "uwsgi_temp_path",
    "scgi_temp_path",
    "proxy_cache_path",
    "fastcgi_cache_path",
];

/// Directives whose file nginx reads.
const READ: [&str; 14] = [
    "auth_basic_user_file",
    "ssl_dhparam",
    "ssl_crl",
    "ssl_password_file",
    "ssl_session_ticket_key",
    "ssl_stapling_file",
    "ssl_client_certificate",
    "proxy_ssl_certificate",
    "proxy_ssl_certificate_key",
    "proxy_ssl_crl",
    "js_import",
    "js_include",
    "geoip_country",
    "geoip_city",
];

/// Where modules lie, if a path says only `modules/…`.
const MODULES: [&str; 4] =
    ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules", "/etc/nginx/modules"];

/// Whether the cell has a certificate.
type HasTls = bool;

pub(super) fn edit(draft: &mut AdoptionDraft<'_>, tree: &[Directive], tls: HasTls) {
    for it in tree {
        match it.name.as_str() {
            "user" => {
                let what = format!("`{}`: the cell's directory is its own user's", it.words());
                whole(draft, it, "user root;", &what);
            }
            "daemon" if it.first() != "off" => {
                whole(draft, it, "daemon off;", "`daemon`: rig runs it in the foreground")
            }
            "master_process" | "working_directory" | "google_perftools_profiles" => {
                removed(draft, it, "rig runs a master with workers in the cell's directory", "");
            }
            "mail" => removed(draft, it, "the load is HTTP", ""),
            "load_module" => module(draft, it),
            _ => {}
        }
        within(draft, it, it.name == "stream", tls);
    }
}

/// What may stand at any depth.
fn within(draft: &mut AdoptionDraft<'_>, it: &Directive, in_stream: bool, tls: HasTls) {
    if draft.edits.covers(&it.at) {
        return;
    }
    match it.name.as_str() {
        name if WRITTEN.contains(&name) => written(draft, it),
        name if READ.contains(&name) => read(draft, it),
        "error_log" => log(draft, it, ERROR_LOG),
        "access_log" if in_stream => log(draft, it, ""),
        "access_log" => log(draft, it, ACCESS_LOG),
        "include" => list(draft, it),
        "root" | "alias" => root(draft, it),
        "listen" if in_stream => argument(draft, it, 0, &socket(it.first())),
        "proxy_pass" if in_stream => argument(draft, it, 0, &refusing()),
        "server" if in_stream && it.inside.is_none() => argument(draft, it, 0, &refusing()),
        "fastcgi_pass" | "uwsgi_pass" | "scgi_pass" | "grpc_pass" | "memcached_pass" => {
            let scheme = if it.name == "grpc_pass" { "grpc://" } else { "" };
            argument(draft, it, 0, &format!("{scheme}{}", refusing()));
            draft.left(
                it.at.start,
                format!("`{}`: rig's backends speak HTTP; connections there are refused", it.words()),
                "",
            );
        }
        "proxy_bind" => removed(draft, it, "the address is another machine's", ""),
        "mirror" => removed(draft, it, "a copy would be counted as a request executed twice", ""),
        "auth_request" => removed(draft, it, "the question would be counted as a request executed twice", ""),
        "proxy_cache" | "fastcgi_cache" if it.first() != "off" => {
            whole(
                draft,
                it,
                &format!("{} off;", it.name),
                "an answer from a cache says nothing about a backend",
            );
        }
        "auth_basic" if it.first() != "off" => {
            whole(draft, it, "auth_basic off;", "the load has no password")
        }
        "deny" if it.first() == "all" => {
            whole(draft, it, "allow all;", "`deny all`: the load comes from an address of the cell")
        }
        "resolver" if it.arguments.iter().any(|word| is_name(word)) => {
            whole(
                draft,
                it,
                "resolver 127.0.0.1;",
                "the resolver's name is not known here; every server has an address",
            );
        }
        name if name.starts_with("ssl_") || name.starts_with("proxy_ssl_") => secret(draft, it, tls),
        _ => {}
    }
    for inner in &it.block {
        within(draft, inner, in_stream, tls);
    }
}

/// Certificates.
fn secret(draft: &mut AdoptionDraft<'_>, it: &Directive, tls: HasTls) {
    let is = |wanted: &str| it.arguments.iter().any(|word| word == wanted);
    match it.name.as_str() {
        "ssl_certificate" | "ssl_certificate_key" if !tls => {
            removed(draft, it, "the cell's listener speaks no TLS", "")
        }
        "ssl_certificate" => {
            argument(draft, it, 0, "\"{{ tls.certificate }}\"");
            draft.mapped(it.at.start, format!("{}: the cell's own certificate", it.first()));
        }
        "ssl_certificate_key" => argument(draft, it, 0, "\"{{ tls.key }}\""),
        "ssl_trusted_certificate" if !tls => removed(draft, it, "the cell's listener speaks no TLS", ""),
        "ssl_trusted_certificate" | "proxy_ssl_trusted_certificate" => {
            argument(draft, it, 0, "\"{{ tls.authority }}\"")
        }
        "proxy_ssl_name" => argument(draft, it, 0, "{{ tls.name }}"),
        "proxy_ssl_verify" if is("on") => draft.edits.insert(it.at.end, " proxy_ssl_name {{ tls.name }};"),
        "ssl_verify_client" if is("on") => {
            whole(draft, it, "ssl_verify_client off;", "rig's client has no certificate")
        }
        _ => {}
    }
}

fn argument(draft: &mut AdoptionDraft<'_>, it: &Directive, nth: usize, template: &str) {
    if let Some(place) = it.arguments_at.get(nth) {
        draft.edits.replace(place.clone(), template);
    }
}

fn whole(draft: &mut AdoptionDraft<'_>, it: &Directive, template: &str, why: &str) {
    draft.edits.replace(it.at.clone(), template);
    draft.mapped(it.at.start, format!("`{template}`: {why}"));
}

fn removed(draft: &mut AdoptionDraft<'_>, it: &Directive, why: &str, fix: &str) {
    let words = if it.inside.is_some() { it.name.clone() } else { it.words() };
    draft.edits.remove(&draft.source.text, it.at.clone());
    draft.left(it.at.start, format!("`{words}` is left out: {why}"), fix);
}

/// A path below the cell's directory in the place of one that nginx writes.
fn written(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    let target = draft.finder.target(it.first());
    argument(draft, it, 0, &format!("\"{{{{ directory }}}}{target}\""));
    draft.mapped(it.at.start, format!("{} {}: below the cell's directory", it.name, it.first()));
}

/// A file that nginx reads is copied; without it the directive goes.
fn read(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    let nth = it.arguments.len().saturating_sub(1);
    let path = it.arguments.get(nth).cloned().unwrap_or_default();
    let nth = if it.name.starts_with("js_") || nth == 0 { nth } else { 0 };
    let path = it.arguments.get(nth).cloned().unwrap_or(path);
    match draft.companion(it.at.start, &path, false) {
        Some(placed) => argument(draft, it, nth, &format!("\"{placed}\"")),
        None => removed(
            draft,
            it,
            "the file is neither beside the configuration nor on this machine",
            "copy it beside the configuration",
        ),
    }
}

/// A log of the user's stays, below the cell's directory, and rig's is written beside it.
fn log(draft: &mut AdoptionDraft<'_>, it: &Directive, beside: &str) {
    let first = it.first();
    if first == "off" || first.starts_with("syslog:") || first == "/dev/null" {
        match beside {
            "" => removed(draft, it, "nothing listens there", ""),
            beside => whole(draft, it, beside, &format!("in the place of `{}`", it.words())),
        }
        return;
    }
    if first != "stderr" && !first.starts_with("memory:") {
        // A path with variables is known when a request comes; what is before them is mapped.
        let target = draft.finder.target(first);
        argument(draft, it, 0, &format!("\"{{{{ directory }}}}{target}\""));
        draft.mapped(it.at.start, format!("{} {first}: below the cell's directory", it.name));
    }
    if !beside.is_empty() {
        draft.edits.insert(it.at.end, format!(" {beside}"));
    }
}

/// Lists stay files of their own.
fn list(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    let path = it.first().to_owned();
    if let Some(placed) = draft.companion(it.at.start, &path, true) {
        argument(draft, it, 0, &format!("\"{placed}\""));
    }
    debug_assert!(is_list(&path) || it.inside.is_none(), "an include has no block");
}

/// A directory of static files that isn't here is an empty one.
fn root(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    let path = it.first().to_owned();
    if path.contains('$') || std::path::Path::new(&path).is_dir() {
        return;
    }
    let slash = if path.ends_with('/') { "/" } else { "" };
    let target = draft.finder.target(&path);
    // With the dot, the directory itself is made.
    argument(draft, it, 0, &format!("\"{{{{ directory }}}}{target}/.{slash}\""));
    draft.mapped(
        it.at.start,
        format!("{} {path} is not on this machine: an empty directory of the cell", it.name),
    );
}

fn module(draft: &mut AdoptionDraft<'_>, it: &Directive) {
    let file = it.first().rsplit('/').next().unwrap_or_default().to_owned();
    let own = std::path::PathBuf::from(it.first());
    let places = std::iter::once(own)
        .filter(|path| path.is_absolute())
        .chain(MODULES.iter().map(|folder| std::path::Path::new(folder).join(&file)));
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => argument(draft, it, 0, &path.display().to_string()),
        None => removed(
            draft,
            it,
            "this machine hasn't got the module",
            "install it; directives of it are left out below",
        ),
    }
}

/// Whether a word of `resolver` is a host's name.
fn is_name(word: &str) -> bool {
    let host = word.rsplit_once(':').map_or(word, |(host, _)| host);
    !word.contains('=') && !word.starts_with('[') && !host.chars().all(|c| c.is_ascii_digit() || c == '.')
}
