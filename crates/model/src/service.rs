//! A service of the user's, which stands behind the balancer in the place of rig's own backends. It keeps no ledger and
//! stamps nothing: what is known of it comes from the client and from the balancer's log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::units::Span;

/// What a pool runs in the place of rig's own backends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnService {
    /// The program and its arguments; of an image, what replaces its own command.
    pub command: Vec<String>,
    /// The image that it is a container of; `None`: it is a local process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The port that a container of it listens on.
    pub port: u16,
    /// Variables of its environment.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// The version of each generation; the last one goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<String>,
    /// When a process of it can serve.
    pub ready: Readiness,
    /// What tells it to end.
    pub stop_signal: StopSignal,
    /// The response header that says who answered, such as `X-Version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_header: Option<String>,
    /// Where its command runs: the directory of the scenario.
    #[serde(default)]
    pub directory: PathBuf,
}

/// When a process can serve: once this path is answered with a status of 200 to 299.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The path; `None`: where the pool's health is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How long that may take from the launch on.
    pub within: Span,
}

/// The signal that asks a service to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum StopSignal {
    /// SIGTERM, as most supervisors send it.
    #[default]
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT: nginx then ends gracefully.
    Quit,
}

/// What stands in braces in the words of a service, and in its environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePlace<'a> {
    /// Where it is to listen.
    pub host: String,
    /// On which port.
    pub port: u16,
    /// The backend.
    pub backend: &'a str,
    /// Which life of it.
    pub generation: u32,
}

impl OwnService {
    /// What a pool says that it has none of: a command that is never run.
    pub(crate) fn none() -> OwnService {
        OwnService {
            command: Vec::new(),
            image: None,
            port: 8080,
            environment: BTreeMap::new(),
            versions: Vec::new(),
            ready: Readiness { path: None, within: Span::millis(30_000) },
            stop_signal: StopSignal::default(),
            identity_header: None,
            directory: PathBuf::new(),
        }
    }

    /// The version of a generation, which is counted from 1; `None`: the scenario names none.
    pub fn version(&self, generation: u32) -> Option<&str> {
        let nth = usize::try_from(generation.saturating_sub(1)).unwrap_or(usize::MAX);
        self.versions.get(nth).or(self.versions.last()).map(String::as_str)
    }

    /// `word` with what stands in braces filled in.
    fn filled(&self, word: &str, place: &ServicePlace<'_>) -> String {
        let (port, generation) = (place.port.to_string(), place.generation.to_string());
        let address = format!("{}:{port}", place.host);
        [
            ("{host}", place.host.as_str()),
            ("{port}", &port),
            ("{address}", &address),
            ("{backend}", place.backend),
            ("{generation}", &generation),
            ("{version}", self.version(place.generation).unwrap_or_default()),
        ]
        .into_iter()
        .fold(word.to_owned(), |word, (name, value)| word.replace(name, value))
    }

    /// The words of its command at `place`.
    pub fn words(&self, place: &ServicePlace<'_>) -> Vec<String> {
        self.command.iter().map(|word| self.filled(word, place)).collect()
    }

    /// What is added to its environment at `place`: HOST, PORT and VERSION, and what the scenario says.
    pub fn variables(&self, place: &ServicePlace<'_>) -> BTreeMap<String, String> {
        let version = self.version(place.generation).map(str::to_owned);
        let own = [
            ("HOST", Some(place.host.clone())),
            ("PORT", Some(place.port.to_string())),
            ("VERSION", version),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let said = self.environment.iter().map(|(name, value)| (name.clone(), self.filled(value, place)));
        own.chain(said).collect()
    }

    /// Its image for a generation: with the version as its tag, where it names versions and no tag. `None`: it is a
    /// local process.
    pub fn image_of(&self, place: &ServicePlace<'_>) -> Option<String> {
        let image = self.filled(self.image.as_deref()?, place);
        let tagged = image.rsplit('/').next().is_some_and(|name| name.contains([':', '@']));
        Some(match self.version(place.generation) {
            Some(version) if !tagged => format!("{image}:{version}"),
            _ => image,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(generation: u32) -> ServicePlace<'static> {
        ServicePlace { host: "127.0.0.2".into(), port: 20_001, backend: "web-1", generation }
    }

    #[test]
    fn words_and_variables_know_their_place() {
        let words = [
            "./server",
            "--listen={address}",
            "{host} {port}",
            "{backend}/{generation}",
            "{version}",
            "{other}",
        ];
        let service = OwnService {
            command: words.map(str::to_owned).to_vec(),
            environment: BTreeMap::from([("NAME".to_owned(), "{backend}@{version}".to_owned())]),
            versions: vec!["v1".into(), "v2".into()],
            ..OwnService::none()
        };
        assert_eq!(
            service.words(&at(2)),
            ["./server", "--listen=127.0.0.2:20001", "127.0.0.2 20001", "web-1/2", "v2", "{other}"]
        );
        let variables = service.variables(&at(3));
        assert_eq!(variables["NAME"], "web-1@v2", "the last version goes on");
        assert_eq!((variables["PORT"].as_str(), variables["VERSION"].as_str()), ("20001", "v2"));
        assert!(!OwnService::none().variables(&at(1)).contains_key("VERSION"));
    }

    #[test]
    fn a_version_is_the_tag_of_an_image_that_has_none() {
        let of = |image: &str, versions: &[&str]| {
            let versions = versions.iter().map(|it| (*it).to_owned()).collect();
            OwnService { image: Some(image.to_owned()), versions, ..OwnService::none() }.image_of(&at(2))
        };
        assert_eq!(of("shop", &["1.2", "1.3"]).as_deref(), Some("shop:1.3"));
        assert_eq!(of("localhost:5000/shop", &["1.2"]).as_deref(), Some("localhost:5000/shop:1.2"));
        assert_eq!(of("shop:{version}-slim", &["1.2"]).as_deref(), Some("shop:1.2-slim"));
        assert_eq!(of("shop:1.2", &["a"]).as_deref(), Some("shop:1.2"));
        assert_eq!(of("shop", &[]).as_deref(), Some("shop"));
        assert_eq!(OwnService::none().image_of(&at(1)), None);
    }
}
