//! The images that components run from: an official one where there is one, else one that is packed from this
//! machine's own executable. rig's agents always run from the `rig` that launches them.

use std::path::{Path, PathBuf};

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;
use model::records::ImageUsed;
use serde::Serialize;

use super::error::DockerError;
use super::official::Official;
use super::packing::{Packed, pack};
use super::pulling::pull;
use crate::help::with_help;
use crate::program::{ProgramVersion, installed};

/// Names an image of rig that takes the place of the packed one.
const AGENT_IMAGE: &str = "RIG_AGENT_IMAGE";
/// Hex digits of a packed image's content in its tag.
const TAG_DIGITS: usize = 16;

/// Why an image is packed where the user wants none to be pulled.
const NOT_PULLED: &str = "not pulled, as asked";

/// When official images are pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pull {
    /// Never: what is on the engine, or packed.
    Never,
    /// If the engine lacks them.
    Missing,
    /// Before anything else, even if the engine has them.
    Always,
}

/// A way to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obtain {
    Local,
    Pull,
    Pack,
}

impl Pull {
    fn ways(self) -> &'static [Obtain] {
        match self {
            Pull::Never => &[Obtain::Local, Obtain::Pack],
            Pull::Missing => &[Obtain::Local, Obtain::Pull, Obtain::Pack],
            Pull::Always => &[Obtain::Pull, Obtain::Local, Obtain::Pack],
        }
    }
}

/// What an image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOf {
    /// A program that is not rig's own.
    Program(ProgramVersion),
    /// rig's own agents: generator, backends, reaper.
    Agent,
}

impl ImageOf {
    /// Its name in records and tables.
    pub fn name(self) -> String {
        match self {
            ImageOf::Program(program) => program.to_string(),
            ImageOf::Agent => "agent".to_owned(),
        }
    }

    /// The plain name of its program, which is on the PATH of the image.
    pub fn executable(self) -> &'static str {
        match self {
            ImageOf::Program(of) => of.program.executable,
            ImageOf::Agent => "rig",
        }
    }

    /// Where its packed images are kept.
    fn repository(self) -> String {
        match self {
            ImageOf::Program(of) => format!("rig-packed/{}", of.program.name),
            ImageOf::Agent => "rig-agent".to_owned(),
        }
    }
}

/// What a component would run from, as things stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageChoice {
    /// Whose image it is.
    pub component: String,
    /// The image; `None`: there is no way to one.
    pub reference: Option<String>,
    /// The registry's digest, else the image's id, as far as it is known yet.
    pub digest: Option<String>,
    /// Whether the engine has it.
    pub present: bool,
    /// Why this one.
    pub why: String,
}

impl ImageChoice {
    /// What a component does run from.
    pub fn made(of: ImageOf, used: ImageUsed) -> ImageChoice {
        ImageChoice {
            component: of.name(),
            reference: Some(used.reference),
            digest: Some(used.digest),
            present: true,
            why: used.origin,
        }
    }

    /// There is no image for it.
    fn none(of: ImageOf, why: String) -> ImageChoice {
        ImageChoice { component: of.name(), reference: None, digest: None, present: false, why }
    }
}

/// Sees to it that images are on an engine.
#[derive(Clone, Debug)]
pub struct ImageSource {
    /// The engine.
    pub docker: Docker,
    /// When official images are pulled.
    pub pull: Pull,
    /// rig's own executable.
    pub executable: PathBuf,
}

impl ImageSource {
    /// Makes sure that the image is on the engine, and says what it is; `progress` is told what takes
    /// time. Errors: there is no way to an image, each with its reason; the engine fails.
    pub async fn ensure(&self, of: ImageOf, progress: &dyn Fn(&str)) -> Result<ImageUsed, DockerError> {
        match of {
            ImageOf::Program(program) => self.server(program, &Official::of(program), progress).await,
            ImageOf::Agent => self.agent(progress).await,
        }
    }

