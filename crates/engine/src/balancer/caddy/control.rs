//! How Caddy's rotation, shares and configuration are changed while it runs.

use super::*;

/// What it logs once the new configuration serves.
const RELOADED: &str = "successfully reloaded config from file";
const PROOF: &str = "SIGUSR1; the new configuration serves";

/// Lets it read its file again, whether that has changed or not.
fn reload() -> [Step; 2] {
    let sighting = Sighting::Logged { log: STDERR_FILE, text: RELOADED };
    [Step::Reload(Trigger::Signal(Signal::Usr1)), Step::Await { sighting, within: RELOADED_WITHIN }]
}

fn written(file: ConfigFile) -> Step {
    Step::Write { path: file.path, text: file.text }
}

impl Deregisters for Caddy {
    fn needs_own_words(&self) -> bool {
        true
    }

    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError> {
        let admitted = turn.to.of(turn.backend) == Standing::In;
        let path = flag(turn.backend);
        let (steps, proof) = match (turn.how, admitted) {
            (Deregister::Live, true) => (vec![Step::Remove { path }], "route flag, tested by every request"),
            (Deregister::Live, false) => {
                (vec![Step::Write { path, text: String::new() }], "route flag, tested by every request")
            }
            (Deregister::Reload, _) => {
                let mut steps = vec![written(configuration(topology, site, turn.to, templates)?)];
                steps.extend(admitted.then_some(Step::Remove { path }));
                steps.extend(reload());
                (steps, PROOF)
            }
        };
        Ok(Change { steps, proof, drained: DrainSignal::View })
    }
}

impl Splits for Caddy {
    fn split(
        &self,
        _topology: &Topology,
        _site: &Site,
        route: &Route,
        _templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        let steps = shares(route).into_iter().map(written).collect();
        Ok(SplitSteps { steps, proof: "share files, read by every request" })
    }
}

impl Reloads for Caddy {
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        _rotation: &Rotation,
        keeps: Keeps,
        _nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        // Its file says who is out by a reload, and flags are none of its configuration.
        let original = match keeps {
            Keeps::Rotation => None,
            Keeps::Configuration | Keeps::State => {
                Some(configuration(topology, site, &Rotation::default(), templates)?)
            }
        };
        Ok(original.map(written).into_iter().chain(reload()).collect())
    }
}

impl Probes for Caddy {
    /// Probes begin every `health_interval`, however long the one before lasts. Failures are not counted in a row, but
    /// since the last change of health (`resetHealth` in healthchecks.go): an earlier one counts.
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound {
        let (lasts, words) = match symptom {
            Symptom::Refuses | Symptom::SaysNo => (Duration::ZERO, String::new()),
            Symptom::Hangs | Symptom::Vanishes => (check.timeout.0, format!(" + timeout {}", check.timeout)),
        };
        DetectionBound::Within {
            least: Span(lasts),
            most: Span(check.every.0 * check.fall + lasts),
            why: format!("{} × {}{words}", check.fall, check.every),
        }
    }
}
