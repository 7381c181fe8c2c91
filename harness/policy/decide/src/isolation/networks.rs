//! Are two environments in one network?

use super::{Stack, stack::shared};
use stagegate_base::finding::Finding;

/// Returns the networks that containers of both environments are in, or would be.
#[must_use]
pub fn networks(own: &Stack, other: &Stack) -> Vec<Finding> {
    shared(&own.networks(), &other.networks(), |a, b| a == b)
        .into_iter()
        .map(|(mine, theirs)| {
            Finding::differs(
                mine.by,
                "networks of its own",
                format!("network {}, to which {} of `{}` is also attached", mine.what, theirs.by, other.environment),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        super::{Contained, stack::stack},
        *,
    };

    fn with(environment: &str, network: serde_json::Value) -> Stack {
        stack(
            environment,
            json!({
            "name": format!("shop-{environment}"), "networks": { "back": network },
            "services": { "db": { "networks": { "back": null } }, "api": { "networks": { "back": null } } } }),
        )
    }

    #[test]
    fn a_network_of_one_name_is_shared_and_reported_once() {
        let outside = json!({ "name": "shared", "external": true });
        let found = networks(&with("staging", outside.clone()), &with("production", outside));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].found, "network shared, to which api of `production` is also attached");
        assert_eq!(networks(&with("staging", json!({})), &with("production", json!({}))), []);
    }

    #[test]
    fn a_container_that_was_attached_by_hand_is_found() {
        let mut own = with("staging", json!({}));
        own.containers.push(Contained::of_inspect(&json!({
            "Name": "/shop-staging-api-1", "Config": { "Labels": { "com.docker.compose.service": "api" } },
            "NetworkSettings": { "Networks": { "shop-staging_back": {}, "shop-production_back": {} } } })));
        let found = networks(&own, &with("production", json!({})));
        assert_eq!(found[0].place.object, "shop-staging-api-1");
        assert_eq!(found[0].found, "network shop-production_back, to which api of `production` is also attached");
    }
}
