use std::path::Path;

use stagegate_base::config::Config;

use super::*;

const SHOP: &str = r#"
[project]
name = "shop"

[services.web]
port = 80
health = "/ping"

[services.api]
port = 8080
health = "/health"
version = "/version"

[services.queue]
port = 5672

[services.cache]
kind = "redis"

[databases.main]
service = "db"
name = "shop"
migrations = "migrate"
"#;

fn names(toml: &str) -> Vec<String> {
    let config = Config::parse(Path::new("/srv/shop/stagegate.toml"), toml).unwrap();
    let environment = config.environment("ephemeral").unwrap();
    trials(Scope { config: &config, environment }).into_iter().map(|trial| trial.name).collect()
}

#[test]
fn each_service_is_probed_as_its_kind_responds() {
    let want = [
        "health::stack::running",
        "health::api::state",
        "health::api::http",
        "health::api::version",
        "health::cache::state",
        "health::cache::redis",
        "health::db::state",
        "health::db::postgres",
        "health::queue::state",
        "health::queue::tcp",
        "health::web::state",
        "health::web::http",
        "health::stack::steady",
    ];
    assert_eq!(names(SHOP), want);
}

#[test]
fn a_stack_without_configured_services_is_still_requested() {
    assert_eq!(names("[project]\nname = \"shop\"\n"), ["health::stack::running", "health::stack::steady"]);
}
