//! Pulls from a registry that these tests play, on a real engine. Without an engine they say so and end; with
//! `RIG_REQUIRE_DOCKER` they fail.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::Path;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{RemoveContainerOptions, RemoveImageOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::program::CURL;
use crate::runtime::docker::archive::Archive;
use crate::runtime::docker::digest::sha256_hex;
use crate::runtime::docker::endpoint::Endpoint;

#[path = "../../../tests/skip/mod.rs"]
mod skip;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const REPOSITORY: &str = "rig-test/pulled";

/// The engine, if it is on this very machine: only then does it reach this test's registry.
async fn docker() -> Option<Docker> {
    let endpoint = Endpoint::find(&|name| std::env::var_os(name)).unwrap();
    let docker = skip::unless_missing(endpoint.connect().await)?;
    let its = docker.info().await.unwrap().name.unwrap_or_default();
    let ours = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if its != ours.trim_end() {
        eprintln!("not tested: the engine is on {its}, and this is {ours}");
        return None;
    }
    Some(docker)
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", sha256_hex([bytes]))
}

/// Serves an image of one file, and nothing else; its name, tag and digest. The image is for the machine of `docker`.
async fn registry(docker: &Docker) -> Official {
    let architecture = docker.version().await.unwrap().arch.unwrap();
    let mut files = Archive::default();
    files.text(Path::new("/greeting"), "hello");
    let layer = files.tar().unwrap();
    let config = serde_json::json!({
        "architecture": architecture, "os": "linux", "config": { "Cmd": ["/greeting"] },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": digest(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "size": layer.len(), "digest": digest(&layer),
        }],
    });
    let manifest = manifest.to_string().into_bytes();
    let pinned = digest(&manifest);
    let at = |kind: &str, bytes: &[u8]| format!("/v2/{REPOSITORY}/{kind}/{}", digest(bytes));
    let served = HashMap::from([
        ("/v2/".to_owned(), Vec::new()),
        (at("blobs", &config), config),
        (at("blobs", &layer), layer),
        (at("manifests", &manifest), manifest),
    ]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let length = connection.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let mut words = request.split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (status, kind, body) = match served.get(path) {
                Some(body) if path.contains("/manifests/") => ("200 OK", MANIFEST, body.clone()),
                Some(body) => ("200 OK", "application/octet-stream", body.clone()),
                None => {
                    let errors = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
                    ("404 Not Found", "application/json", errors.to_vec())
                }
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let body = if method == "HEAD" { Vec::new() } else { body };
            let _ = connection.write_all(&[head.into_bytes(), body].concat()).await;
        }
    });
    Official { repository: format!("{address}/{REPOSITORY}"), tag: "1.0".into(), digest: Some(pinned) }
}

#[tokio::test]
async fn an_image_is_pulled_once_by_its_digest_and_can_be_used_by_its_reference() {
    let Some(docker) = docker().await else { return };
    let official = registry(&docker).await;
    let images = ImageSource { docker: docker.clone(), pull: Pull::Missing, executable: PathBuf::new() };
    let told = RefCell::new(Vec::new());
    let tell = |words: &str| told.borrow_mut().push(words.to_owned());
    let first = images.server(&CURL, &official, &tell).await.unwrap();
    let second = images.server(&CURL, &official, &tell).await;
    let always = ImageSource { pull: Pull::Always, ..images.clone() }.server(&CURL, &official, &|_| ()).await;

    let body = ContainerCreateBody { image: Some(first.reference.clone()), ..ContainerCreateBody::default() };
    let container = docker.create_container(None, body).await;
    if let Ok(created) = &container {
        docker.remove_container(&created.id, None::<RemoveContainerOptions>).await.unwrap();
    }
    docker.remove_image(&first.reference, None::<RemoveImageOptions>, None).await.unwrap();

    let expected = |origin: &str| ImageUsed {
        reference: official.pinned(),
        digest: official.digest.clone().unwrap(),
        origin: origin.into(),
    };
    assert_eq!(first, expected("pulled"));
    assert_eq!(second.unwrap(), expected("local"));
    assert_eq!(always.unwrap(), expected("pulled"));
    container.unwrap();
    let pulls = told.borrow().iter().filter(|words| words.ends_with(&official.tagged())).count();
    assert_eq!(pulls, 1, "{told:?}");
}

#[tokio::test]
async fn an_image_of_the_wanted_tag_is_used_and_told_apart_from_the_pinned_one() {
    let Some(docker) = docker().await else { return };
    let official = registry(&docker).await;
    let images = ImageSource { docker: docker.clone(), pull: Pull::Never, executable: PathBuf::new() };
    let mut files = Archive::default();
    files.text(Path::new("/greeting"), "something else");
    let packed = Packed { tar: files.tar().unwrap(), changes: Vec::new(), digest: String::new() };
    images.import(&official.tagged(), packed).await.unwrap();
    let used = images.server(&CURL, &official, &|_| ()).await;
    docker.remove_image(&official.tagged(), None::<RemoveImageOptions>, None).await.unwrap();
    let used = used.unwrap();
    assert_eq!(used.reference, official.tagged());
    assert_ne!(Some(used.digest), official.digest);
    assert!(used.origin.starts_with("local, but its content is not the pinned sha256:"), "{}", used.origin);
}

#[tokio::test]
async fn why_a_pull_failed_is_told_in_the_registrys_words() {
    let Some(docker) = docker().await else { return };
    let official =
        Official { digest: Some(digest(b"something that it doesn't have")), ..registry(&docker).await };
    let told = pull(&docker, &official, &|_| ()).await.unwrap_err();
    assert!(told.contains("manifest unknown"), "{told}");
    let gone = Official { repository: "127.0.0.1:1/rig-test/gone".into(), ..official };
    let told = pull(&docker, &gone, &|_| ()).await.unwrap_err();
    assert!(told.contains("connection refused"), "{told}");
}
