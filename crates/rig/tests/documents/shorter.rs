//! Makes the bundled scenarios short: the same experiments on a smaller scale.

use std::path::Path;

/// In which file what is written, and what takes its place. Each must be there exactly once: a scenario that was changed is
/// not run at full length without a word.
const SHORTER: [(&str, &str, &str); 6] = [
    (
        "drain",
        "{ uniform: [50ms, 400ms], tail: { share: 2%, at: 800ms } }",
        "{ uniform: [20ms, 120ms], tail: { share: 2%, at: 200ms } }",
    ),
    (
        "drain",
        "rate: 400/s, for: 20s, warmup: 2s, timeout: 2s",
        "rate: 300/s, for: 6s, warmup: 500ms, timeout: 1s",
    ),
    ("drain", "rollout: { at: 4s,", "rollout: { at: 1s,"),
    ("drain", "boot: 500ms", "boot: 100ms"),
    ("drain", "every: 500ms, timeout: 250ms", "every: 100ms, timeout: 100ms"),
    ("path-routing", "  for: 7s\n", "  for: 2500ms\n"),
];

/// Shortens the scenarios in `directory`.
pub(crate) fn make(directory: &Path) {
    for (name, long, short) in SHORTER {
        let path = directory.join(name).with_extension("yaml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(long).count(), 1, "{name}.yaml has `{long}` once");
        std::fs::write(&path, text.replacen(long, short, 1)).unwrap();
    }
}

#[test]
fn what_is_shortened_is_in_the_scenarios() {
    let directory = tempfile::tempdir().unwrap();
    super::copy(&super::root().join("scenarios"), directory.path());
    make(directory.path());
}
