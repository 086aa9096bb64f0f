//! The language as JSON Schema, of the draft that editors know best.
//!
//! The schema refuses nothing that rig accepts. What depends on more than one place (does that pool exist? do the
//! shares sum up?) and the limits of quantities, which are texts to JSON, are left to `rig validate`; a description
//! tells them.

use serde_json::{Map, Value, json};

use super::{document, patch};
use crate::catalog::BalancerKind;
use crate::claim::Metric;
use crate::identity::VERSION_SIGN;
use crate::scenario::limits;
use crate::scenario::shape::{Described, Outline, Shape, ShapeUnit, Text, Unless};

const DRAFT: &str = "http://json-schema.org/draft-07/schema#";

/// Whether a map must be whole, or is a merge patch: then nothing must be there, and null removes what is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum JsonKind {
    Whole,
    Patch,
}

/// Writes shapes, and gathers the sections that they refer to.
#[derive(Default)]
struct Writer {
    definitions: Map<String, Value>,
}

/// The whole schema.
pub(super) fn json() -> Value {
    let mut writer = Writer::default();
    let document = document();
    let patchable = patch().keys;
    let inherited: Vec<_> = patchable.iter().map(|key| key.name).collect();
    let mut properties = Map::new();
    for key in &document.keys {
        // With variants, each of them may bring what is missing here.
        let kind = if inherited.contains(&key.name) { JsonKind::Patch } else { JsonKind::Whole };
        properties.insert(key.name.to_owned(), writer.described(key, kind));
    }
    let alone: Map<_, _> = patchable
        .iter()
        .map(|key| (key.name.to_owned(), writer.shape(&key.shape, JsonKind::Whole)))
        .collect();
    let required = |keys: &[Described]| -> Value {
        keys.iter().filter(|key| key.unless_said == Unless::Required).map(|key| key.name).collect()
    };
    let own: Vec<_> = document.keys.iter().filter(|key| !inherited.contains(&key.name)).cloned().collect();
    json!({
        "$schema": DRAFT,
        "title": "A scenario of rig",
        "description": document.about,
        "type": "object",
        "properties": properties,
        "required": required(&own),
        "additionalProperties": false,
        "if": { "not": { "required": ["variants"] } },
        "then": { "properties": alone, "required": required(&patchable) },
        "definitions": writer.definitions,
    })
}

impl Writer {
    fn described(&mut self, key: &Described, kind: JsonKind) -> Value {
        let mut schema = self.shape(&key.shape, kind);
        if kind == JsonKind::Patch {
            schema = json!({ "anyOf": [schema, { "type": "null" }] });
        }
        let mut about = key.about.to_owned();
        if let Shape::Quantity { least, most, .. } = &key.shape {
            about += &format!(" From {least} to {most}.");
        }
        if let Unless::Told(words) = &key.unless_said {
            about += &format!(" Default: {words}.");
        }
        // Beside a reference everything else is ignored.
        if schema.get("$ref").is_some() {
            schema = json!({ "allOf": [schema] });
        }
        schema["description"] = about.into();
        if let Unless::Value(text) = &key.unless_said {
            schema["default"] = typed(text);
        }
        schema
    }

    fn shape(&mut self, shape: &Shape, kind: JsonKind) -> Value {
        match shape {
            Shape::Text(text) => text_schema(*text),
            Shape::Words(words) => {
                // YAML takes some words for something else.
                let typed = words.iter().map(|word| typed(word)).filter(|value| !value.is_string());
                let all: Vec<Value> = words.iter().map(|word| json!(word)).chain(typed).collect();
                json!({ "enum": all })
            }
            Shape::Quantity { unit, .. } => json!({ "type": "string", "pattern": pattern(*unit) }),
            Shape::Whole(limits) => {
                let mut schema = json!({ "type": "integer", "minimum": limits.start() });
                if *limits.end() < u64::MAX {
                    schema["maximum"] = json!(limits.end());
                }
                schema
            }
            Shape::List { of, least, most } => {
                let items = self.shape(of, JsonKind::Whole);
                json!({ "type": "array", "items": items, "minItems": least, "maxItems": most })
            }
            Shape::Named { names, of, most } => {
                let mut values = self.shape(of, kind);
                if kind == JsonKind::Patch {
                    values = json!({ "anyOf": [values, { "type": "null" }] });
                }
                json!({
                    "type": "object",
                    "propertyNames": text_schema(*names),
                    "additionalProperties": values,
                    "maxProperties": most,
                })
            }
            Shape::Fields(section) => self.section(section, kind),
            Shape::Patch(patch) => self.section(patch, JsonKind::Patch),
            Shape::Either(shapes) => {
                json!({ "anyOf": shapes.iter().map(|shape| self.shape(shape, kind)).collect::<Vec<_>>() })
            }
        }
    }

