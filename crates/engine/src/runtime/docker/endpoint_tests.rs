//! Endpoints, from environments and configurations of the Docker CLI that these tests make up.

use super::*;
use crate::help::with_help;

/// What is found with these variables set and nothing else.
fn found(variables: &[(&str, &str)]) -> Result<Endpoint, DockerError> {
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, OsString::from(value))).collect();
    Endpoint::find(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))
}

fn url(variables: &[(&str, &str)]) -> String {
    found(variables).unwrap().url
}

fn complaint(variables: &[(&str, &str)]) -> String {
    with_help(&found(variables).unwrap_err())
}

/// A configuration directory whose current context is `current`, with one context `colima`.
fn configuration(current: &str, host: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let config = format!(r#"{{"auths": {{}}, "currentContext": "{current}"}}"#);
    std::fs::write(directory.path().join("config.json"), config).unwrap();
    // `printf colima | sha256sum`
    let id = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";
    let context = directory.path().join("contexts/meta").join(id);
    std::fs::create_dir_all(&context).unwrap();
    let meta = format!(
        r#"{{"Name": "colima", "Metadata": {{}}, "Endpoints": {{"docker": {{"Host": "{host}", "SkipTLSVerify": false}}}}}}"#
    );
    std::fs::write(context.join("meta.json"), meta).unwrap();
    directory
}

#[test]
fn without_any_word_it_is_the_default_socket() {
    let endpoint = found(&[]).unwrap();
    assert_eq!(endpoint.url, "unix:///var/run/docker.sock");
    assert_eq!(endpoint.found_by, "the default socket");
    assert_eq!(endpoint.socket(), Some(Path::new("/var/run/docker.sock")));
}

#[test]
fn docker_host_goes_before_every_context() {
    let config = configuration("colima", "unix:///colima.sock");
    let config = config.path().to_str().unwrap();
    let endpoint = found(&[
        ("DOCKER_HOST", "tcp://10.0.0.1:2375"),
        ("DOCKER_CONTEXT", "colima"),
        ("DOCKER_CONFIG", config),
    ]);
    let expected = Endpoint { url: "tcp://10.0.0.1:2375".into(), found_by: "DOCKER_HOST".into() };
    assert_eq!(endpoint.unwrap(), expected);
}

#[test]
fn an_empty_docker_host_says_nothing() {
    assert_eq!(url(&[("DOCKER_HOST", "")]), "unix:///var/run/docker.sock");
}

#[test]
fn the_current_context_is_looked_up_below_the_configuration() {
    let config = configuration("colima", "unix:///colima.sock");
    let endpoint = found(&[("DOCKER_CONFIG", config.path().to_str().unwrap())]).unwrap();
    let expected = Endpoint { url: "unix:///colima.sock".into(), found_by: "context `colima`".into() };
    assert_eq!(endpoint, expected);
}

#[test]
fn the_configuration_lies_in_the_home_directory_unless_told() {
    let config = configuration("colima", "unix:///colima.sock");
    let home = tempfile::tempdir().unwrap();
    std::fs::rename(config.path(), home.path().join(".docker")).unwrap();
    assert_eq!(url(&[("HOME", home.path().to_str().unwrap())]), "unix:///colima.sock");
}

#[test]
fn docker_context_goes_before_the_current_one() {
    let config = configuration("colima", "unix:///colima.sock");
    let config = ("DOCKER_CONFIG", config.path().to_str().unwrap());
    assert_eq!(url(&[config, ("DOCKER_CONTEXT", "default")]), "unix:///var/run/docker.sock");
    let told = complaint(&[config, ("DOCKER_CONTEXT", "gone")]);
    assert!(told.starts_with("the Docker context `gone` (from DOCKER_CONTEXT) can't be used: "), "{told}");
    assert!(told.contains("meta.json: No such file") && told.contains("docker context ls"), "{told}");
}

#[test]
fn a_broken_configuration_is_no_default_socket() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("config.json"), "{").unwrap();
    let told = complaint(&[("DOCKER_CONFIG", directory.path().to_str().unwrap())]);
    assert!(told.contains("config.json can't be read: EOF while parsing"), "{told}");
}

