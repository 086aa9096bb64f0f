//! The located tree, in which every key and value knows where it was written, and merge patches over it.

use super::problem::Place;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// Scalars stay texts: what they mean is for the reader of the key to say, so `drain: off` is no boolean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// Nothing, `~` or `null`, also written `Null` or `NULL`. In a patch it removes the key.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A key with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

impl Node {
    /// The value under `key`, if this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node),
            _ => None,
        }
    }

    /// This document with `patch` merged over it, as RFC 7386 says: maps merge key by key, null removes a key,
    /// anything else replaces. Every surviving value keeps the place where it was written.
    pub(crate) fn patched(&self, patch: &Node) -> Node {
        let Value::Map(changes) = &patch.value else {
            return patch.clone();
        };
        let (place, mut entries) = match &self.value {
            Value::Map(entries) => (self.place.clone(), entries.clone()),
            _ => (patch.place.clone(), Vec::new()),
        };
        for (key, change) in changes {
            let old = entries.iter().position(|(k, _)| k.text == key.text);
            match (old, &change.value) {
                (Some(at), Value::Null) => drop(entries.remove(at)),
                (None, Value::Null) => {}
                (Some(at), Value::Map(_)) if matches!(entries[at].1.value, Value::Map(_)) => {
                    entries[at].1 = entries[at].1.patched(change);
                }
                (Some(at), _) => entries[at] = (key.clone(), change.without_nulls()),
                (None, _) => entries.push((key.clone(), change.without_nulls())),
            }
        }
        Node { place, value: Value::Map(entries) }
    }

    /// What a patch adds where nothing stood before: itself, less the keys that it would have removed.
    fn without_nulls(&self) -> Node {
        let nothing = Node { place: self.place.clone(), value: Value::Null };
        nothing.patched(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::problem::Source;
    use super::super::yaml;
    use super::*;

    fn tree(text: &str) -> Node {
        let source = Arc::new(Source { name: "test".into(), text: text.into() });
        yaml::parse(&source, 0..text.len()).unwrap()
    }

    /// The tree without its places.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar(text) => format!("{text:?}"),
            Value::List(items) => format!("{:?}", items.iter().map(plain).collect::<Vec<_>>()),
            Value::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(k, v)| format!("{:?}: {}", k.text, plain(v))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn documents() -> impl Strategy<Value = String> {
        let leaf = prop_oneof!["[a-c]{1,3}", Just("null".to_owned()), Just("[x, y]".to_owned())];
        let maps = leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::btree_map("[a-d]", inner, 0..4).prop_map(|map| {
                let entries: Vec<_> = map.into_iter().map(|(k, v)| format!("{k}: {v}")).collect();
                format!("{{ {} }}", entries.join(", "))
            })
        });
        maps.prop_map(|inner| format!("{{ a: {inner}, b: 1 }}"))
    }

    #[test]
    fn a_patch_merges_maps_replaces_the_rest_and_removes_by_null() {
        // The examples of RFC 7386, appendix A, as far as the language has their values.
        for (original, patch, result) in [
            ("{a: b}", "{a: c}", r#"{"a": "c"}"#),
            ("{a: b}", "{b: c}", r#"{"a": "b", "b": "c"}"#),
            ("{a: b}", "{a: null}", "{}"),
            ("{a: b, b: c}", "{a: null}", r#"{"b": "c"}"#),
            ("{a: [b]}", "{a: c}", r#"{"a": "c"}"#),
            ("{a: c}", "{a: [b]}", r#"{"a": ["\"b\""]}"#),
            ("{a: {b: c}}", "{a: {b: d, c: null}}", r#"{"a": {"b": "d"}}"#),
            ("{e: null}", "{a: 1}", r#"{"e": null, "a": "1"}"#),
            ("[1, 2]", "{a: b, c: null}", r#"{"a": "b"}"#),
            ("{}", "{a: {bb: {ccc: null}}}", r#"{"a": {"bb": {}}}"#),
        ] {
            assert_eq!(plain(&tree(original).patched(&tree(patch))), result, "{original} ⊕ {patch}");
        }
    }

    #[test]
    fn a_patched_value_knows_where_it_was_written() {
        let base = tree("{load: {rate: 1, for: 2}}");
        let merged = base.patched(&tree("\n\n{load: {rate: 3}}"));
        let load = merged.get("load").unwrap();
        assert_eq!(load.get("rate").unwrap().place.line(), 3);
        assert_eq!(load.get("for").unwrap().place.line(), 1);
    }

    proptest! {
        #[test]
        fn an_empty_patch_changes_nothing(document in documents()) {
            let document = tree(&document);
            prop_assert_eq!(document.patched(&tree("{}")), document);
        }

        #[test]
        fn patching_twice_is_patching_once(document in documents(), patch in documents()) {
            let patch = tree(&patch);
            let once = tree(&document).patched(&patch);
            prop_assert_eq!(once.patched(&patch), once);
        }
    }
}
