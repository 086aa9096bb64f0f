//! How HAProxy's rotation, shares and configuration are changed while it runs.

use super::*;

impl Deregisters for Haproxy {
    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError> {
        debug_assert_eq!(turn.how, Deregister::Live, "validation rejects what the catalog says is missing");
        let servers = match templates.whole() {
            None => vec![format!("{}/{}", set_of(topology, turn.backend), turn.backend)],
            Some(_) => {
                let files = self.files(topology, site, turn.to, templates)?;
                servers_of(files.first().map_or("", |file| &file.text), site, turn.backend)
            }
        };
        let backend = turn.backend.to_owned();
        let (command, sighting, proof) = match turn.to.of(turn.backend) {
            Standing::In => {
                ("state ready", Sighting::Up(backend), "set server state ready; show stat says UP")
            }
            Standing::Draining => {
                ("state drain", Sighting::NotUp(backend), "set server state drain; show stat says DRAIN")
            }
            Standing::Out => {
                ("state maint", Sighting::NotUp(backend), "set server state maint; show stat says MAINT")
            }
        };
        Ok(Change {
            steps: servers
                .into_iter()
                .map(|server| Step::Send(format!("set server {server} {command}")))
                .chain([Step::Await { sighting, within: recognised_within(topology.health_check.as_ref()) }])
                .collect(),
            proof,
            drained: DrainSignal::View,
        })
    }
}

impl Splits for Haproxy {
    fn split(
        &self,
        _topology: &Topology,
        site: &Site,
        route: &Route,
        _templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        let file = site.directory.join(SPLITS).display().to_string();
        let set = |(key, bound): (String, u32)| Step::Send(format!("set map {file} {key} {bound}"));
        Ok(SplitSteps {
            steps: bounds(route).into_iter().map(set).collect(),
            proof: "set map, answered without a complaint",
        })
    }
}

impl Reloads for Haproxy {
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        keeps: Keeps,
        _nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        let mut steps = prepared(topology, site, rotation, keeps, templates)?;
        steps.push(Step::Reload(Trigger::Signal(Signal::Usr2)));
        steps.push(LOADED);
        Ok(steps)
    }
}

impl Succeeded for Haproxy {
    /// With `-x` the new process gets the listening sockets from the old one; without, it binds the address beside it
    /// (SO_REUSEPORT). Either way it then tells the old one to finish (management guide, "Stopping and restarting HAProxy").
    fn succeed(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        succession: &Succession,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        let mut steps = prepared(topology, site, rotation, succession.keeps, templates)?;
        let mut arguments = self.arguments(topology, site, &[]);
        if succession.process == ReloadProcess::Takeover {
            arguments.extend(["-x".to_owned(), site.admin.display().to_string()]);
        }
        arguments.extend(["-sf".to_owned(), succession.serving.to_string()]);
        steps.push(Step::Succeed { arguments });
        steps.push(LOADED);
        Ok(steps)
    }
}

/// The master's word, once the new worker has the listeners and the old one is told to finish.
const LOADED: Step = Step::Await {
    sighting: Sighting::Logged { log: STDERR_FILE, text: "Loading success" },
    within: RELOADED_WITHIN,
};

/// What is written before HAProxy reads its configuration again: the new worker knows nothing of what the old one was told
/// through its socket, but for what that has saved.
fn prepared(
    topology: &Topology,
    site: &Site,
    rotation: &Rotation,
    keeps: Keeps,
    templates: &Templates,
) -> Result<Vec<Step>, RenderError> {
    let files = Haproxy.files(topology, site, &kept(keeps, rotation, topology), templates)?.into_iter();
    let mut steps: Vec<Step> = files
        .filter(|file| file.path != STATE)
        .map(|file| Step::Write { path: file.path, text: file.text })
        .collect();
    if site.saves_state {
        let saved = || Step::Save { ask: Ask::Line("show servers state".into()), path: STATE.to_owned() };
        let forgotten = || Step::Write { path: STATE.to_owned(), text: NO_STATE.to_owned() };
        steps.push(if keeps == Keeps::State { saved() } else { forgotten() });
    }
    Ok(steps)
}

impl Probes for Haproxy {
    /// The next probe begins `inter` after the end of the last. `timeout check` counts once the connection stands; until
    /// then it is the less of `timeout connect` and `inter` (configuration manual, "timeout check"). Neither
    /// `fastinter` nor `downinter` is set.
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound {
        match symptom {
            Symptom::Refuses | Symptom::SaysNo => in_a_row(check, check.fall, None),
            Symptom::Hangs => in_a_row(check, check.fall, Some((check.timeout.0, "timeout"))),
            Symptom::Vanishes => {
                let connect = CONNECT_TIMEOUT.min(check.every.0);
                in_a_row(check, check.fall, Some((connect, "connect timeout")))
            }
        }
    }
}