#[test]
fn an_address_is_completed_as_the_docker_cli_does() {
    assert_eq!(url(&[("DOCKER_HOST", "10.0.0.1:4000")]), "tcp://10.0.0.1:4000");
    assert_eq!(url(&[("DOCKER_HOST", "tcp://engine")]), "tcp://engine:2375");
    assert_eq!(url(&[("DOCKER_HOST", "tcp://[::1]")]), "tcp://[::1]:2375");
    assert_eq!(authority("http://engine"), "engine:80");
    assert_eq!(authority("http://[::1]:4000/"), "[::1]:4000");
}

#[test]
fn what_rig_cannot_use_is_refused_with_what_it_can() {
    for (host, reason) in [
        ("ssh://me@host", "reached through ssh"),
        ("npipe:////./pipe/docker_engine", "named pipe"),
        ("https://host:2376", "asks for TLS"),
        ("fd://3", "doesn't know this kind"),
    ] {
        let told = complaint(&[("DOCKER_HOST", host)]);
        assert!(told.contains(host) && told.contains("from DOCKER_HOST") && told.contains(reason), "{told}");
        assert!(told.contains("help: rig speaks to unix:///path/to/docker.sock, and to tcp://"), "{told}");
    }
}

#[test]
fn tls_is_refused_wherever_it_is_asked_for() {
    let tls = ("DOCKER_TLS_VERIFY", "1");
    assert!(complaint(&[tls, ("DOCKER_HOST", "tcp://10.0.0.1:2376")]).contains("asks for TLS"));
    assert!(complaint(&[tls]).contains("asks for TLS"));
    // A socket has none.
    assert_eq!(url(&[tls, ("DOCKER_HOST", "unix:///a.sock")]), "unix:///a.sock");

    let config = configuration("colima", "tcp://10.0.0.1:2376");
    let meta = config.path().join("contexts/meta");
    let id = std::fs::read_dir(meta).unwrap().next().unwrap().unwrap().file_name();
    std::fs::create_dir_all(config.path().join("contexts/tls").join(id).join("docker")).unwrap();
    assert!(complaint(&[("DOCKER_CONFIG", config.path().to_str().unwrap())]).contains("asks for TLS"));
}

#[tokio::test]
async fn an_engine_that_is_not_there_is_told_with_its_reason() {
    let endpoint = found(&[("DOCKER_HOST", "unix:///nowhere")]).unwrap();
    let told = with_help(&endpoint.connect().await.unwrap_err());
    let first = "no Docker engine answers at unix:///nowhere (from DOCKER_HOST): No such file or directory\n";
    assert!(told.starts_with(first) && told.contains("help: start Docker"), "{told}");
}

#[test]
fn a_socket_that_is_closed_to_the_user_tells_of_the_docker_group() {
    // Not with a real socket: root may use every one.
    let refused = std::io::Error::from_raw_os_error(rustix::io::Errno::ACCESS.raw_os_error());
    let told = with_help(&found(&[]).unwrap().not_reached(&refused));
    assert!(told.contains(": Permission denied\n") && told.contains("usermod -aG docker"), "{told}");
}

/// An engine made up of the two answers that negotiation needs.
async fn engine_that_speaks(api: &str) -> Endpoint {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let version = format!(r#"{{"ApiVersion":"{api}"}}"#);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            let length = connection.read(&mut request).await.unwrap();
            let body = if request[..length].starts_with(b"GET /version") { version.as_str() } else { "OK" };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = connection.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    Endpoint { url, found_by: "DOCKER_HOST".into() }
}

#[tokio::test]
async fn an_engine_of_before_20_10_is_too_old() {
    assert!(engine_that_speaks("1.41").await.connect().await.is_ok());
    let told = with_help(&engine_that_speaks("1.40").await.connect().await.unwrap_err());
    assert!(told.contains("it speaks version 1.40 of the API, and rig needs 1.41"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_silent_is_waited_for_five_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("tcp://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint { url, found_by: "DOCKER_HOST".into() };
    let told = with_help(&endpoint.connect().await.unwrap_err());
    assert!(told.contains("no answer within 5 s"), "{told}");
}
