//! The clauses about pods and agents.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use engine::help::with_help;
use engine::host::Signal;
use engine::runtime::{PodOrder, Reach, Runtime};
use model::identity::RequestId;
use model::ledger::LedgerLine;
use model::plan::Need;
use model::timeline::FaultKind;

use crate::balancers::nginx;
use crate::bench::{Bench, timed};
use crate::client::{Client, PATIENCE, get, refused};

const AT_ONCE: Duration = Duration::ZERO;

pub(crate) async fn an_address_outlives_its_processes<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let [address] = pod.addresses[..] else { panic!("one port was ordered: {pod:?}") };
    refused(address).await;
    let first = bench.backend(&pod, 1, AT_ONCE).await;
    assert!(get(address).await.unwrap().contains("web-1/1"));
    bench.crash(first.handle()).await;
    refused(address).await;
    let _second = bench.backend(&pod, 2, AT_ONCE).await;
    assert!(get(address).await.unwrap().contains("web-1/2"));
}

pub(crate) async fn an_agent_serves<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, AT_ONCE).await;
    let mut client = Client::connect(pod.addresses[0]).await.unwrap();
    client.send(Some(7)).await.unwrap();
    let answer = client.answer().await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");

    let ledger = std::fs::read_to_string(&backend.ledger).unwrap();
    let lines = ledger.lines().map(|line| serde_json::from_str(line).unwrap());
    // A busy machine may let it stand still.
    let lines: Vec<LedgerLine> = lines.filter(|line| !matches!(line, LedgerLine::Stood { .. })).collect();
    let kept = matches!(
        lines[..],
        [LedgerLine::Received { n: 0, id: RequestId(7), .. }, LedgerLine::Finished { n: 0, .. }]
    );
    assert!(kept, "{lines:?}");
    for file in [backend.ledger.as_path(), &backend.ledger.with_file_name("stderr.log")] {
        let owner = file.metadata().unwrap().uid();
        assert_eq!(owner, rustix::process::geteuid().as_raw(), "{}", file.display());
    }
}

pub(crate) async fn a_signal_is_timed<R: Runtime>(bench: &Bench<R>) {
    let (first, second) = (bench.pod("web-1").await, bench.pod("web-2").await);
    let polite = bench.backend(&first, 1, AT_ONCE).await;
    timed(bench.runtime.signal(polite.handle(), Signal::Term)).await;
    assert!(polite.handle().wait(PATIENCE).await.unwrap().is_success());
    let killed = bench.backend(&second, 1, AT_ONCE).await;
    timed(bench.runtime.signal(killed.handle(), Signal::Kill)).await;
    let status = killed.handle().wait(PATIENCE).await.unwrap();
    assert!(!status.is_success(), "{status}");
}

pub(crate) async fn a_crash_ends_connections<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, Duration::from_secs(60)).await;
    let mut idle = Client::connect(pod.addresses[0]).await.unwrap();
    let mut served = Client::connect(pod.addresses[0]).await.unwrap();
    served.send(Some(1)).await.unwrap();
    // It has it in hand.
    let received = async {
        while std::fs::read_to_string(&backend.ledger).unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, received).await.expect("the request reaches the backend");
    bench.crash(backend.handle()).await;
    for client in [&mut idle, &mut served] {
        let ended = client.answer().await.unwrap_err().kind();
        use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
        assert!(matches!(ended, UnexpectedEof | ConnectionReset), "{ended}");
    }
}

pub(crate) async fn a_frozen_process_hangs<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, AT_ONCE).await;
    let mut old = Client::connect(pod.addresses[0]).await.unwrap();
    old.send(None).await.unwrap();
    old.answer().await.unwrap();

    timed(bench.runtime.freeze(backend.handle())).await;
    old.send(None).await.unwrap();
    assert!(old.hangs().await);
    // The kernel accepts in its place.
    let mut new = Client::connect(pod.addresses[0]).await.unwrap();
    new.send(None).await.unwrap();
    assert!(new.hangs().await);
    assert_eq!(backend.handle().exited(), None);

    timed(bench.runtime.thaw(backend.handle())).await;
    for client in [&mut old, &mut new] {
        assert!(client.answer().await.unwrap().contains("web-1/1"));
    }
}

