//! Takes over an Envoy bootstrap. It is data, YAML or JSON, so that it is changed as data: what is shown is the difference
//! between the same text before and after.

mod clusters;
mod listeners;

use std::ops::Range;
use std::path::Path;

use model::timeline::Deregister;
use serde_json::{Value, json};

use self::clusters::Clusters;
use super::Envoy;
use crate::balancer::Adopts;
use crate::balancer::adoption::{AdoptError, Adoption, AdoptionDraft, REFUSING, Source, escaped};

const HOME: &str = "/etc/envoy";

/// The bootstrap's parts that ask or tell other programs.
const ELSEWHERE: [(&str, &str); 8] = [
    ("dynamic_resources", "rig launches no control plane: write the resources into `static_resources`"),
    ("stats_sinks", "nothing listens there"),
    ("tracing", "nothing listens there"),
    ("hds_config", "no management server is here"),
    ("cluster_manager", "no management server is here"),
    ("layered_runtime", "no management server is here"),
    ("watchdogs", "the cell watches its processes itself"),
    ("config_dump", "it is read by others"),
];

impl Adopts for Envoy {
    fn recognises(&self, text: &str) -> bool {
        serde_saphyr::from_str::<Value>(text).is_ok_and(|value| value.get("static_resources").is_some())
    }

    fn adopt(&self, file: &Path) -> Result<Adoption, AdoptError> {
        adopt(file)
    }

    fn test_arguments(&self) -> &'static [&'static str] {
        &["--mode", "validate"]
    }

    fn refused(&self, _said: &str) -> Option<(usize, String)> {
        // It names fields, and no lines.
        None
    }

    fn statement(&self, _text: &str, _line: usize, _words: &str) -> Option<Range<usize>> {
        None
    }
}

fn adopt(file: &Path) -> Result<Adoption, AdoptError> {
    let unfit = |what: String| AdoptError::Unfit { place: file.display().to_string(), what };
    let written = Source::read(file)?;
    let mut value: Value = serde_saphyr::from_str(&written.text)
        .map_err(|error| unfit(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
    // What is said has the file's name; lines are those of another text.
    let source = written.with_text(text_of(&value));
    let mut draft = AdoptionDraft::of(&source, HOME);
    let mut clusters = Clusters::of(&value);
    let found = listeners::edit(&mut draft, &mut value, &mut clusters).map_err(unfit)?;
    let routes = draft.settled(found.routes);
    let Some(main) = routes.first().map(|route| route.pool.clone()) else {
        return Err(unfit("no route of its listeners is known to reach a cluster with endpoints".to_owned()));
    };
    let said = clusters.edit(&mut draft, &mut value, &main);
    for (name, why) in ELSEWHERE {
        if value.as_object_mut().and_then(|it| it.remove(name)).is_some() {
            draft.left(0, format!("`{name}` is left out"), why);
        }
    }
    value["admin"] = json!({ "address": { "pipe": { "path": "{{ admin }}", "mode": 384 } } });
    draft.mapped(0, "admin: a socket of the cell");
    if value["node"]["id"].is_null() || value["node"]["cluster"].is_null() {
        value["node"] = json!({ "id": "rig", "cluster": "rig" });
        draft.mapped(0, "node: an id and a cluster are added");
    }
    draft.edits.replace(0..source.text.len(), template_of(&value));
    Ok(Adoption {
        file: file.to_owned(),
        edits: draft.edits,
        source: source.clone(),
        files: draft.files,
        pools: clusters.pools.all(),
        routes,
        tls: found.tls,
        tls_to_servers: clusters.tls,
        balance: said.balance,
        health_check: said.health_check,
        tries: found.tries,
        limit: None,
        deregister: Deregister::Live,
        mapped: draft.mapped,
        left: draft.left,
    })
}

/// The bootstrap in one form, whatever it was written in.
fn text_of(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The same as a template. Placeholders stand in strings; a port is a number.
fn template_of(value: &Value) -> String {
    let mut text = escaped(&text_of(value));
    // Those that are rig's were escaped with the rest.
    for name in [
        "admin",
        "sockets",
        "directory",
        "listener_ip",
        "tls.certificate",
        "tls.key",
        "tls.authority",
        "tls.name",
    ] {
        text = text.replace(&format!("{{{{ '{{' }}}}{{ {name} }}}}"), &format!("{{{{ {name} }}}}"));
    }
    text.replace(&format!("\"{PORT}\""), "{{ listener_port }}")
}

/// Stands for the listener's port until the text is written.
const PORT: &str = "the listener's port";

/// The items of a list.
fn items_mut(value: &mut Value) -> impl Iterator<Item = &mut Value> {
    value.as_array_mut().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The address that refuses.
fn refusing() -> Value {
    json!({ "pipe": { "path": format!("{{{{ sockets }}}}/{REFUSING}") } })
}
