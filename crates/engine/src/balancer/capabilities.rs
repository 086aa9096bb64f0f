//! What a balancer may be able to do beside forwarding requests, each as a trait of its own. An adapter implements those
//! that its balancer has; the others are missing, which [`catalog`] says to the validation of scenarios.

use std::ops::Range;
use std::path::Path;

use model::access_log::{LogGap, Reason};
use model::catalog::{BalancerKind, Capability, Catalog, Lack};
use model::detection::{DetectionBound, Symptom};
use model::history::Setting;
use model::operations::{Operations, Whereabouts};
use model::plan::Variant;
use model::timeline::{Keeps, ReloadProcess};
use model::topology::{HealthCheck, Route, Topology};

use super::{
    AdoptError, Adoption, Ask, Balancer, Change, LogError, LogLine, RenderError, Rendered, Rotation, Sign,
    Site, SplitSteps, Step, Templates, Turn, adapter,
};

/// Takes backends out and puts them back.
pub trait Deregisters: Sync {
    /// Whether it hears of a change while it runs only where rig's own template makes it listen.
    fn needs_own_words(&self) -> bool {
        false
    }
    /// What brings the balancer to a rotation, and what shows that a backend is drained after it.
    fn change(
        &self,
        topology: &Topology,
        site: &Site,
        turn: Turn<'_>,
        templates: &Templates,
    ) -> Result<Change, RenderError>;
}

/// Divides the requests of a route among pools.
pub trait Splits: Sync {
    /// What brings it to the shares of `route` in `topology`, where every other route stays as it is.
    fn split(
        &self,
        topology: &Topology,
        site: &Site,
        route: &Route,
        templates: &Templates,
    ) -> Result<SplitSteps, RenderError>;
}

/// Reads its configuration again while it runs.
pub trait Reloads: Sync {
    /// What makes it do so for the `nth` time after its start, with what the reload `keeps` of `rotation`, until the new one
    /// serves.
    fn reload(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        keeps: Keeps,
        nth: u32,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError>;
}

/// Is replaced by a second process of itself while it serves.
pub trait Succeeded: Sync {
    /// What starts the `nth` successor of its first process, until that serves.
    fn succeed(
        &self,
        topology: &Topology,
        site: &Site,
        rotation: &Rotation,
        succession: &Succession,
        templates: &Templates,
    ) -> Result<Vec<Step>, RenderError>;
}

/// One change from a process of a balancer to the next.
#[derive(Clone, Copy, Debug)]
pub struct Succession {
    /// What the successor has of the rotation.
    pub keeps: Keeps,
    /// How it gets at the listener's address.
    pub process: ReloadProcess,
    /// Which successor of the first process it is, from 1.
    pub nth: u32,
    /// The process id of the one that serves.
    pub serving: u32,
}

/// Probes its backends by itself.
pub trait Probes: Sync {
    /// How soon its probes, set up like `check`, must notice a backend with `symptom`.
    fn detection(&self, check: &HealthCheck, symptom: Symptom) -> DetectionBound;
}

/// Has configurations that rig can take over.
pub trait Adopts: Sync {
    /// Whether a file looks like one.
    fn recognises(&self, text: &str) -> bool;
    /// Takes it over.
    ///
    /// # Errors
    /// If it can't be read, or there is nothing in it to test.
    fn adopt(&self, file: &Path) -> Result<Adoption, AdoptError>;
    /// The arguments, beside those that run it, by which it only looks at its configuration.
    fn test_arguments(&self) -> &'static [&'static str];
    /// The first line that it refused, counted from 1, and its words; `None`: it says of no line that it is wrong.
    fn refused(&self, said: &str) -> Option<(usize, String)>;
    /// The statement of `text` to which the line belongs, which it refused with `words`.
    fn statement(&self, text: &str, line: usize, words: &str) -> Option<Range<usize>>;
}

/// How to ask a balancer how many lines of its log it could not write.
#[derive(Clone, Debug)]
pub struct UnwrittenQuery {
    /// Where and what to ask.
    pub ask: Ask,
    /// Reads the answer; `None`: it does not say.
    pub read: fn(&str) -> Option<u64>,
}

/// Logs its requests.
pub trait LogsRequests: Sync {
    /// Known holes in that log, of what `variant` has the balancer do.
    fn gaps(&self, _variant: &Variant) -> Vec<LogGap> {
        Vec::new()
    }
    /// What it means that the log gives `reason`, where it has the same words for two things and `variant` excludes one.
    fn means(&self, reason: Reason, _variant: &Variant) -> Reason {
        reason
    }
    /// How to ask how many lines it could not write, before it ends; `None`: it doesn't count them.
    fn unwritten(&self) -> Option<UnwrittenQuery> {
        None
    }
    /// Reads a line; `Ok(None)` for lines that are no requests.
    fn read(&self, line: &str, site: &Site) -> Result<Option<LogLine>, LogError>;
    /// The log's words for what can go wrong, each with its meaning.
    fn signs(&self) -> &'static [Sign];
    /// What a line of its other log says about its backends, in its own words; `None`: nothing.
    fn read_notice(&self, _line: &str, _site: &Site) -> Option<String> {
        None
    }
}

