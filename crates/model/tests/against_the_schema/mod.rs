//! What a validator of JSON Schema, such as an editor's, says of a scenario.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(&model::scenario::schema()).expect("the schema is JSON");
    jsonschema::draft7::new(&schema).expect("the schema is one")
});

/// Everything that is wrong with the document, in its words.
pub(crate) fn wrong(text: &str) -> Vec<String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let document: Value = serde_saphyr::from_str_with_options(text, options).expect("the scenario is YAML");
    VALIDATOR.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}
