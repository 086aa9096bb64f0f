//! How nginx's rotation, shares and configuration are changed while it runs.

use super::*;

impl Deregisters for Nginx {
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
        debug_assert!(
            turn.how == Deregister::Reload || !is_layer4(topology),
            "validation rejects what is missing"
        );
        Ok(match turn.how {
            Deregister::Live => Change {
                steps: vec![match admitted {
                    true => Step::Remove { path: flag(turn.backend) },
                    false => Step::Write { path: flag(turn.backend), text: String::new() },
                }],
                proof: "route flag, tested by every request",
                // A request that has passed the test and not reached the backend yet is counted nowhere.
                drained: DrainSignal::Backend { steady: Duration::from_millis(250) },
            },
            Deregister::Reload => {
                let config = configuration(topology, site, turn.to, templates)?;
                let mut steps = vec![Step::Write { path: config.path, text: config.text }];
                if admitted {
                    steps.push(Step::Remove { path: flag(turn.backend) });
                }
                steps.extend(reload());
                Change {
                    steps,
                    proof: "SIGHUP; the old workers accept no more",
                    drained: match topology.pool_of(turn.backend) {
                        // The new workers as well send it requests.
                        Some(pool) if sticky::keeps_while_draining(topology, pool, site) => {
                            DrainSignal::Backend { steady: Duration::from_millis(250) }
                        }
                        _ => DrainSignal::OldWorkers(old_workers(" exited ")),
                    },
                }
            }
        })
    }
}

impl Splits for Nginx {
    fn split(
        &self,
        topology: &Topology,
        site: &Site,
        _route: &Route,
        templates: &Templates,
    ) -> Result<SplitSteps, RenderError> {
        // No deploy stands beside a split, so nothing is down.
        let config = configuration(topology, site, &Rotation::default(), templates)?;
        let write = Step::Write { path: config.path, text: config.text };
        Ok(SplitSteps {
            steps: std::iter::once(write).chain(reload()).collect(),
            proof: "SIGHUP; the old workers accept no more",
        })
    }
}

impl Reloads for Nginx {
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        _rotation: &Rotation,
        keeps: Keeps,
        _nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError> {
        // Its files are what the rotation is: who is `down` is so in the main one. Flags are none of its configuration.
        let original = match keeps {
            Keeps::Rotation => None,
            Keeps::Configuration | Keeps::State => {
                Some(configuration(topology, site, &Rotation::default(), templates)?)
            }
        };
        let write = original.map(|file| Step::Write { path: file.path, text: file.text });
        Ok(write.into_iter().chain(reload()).collect())
    }
}
