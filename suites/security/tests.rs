//! Which questions are asked follows from the configuration and the contract.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rstest::rstest;
use stagegate_base::{config::Config, record::Severity};

use super::*;
use crate::trial::Effect;

const CONTRACT: &str = r#"{ "openapi": "3.0.3", "paths": {
    "/open": { "get": {} },
    "/admin": { "get": { "security": [{ "bearer": [] }] }, "post": { "security": [{ "bearer": [] }] } } } }"#;

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listed(test: &str, more: &str) -> Vec<Trial> {
    let folder = Folder(std::env::temp_dir().join(format!("stagegate-security-{test}-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("api.json"), CONTRACT).unwrap();
    let text = format!("[project]\nname = \"shop\"\n[services.api]\nport = 80\ncontract = \"api.json\"\n{more}");
    let config = Config::parse(&folder.0.join("stagegate.toml"), &text).unwrap();
    trials(Scope { config: &config, environment: config.environment("ephemeral").unwrap() })
}

#[test]
fn operations_that_change_something_are_requested_only_where_that_may_be() {
    let trials = listed("writes", "");
    let effect = |name: &str| trials.iter().find(|trial| trial.name == name).map(|trial| trial.effect);
    assert_eq!(effect("security::api::authorization"), Some(Effect::Reads));
    assert_eq!(effect("security::api::authorization_of_changes"), Some(Effect::Writes));
}

#[rstest]
#[case::no_key("", &["tokens info"])]
#[case::without_an_audience(
    "[security.jwt.api]\nkey_variable = \"KEY\"\n",
    &["token_unsigned required", "token_of_wrong_key required", "token_expired required", "token_of_other_environment warning"]
)]
#[case::with_an_audience(
    "[security.jwt.api]\nkey_variable = \"KEY\"\naudience_variable = \"ENV\"\n",
    &["token_unsigned required", "token_of_wrong_key required", "token_expired required", "token_of_other_environment required"]
)]
#[case::pair(
    "[security.jwt.api]\nsigning_key_variable = \"KEY\"\nalgorithm = \"RS256\"\naudience_variable = \"ENV\"\n",
    &[
        "token_unsigned required", "token_of_wrong_key required", "token_expired required",
        "token_of_other_environment required", "token_key_confusion required"
    ]
)]
#[case::login_alone(
    "token_login = \"owner.token\"\n[security.jwt.api]\n",
    &[
        "token_unsigned required", "token_of_wrong_key required", "token_expired info",
        "token_of_other_environment info", "token_key_confusion info"
    ]
)]
fn tokens_are_tried_where_one_can_be_made(#[case] more: &str, #[case] want: &[&str]) {
    let trials = listed(&format!("tokens-{}", more.len()), more);
    let weight = |severity| match severity {
        Severity::Required => "required",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let reported: Vec<String> = trials
        .iter()
        .filter_map(|trial| Some((trial.name.strip_prefix("security::api::token")?, weight(trial.severity))))
        .map(|(rest, weight)| format!("token{rest} {weight}"))
        .collect();
    assert_eq!(reported, want);
}

#[test]
fn without_http_services_nothing_is_requested_over_http() {
    let config = Config::parse(Path::new("/srv/stagegate.toml"), "[project]\nname = \"shop\"\n").unwrap();
    let trials = trials(Scope { config: &config, environment: config.environment("ephemeral").unwrap() });
    let names: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    assert_eq!(names, ["security::stack::image_secrets", "security::stack::log_secrets"]);
}