    /// What `ensure` would settle on, as far as can be told without changing anything on the engine. Errors: the
    /// engine fails, or `RIG_AGENT_IMAGE` names an image that it lacks.
    pub async fn choose(&self, of: ImageOf) -> Result<ImageChoice, DockerError> {
        let ImageOf::Program(program) = of else { return self.choose_agent().await };
        let official = Official::of(program);
        let executable = installed::find(program);
        if self.pull != Pull::Always
            && let Some(used) = self.local(&official).await?
        {
            return Ok(ImageChoice::made(of, used));
        }
        if self.pull == Pull::Never {
            return match executable {
                Ok(executable) => {
                    let why = format!("packed from {}: {NOT_PULLED}", executable.display());
                    self.choose_packed(of, &executable, why).await
                }
                Err(error) => Ok(ImageChoice::none(of, with_help(&error))),
            };
        }
        let otherwise = match executable {
            Ok(executable) => format!("packed from {}", executable.display()),
            Err(error) => format!("nothing: {}", with_help(&error)),
        };
        Ok(ImageChoice {
            component: of.name(),
            present: self.inspected(&official.pinned()).await?.is_some(),
            reference: Some(official.pinned()),
            digest: official.digest,
            why: format!("to be pulled, or else {otherwise}"),
        })
    }

    async fn server(
        &self,
        program: ProgramVersion,
        official: &Official,
        progress: &dyn Fn(&str),
    ) -> Result<ImageUsed, DockerError> {
        let mut failed = match self.pull {
            Pull::Never => vec![NOT_PULLED.to_owned()],
            Pull::Missing | Pull::Always => Vec::new(),
        };
        for way in self.pull.ways() {
            match way {
                Obtain::Local => {
                    if let Some(mut used) = self.local(official).await? {
                        if self.pull == Pull::Always {
                            used.origin = format!("{}: {}", used.origin, failed.join("; "));
                        }
                        return Ok(used);
                    }
                }
                Obtain::Pull => match pull(&self.docker, official, progress).await {
                    Ok(()) => return self.pulled(official).await,
                    Err(reason) => failed.push(format!("{} can't be pulled: {reason}", official.tagged())),
                },
                Obtain::Pack => match installed::find(program) {
                    Ok(executable) => {
                        match self.packed(ImageOf::Program(program), &executable, progress).await {
                            Ok((reference, digest)) => {
                                let failed = failed.join("; ");
                                let origin = format!("packed from {}: {failed}", executable.display());
                                return Ok(ImageUsed { reference, digest, origin });
                            }
                            Err(error @ DockerError::Packing { .. }) => failed.push(with_help(&error)),
                            Err(error) => return Err(error),
                        }
                    }
                    Err(error) => failed.push(with_help(&error)),
                },
            }
        }
        let help = format!(
            "give the engine access to a registry, load the image with `docker load`, or install {} on this machine",
            program.program.executable
        );
        Err(DockerError::NoImage { component: program.to_string(), tried: failed, help })
    }

    /// A user's own image, which the engine must have. Returns what names its content, so that it stays the same for the
    /// container that is made of it.
    pub async fn own(&self, reference: &str) -> Result<String, DockerError> {
        match self.inspected(reference).await? {
            Some(image) => Ok(image.id.unwrap_or_else(|| reference.to_owned())),
            None => Err(DockerError::NoImage {
                component: reference.to_owned(),
                tried: vec![format!("the engine has no image `{reference}`")],
                help: format!(
                    "build it with `docker build -t {reference} .`, or bring it with `docker pull {reference}`"
                ),
            }),
        }
    }

    async fn agent(&self, progress: &dyn Fn(&str)) -> Result<ImageUsed, DockerError> {
        if let Some(used) = self.named_agent().await? {
            return Ok(used);
        }
        let (reference, digest) = self.packed(ImageOf::Agent, &self.executable, progress).await?;
        Ok(ImageUsed { reference, digest, origin: format!("packed from {}", self.executable.display()) })
    }

    async fn choose_agent(&self) -> Result<ImageChoice, DockerError> {
        match self.named_agent().await? {
            Some(used) => Ok(ImageChoice::made(ImageOf::Agent, used)),
            None => {
                let why = format!("packed from {}", self.executable.display());
                self.choose_packed(ImageOf::Agent, &self.executable, why).await
            }
        }
    }

    /// The image that the user built for the agent, if there is such a wish.
    async fn named_agent(&self) -> Result<Option<ImageUsed>, DockerError> {
        let Some(reference) = std::env::var_os(AGENT_IMAGE).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let reference = reference.to_string_lossy().into_owned();
        match self.inspected(&reference).await? {
            Some(image) => {
                let digest = content(&image);
                Ok(Some(ImageUsed { reference, digest, origin: format!("local, named by {AGENT_IMAGE}") }))
            }
            None => Err(DockerError::NoImage {
                component: ImageOf::Agent.name(),
                tried: vec![format!("{AGENT_IMAGE} names `{reference}`, and the engine has no such image")],
                help: format!("build it as docker/README.md says, or unset {AGENT_IMAGE}"),
            }),
        }
    }

