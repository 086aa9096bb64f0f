//! How Envoy's rotation, shares and configuration are changed while it runs.

use super::*;

impl Deregisters for Envoy {
    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError> {
        debug_assert_eq!(turn.how, Deregister::Live, "validation rejects what the catalog says is missing");
        let pool = set_of(topology, turn.backend);
        let file = endpoints(topology, site, &pool, turn.to, templates)?;
        let backend = turn.backend.to_owned();
        let (sighting, proof) = match turn.to.of(turn.backend) {
            Standing::In => {
                (Sighting::Up(backend), "endpoint HEALTHY; /clusters says so, without a failed check")
            }
            Standing::Draining => (Sighting::NotUp(backend), "endpoint DRAINING; /clusters says so"),
            Standing::Out => (Sighting::NotUp(backend), "endpoint removed; /clusters says so"),
        };
        Ok(Change {
            steps: vec![
                Step::Write { path: file.path, text: file.text },
                Step::Await { sighting, within: recognised_within(topology.health_check.as_ref()) },
            ],
            proof,
            drained: DrainSignal::View,
        })
    }
}

impl Splits for Envoy {
    fn split(
        &self,
        topology: &Topology,
        _site: &Site,
        _route: &Route,
        templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        let file = routes(topology, templates)?;
        let ask = Ask::Get("/config_dump?resource=dynamic_route_configs".into());
        let sighting = Sighting::Says { ask, text: routes_version(topology) };
        Ok(SplitSteps {
            steps: vec![
                Step::Write { path: file.path, text: file.text },
                Step::Await { sighting, within: Duration::from_secs(10) },
            ],
            proof: "RDS from a file; /config_dump has its version",
        })
    }
}

impl Reloads for Envoy {
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        keeps: Keeps,
        nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        debug_assert_eq!(keeps, Keeps::Rotation, "validation rejects what the catalog says is missing");
        let files = files(topology, site, rotation, nth, templates)?;
        let listener = files.into_iter().find(|file| file.path == LISTENER);
        let ask = Ask::Get("/stats?filter=^listener_manager.listener_create_success$".into());
        // Counted by every worker that has taken it over.
        let taken = u32::from(site.workers) * (nth + 1);
        let line = format!("listener_manager.listener_create_success: {taken}");
        let trigger = listener.map(|file| Step::Reload(Trigger::Write { path: file.path, text: file.text }));
        let wait = Step::Await { sighting: Sighting::Answer { ask, line }, within: RELOADED_WITHIN };
        Ok(trigger.into_iter().chain([wait]).collect())
    }
}

impl Succeeded for Envoy {
    /// A hot restart (operations guide, "Hot restart"): the endpoints that the new process reads are those that the old one
    /// was told of last.
    fn succeed(
        &self,
        topology: &Topology,
        site: &Site,
        _rotation: &Rotation,
        succession: &Succession,
        _templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        debug_assert_eq!(succession.process, ReloadProcess::Takeover, "validation rejects what is missing");
        let says = |text: String| Step::Await {
            sighting: Sighting::Says { ask: Ask::Get("/server_info".into()), text },
            within: RELOADED_WITHIN,
        };
        Ok(vec![
            Step::Succeed { arguments: arguments(topology, site, succession.nth) },
            says(format!("\"restart_epoch\": {}", succession.nth)),
            says("\"state\": \"LIVE\"".to_owned()),
        ])
    }
}

impl Probes for Envoy {
    /// The next probe begins `interval` after the end of the last, with traffic or without (`no_traffic_interval` is the
    /// same). A 503 marks a host down at once, whatever `unhealthy_threshold` says (core.v3.HealthCheck).
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound {
        match symptom {
            Symptom::Refuses => in_a_row(check, check.fall, None),
            Symptom::SaysNo => in_a_row(check, 1, None),
            Symptom::Hangs | Symptom::Vanishes => {
                in_a_row(check, check.fall, Some((check.timeout.0, "timeout")))
            }
        }
    }
}
