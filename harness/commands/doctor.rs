//! `gate doctor`: what is wrong with this machine and the environments, before anything runs.

use std::{path::Path, sync::Arc};

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    report::Colour,
};
use stagegate_gate_act::doctor as facts;
use stagegate_gate_decide::doctor::{
    Configured, Entry, Files, Known, Level, Section, count, environment, exit, machine, names, text,
};
use stagegate_host::{
    clock,
    engine::Engine,
    error::with_causes,
    process::Runner,
    project::{self, ProjectError, read_config},
};
use stagegate_suites::Scope;

use super::version;
use crate::{
    cli,
    failure::{Failure, give_json, print_result},
};

pub(super) async fn run(path: Option<&Path>, args: cli::Doctor) -> Result<Exit, Failure> {
    let (configured, config) = configuration(path)?;
    let wanted = args.env.or_else(|| std::env::var("STAGEGATE_ENV").ok()).filter(|name| !name.is_empty());
    if let (Some(name), Some(config)) = (&wanted, &config) {
        config.environment(name)?;
    }
    let engine = Engine::connect().await;
    let built = clock::unix_seconds_of(version::DATE);
    let found = facts::machine(configured, config.as_deref(), &engine, built).await;
    let has_compose = found.compose.is_ok();
    let mut sections = vec![Section { title: "machine".to_owned(), entries: machine(&found) }];
    for one in config.iter().flat_map(|config| config.environments_here()) {
        if wanted.as_ref().is_some_and(|name| *name != one.name) {
            continue;
        }
        let Some(config) = &config else { continue };
        let found = facts::environment(config, engine.as_ref().ok(), has_compose, one).await;
        let mut entries = environment(&found);
        if matches!(found.files, Some(Files::Read { .. })) {
            // Files that cannot be resolved have their entry.
            entries.extend(unknown_names(config, one).await.unwrap_or_default());
        }
        sections.push(Section { title: one.name.clone(), entries });
    }
    if args.json {
        let value = json!({
            "sections": sections,
            "failures": count(&sections, Level::Fail),
            "warnings": count(&sections, Level::Warn),
        });
        give_json(&serde_json::to_string_pretty(&value)?);
    } else {
        print_result(&text(&sections, Colour::Coloured));
    }
    Ok(exit(&sections))
}

/// Compares the names of the configuration with an environment's files and checks.
///
/// # Errors
/// [`ProjectError`] where its files are not there, or cannot be resolved.
pub(super) async fn unknown_names(config: &Config, environment: &Environment) -> Result<Vec<Entry>, ProjectError> {
    let source = project::source(environment)?;
    let model = project::resolve(&Runner::default(), &environment.name, &source).await?;
    let contracts = config.services.iter().filter_map(|(name, service)| {
        let path = environment.workdir.join(service.contract.as_ref()?);
        (!path.is_file()).then(|| (name.clone(), path))
    });
    let contracts = contracts.collect::<Vec<_>>();
    let trials = stagegate_suites::trials(Scope { config, environment });
    let trials: Vec<&str> = trials.iter().map(|trial| trial.name.as_str()).collect();
    let known = Known { environment, model: &model, trials: &trials, missing_contracts: &contracts };
    Ok(names(config, &known))
}

/// Reads the configuration: that there is none, or a broken one, is a finding; a file that was named has to be there.
fn configuration(path: Option<&Path>) -> Result<(Configured, Option<Arc<Config>>), Failure> {
    match read_config(path) {
        Ok(config) => Ok((Configured::Read(config.path.clone()), Some(Arc::new(config)))),
        Err(ProjectError::NoConfig { .. }) => Ok((Configured::Nowhere, None)),
        Err(ProjectError::Config(error)) => Ok((Configured::Broken(error.to_string()), None)),
        Err(error @ ProjectError::Unreadable { .. }) if path.is_none() => {
            Ok((Configured::Broken(with_causes(&error)), None))
        }
        Err(error) => Err(error.into()),
    }
}
