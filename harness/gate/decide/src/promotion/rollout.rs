//! Which services are replaced without downtime.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::{compose::Model, config::Rollout, units::Span};

/// Which services are replaced without downtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRollout {
    /// The services, each with the names of the proxy's backends; empty where all are recreated.
    pub services: BTreeMap<String, Vec<String>>,
    /// How long requests to a replaced container may take until it is stopped.
    pub drain: Span,
    /// How the requests are moved in steps; at once where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<PlanCanary>,
    /// Services that are recreated all the same, with one gap, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recreated: Option<Recreated>,
}

/// Services whose requests are moved in steps, while both containers are compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCanary {
    /// The services, each with the container's port at which it speaks HTTP.
    pub services: BTreeMap<String, u16>,
    /// How many requests each container has to have in a step.
    pub min_requests: u64,
    /// How long it may take.
    pub within: Span,
}

/// Services that are recreated although the configuration wants them replaced without downtime.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recreated {
    /// The services.
    pub services: Vec<String>,
    /// Why.
    pub reason: String,
}

/// Decides which services are replaced without downtime where no data has to be frozen; `None` where none is to be.
///
/// That needs a proxy that has their ports now and stays as it is: its container is the one thing that cannot be replaced
/// while requests go through it.
#[must_use]
pub fn plan_rollout(rollout: &Rollout, live: &Model, next: &Model) -> Option<PlanRollout> {
    if rollout.blue_green.is_empty() {
        return None;
    }
    let behind = live.behind_proxy();
    let named: Vec<String> = rollout.blue_green.keys().cloned().collect();
    let reason = if !live.has_proxy() {
        Some("the live release has no proxy yet, and this run installs it")
    } else if !next.has_proxy() {
        Some("the release has no proxy, and this run removes it")
    } else if !next.has_same_proxy(live) {
        Some("the ports, networks or settings of the proxy change, so that its container is replaced")
    } else {
        None
    };
    Some(match reason {
        Some(reason) => PlanRollout {
            services: BTreeMap::new(),
            drain: rollout.drain,
            canary: None,
            recreated: Some(Recreated { services: named, reason: reason.to_owned() }),
        },
        None => PlanRollout { services: behind, drain: rollout.drain, canary: plan_canary(rollout), recreated: None },
    })
}

fn plan_canary(rollout: &Rollout) -> Option<PlanCanary> {
    let port = |name: &String| Some((name.clone(), rollout.blue_green.get(name).copied().flatten()?));
    let services: BTreeMap<String, u16> = rollout.canary.iter().filter_map(port).collect();
    let (min_requests, within) = (rollout.min_requests, rollout.canary_within);
    (!services.is_empty()).then_some(PlanCanary { services, min_requests, within })
}

impl PlanRollout {
    /// Returns the lines of a plan as the operator reads it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.services.is_empty() {
            let names: Vec<&str> = self.services.keys().map(String::as_str).collect();
            lines.push(format!(
                "  rollout   {} without downtime, drained within {} (only if no data changes; else frozen)",
                names.join(", "),
                self.drain
            ));
        }
        if let Some(PlanCanary { services, min_requests, within }) = &self.canary {
            let names: Vec<&str> = services.keys().map(String::as_str).collect();
            lines.push(format!(
                "  canary    {} in steps of 5, 25, 50 and 100 %, {min_requests} requests to each container in a step, decided within {within}",
                names.join(", ")
            ));
        }
        if let Some(Recreated { services, reason }) = &self.recreated {
            lines.push(format!("  rollout   {} is recreated, with one gap: {reason}", services.join(", ")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const MODEL: &str = r#"{"name":"shop","services":{"web":{"image":"w:1","networks":{"front":null},
        "ports":[{"mode":"ingress","target":80,"published":"8080","protocol":"tcp"}],"healthcheck":{"test":["CMD","true"]}}},
        "networks":{"front":null}}"#;

    fn rollout() -> Rollout {
        Rollout { blue_green: BTreeMap::from([("web".to_owned(), Some(80))]), ..Rollout::default() }
    }

    fn proxied(text: &str) -> Model {
        Model::parse(text).unwrap().proxied("production", &rollout(), Path::new("/state/proxy")).unwrap()
    }

    #[test]
    fn requests_are_moved_where_the_proxy_has_the_ports_and_stays() {
        let plan = plan_rollout(&rollout(), &proxied(MODEL), &proxied(&MODEL.replace("w:1", "w:2"))).unwrap();
        assert_eq!(plan.services, BTreeMap::from([("web".to_owned(), vec!["web-80".to_owned()])]));
        assert_eq!((plan.recreated.as_ref(), plan.canary.as_ref()), (None, None));
        let steps = Rollout { canary: ["web".to_owned()].into(), ..rollout() };
        let canary = plan_rollout(&steps, &proxied(MODEL), &proxied(&MODEL.replace("w:1", "w:2"))).unwrap();
        assert_eq!(canary.canary.as_ref().unwrap().services, BTreeMap::from([("web".to_owned(), 80)]));
        assert!(
            canary.lines()[1].starts_with("  canary    web in steps of 5, 25, 50 and 100 %, 50 requests"),
            "{:?}",
            canary.lines()
        );
        assert_eq!(
            plan.lines(),
            ["  rollout   web without downtime, drained within 30s (only if no data changes; else frozen)"]
        );
    }

    #[test]
    fn a_gap_is_in_the_plan_with_its_reason() {
        let plain = Model::parse(MODEL).unwrap();
        let reason = |live: &Model, next: &Model| {
            let plan = plan_rollout(&rollout(), live, next).unwrap();
            assert!(plan.services.is_empty());
            plan.lines().join("\n")
        };
        assert_eq!(
            reason(&plain, &proxied(MODEL)),
            "  rollout   web is recreated, with one gap: the live release has no proxy yet, and this run installs it"
        );
        assert!(reason(&proxied(MODEL), &plain).contains("this run removes it"));
        assert!(
            reason(&proxied(MODEL), &proxied(&MODEL.replace("8080", "9090"))).contains("ports, networks or settings")
        );
        assert_eq!(plan_rollout(&Rollout::default(), &plain, &plain), None);
    }
}
