//! What a log's words mean where a limit and a dead backend have the same.

use model::access_log::{LogGap, Reason};
use model::catalog::BalancerKind;
use model::plan::Plan;
use model::scenario::{Choice, Scenario};

use super::*;

/// What the log's words for no live backend mean, and whether that is a known hole.
fn told(kind: BalancerKind, backends: u8, topology: &str, timeline: &str) -> (Reason, bool) {
    let text = format!(
        "name: told\nquestion: What does it mean?\nbalancers: [{kind}]\ntopology:\n  pools: {{ web: {{ backends: {backends} \
         }} }}\n  routes: {{ all: {{ path: /, to: web }} }}\n{topology}load: {{ rate: 100/s, for: 10s, timeout: 5s }}\n{timeline}"
    );
    let scenario = Scenario::parse("told.yaml", &text, &[]).unwrap_or_else(|why| panic!("{why}"));
    let plan = Plan::build(&scenario, &catalog(), &Choice::default()).unwrap_or_else(|why| panic!("{why}"));
    let (log, variant) = (adapter(kind).request_log().unwrap(), &plan.variants[0]);
    (log.means(Reason::NoLiveBackend, variant), log.gaps(variant).contains(&LogGap::LimitUntold))
}

const LIMITED: &str = "  limits: { connections: 2 }\n  health_check: off\n";

#[test]
fn no_live_backend_means_a_limit_where_nothing_else_can_be_and_is_not_told_where_something_can() {
    use BalancerKind::{Caddy, Nginx};
    let deploy = "timeline: { d: { at: 4s, deploy: { pool: web, drain: auto } } }\n";
    let all = "timeline: { d: { at: 4s, deploy: { pool: web, drain: off, batch: all } } }\n";
    let ejected = format!("{LIMITED}  passive_health: {{ fails: 1, for: 1s }}\n");
    for kind in [Nginx, Caddy] {
        assert_eq!(told(kind, 2, "  health_check: off\n", ""), (Reason::NoLiveBackend, false), "{kind}");
        assert_eq!(told(kind, 2, LIMITED, ""), (Reason::LimitReached, false), "{kind}");
        assert_eq!(told(kind, 2, LIMITED, deploy), (Reason::LimitReached, false), "{kind}");
        assert_eq!(told(kind, 2, LIMITED, all), (Reason::NoLiveBackend, true), "{kind}");
        assert_eq!(told(kind, 2, &ejected, ""), (Reason::NoLiveBackend, true), "{kind}");
    }
    // Caddy probes, nginx does not.
    let probed = "  limits: { connections: 2 }\n";
    assert_eq!(told(Caddy, 2, probed, ""), (Reason::NoLiveBackend, true));
    assert_eq!(told(Nginx, 2, probed, ""), (Reason::LimitReached, false));
    // The others have words of their own for it.
    for kind in [BalancerKind::Haproxy, BalancerKind::Envoy] {
        assert_eq!(told(kind, 2, probed, ""), (Reason::NoLiveBackend, false), "{kind}");
    }
}
