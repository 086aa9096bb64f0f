//! The bundled scenarios, embedded in the binary, so that they run by name without a checkout.

use std::path::Path;

const EMBEDDED: [(&str, &str); 14] = [
    ("canary", include_str!("../../../scenarios/canary.yaml")),
    ("defaults", include_str!("../../../scenarios/defaults.yaml")),
    ("discovery", include_str!("../../../scenarios/discovery.yaml")),
    ("drain", include_str!("../../../scenarios/drain.yaml")),
    ("drain-edges", include_str!("../../../scenarios/drain-edges.yaml")),
    ("half-dead", include_str!("../../../scenarios/half-dead.yaml")),
    ("health-check", include_str!("../../../scenarios/health-check.yaml")),
    ("path-routing", include_str!("../../../scenarios/path-routing.yaml")),
    ("reload", include_str!("../../../scenarios/reload.yaml")),
    (
        "round-robin-vs-least-connections",
        include_str!("../../../scenarios/round-robin-vs-least-connections.yaml"),
    ),
    ("scale", include_str!("../../../scenarios/scale.yaml")),
    ("sticky-sessions", include_str!("../../../scenarios/sticky-sessions.yaml")),
    ("termination-race", include_str!("../../../scenarios/termination-race.yaml")),
    ("tls", include_str!("../../../scenarios/tls.yaml")),
];

/// Each scenario's name and text, in the order of names.
pub(crate) fn all() -> &'static [(&'static str, &'static str)] {
    &EMBEDDED
}

/// The bundled scenario that `path` names, if it is a bare name.
pub(crate) fn find(path: &Path) -> Option<(&'static str, &'static str)> {
    all().iter().find(|(name, _)| Path::new(name) == path).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_of_the_checkout_is_bundled_as_it_is() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
        let mut files: Vec<_> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
        let mut names: Vec<_> =
            files.iter().map(|file| file.file_stem().unwrap().to_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(all().iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
    }

    #[test]
    fn only_a_bare_name_is_a_bundled_scenario() {
        assert!(find(Path::new("drain")).is_some());
        assert_eq!(find(Path::new("scenarios/drain")), None);
    }
}