pub(crate) async fn the_ended_are_left_alone<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, AT_ONCE).await;
    let ended = backend.handle();
    // A process that stands still can be killed all the same.
    bench.runtime.freeze(ended).await.unwrap();
    bench.crash(ended).await;
    timed(bench.runtime.signal(ended, Signal::Term)).await;
    timed(bench.runtime.freeze(ended)).await;
    timed(bench.runtime.thaw(ended)).await;
    refused(pod.addresses[0]).await;
}

pub(crate) async fn cpu_time_is_counted<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, AT_ONCE).await;
    let mut client = Client::connect(pod.addresses[0]).await.unwrap();
    let begun = Instant::now();
    let mut readings = vec![bench.runtime.cpu_time(backend.handle()).await.unwrap()];
    for _ in 0..3 {
        for _ in 0..1000 {
            client.send(None).await.unwrap();
            client.answer().await.unwrap();
        }
        readings.push(bench.runtime.cpu_time(backend.handle()).await.unwrap());
    }
    assert!(readings.is_sorted_by(|earlier, later| earlier.seconds <= later.seconds), "{readings:?}");
    let grown = readings[3].seconds - readings[0].seconds;
    // It has one thread that works.
    assert!(grown > 0.0 && grown < 2.0 * begun.elapsed().as_secs_f64(), "{readings:?}");
    assert!(readings.iter().all(|reading| !reading.source.is_empty()));
}

pub(crate) async fn an_agent_follows_its_controller<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    let backend = bench.backend(&pod, 1, AT_ONCE).await;
    let handle = backend.handle().clone();
    drop(backend.process.input);
    assert!(handle.wait(PATIENCE).await.is_some(), "it runs on without its controller");
}

pub(crate) async fn people_have_a_way_in<R: Runtime>(bench: &Bench<R>) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (name, wanted) in [("web-1", Some(free)), ("web-2", None)] {
        let pod = bench
            .runtime
            .pod(PodOrder { name, ports: 2, reach: Reach::People(wanted), port: None })
            .await
            .unwrap();
        assert_eq!(pod.addresses.len(), 2);
        let entrance = pod.published.unwrap_or(pod.addresses[0]);
        assert!(entrance.ip().is_loopback(), "{entrance} is open to the world");
        assert!(wanted.is_none_or(|wanted| wanted == entrance), "{wanted:?} {entrance}");
        let _backend = bench.backend(&pod, 1, AT_ONCE).await;
        assert!(get(entrance).await.unwrap().contains(name));
        assert!(get(pod.addresses[0]).await.unwrap().contains(name));
    }
}

pub(crate) async fn a_taken_listener_is_named<R: Runtime>(bench: &Bench<R>) {
    let stranger = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let taken = stranger.local_addr().unwrap();
    let order = PodOrder { name: "balancer", ports: 1, reach: Reach::People(Some(taken)), port: None };
    let error = with_help(&bench.runtime.pod(order).await.unwrap_err());
    assert!(error.starts_with(&format!("{taken} ")) && error.contains("--listen"), "{error}");
}

pub(crate) async fn what_it_lacks_it_explains<R: Runtime>(bench: &Bench<R>) {
    let pod = bench.pod("web-1").await;
    for fault in [FaultKind::Crash, FaultKind::Term, FaultKind::Freeze] {
        assert_eq!(bench.runtime.lacks(Need::Fault(fault)), None);
    }
    let cut = bench.runtime.lacks(Need::Fault(FaultKind::Partition));
    assert_eq!(bench.runtime.lacks(Need::Fault(FaultKind::HostLoss)), cut);
    for result in [bench.runtime.partition(&pod).await, bench.runtime.heal(&pod).await] {
        match cut {
            Some(reason) => assert!(result.unwrap_err().to_string().contains(reason)),
            None => drop(result.unwrap()),
        }
    }
}

pub(crate) async fn the_end_is_the_end_of_all<R: Runtime>(bench: &Bench<R>) {
    let (first, second, third) =
        (bench.pod("web-1").await, bench.pod("web-2").await, bench.pod("web-3").await);
    let _serving = bench.backend(&first, 1, AT_ONCE).await;
    let frozen = bench.backend(&second, 1, AT_ONCE).await;
    bench.runtime.freeze(frozen.handle()).await.unwrap();
    let crashed = bench.backend(&third, 1, AT_ONCE).await;
    bench.crash(crashed.handle()).await;
    let (_balancer, _directory) = nginx(bench).await;
    // Both backends, and nginx with a worker.
    assert!(bench.left().await.len() >= 4, "{:?}", bench.left().await);
    bench.ends_without_a_trace().await;
}
