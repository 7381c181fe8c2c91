//! Which environments are compared, from where it is looked, and what a protected environment is spared.

use std::path::Path;

use serde_json::json;
use stagegate_base::config::Config;
use stagegate_policy_decide::isolation::{Contained, Stack};

use super::*;
use crate::run::select;

const CONFIG: &str = "[project]\nname = \"shop\"\n[environments.staging]\n[environments.production]\nprotected = true\n\
                      [services.db]\nkind = \"postgres\"\n[services.cache]\nkind = \"redis\"\n";

fn names(environment: &str) -> Vec<String> {
    let config = Config::parse(Path::new("/srv/stagegate.toml"), CONFIG).unwrap();
    let environment = config.environment(environment).unwrap();
    let trials = trials(Scope { config: &config, environment });
    select(trials, environment, &[]).into_iter().map(|trial| trial.name).collect()
}

#[test]
fn each_other_environment_is_compared_and_the_throw_away_one_is_none() {
    let of = |name: &str| names("ephemeral").iter().filter(|trial| trial.contains(name)).count();
    assert_eq!((of("::staging::"), of("::production::"), of("::ephemeral::")), (9, 9, 0));
}

#[test]
fn nothing_is_written_into_a_protected_environment() {
    assert!(names("staging").contains(&"isolation::production::canary".to_owned()));
    assert!(!names("production").contains(&"isolation::staging::canary".to_owned()));
}

#[test]
fn it_is_looked_from_one_container_of_each_widest_set_of_networks() {
    let container = |name: &str, networks: &[&str]| {
        let networks: serde_json::Map<_, _> = networks.iter().map(|n| ((*n).to_owned(), json!({}))).collect();
        Contained::of_inspect(&json!({
            "Name": name, "State": { "Running": true }, "NetworkSettings": { "Networks": networks } }))
    };
    let own = Stack {
        containers: vec![
            container("web", &["front"]),
            container("api", &["back", "front"]),
            container("api-2", &["back", "front"]),
            container("mail", &["out"]),
        ],
        ..Stack::default()
    };
    let from: Vec<&str> = neighbours::vantage_points(&own).iter().map(|c| c.name.as_str()).collect();
    assert_eq!(from, ["api", "mail"]);
}

#[test]
fn a_port_of_an_unprotected_environment_that_does_not_run_is_taken_from_nobody() {
    let config = Config::parse(Path::new("/srv/stagegate.toml"), CONFIG).unwrap();
    let stack = |name: &str, is_running: &[bool]| Stack {
        environment: name.to_owned(),
        containers: is_running
            .iter()
            .map(|running| Contained::of_inspect(&json!({ "Name": "web", "State": { "Running": running } })))
            .collect(),
        ..Stack::default()
    };
    let is_at_rest = |name: &str, is_running: &[bool]| pair::is_at_rest(&config, &stack(name, is_running));
    assert!(is_at_rest("staging", &[]) && is_at_rest("staging", &[false]));
    assert!(!is_at_rest("staging", &[false, true]) && !is_at_rest("production", &[]));
}
