//! The official images that rig is built with: `docker/images.yaml`.

use std::collections::BTreeMap;

use model::version::Version;
use serde::Deserialize;

use crate::program::ProgramVersion;

const EMBEDDED: &str = include_str!("../../../../../docker/images.yaml");

/// An image of a registry, pinned to its content.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Official {
    /// As `docker pull` takes it: `envoyproxy/envoy`.
    pub(super) repository: String,
    /// The release, for people.
    pub(super) tag: String,
    /// The index's digest, `sha256:…`: what is pulled. `None`: whatever bears the tag.
    pub(super) digest: Option<String>,
    /// The tag of the newest release of a line, with `{}` for its first numbers, where it isn't those numbers.
    #[serde(default)]
    pub(super) line: Option<String>,
}

impl Official {
    /// The image of `program`. One in a version that is asked for is not pinned.
    pub(super) fn of(program: ProgramVersion) -> Official {
        let pinned = all().remove(program.program.name);
        let pinned = pinned.expect("a test holds that docker/images.yaml names everything that has an image");
        match program.version {
            None => pinned,
            Some(version) => pinned.in_version(version),
        }
    }

    fn in_version(self, version: Version) -> Official {
        let numbers = version.to_string();
        let tag = match &self.line {
            Some(line) if !version.is_whole() => line.replace("{}", &numbers),
            // As the pinned one is written: `v1.39.3`.
            _ => format!("{}{numbers}", self.tag.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit())),
        };
        Official { tag, digest: None, ..self }
    }

    /// Its content, whatever the tag means today; only the tag, if nothing more is known of it.
    pub(super) fn pinned(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.tagged()),
            None => self.tagged(),
        }
    }

    /// What is pulled: the content, else the tag.
    pub(super) fn wanted(&self) -> &str {
        self.digest.as_deref().unwrap_or(&self.tag)
    }

    /// How far its content is known, in words for the records of a run.
    pub(super) fn reservation(&self) -> &'static str {
        if self.digest.is_some() { "" } else { ", by its tag, of which no content is pinned" }
    }

    /// Whatever bears its tag.
    pub(super) fn tagged(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

fn all() -> BTreeMap<String, Official> {
    serde_saphyr::from_str(EMBEDDED).expect("a test holds that docker/images.yaml can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_a_component_runs_has_an_image_with_a_tag() {
        for program in crate::components::programs() {
            assert!(all().contains_key(program.name), "docker/images.yaml lacks {}", program.name);
        }
        for (name, image) in all() {
            let digits =
                image.digest.as_ref().map(|digest| digest.strip_prefix("sha256:").unwrap_or_default());
            let is_hash = |digits: &str| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            assert!(digits.is_none_or(is_hash), "{name}: {image:?}");
            assert!(!image.tag.is_empty() && image.tag != "latest", "{name}: {image:?}");
        }
    }

    #[test]
    fn a_version_that_is_asked_for_has_the_tag_of_its_project() {
        let tag = |name: &str, version: &str| {
            let program = crate::components::programs().find(|program| program.name == name).unwrap();
            let version = Some(version.parse().unwrap());
            Official::of(ProgramVersion { program, version }).pinned()
        };
        assert_eq!(tag("nginx", "1.31"), "nginx:1.31");
        assert_eq!(tag("haproxy", "3.2.22"), "haproxy:3.2.22");
        assert_eq!(tag("envoy", "1.39.3"), "envoyproxy/envoy:v1.39.3");
        assert_eq!(tag("envoy", "1.39"), "envoyproxy/envoy:v1.39-latest");
    }

    #[test]
    fn a_misspelt_key_is_an_error() {
        let text = "nginx: { repository: nginx, tag: 1.30.5, digset: sha256:00 }";
        assert!(serde_saphyr::from_str::<BTreeMap<String, Official>>(text).is_err());
    }
}
