//! Images on a real Docker engine. Without one these tests say so and end; with `RIG_REQUIRE_DOCKER` they fail.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptions, WaitContainerOptions,
};
use engine::runtime::docker::endpoint::Endpoint;
use engine::runtime::docker::error::DockerError;
use engine::runtime::docker::images::{ImageOf, ImageSource, Pull};
use futures_util::StreamExt;

mod skip;

/// The engine of this machine, if it has one.
async fn docker() -> Option<Docker> {
    let found = async { Endpoint::find(&|name| std::env::var_os(name))?.connect().await };
    let found: Result<Docker, DockerError> = found.await;
    skip::unless_missing(found)
}

/// What `command` writes to its standard output in a new container of `image`, run as `user`.
async fn output(docker: &Docker, image: &str, user: &str, command: &[&str]) -> String {
    let container = ContainerCreateBody {
        image: Some(image.to_owned()),
        user: Some(user.to_owned()),
        cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
        host_config: Some(HostConfig { network_mode: Some("none".into()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(None, container).await.unwrap().id;
    let said = async {
        docker.start_container(&id, None).await?;
        docker.wait_container(&id, None::<WaitContainerOptions>).next().await.transpose()?;
        let options = LogsOptionsBuilder::default().stdout(true).build();
        let lines: Vec<_> = docker.logs(&id, Some(options)).collect().await;
        lines
            .into_iter()
            .map(|line| Ok(line?.to_string()))
            .collect::<Result<String, bollard::errors::Error>>()
    };
    let said = said.await;
    let removal = RemoveContainerOptionsBuilder::default().force(true).build();
    docker.remove_container(&id, Some(removal)).await.unwrap();
    said.unwrap()
}

#[tokio::test]
async fn a_packed_image_runs_its_program_and_its_shell_and_is_imported_once() {
    let Some(docker) = docker().await else { return };
    // A copy under a name of its own: no other image is the same.
    let directory = tempfile::tempdir().unwrap();
    let executable = directory.path().join("echo");
    std::fs::copy("/bin/echo", &executable).unwrap();
    let images = ImageSource { docker: docker.clone(), pull: Pull::Never, executable };

    let before = images.choose(ImageOf::Agent).await.unwrap();
    assert!(!before.present, "{before:?}");
    let told = RefCell::new(Vec::new());
    let used =
        images.ensure(ImageOf::Agent, &|words| told.borrow_mut().push(words.to_owned())).await.unwrap();
    assert_eq!(before.reference.as_ref(), Some(&used.reference));

    // The program by its plain name; the shell as a balancer is started by it, by a user who isn't root.
    let plain = output(&docker, &used.reference, "root", &["rig", "hello"]).await;
    let shell = ["sh", "-c", r#"cd /tmp; "$0" "$@" >>out.log 2>>err.log; read line <out.log; echo "$line""#];
    let redirected =
        output(&docker, &used.reference, "nobody", &[&shell[..], &["rig", "well", "met"]].concat()).await;
    let again =
        images.ensure(ImageOf::Agent, &|words| told.borrow_mut().push(words.to_owned())).await.unwrap();
    let after = images.choose(ImageOf::Agent).await.unwrap();
    let image = docker.inspect_image(&used.reference).await.unwrap();
    docker.remove_image(&used.reference, None::<RemoveImageOptions>, None).await.unwrap();

    assert_eq!((plain.as_str(), redirected.as_str()), ("hello\n", "well met\n"));
    assert_eq!(used, again);
    assert_eq!((after.present, after.digest), (true, Some(used.digest)));
    let imports = told.borrow().iter().filter(|words| words.starts_with("importing")).count();
    assert_eq!(imports, 1, "{told:?}");
    let labels = image.config.unwrap().labels.unwrap();
    assert_eq!(labels.get("rig.image").map(String::as_str), Some("packed"));
}
