//! Ports of a release that another compose project of this host publishes already: its container could not be started, after
//! the others were.

use std::net::{IpAddr, SocketAddr};

use stagegate_base::{
    compose::Model,
    container::{Container, State},
};

use crate::engine::{Engine, EngineError, PROJECT_LABEL};

/// Returns a sentence for each port of the model's services that a running container of another project publishes.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn ports(
    engine: &Engine,
    (environment, project): (&str, &str),
    model: &Model,
) -> Result<Vec<String>, EngineError> {
    let containers = engine.labelled(PROJECT_LABEL).await?;
    Ok(refusals(environment, project, model, &containers))
}

fn refusals(environment: &str, project: &str, model: &Model, containers: &[Container]) -> Vec<String> {
    let others = containers.iter().filter(|one| one.state == State::Running && project_of(one) != project);
    let mut found = Vec::new();
    for other in others {
        for at in other.published.values().flatten() {
            let Some(service) = publisher(model, at) else { continue };
            let theirs = project_of(other);
            let text = format!(
                "port {} of service `{service}` is published by container {} of compose project `{theirs}`; stop that stack, or \
                 set another port in the env file of `{environment}`. If that stack is this environment, write `project = \
                 \"{theirs}\"` in [environments.{environment}]: docs/existing-stack.md",
                at.port(),
                other.name
            );
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

fn project_of(container: &Container) -> &str {
    container.labels.get(PROJECT_LABEL).map_or("", String::as_str)
}

/// Returns the service that publishes a TCP port of this host; of a range the Engine takes one that is free.
fn publisher(model: &Model, at: &SocketAddr) -> Option<String> {
    let is_it = |port: &serde_json::Value| {
        let text = |key: &str| port[key].as_str().unwrap_or_default();
        let ip: Option<IpAddr> = text("host_ip").trim_matches(['[', ']']).parse().ok();
        let meets = ip.is_none_or(|ip| ip.is_unspecified() || at.ip().is_unspecified() || ip == at.ip());
        text("protocol") != "udp" && text("published").parse() == Ok(at.port()) && meets
    };
    let publishes = |service: &String| {
        model.json()["services"][service]["ports"].as_array().is_some_and(|all| all.iter().any(is_it))
    };
    model.services().into_iter().find(|service| !model.has_profile(service) && publishes(service))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;
    use serde_json::json;
    use stagegate_base::container::Health;

    use super::*;

    fn container(project: &str, address: &str, state: State) -> Container {
        Container {
            id: String::new(),
            name: format!("{project}-web-1"),
            service: "web".to_owned(),
            one_off: false,
            image: String::new(),
            state,
            exit_code: 0,
            oom_killed: false,
            restarts: 0,
            started_at: String::new(),
            health: Health::None,
            health_output: String::new(),
            labels: BTreeMap::from([(PROJECT_LABEL.to_owned(), project.to_owned())]),
            addresses: Vec::new(),
            published: BTreeMap::from([(80, vec![address.parse().unwrap()])]),
            network_of: None,
        }
    }

    #[rstest]
    #[case::the_same("shop", "127.0.0.1:80", State::Running, 1)]
    #[case::every_address("shop", "0.0.0.0:80", State::Running, 1)]
    #[case::its_own("shop-production", "127.0.0.1:80", State::Running, 0)]
    #[case::stopped("shop", "127.0.0.1:80", State::Exited, 0)]
    #[case::another_port("shop", "127.0.0.1:81", State::Running, 0)]
    #[case::another_address("shop", "10.0.0.1:80", State::Running, 0)]
    fn a_port_that_another_project_has_is_named(
        #[case] project: &str,
        #[case] address: &str,
        #[case] state: State,
        #[case] want: usize,
    ) {
        let port = json!({ "target": 8080, "published": "80", "host_ip": "127.0.0.1", "protocol": "tcp" });
        let range = json!({ "target": 8080, "published": "80-90", "protocol": "tcp" });
        let model =
            json!({ "services": { "web": { "ports": [range, port] }, "off": { "profiles": ["x"], "ports": [port] } } });
        let model = Model::parse(&model.to_string()).unwrap();
        let found = refusals("production", "shop-production", &model, &[container(project, address, state)]);
        assert_eq!(found.len(), want, "{found:?}");
        assert!(found.iter().all(|text| text.contains("`web`") && text.contains("project = \"shop\"")), "{found:?}");
    }
}
