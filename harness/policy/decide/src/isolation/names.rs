//! Do two environments go by one name?

use super::{
    Stack,
    stack::{Owned, shared},
};
use stagegate_base::{compose::Model, finding::Finding};

/// Returns the compose project and the fixed container names that both environments have: the one that starts later
/// takes the other's containers for its own, or cannot start.
#[must_use]
pub fn names(own: &Stack, other: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    if own.project == other.project {
        findings.push(Finding::differs(
            "project",
            "a compose project of its own",
            format!("{}, the project of `{}` too", own.project, other.environment),
        ));
    }
    let fixed = |stack: &Stack| stack.model.as_ref().map(fixed).unwrap_or_default();
    let both = shared(&fixed(own), &fixed(other), |a, b| a == b);
    findings.extend(both.into_iter().map(|(mine, theirs)| {
        Finding::differs(
            mine.by,
            "a container name of its own",
            format!("container_name {}, which {} of `{}` also has", mine.what, theirs.by, other.environment),
        )
    }));
    findings
}

fn fixed(model: &Model) -> Vec<Owned<String>> {
    let named = |by: String| model.container_name(&by).map(|what| Owned { by, what });
    model.services().into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::stack::stack, *};

    fn with(environment: &str, project: &str, name: serde_json::Value) -> Stack {
        let model = json!({ "name": project, "services": { "db": { "container_name": name } } });
        Stack { project: project.to_owned(), ..stack(environment, model) }
    }

    #[test]
    fn one_project_and_one_container_name_are_reported() {
        let own = with("staging", "shop", json!("db"));
        let found = names(&own, &with("production", "shop", json!("db")));
        assert_eq!(found.iter().map(|f| f.place.object.as_str()).collect::<Vec<_>>(), ["project", "db"]);
        assert_eq!(names(&own, &with("production", "shop-production", json!(null))), []);
    }
}
