//! The official images that rig is built with: `docker/images.yaml`.

use std::collections::BTreeMap;

use serde::Deserialize;

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
}

impl Official {
    /// The image of what goes by `name` there.
    pub(super) fn of(name: &str) -> Official {
        all().remove(name).expect("a test holds that docker/images.yaml names everything that has an image")
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
        if self.digest.is_some() { "" } else { ", by its tag: docker/images.yaml pins no content of it" }
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
    fn a_misspelt_key_is_an_error() {
        let text = "nginx: { repository: nginx, tag: 1.30.5, digset: sha256:00 }";
        assert!(serde_saphyr::from_str::<BTreeMap<String, Official>>(text).is_err());
    }
}