    /// A reference to the section, which is written down once for each kind.
    fn section(&mut self, section: &Outline, kind: JsonKind) -> Value {
        let name = match kind {
            JsonKind::Whole => section.title.to_owned(),
            JsonKind::Patch => format!("{}.patch", section.title),
        };
        let reference = json!({ "$ref": format!("#/definitions/{name}") });
        if self.definitions.contains_key(&name) {
            return reference;
        }
        let properties: Map<_, _> =
            section.keys.iter().map(|key| (key.name.to_owned(), self.described(key, kind))).collect();
        let mut schema = json!({
            "type": "object",
            "description": section.about,
            "properties": properties,
            "additionalProperties": false,
        });
        if kind == JsonKind::Whole {
            let required =
                section.keys.iter().filter(|key| key.unless_said == Unless::Required).map(|key| key.name);
            schema["required"] = required.collect();
            let one_of = section.one_of.iter().map(|keys| {
                let each: Vec<_> = keys.iter().map(|key| json!({ "required": [key] })).collect();
                json!({ "oneOf": each })
            });
            let one_of: Vec<_> = one_of.collect();
            if !one_of.is_empty() {
                schema["allOf"] = one_of.into();
            }
        }
        self.definitions.insert(name, schema);
        reference
    }
}

/// What YAML makes of an unquoted text.
pub(super) fn typed(text: &str) -> Value {
    match text {
        "true" => true.into(),
        "false" => false.into(),
        "{}" => json!({}),
        _ => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
    }
}

fn text_schema(text: Text) -> Value {
    let longest = limits::TEXT;
    match text {
        Text::Prose | Text::Claim | Text::File => json!({ "type": "string", "maxLength": longest }),
        // Editors complete what has no parts.
        Text::Figure => {
            let whole = |metric: &&Metric| metric.facet().is_none() || metric.without_facet().is_some();
            let names: Vec<_> = Metric::ALL.iter().filter(whole).map(|metric| metric.name()).collect();
            json!({ "anyOf": [{ "enum": names }, { "type": "string", "pattern": "\\[| against ", "maxLength": longest }] })
        }
        Text::Name | Text::NameOf(_) => {
            json!({ "type": "string", "pattern": format!("^[a-z0-9-]{{1,{}}}$", limits::NAME) })
        }
        Text::Path => json!({ "type": "string", "pattern": "^/[A-Za-z0-9/._~%-]*$", "maxLength": longest }),
        Text::Target => json!({ "type": "string", "pattern": "^/[!-\"$-~]*$", "maxLength": longest }),
        Text::HeaderName => json!({ "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "maxLength": limits::KEY }),
        // A value that YAML takes for something else is the text that stands there.
        Text::HeaderValue => json!({ "type": ["string", "number", "boolean"] }),
        Text::HostName => json!({
            "type": "string", "maxLength": limits::HOST,
            "pattern": "^[A-Za-z0-9-]{1,63}([.][A-Za-z0-9-]{1,63})*$",
        }),
        Text::CookieName => {
            json!({ "type": "string", "pattern": format!("^[A-Za-z0-9_]{{1,{}}}$", limits::NAME) })
        }
        // YAML takes an unquoted status for a number.
        Text::Status => json!({ "anyOf": [
            { "type": "integer", "minimum": 200, "maximum": 599 },
            { "type": "string", "pattern": "^[2-5]([0-9][0-9]|xx)$" },
        ] }),
        Text::Url => {
            json!({ "type": "string", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://[!-~]+$", "maxLength": longest })
        }
        Text::Host => json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": longest }),
        Text::Word => json!({ "type": ["string", "number", "boolean"] }),
        Text::Variable => {
            json!({ "type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": longest })
        }
        Text::Release => {
            let kinds = BalancerKind::ALL.map(BalancerKind::name).join("|");
            json!({ "type": "string", "pattern": format!("^({kinds}){VERSION_SIGN}[0-9]+([.][0-9]+){{0,2}}$") })
        }
        Text::Exponent => {
            json!({ "type": "number", "minimum": limits::ZIPF.start(), "maximum": limits::ZIPF.end() })
        }
    }
}

fn pattern(unit: ShapeUnit) -> String {
    let units = match unit {
        ShapeUnit::Span => "(ns|us|µs|ms|s|m|min)",
        ShapeUnit::Rate => "/s",
        ShapeUnit::Share => "%",
        ShapeUnit::Bytes => "(B|KiB|MiB)",
        ShapeUnit::Factor => "x",
    };
    format!(r"^([0-9]+\.?[0-9]*|\.[0-9]+)\s*{units}$")
}
