//! What only containers promise.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig,
};
use bollard::query_parameters::{
    InspectContainerOptions, ListNetworksOptionsBuilder, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use engine::runtime::docker::DockerRuntime;
use engine::runtime::{PodOrder, Reach, Runtime};

use crate::bench::{Bench, in_containers, left_on, timed, with_engine};
use crate::client::{Client, get, refused};

const AT_ONCE: Duration = Duration::ZERO;
/// Within so long a host that is there refuses a connection; the kernel gives one up that isn't after some seconds.
const SILENCE: Duration = Duration::from_secs(1);

/// Asserts that nothing answers at `address`, not even with a refusal.
async fn silent(address: SocketAddr) {
    if let Ok(connected) = tokio::time::timeout(SILENCE, Client::connect(address)).await {
        let error = connected.err().map(|error| error.kind());
        assert_eq!(error, Some(ErrorKind::HostUnreachable), "{address}");
    }
}

#[test]
fn a_partitioned_backend_is_silent_until_its_network_heals() {
    in_containers(async |bench| {
        let pod = bench.pod("web-1").await;
        let backend = bench.backend(&pod, 1, AT_ONCE).await;
        let mut old = Client::connect(pod.addresses[0]).await.unwrap();
        old.send(None).await.unwrap();
        old.answer().await.unwrap();

        timed(bench.runtime.partition(&pod)).await;
        old.send(None).await.unwrap();
        assert!(old.hangs().await);
        silent(pod.addresses[0]).await;
        // It is cut off, not dead.
        assert_eq!(backend.handle().exited(), None);
        bench.runtime.cpu_time(backend.handle()).await.unwrap();

        timed(bench.runtime.heal(&pod)).await;
        assert!(get(pod.addresses[0]).await.unwrap().contains("web-1/1"));
        assert!(old.answer().await.unwrap().contains("web-1/1"));
    });
}

#[test]
fn a_lost_host_is_silent_where_a_crash_refuses_and_comes_back_at_its_address() {
    in_containers(async |bench| {
        let pod = bench.pod("web-1").await;
        let backend = bench.backend(&pod, 1, AT_ONCE).await;
        bench.crash(backend.handle()).await;
        refused(pod.addresses[0]).await;
        bench.runtime.partition(&pod).await.unwrap();
        silent(pod.addresses[0]).await;
        bench.runtime.heal(&pod).await.unwrap();
        refused(pod.addresses[0]).await;
        let _next = bench.backend(&pod, 2, AT_ONCE).await;
        assert!(get(pod.addresses[0]).await.unwrap().contains("web-1/2"));
    });
}

#[test]
fn a_partitioned_pod_is_removed_with_the_rest() {
    in_containers(async |bench| {
        let pod = bench.pod("web-1").await;
        let _backend = bench.backend(&pod, 1, AT_ONCE).await;
        bench.runtime.partition(&pod).await.unwrap();
    });
}

#[test]
fn two_cells_at_once_have_networks_of_their_own() {
    with_engine(async |engine, docker| {
        let first = Bench::open(DockerRuntime::new(engine), None).await;
        let second = Bench::open(DockerRuntime::new(engine), None).await;
        let pods = [first.pod("web-1").await, second.pod("web-1").await];
        let subnets = pods.map(|pod| {
            let SocketAddr::V4(address) = pod.addresses[0] else { panic!("{pod:?}") };
            assert!(matches!(address.ip().octets(), [198, 18 | 19, ..]), "{address}");
            address.ip().octets()[..3].to_vec()
        });
        assert_ne!(subnets[0], subnets[1]);
        first.ends_without_a_trace().await;
        // The end of one is not the other's.
        let left = left_on(docker).await;
        assert_eq!(left.len(), 2, "{left:?}");
        second.ends_without_a_trace().await;
    });
}

#[test]
fn two_pods_of_one_name_are_refused() {
    in_containers(async |bench| {
        bench.pod("web-1").await;
        let again =
            bench.runtime.pod(PodOrder { name: "web-1", ports: 1, reach: Reach::Cell, port: None }).await;
        let error = again.unwrap_err().to_string();
        assert!(error.starts_with("the Docker engine could not create the container rig-"), "{error}");
        assert!(error.contains("is already in use"), "{error}");
    });
}

#[test]
fn an_address_that_a_stranger_has_in_the_cells_network_is_an_error() {
    with_engine(async |engine, docker| {
        let bench = Bench::open(DockerRuntime::new(engine), None).await;
        let first = bench.pod("web-1").await;
        let SocketAddr::V4(address) = first.addresses[0] else { panic!("{first:?}") };
        let [a, b, c, last] = address.ip().octets();
        let next = std::net::Ipv4Addr::new(a, b, c, last + 1);

        let filter = HashMap::from([("label", vec!["rig.run"])]);
        let options = ListNetworksOptionsBuilder::default().filters(&filter).build();
        let networks = docker.list_networks(Some(options)).await.unwrap();
        let ours = |labels: &HashMap<String, String>| {
            labels.get("rig.owner").is_some_and(|it| it.starts_with(&format!("{} ", std::process::id())))
        };
        let network =
            networks.into_iter().find(|it| it.labels.as_ref().is_some_and(ours)).unwrap().id.unwrap();
        let ipam = EndpointIpamConfig { ipv4_address: Some(next.to_string()), ..Default::default() };
        let endpoint = EndpointSettings { ipam_config: Some(ipam), ..Default::default() };
        let stranger = ContainerCreateBody {
            image: Some(engine.facts().images["agent"].reference.clone()),
            cmd: Some(["rig", "agent", "pause"].map(str::to_owned).to_vec()),
            host_config: Some(HostConfig { network_mode: Some(network.clone()), ..Default::default() }),
            networking_config: Some(NetworkingConfig {
                endpoints_config: Some(HashMap::from([(network, endpoint)])),
            }),
            ..Default::default()
        };
        let stranger = docker.create_container(None, stranger).await.unwrap().id;
        docker.start_container(&stranger, None::<StartContainerOptions>).await.unwrap();

        let second =
            bench.runtime.pod(PodOrder { name: "web-2", ports: 1, reach: Reach::Cell, port: None }).await;
        let removal = RemoveContainerOptionsBuilder::default().force(true).build();
        docker.remove_container(&stranger, Some(removal)).await.unwrap();
        let error = second.unwrap_err().to_string();
        assert_eq!(error, "the Docker engine could not start web-2: Address already in use");
        bench.ends_without_a_trace().await;
    });
}

#[test]
fn a_container_can_do_nothing_that_is_roots_to_do() {
    in_containers(async |bench| {
        let pod = bench.pod("web-1").await;
        let backend = bench.backend(&pod, 1, AT_ONCE).await;
        let docker = bench.docker.as_ref().unwrap();
        let inspected =
            docker.inspect_container(&backend.handle().id, None::<InspectContainerOptions>).await.unwrap();
        let host = inspected.host_config.unwrap();
        assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
        assert_eq!(host.readonly_rootfs, Some(true));
        assert!(host.pids_limit.is_some_and(|limit| limit > 0));
        // What the kernel makes of it.
        let status = std::fs::read_to_string(format!("/proc/{}/status", backend.handle().pid)).unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        for set in ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"] {
            assert_eq!(line(set), "0000000000000000", "{set}");
        }
        assert_eq!(line("NoNewPrivs:"), "1");
        let mounts = std::fs::read_to_string(format!("/proc/{}/mountinfo", backend.handle().pid)).unwrap();
        let of_root = mounts.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
        assert!(of_root.split(' ').nth(5).unwrap().starts_with("ro"), "{of_root}");
    });
}
