//! What stands in a cell, and the order in which it comes and goes: backends, balancer, readiness, load beside
//! timeline, then load ended → balancer idle → graceful stop → exit → logs read.

use std::cell::{Cell, RefCell};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::try_join_all;
use model::catalog::{BalancerKind, Release};
use model::component::Component;
use model::generators::LoadPart;
use model::history::{CellStage, Happening, Setting};
use model::identity::Incarnation;
use model::job::LoadJob;
use model::plan::Variant;
use model::records::BalancerBuild;
use model::traffic::Traffic;
use model::units::Nanos;
use model::version::Version;
use tokio::time::timeout;

use super::backends::Backends;
use super::control::{Control, write_file};
use super::error::CellError;
use super::fleet::{CellFleet, FleetLoad};
use super::incumbent::Incumbent;
use super::listener::BalancerListener;
use super::names::NameServer;
use super::recorder::Recorder;
use super::served::Served;
use super::service::RunningService;
use super::stages::Stages;
use super::token_keys::{TokenKeys, password};
use super::{
    Drive, Order, generators, lookout, losses, machine, pods, readiness, sampling, timeline, variant_of,
    workers,
};
use crate::balancer::{ConfigFile, Rendered, Rotation, Site, Templates, adapter, program_of};
use crate::components;
use crate::host::certificates::{CERTIFICATES, Certificates};
use crate::host::owner;
use crate::host::private::PrivateDirectory;
use crate::runtime::{Launch, Pod, PodOrder, Reach, Runs, Runtime, RuntimeError};

/// How long a balancer may take until every backend has answered through it.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// The balancer's control interface, in its private directory.
const ADMIN: &str = "admin.sock";
/// How long the exit of a balancer may take to be noticed after it has ceased to answer.
const DYING: Duration = Duration::from_secs(1);

/// The parts of one cell.
pub(super) struct Testbed<'a, R> {
    pub(super) runtime: &'a R,
    pub(super) order: &'a Order<'a>,
    pub(super) recorder: &'a Recorder<'a>,
    pub(super) variant: &'a Variant,
    /// What its balancer is.
    pub(super) kind: BalancerKind,
    release: Release,
    /// Where components have their directories while they run.
    pub(super) scratch: PathBuf,
    pub(super) balancer_pod: Pod,
    pub(super) generator_pods: Vec<Pod>,
    build: BalancerBuild,
    /// Where the balancer's control interface is, as long as the cell lasts.
    _private: PrivateDirectory,
    pub(super) site: Site,
    pub(super) files: Vec<ConfigFile>,
    /// Those of the cell's balancer.
    pub(super) templates: Templates,
    pub(super) backends: Backends<'a, R>,
    /// Whether the balancer has ended gracefully, with its log written.
    pub(super) log_is_whole: Cell<bool>,
    /// Lines of its log that the balancer could not write.
    pub(super) unwritten: Cell<u64>,
}

