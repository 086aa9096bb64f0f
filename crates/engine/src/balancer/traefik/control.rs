//! How Traefik's rotation, shares and configuration are changed while it runs: by a new version of its dynamic file.

use super::*;

/// What noop@internal answers.
const TEAPOT: u16 = 418;

/// Waits until it serves; at layer 4 no request can see that.
fn seen(topology: &Topology, path: String) -> Option<Step> {
    let sighting = Sighting::Serves { path, status: TEAPOT };
    (!is_layer4(topology)).then_some(Step::Await { sighting, within: RELOADED_WITHIN })
}

impl Deregisters for Traefik {
    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError> {
        let FileVersion { file, path } = version(topology, site, turn.to, 0, templates)?;
        let write = Step::Write { path: file.path, text: file.text };
        Ok(Change {
            steps: std::iter::once(write).chain(seen(topology, path)).collect(),
            proof: "file provider; the listener answers for the new version",
            // A request that was routed by the version before may not have reached its server yet.
            drained: DrainSignal::Backend { steady: Duration::from_millis(250) },
        })
    }
}

impl Splits for Traefik {
    fn split(
        &self,
        topology: &Topology,
        site: &Site,
        _route: &Route,
        templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        // No deploy stands beside a split, so the rotation is the initial one.
        let FileVersion { file, path } = version(topology, site, &Rotation::initial(topology), 0, templates)?;
        let write = Step::Write { path: file.path, text: file.text };
        Ok(SplitSteps {
            steps: std::iter::once(write).chain(seen(topology, path)).collect(),
            proof: "file provider; the listener answers for the new version",
        })
    }
}

impl Reloads for Traefik {
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        keeps: Keeps,
        nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        let rotation = kept(keeps, rotation, topology);
        let FileVersion { file, path } = version(topology, site, &rotation, nth, templates)?;
        let trigger = Step::Reload(Trigger::Write { path: file.path, text: file.text });
        Ok(std::iter::once(trigger).chain(seen(topology, path)).collect())
    }
}

impl Probes for Traefik {
    /// The first failure counts. Servers are probed one after another, so that one that hangs delays the probes of the others
    /// by its timeout.
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound {
        match symptom {
            Symptom::Refuses | Symptom::SaysNo => in_a_row(check, 1, None),
            Symptom::Hangs | Symptom::Vanishes => in_a_row(check, 1, Some((check.timeout.0, "timeout"))),
        }
    }
}
