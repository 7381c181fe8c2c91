//! The configuration as the release has it that is live: a check of a later release is none of an earlier one.

use std::{path::PathBuf, sync::Arc};

use stagegate_base::{
    compose::Model,
    config::{Config, Environment, Target},
};

/// Returns today's configuration with the checks of the release that is checked out in the environment's workdir: its
/// services, databases, migrations, probes, compose files and schema snapshots. What `model`, the frozen model of what
/// runs, has no service for is left out.
///
/// Environments, the gate's settings and everything else stay today's. Without a readable configuration in the workdir
/// only what the model lacks is left out.
#[must_use]
pub fn config_of_release(config: &Arc<Config>, environment: &Environment, model: &Model) -> Arc<Config> {
    let mut own = with_checks_of(config, environment).unwrap_or_else(|| Config::clone(config));
    own.services.retain(|name, _| model.has(name));
    own.databases.retain(|_, database| model.has(&database.service));
    let databases = &own.databases;
    own.migrations.retain(|id, _| databases.contains_key(id));
    let services = &own.services;
    own.performance.retain(|probe| match &probe.target {
        Target::Http { service, .. } => services.contains_key(service),
        Target::Sql { database, .. } => databases.contains_key(database),
        Target::Workflow { .. } => true,
    });
    own.snapshots = Some(environment.workdir.clone());
    Arc::new(own)
}

/// Returns the compose files that the release in an environment's workdir names for it; `None` where the workdir has no
/// configuration that can be read.
#[must_use]
pub fn compose_files(config: &Config, environment: &Environment) -> Option<Vec<PathBuf>> {
    own(config, environment)?.environments.remove(&environment.name).map(|own| own.compose)
}

/// Reads the configuration that the release in an environment's workdir has.
fn own(config: &Config, environment: &Environment) -> Option<Config> {
    let path = environment.workdir.join(config.path.file_name()?);
    Config::parse(&path, &std::fs::read_to_string(&path).ok()?).ok()
}

fn with_checks_of(config: &Config, environment: &Environment) -> Option<Config> {
    let earlier = own(config, environment)?;
    let mut own = Config {
        services: earlier.services,
        one_shot: earlier.one_shot,
        databases: earlier.databases,
        migrations: earlier.migrations,
        performance: earlier.performance,
        security: earlier.security,
        ..config.clone()
    };
    let (now, then) = (own.environments.get_mut(&environment.name)?, earlier.environments.get(&environment.name));
    if let Some(then) = then {
        now.compose.clone_from(&then.compose);
    }
    Some(own)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const NOW: &str = "[project]\nname = \"shop\"\n[environments.production]\nworkdir = \"live\"\ncompose = [\"stack.yaml\"]\n\
                       [services.web]\nport = 80\nhealth = \"/ready\"\n[services.api]\nport = 81\n\
                       [databases.main]\nservice = \"db\"\nname = \"shop\"\n[databases.audit]\nservice = \"db2\"\nname = \"audit\"\n";
    const THEN: &str = "[project]\nname = \"shop\"\n[environments.production]\nworkdir = \"live\"\ncompose = [\"compose.yaml\"]\n\
                        [services.web]\nport = 80\nhealth = \"/old\"\n[services.gone]\nport = 82\n\
                        [databases.main]\nservice = \"db\"\nname = \"shop\"\n";
    const MODEL: &str = r#"{"services": {"web": {"image": "a"}, "db": {"image": "b"}}}"#;

    fn read(then: Option<&str>) -> Arc<Config> {
        let folder =
            std::env::temp_dir().join(format!("stagegate-earlier-{}-{}", std::process::id(), then.map_or(0, str::len)));
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir(&folder).unwrap();
        let config = Arc::new(Config::parse(&folder.join("stagegate.toml"), NOW).unwrap());
        let environment = config.environment("production").unwrap().clone();
        std::fs::create_dir(&environment.workdir).unwrap();
        if let Some(text) = then {
            std::fs::write(environment.workdir.join("stagegate.toml"), text).unwrap();
        }
        let own = config_of_release(&config, &environment, &Model::parse(MODEL).unwrap());
        assert_eq!(own.snapshots(), environment.workdir);
        assert_eq!((&own.path, &own.gate), (&config.path, &config.gate));
        std::fs::remove_dir_all(&folder).unwrap();
        own
    }

    fn names(config: &Config) -> (Vec<&str>, Vec<&str>) {
        (config.services.keys().map(String::as_str).collect(), config.databases.keys().map(String::as_str).collect())
    }

    #[test]
    fn an_earlier_release_is_checked_as_its_own_configuration_states() {
        let own = read(Some(THEN));
        assert_eq!(names(&own), (vec!["web"], vec!["main"]));
        assert_eq!(own.services["web"].health.as_deref(), Some("/old"));
        assert_eq!(own.environments["production"].compose, [Path::new("compose.yaml")]);
    }

    #[test]
    fn without_a_configuration_of_its_own_only_what_it_lacks_is_left_out() {
        for then in [None, Some("no configuration")] {
            let own = read(then);
            assert_eq!(names(&own), (vec!["web"], vec!["main"]));
            assert_eq!(own.services["web"].health.as_deref(), Some("/ready"));
            assert_eq!(own.environments["production"].compose, [Path::new("stack.yaml")]);
        }
    }
}
