//! Do two environments publish one port of the host?

use super::{Stack, stack::shared};
use crate::rules::Port;
use stagegate_base::finding::Finding;

/// Returns the ports of the host that both environments publish: only one of them can run.
#[must_use]
pub fn ports(own: &Stack, other: &Stack) -> Vec<Finding> {
    shared(&own.ports(), &other.ports(), Port::collides)
        .into_iter()
        .map(|(mine, theirs)| {
            Finding::differs(
                mine.by,
                "a port of its own",
                format!("{}, which {} of `{}` also publishes", mine.what.shown(), theirs.by, other.environment),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::stack::stack, *};

    fn with(environment: &str, ip: &str, port: &str) -> Stack {
        let port = json!({ "target": 80, "published": port, "host_ip": ip, "protocol": "tcp" });
        stack(environment, json!({ "name": environment, "services": { "web": { "ports": [port] } } }))
    }

    #[rstest]
    #[case::same(("127.0.0.1", "8080"), ("127.0.0.1", "8080"), 1)]
    #[case::every_address(("", "8080"), ("127.0.0.1", "8080"), 1)]
    #[case::another_address(("10.0.0.1", "8080"), ("127.0.0.1", "8080"), 0)]
    #[case::another_port(("127.0.0.1", "8081"), ("127.0.0.1", "8080"), 0)]
    #[case::chosen_by_the_engine(("127.0.0.1", ""), ("127.0.0.1", ""), 0)]
    fn a_port_is_published_once(#[case] own: (&str, &str), #[case] other: (&str, &str), #[case] want: usize) {
        let (own, other) = (with("staging", own.0, own.1), with("production", other.0, other.1));
        assert_eq!(ports(&own, &other).len(), want);
    }
}