/// Has settings that decide about drops.
pub trait HasSettings: Sync {
    /// Those settings, read from what was rendered.
    fn settings(&self, rendered: &Rendered<'_>) -> Vec<Setting>;
}

/// Can be operated by people.
pub trait Operated: Sync {
    /// How they read its signals and take a backend out by hand.
    fn operations(&self, at: &Whereabouts) -> Operations;
}

/// What all adapters together can do, for the validation of scenarios.
pub fn catalog() -> Catalog {
    let missing = |kind| missing(adapter(kind)).map(move |lack| (kind, lack));
    let signs = |kind| {
        let log = adapter(kind).request_log().into_iter();
        log.flat_map(|log| log.signs()).map(move |sign| (kind, sign.word))
    };
    Catalog {
        missing: BalancerKind::ALL.into_iter().flat_map(missing).collect(),
        signs: BalancerKind::ALL.into_iter().flat_map(signs).collect(),
    }
}

/// What a balancer lacks: what its adapter says, and what follows from the traits that it does not implement.
pub(super) fn missing(balancer: &'static dyn Balancer) -> impl Iterator<Item = Lack> {
    let own = balancer.missing();
    let absent = [
        (balancer.deregisters().is_none(), Capability::LiveDeregister, "rig can't take a backend out of it"),
        (
            balancer.deregisters().is_none(),
            Capability::LiveDeregisterAtLayer4,
            "rig can't take a backend out of it",
        ),
        (
            balancer.deregisters().is_none(),
            Capability::LiveDeregisterSeveral,
            "rig can't take a backend out of it",
        ),
        (
            balancer.deregisters().is_none(),
            Capability::ReloadDeregister,
            "rig can't take a backend out of it",
        ),
        (
            balancer.adopts().is_none(),
            Capability::OwnConfiguration,
            "rig can't take over configurations of its kind",
        ),
        (balancer.reloads().is_none(), Capability::ForgetfulReload, "rig can't reload it"),
        (balancer.reloads().is_none(), Capability::SavedState, "rig can't reload it"),
        (balancer.succeeded().is_none(), Capability::Takeover, "rig can't start a second process of it"),
        (balancer.succeeded().is_none(), Capability::Rebind, "rig can't start a second process of it"),
        (balancer.probes().is_none(), Capability::ActiveHealthChecks, "it does not probe its backends"),
        (!balancer.has_view(), Capability::InFlightView, "it does not say what each backend has in flight"),
    ];
    let follows = absent.into_iter().filter(|(is_absent, ..)| *is_absent);
    let follows = follows.map(|(_, capability, reason)| Lack::always(capability, reason));
    let said = |capability| own.iter().any(|known| known.capability == capability);
    own.iter().copied().chain(follows.filter(move |lack| !said(lack.capability)))
}

#[cfg(test)]
mod tests {
    use model::topology::Topology;

    use super::*;
    use crate::balancer::{ConfigFile, LogFiles};
    use crate::program::{CURL, Program};

    /// Forwards, and nothing else.
    struct Bare;

    impl Balancer for Bare {
        fn program(&self) -> &'static Program {
            &CURL
        }
        fn templates(&self) -> &'static [(&'static str, &'static str)] {
            &[]
        }
        fn files(
            &self,
            _topology: &Topology,
            _site: &Site,
            _rotation: &Rotation,
            _templates: &Templates,
        ) -> Result<Vec<ConfigFile>, RenderError> {
            Ok(Vec::new())
        }
        fn arguments(&self, _topology: &Topology, _site: &Site, _files: &[ConfigFile]) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn what_an_adapter_does_not_implement_is_missing_with_a_reason() {
        let missing: Vec<_> = missing(&Bare).map(|lack| lack.capability).collect();
        for capability in [
            Capability::LiveDeregister,
            Capability::ReloadDeregister,
            Capability::ActiveHealthChecks,
            Capability::InFlightView,
            Capability::ForgetfulReload,
            Capability::Takeover,
            Capability::Rebind,
        ] {
            assert!(missing.contains(&capability), "{capability:?}");
        }
        let LogFiles { access, notices } = Bare.logs();
        assert_eq!((access, notices), ("stdout.log", "stderr.log"));
    }

    #[test]
    fn nothing_is_missing_twice() {
        let mut missing = catalog().missing;
        let all = missing.len();
        missing.sort_by_key(|(kind, lack)| (*kind, lack.capability));
        missing.dedup_by_key(|(kind, lack)| (*kind, lack.capability));
        assert_eq!(missing.len(), all);
    }
}
