//! The Docker engine, if this machine has one, and what rig has made there. Without one, a test that needs it is skipped with
//! the reason; with `RIG_REQUIRE_DOCKER` it fails.

use std::collections::HashMap;
use std::process::Command;

use bollard::Docker;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, ListNetworksOptionsBuilder, RemoveImageOptions,
};
use engine::runtime::docker::DockerError;
use engine::runtime::docker::endpoint::Endpoint;
use futures_util::StreamExt;

use crate::skip;

/// Where the engine is, and a connection to it; without one, a test that needs it is to end.
pub async fn connect() -> Option<(Endpoint, Docker)> {
    let found = async {
        let endpoint = Endpoint::find(&|name| std::env::var_os(name))?;
        let docker = endpoint.connect().await?;
        Ok::<_, DockerError>((endpoint, docker))
    };
    skip::unless_missing(found.await)
}

/// What `ask` makes of the engine and where it is; `None`: there is none, and a test that needs it is to end.
pub fn ask<T>(ask: impl AsyncFnOnce(&Endpoint, &Docker) -> T) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be made").block_on(async {
        let (endpoint, docker) = connect().await?;
        Some(ask(&endpoint, &docker).await)
    })
}

/// An image of this machine's programs, which is removed when this is dropped.
#[derive(Debug)]
pub struct PackedImage {
    /// Its name, without a tag.
    pub name: String,
    tags: Vec<String>,
}

impl PackedImage {
    /// Packs `programs`, which may be files, under a name of this process and `tags`. `None`: there is no engine, and a test
    /// that needs it is to end.
    pub fn make(name: &str, tags: &[&str], programs: &[&str]) -> Option<PackedImage> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/pack-image.sh");
        let name = format!("rig-test-{name}-{}", std::process::id());
        let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        ask(async |_, docker| {
            let packed = Command::new(script).args(programs).output().expect("the script can be run");
            assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
            for tag in &tags {
                let options = CreateImageOptionsBuilder::default().from_src("-").repo(&name).tag(tag).build();
                let body = bollard::body_full(packed.stdout.clone().into());
                let mut news = std::pin::pin!(docker.create_image(Some(options), Some(body), None));
                while let Some(said) = news.next().await {
                    said.expect("the engine imports images");
                }
            }
        })?;
        Some(PackedImage { name, tags })
    }

    /// Its name with a tag.
    pub fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.name)
    }
}

impl Drop for PackedImage {
    fn drop(&mut self) {
        ask(async |_, docker| {
            for tag in &self.tags {
                // One that is still in use stays: the test has failed then.
                let _ = docker.remove_image(&self.tagged(tag), None::<RemoveImageOptions>, None).await;
            }
        });
    }
}

/// Containers and networks that were made for the process `pid`; none where there is no engine.
pub fn made_by(pid: u32) -> Vec<String> {
    let made = ask(async |_, docker| made(docker).await).unwrap_or_default();
    let mut names: Vec<String> = made.into_iter().filter(|it| it.is_of(pid)).map(|it| it.name).collect();
    names.sort();
    names
}

/// A container or network that rig has made.
#[derive(Clone, Debug)]
pub struct Made {
    /// `container/NAME` or `network/NAME`.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
}

impl Made {
    /// Whether it was made for the process `pid`.
    pub fn is_of(&self, pid: u32) -> bool {
        self.labels.get("rig.owner").is_some_and(|owner| owner.starts_with(&format!("{pid} ")))
    }
}

/// All containers, running or not, and networks that rig has made.
pub async fn made(docker: &Docker) -> Vec<Made> {
    let filter = HashMap::from([("label", vec!["rig.run"])]);
    let options = ListContainersOptionsBuilder::default().all(true).filters(&filter).build();
    let containers = docker.list_containers(Some(options)).await.expect("the engine lists containers");
    let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
    let networks = docker.list_networks(Some(options)).await.expect("the engine lists networks");
    let containers = containers.into_iter().map(|it| Made {
        name: format!("container{}", it.names.unwrap_or_default().concat()),
        labels: it.labels.unwrap_or_default(),
    });
    let networks = networks.into_iter().map(|it| Made {
        name: format!("network/{}", it.name.unwrap_or_default()),
        labels: it.labels.unwrap_or_default(),
    });
    containers.chain(networks).collect()
}