    /// The official image, if the engine has it; else whatever bears its tag there.
    async fn local(&self, official: &Official) -> Result<Option<ImageUsed>, DockerError> {
        let (pinned, tagged) = (official.pinned(), official.tagged());
        if let Some(image) = self.inspected(&pinned).await? {
            let digest = official.digest.clone().unwrap_or_else(|| content(&image));
            let origin = format!("local{}", official.reservation());
            return Ok(Some(ImageUsed { reference: pinned, digest, origin }));
        }
        let Some(digest) = &official.digest else { return Ok(None) };
        Ok(self.inspected(&tagged).await?.map(|image| ImageUsed {
            reference: tagged,
            digest: content(&image),
            origin: format!("local, but its content is not the pinned {digest}"),
        }))
    }

    async fn pulled(&self, official: &Official) -> Result<ImageUsed, DockerError> {
        let reference = official.pinned();
        match self.inspected(&reference).await? {
            Some(image) => {
                let digest = official.digest.clone().unwrap_or_else(|| content(&image));
                Ok(ImageUsed { reference, digest, origin: format!("pulled{}", official.reservation()) })
            }
            None => Err(DockerError::Refused {
                doing: format!("keep the image `{reference}`"),
                reason: "it reported the pull as done, but does not have the image".to_owned(),
            }),
        }
    }

    /// Imports the image of `program` unless the engine has it; its name, and its id.
    async fn packed(
        &self,
        of: ImageOf,
        program: &Path,
        progress: &dyn Fn(&str),
    ) -> Result<(String, String), DockerError> {
        progress(&format!("packing {}", program.display()));
        let packed = pack(of.executable(), program, &self.architecture().await?).await?;
        let reference = packed_reference(of, &packed);
        if let Some(image) = self.inspected(&reference).await? {
            return Ok((reference, content(&image)));
        }
        progress(&format!("importing {reference}: {} MB", packed.tar.len() / 1_000_000));
        self.import(&reference, packed).await?;
        match self.inspected(&reference).await? {
            Some(image) => Ok((reference, content(&image))),
            None => Err(DockerError::Refused {
                doing: format!("keep the image `{reference}`"),
                reason: "somebody removed it as soon as it was imported".to_owned(),
            }),
        }
    }

    async fn import(&self, reference: &str, packed: Packed) -> Result<(), DockerError> {
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(reference)
            .changes(packed.changes)
            .build();
        let body = bollard::body_full(packed.tar.into());
        let mut news = std::pin::pin!(self.docker.create_image(Some(options), Some(body), None));
        while let Some(said) = news.next().await {
            said.map_err(DockerError::refused(format!("import the image `{reference}`")))?;
        }
        Ok(())
    }

    async fn choose_packed(
        &self,
        of: ImageOf,
        program: &Path,
        why: String,
    ) -> Result<ImageChoice, DockerError> {
        let packed = match pack(of.executable(), program, &self.architecture().await?).await {
            Ok(packed) => packed,
            Err(error @ DockerError::Packing { .. }) => return Ok(ImageChoice::none(of, with_help(&error))),
            Err(error) => return Err(error),
        };
        let reference = packed_reference(of, &packed);
        let image = self.inspected(&reference).await?;
        Ok(ImageChoice {
            component: of.name(),
            reference: Some(reference),
            digest: image.as_ref().map(content),
            present: image.is_some(),
            why,
        })
    }

    /// `None`: the engine has no such image.
    async fn inspected(&self, reference: &str) -> Result<Option<ImageInspect>, DockerError> {
        match self.docker.inspect_image(reference).await {
            Ok(image) => Ok(Some(image)),
            Err(Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(DockerError::refused(format!("look up the image `{reference}`"))(error)),
        }
    }

    /// The machine that containers run on, as Go names it.
    async fn architecture(&self) -> Result<String, DockerError> {
        let version = self.docker.version().await.map_err(DockerError::refused("tell its version"))?;
        Ok(version.arch.unwrap_or_default())
    }
}

fn packed_reference(of: ImageOf, packed: &Packed) -> String {
    format!("{}:{}", of.repository(), &packed.digest[..TAG_DIGITS])
}

/// The registry's digest of an image, else its id.
fn content(image: &ImageInspect) -> String {
    let digests = image.repo_digests.iter().flatten();
    let digest = digests.filter_map(|name| name.split_once('@')).map(|(_, digest)| digest.to_owned()).next();
    digest.or_else(|| image.id.clone()).unwrap_or_default()
}

#[cfg(test)]
#[path = "pull_tests.rs"]
mod tests;