impl<'a, R: Runtime> Testbed<'a, R> {
    /// Opens the pods and renders the balancer's files.
    pub(super) async fn open(
        runtime: &'a R,
        order: &'a Order<'a>,
        recorder: &'a Recorder<'a>,
    ) -> Result<Testbed<'a, R>, CellError> {
        let variant = variant_of(order.plan, order.cell)?;
        let release = variant.release(order.cell.balancer);
        let release = release.ok_or_else(|| CellError::NotInPlan { cell: order.cell.clone() })?;
        let kind = release.kind;
        let own = std::path::absolute(order.dir.path()).map_err(CellError::file(order.dir.path()))?;
        let scratch = std::path::absolute(order.dir.scratch()).map_err(CellError::file(&own))?;
        let directory = scratch.join("balancer");
        // Keys and logs are in there, which no other user may read.
        std::fs::DirBuilder::new().mode(0o700).create(&scratch).map_err(CellError::file(&scratch))?;
        owner::mark(&scratch).map_err(CellError::file(&scratch))?;
        std::fs::create_dir_all(&directory).map_err(CellError::file(&directory))?;
        let private = PrivateDirectory::make()?;
        runtime.open(&[&own, private.path()]).await?;
        let reach = Reach::People(order.listen);
        let [balancer, dns_server] = [Component::Balancer, Component::DnsServer].map(|it| it.to_string());
        let balancer = runtime.pod(PodOrder { name: &balancer, ports: 1, reach, port: None });
        let generators = generators::pods(runtime, variant.traffic.generators);
        let backends = pods::of_backends(runtime, &variant.topology);
        let names = async {
            let order = PodOrder { name: &dns_server, ports: 1, reach: Reach::Cell, port: None };
            match variant.topology.is_discovered() {
                true => runtime.pod(order).await.map(Some),
                false => Ok(None),
            }
        };
        let services = components::beside(&variant.topology).map(|service| async move {
            let order = PodOrder { name: service.program.name, ports: 1, reach: Reach::Cell, port: None };
            Ok::<_, RuntimeError>((service, runtime.pod(order).await?))
        });
        let (balancer_pod, generator_pods, pods, names, services) =
            tokio::try_join!(balancer, generators, backends, names, try_join_all(services))?;
        let names = names.map(|pod| NameServer::new(runtime, recorder, pod, scratch.join(&dns_server)));
        let build = runtime.describe(program_of(release)).await?;
        let tls = variant.topology.listener.tls;
        let addresses = pods.values().chain([&balancer_pod]).map(|pod| pod.addresses[0].ip());
        let certificates = (tls.at_listener())
            .then(|| Certificates::make(&scratch.join(CERTIFICATES), variant.traffic.host(), addresses))
            .transpose()?;
        let site = Site {
            directory,
            listener: balancer_pod.addresses[0],
            admin: private.path().join(ADMIN),
            backends: pods.iter().map(|(name, pod)| (name.clone(), pod.addresses[0])).collect(),
            names: names.as_ref().map(NameServer::address),
            certificates: certificates.clone(),
            modules: build.modules.clone(),
            version: release.version,
            connections: variant.traffic.connections,
            workers: variant.topology.workers,
            saves_state: variant.saves_state(),
            succession: variant.succession(),
            as_root: runtime.as_root(),
        };
        let templates = order.templates.of(variant, order.cell.balancer);
        let rotation = Rotation::initial(&variant.topology);
        let files = adapter(kind).files(&variant.topology, &site, &rotation, &templates)?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .map_err(|error| CellError::Control { kind, reason: error.to_string() })?;
        let backends = Backends {
            runtime,
            variant,
            seed: order.plan.seed_of(order.cell.repeat),
            recorder,
            pods,
            directory: scratch.clone(),
            certificates: certificates.filter(|_| tls.at_backends()),
            http,
            lives: RefCell::default(),
            replacing: RefCell::default(),
            services: services
                .into_iter()
                .map(|(service, pod)| {
                    let (directory, password) = (scratch.join(service.program.name), password()?);
                    let lives = RefCell::default();
                    Ok(RunningService { service, runtime, recorder, pod, directory, password, lives })
                })
                .collect::<Result<_, CellError>>()?,
            names,
            keys: TokenKeys::make()?,
        };
        let log_is_whole = Cell::new(false);
        Ok(Testbed {
            runtime,
            order,
            recorder,
            variant,
            kind,
            release,
            scratch,
            balancer_pod,
            generator_pods,
            build,
            _private: private,
            site,
            files,
            templates,
            backends,
            log_is_whole,
            unwritten: Cell::new(0),
        })
    }

    /// Brings backends and balancer up, and what is launched `beside` them.
    pub(super) async fn raise<T>(
        &self,
        stages: &Stages<'_>,
        beside: impl Future<Output = Result<T, CellError>>,
    ) -> Result<(T, Incumbent<'_, R>), CellError> {
        self.describe_balancer();
        // The balancer comes last: it resolves and probes what is there.
        let (launched, ()) = tokio::try_join!(beside, self.start_backends())?;
        let balancer = self.launch_balancer().await?;
        stages.ended(CellStage::Launch);
        self.wait_until_ready(&balancer).await?;
        stages.ended(CellStage::Ready);
        Ok((launched, balancer))
    }

    /// What the generators are to do together.
    pub(super) fn job(&self, traffic: Traffic) -> LoadJob {
        LoadJob {
            targets: vec![self.site.listener],
            host: None,
            identity_header: self.variant.topology.services().find_map(|own| own.identity_header.clone()),
            // The three are set at the launch.
            origin: Nanos(0),
            part: LoadPart::WHOLE,
            records: PathBuf::new(),
            tls: self.site.certificates.as_ref().map(|it| it.for_client(traffic.resumption)),
            traffic,
            seed: self.backends.seed,
        }
    }

    /// Brings everything up, runs the load beside the timeline, and stops the balancer gracefully.
    pub(super) async fn drive(
        &self,
        stages: &Stages<'_>,
        load_began: &Cell<bool>,
    ) -> Result<Drive, CellError> {
        let generators = generators::launch(self.runtime, self.recorder, &self.generator_pods, &self.scratch);
        let (generators, balancer) = self.raise(stages, generators).await?;
        let kind = self.kind;
        let control = Control::new(kind, &self.backends, &self.site, &self.templates, &balancer);
        let job = self.job(self.variant.traffic.clone());
        let mut generators = generators.begin(self.recorder, job, self.order.dir).await?;
        load_began.set(true);
        let origin = generators.origin;
        let (lookout, looking) = lookout::lookout(control.sees_health());
        let traffic = &self.variant.traffic;
        let load = Some(FleetLoad { ends: Some(origin + traffic.duration.0), timeout: traffic.timeout.0 });
        let served = &Served::by(kind, &self.site);
        let fleet =
            CellFleet { backends: &self.backends, control: &control, lookout: &lookout, load, served };
        let calm = lookout::calm(self.variant.topology.health_check.as_ref().map(|check| check.every));
        let out = |backend: &str| self.backends.replacing.borrow().contains(backend);
        let mut interrupted = self.order.interrupted.clone();
        let samples = self.order.dir.sample_writer()?;
        let driven = tokio::select! {
            // What has ended has ended, whatever else happens at the same moment.
            biased;
            done = self.beside(
                self.measured(generators.finish(self.recorder), origin, &balancer),
                timeline::perform(&fleet, &self.variant.timeline, origin),
                &balancer,
            ) => {
                done.map(|()| Drive::Completed)
            }
            never = sampling::sample(&self.backends, &control, samples) => match never {},
            never = lookout::follow(&control, self.recorder, calm, out, looking) => match never {},
            never = balancer.follow() => match never {},
            never = workers::follow(adapter(kind), &self.site.directory, self.recorder) => match never {},
            failed = losses::follow(&fleet) => Err(failed),
            lost = self.pod_lost() => Err(lost),
            _ = interrupted.wait_for(|stop| *stop) => Ok(Drive::Interrupted),
        }?;
        if driven == Drive::Interrupted {
            self.recorder.record(Happening::Interrupted);
            generators.cancel(self.runtime, self.recorder).await;
        }
        stages.ended(CellStage::Load);
        self.wait_until_idle().await;
        self.unwritten.set(control.unwritten().await);
        self.stop_balancer(&balancer).await;
        self.stop_services().await;
        Ok(driven)
    }

    /// The load, with the CPU time of balancer and backends recorded when the first measured request is due and when
    /// the last has ended.
    async fn measured(
        &self,
        load: impl Future<Output = Result<(), CellError>>,
        origin: Nanos,
        balancer: &Incumbent<'_, R>,
    ) -> Result<(), CellError> {
        let read = || async {
            if let Some(only) = balancer.only() {
                self.backends.read_cpu(&only).await;
            }
            self.backends.read_every_cpu().await;
            self.recorder.record(Happening::CpuRead {
                component: Component::Rig,
                seconds: agent::usage::cpu_seconds(),
                source: "its own CLOCK_PROCESS_CPUTIME_ID".to_owned(),
            });
            self.recorder.record(machine::read());
        };
        let begin = async {
            timeline::sleep_until(origin).await;
            read().await;
        };
        let (loaded, ()) = tokio::join!(load, begin);
        read().await;
        loaded
    }

    /// Runs load and timeline side by side. A timeline that outlives the load is given up: what it does is no
    /// longer under load. One whose balancer has died is given up as well, and the load goes on: what that costs is the
    /// result.
    async fn beside(
        &self,
        load: impl Future<Output = Result<(), CellError>>,
        performance: impl Future<Output = Result<(), CellError>>,
        balancer: &Incumbent<'_, R>,
    ) -> Result<(), CellError> {
        tokio::pin!(load, performance);
        tokio::select! {
            _ = balancer.exit() => load.await,
            performed = &mut performance => {
                // A balancer that is just dying answers nothing: its exit says why.
                if performed.is_err() && timeout(DYING, balancer.exit()).await.is_err() {
                    return performed;
                }
                load.await
            }
            finished = &mut load => {
                finished?;
                let message = "the timeline had not ended when the load did".to_owned();
                self.recorder.record(Happening::Warning { message });
                Ok(())
            }
        }
    }

    fn describe_balancer(&self) {
        let kind = self.kind;
        let build = self.build.clone();
        self.recorder.record(Happening::Balancer {
            kind,
            version: build.version,
            binary: build.binary,
            listener: self.site.listener.to_string(),
            published: self.balancer_pod.published.map(|address| address.to_string()),
            settings: self.settings(),
            in_flight_view: adapter(kind).has_view(),
            tells_health: adapter(kind).sees_health(),
        });
        self.read_clocks();
    }

    /// The settings that decide about drops, as they were rendered.
    fn settings(&self) -> Vec<Setting> {
        let adapter = adapter(self.kind);
        let arguments = adapter.arguments(&self.variant.topology, &self.site, &self.files);
        let (variant, files, templates) = (self.variant, &self.files, &self.templates);
        let version = Version::of_words(&self.build.version);
        let rendered = Rendered { variant, files, arguments: &arguments, templates, version };
        adapter.read_back().map_or_else(Vec::new, |read_back| read_back.settings(&rendered))
    }

    pub(super) fn read_clocks(&self) -> i64 {
        let before = agent::clock::now();
        let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let after = agent::clock::now();
        let wall = i64::try_from(wall.as_nanos()).unwrap_or(i64::MAX);
        self.recorder.record_at(before, Happening::Clocks { wall, error: after.0 - before.0 });
        wall - before.0
    }

    /// The services first: backends look for them.
    async fn start_backends(&self) -> Result<(), CellError> {
        if let Some(names) = &self.backends.names {
            let rotation = Rotation::initial(&self.variant.topology);
            let pools = self.variant.topology.pools.iter();
            names.launch(pools.filter_map(|pool| self.backends.records(pool, &rotation)).collect()).await?;
        }
        for service in &self.backends.services {
            service.launch().await?;
        }
        let serving = self.variant.topology.pools.iter().flat_map(|pool| pool.serving());
        let first: Vec<Incarnation> = serving.map(|backend| Incarnation::new(&backend.id, 1)).collect();
        let launches = first.iter().map(|incarnation| async move {
            self.backends.launch(incarnation, false).await?;
            let proof = match self.backends.is_own(&incarnation.backend) {
                true => "its health endpoint says 2xx".to_owned(),
                false => "it listens".to_owned(),
            };
            self.recorder.record(Happening::Ready { component: incarnation.into(), proof });
            Ok::<(), CellError>(())
        });
        try_join_all(launches).await.map(drop)
    }

    async fn launch_balancer(&self) -> Result<Incumbent<'_, R>, CellError> {
        let adapter = adapter(self.kind);
        for file in &self.files {
            write_file(&self.site, file)?;
        }
        let launch = Launch {
            component: Component::Balancer,
            pod: &self.balancer_pod,
            runs: Runs::Program(program_of(self.release)),
            arguments: adapter.arguments(&self.variant.topology, &self.site, &self.files),
            variables: adapter.variables(&self.variant.topology, &self.site),
            directory: self.site.directory.clone(),
            leaves: adapter.leaves_behind(&self.site),
        };
        Incumbent::launch(self.runtime, self.recorder, launch).await
    }

    async fn wait_until_ready(&self, balancer: &Incumbent<'_, R>) -> Result<(), CellError> {
        let kind = self.kind;
        let gone = || balancer.exited().is_some();
        let listener = BalancerListener::of(&self.site, self.variant.traffic.host())?;
        let topology = &self.variant.topology;
        let ready = match topology.services().next() {
            Some(_) => {
                let served = Served::by(kind, &self.site);
                let logged = || Ok(served.counts()?.others.into_keys().collect());
                readiness::every_backend_is_logged(topology, &listener, logged, READY_WITHIN, gone).await?
            }
            None => {
                let address_of = |backend: &str| self.site.address_of(backend);
                readiness::every_backend_answers(topology, &listener, address_of, READY_WITHIN, gone).await
            }
        };
        match ready {
            Ok(proof) => {
                self.recorder.record(Happening::Ready { component: Component::Balancer, proof });
                Ok(())
            }
            Err(_) if balancer.exited().is_some() => Err(self.exited(balancer)),
            Err(missing) => {
                let seconds = READY_WITHIN.as_secs();
                Err(CellError::NotReady { kind, seconds, missing, words: self.last_words() })
            }
        }
    }
}
