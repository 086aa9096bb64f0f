//! Pulls an image, and says how far it is.

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::StreamExt;

use super::error::words;
use super::official::Official;

/// A pull that brings no news for so long has hung.
const SILENCE: Duration = Duration::from_secs(60);

/// Pulls `image` by its digest, if that is known; `progress` is told each tenth of what is known to be downloaded. The error is
/// the engine's or the registry's own words.
pub(super) async fn pull(docker: &Docker, image: &Official, progress: &dyn Fn(&str)) -> Result<(), String> {
    let name = image.tagged();
    progress(&format!("pulling {name}"));
    let options =
        CreateImageOptionsBuilder::default().from_image(&image.repository).tag(image.wanted()).build();
    let mut news = std::pin::pin!(docker.create_image(Some(options), None, None));
    let mut download = Download::default();
    loop {
        match tokio::time::timeout(SILENCE, news.next()).await {
            Err(_) => return Err(format!("the pull made no progress for {} s", SILENCE.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(words(&error)),
            Ok(Some(Ok(said))) => {
                if let Some(percent) = download.advanced(&said) {
                    progress(&format!("pulling {name}: {percent} %"));
                }
            }
        }
    }
}

/// How much of an image's layers has been downloaded.
#[derive(Default)]
struct Download {
    /// Bytes had and bytes wanted of each layer whose size was told.
    layers: BTreeMap<String, (u64, u64)>,
    told: u64,
}

impl Download {
    /// The percentage that is had, once it has reached another tenth. Layers are announced one after the other,
    /// so it never goes back.
    fn advanced(&mut self, said: &CreateImageInfo) -> Option<u64> {
        let (Some(layer), Some(status)) = (&said.id, &said.status) else { return None };
        let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
        let detail = said.progress_detail.as_ref();
        match status.as_str() {
            "Downloading" => {
                let wanted = bytes(detail?.total)?;
                self.layers.insert(layer.clone(), (bytes(detail?.current)?.min(wanted), wanted));
            }
            "Download complete" | "Pull complete" => {
                let (had, wanted) = self.layers.get_mut(layer)?;
                *had = *wanted;
            }
            _ => return None,
        }
        let (had, wanted) = self.layers.values().fold((0, 0), |(h, w), (had, all)| (h + had, w + all));
        let tenth = (had * 10).checked_div(wanted)? * 10;
        (tenth > self.told).then(|| {
            self.told = tenth;
            tenth
        })
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn said(layer: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        let detail = detail.map(|(n, of)| ProgressDetail { current: Some(n), total: Some(of) });
        CreateImageInfo {
            id: Some(layer.into()),
            status: Some(status.into()),
            progress_detail: detail,
            error_detail: None,
        }
    }

    #[test]
    fn a_pull_is_told_in_tenths_and_never_goes_back() {
        let mut download = Download::default();
        let told: Vec<_> = [
            said("a", "Pulling fs layer", None),
            said("a", "Downloading", Some((5, 100))),
            said("a", "Downloading", Some((55, 100))),
            said("a", "Downloading", Some((59, 100))),
            // A layer that is announced late makes the whole greater.
            said("b", "Downloading", Some((0, 900))),
            said("a", "Download complete", None),
            said("b", "Downloading", Some((700, 900))),
            said("a", "Extracting", Some((1, 100))),
            said("b", "Pull complete", None),
        ]
        .iter()
        .filter_map(|said| download.advanced(said))
        .collect();
        assert_eq!(told, [50, 80, 100]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pull_that_hangs_is_given_up() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", silent.local_addr().unwrap());
        let docker = Docker::connect_with_http(&url, 120, bollard::API_DEFAULT_VERSION).unwrap();
        let image = Official {
            repository: "nginx".into(),
            tag: "1".into(),
            digest: Some("sha256:0".into()),
            line: None,
        };
        assert_eq!(pull(&docker, &image, &|_| ()).await.unwrap_err(), "the pull made no progress for 60 s");
    }
}
