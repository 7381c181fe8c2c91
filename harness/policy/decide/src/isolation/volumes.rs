//! Do two environments keep data in one volume?

use super::{
    Stack,
    stack::{Owned, shared},
};
use crate::rules::Mount;
use stagegate_base::finding::Finding;

/// Returns the volumes that both environments mount.
#[must_use]
pub fn volumes(own: &Stack, other: &Stack) -> Vec<Finding> {
    let named = |stack: &Stack| -> Vec<Owned<Mount>> {
        stack.mounts().into_iter().filter(|held| held.what.kind == "volume" && !held.what.source.is_empty()).collect()
    };
    shared(&named(own), &named(other), |a, b| a.source == b.source)
        .into_iter()
        .map(|(mine, theirs)| {
            Finding::differs(
                format!("{} at {}", mine.by, mine.what.target),
                "a volume of its own",
                format!("volume {}, which {} of `{}` also mounts", mine.what.source, theirs.by, other.environment),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::stack::stack, *};

    fn with(environment: &str, volume: serde_json::Value) -> Stack {
        stack(
            environment,
            json!({
            "name": format!("shop-{environment}"), "volumes": { "data": volume },
            "services": { "db": { "volumes": [{ "type": "volume", "source": "data", "target": "/data" }] } } }),
        )
    }

    #[test]
    fn a_volume_of_one_name_is_shared() {
        let (own, other) = (with("staging", json!({ "name": "data" })), with("production", json!({ "name": "data" })));
        let found = volumes(&own, &other);
        assert_eq!(found[0].place.object, "db at /data");
        assert_eq!(found[0].found, "volume data, which db of `production` also mounts");
        assert_eq!(volumes(&with("staging", json!({})), &with("production", json!({}))), []);
    }
}
