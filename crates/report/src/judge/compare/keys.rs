//! What two plans differ in, by the keys of the scenario language.

use std::collections::{BTreeMap, BTreeSet};

use model::plan::{SavedPlan, Variant};
use serde::Serialize;
use serde_json::Value;

/// A key that has different values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyDifference {
    /// The key, `load.rate`.
    pub key: String,
    /// In which variants; empty: in all that both have, or it belongs to none.
    pub variants: Vec<String>,
    /// Its values, one per run.
    pub values: Vec<String>,
    /// Whether this may be what is compared: a setting of the balancer. Whatever else differs makes runs unlike.
    pub compared: bool,
}

impl KeyDifference {
    /// A line about it.
    pub fn words(&self) -> String {
        let variants = match self.variants.as_slice() {
            [] => String::new(),
            names => format!(" ({})", names.join(", ")),
        };
        format!("{}{variants}: {}", self.key, self.values.join(" against "))
    }
}

/// The differences of two plans in the variants that both have. What a scenario says about itself and claims changes no
/// figure, and how often it was repeated is told with the figures.
pub(super) fn differences(a: &SavedPlan, b: &SavedPlan) -> Vec<KeyDifference> {
    let mut found: BTreeMap<(String, Vec<String>), BTreeSet<&str>> = BTreeMap::new();
    let shared: Vec<(&Variant, &Variant)> =
        a.variants.iter().filter_map(|variant| Some((variant, b.variant(&variant.name)?))).collect();
    for (left, right) in &shared {
        let [left_keys, right_keys] = [left, right].map(|variant| keys(variant));
        let all: BTreeSet<&String> = left_keys.keys().chain(right_keys.keys()).collect();
        for key in all {
            let values = [&left_keys, &right_keys].map(|keys| keys.get(key).map_or("–", String::as_str));
            if values[0] != values[1] {
                let values = values.map(str::to_owned).to_vec();
                found.entry((key.clone(), values)).or_default().insert(&left.name);
            }
        }
    }
    let mut differences: Vec<KeyDifference> = found
        .into_iter()
        .map(|((key, values), variants)| KeyDifference {
            compared: is_the_balancers(&key),
            variants: match variants.len() == shared.len() {
                true => Vec::new(),
                false => variants.into_iter().map(str::to_owned).collect(),
            },
            key,
            values,
        })
        .collect();
    if a.seed != b.seed {
        let values = [a.seed, b.seed].map(|seed| seed.to_string()).to_vec();
        differences.push(KeyDifference { key: "seed".into(), variants: vec![], values, compared: false });
    }
    differences
}

/// Settings of the balancer; pools and routes are what it has to deal with.
fn is_the_balancers(key: &str) -> bool {
    let below = key.strip_prefix("topology.").and_then(|rest| rest.split('.').next());
    below.is_some_and(|section| !matches!(section, "pools" | "routes"))
}

/// Every value of a variant, by its key.
pub(crate) fn keys(variant: &Variant) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let sections = [
        ("topology", serde_json::to_value(&variant.topology)),
        ("load", serde_json::to_value(&variant.traffic)),
        ("timeline", serde_json::to_value(&variant.timeline)),
    ];
    for (name, value) in sections {
        // What can't be written as JSON could not have been read from it.
        gather(name, &value.unwrap_or_default(), &mut found);
    }
    found
}

fn gather(key: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter().filter(|(name, _)| !matches!(name.as_str(), "name" | "id")) {
                gather(&format!("{key}.{name}"), value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (place, item) in items.iter().enumerate() {
                // Pools, backends, routes and entries have names; what has none is named by its place.
                let name = ["name", "id", "pool"].iter().find_map(|field| item[field].as_str());
                let name = name.map_or_else(|| (place + 1).to_string(), str::to_owned);
                gather(&format!("{key}.{name}"), item, found);
            }
        }
        Value::Null => {}
        Value::String(text) => drop(found.insert(key.to_owned(), text.clone())),
        other => drop(found.insert(key.to_owned(), other.to_string())),
    }
}
