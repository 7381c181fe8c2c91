//! `gate logs`, `gate config`, `gate env`: looking, without touching.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde_json::{Value, json};
use stagegate_base::{
    command::compose,
    config::{Config, EPHEMERAL, HostKind},
    exit::Exit,
    redact::{Secret, names_a_secret, password_of_url},
    text,
};
use stagegate_gate_act::compare::env_file;
use stagegate_gate_decide::doctor::Entry;
use stagegate_host::{
    engine::Engine,
    error::with_causes,
    host,
    paths::StateDir,
    process::Runner,
    project::{Project, ProjectError},
    release, secret,
};

use super::doctor;
use crate::{
    cli,
    failure::{Cause, Failure, give_json, print_message, print_result},
};

pub(super) async fn logs(config: &Arc<Config>, args: cli::Logs) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let state = StateDir::of(config, &environment.project);
    // What came up half is not what was deployed last, and is what somebody wants to see.
    let mut mask = release::deployed(&state)?.map(|deployed| secret::mask(&deployed.model)).unwrap_or_default();
    if let Ok(project) = Project::load(&Runner::default(), config, &environment.name).await {
        mask = mask.and(project.mask());
    }
    let engine = Engine::connect().await?;
    if engine.project(&environment.project).await?.is_empty() {
        let name = &environment.name;
        return Err(Failure::usage(format!(
            "`{name}` has no containers on this host; start it with `gate up --env {name}`"
        )));
    }
    let command = compose::logs(&environment.project, &args.services, args.tail, args.follow);
    let runner = Runner::default().with_mask(mask);
    let code = runner.run_through(&command, |line| print_result(&text::clean(line))).await?;
    match code {
        0 => Ok(Exit::Passed),
        code => Err(Failure::new(Cause::Program, format!("`docker compose logs` ended with code {code}"))),
    }
}

pub(super) async fn config(config: &Arc<Config>, args: cli::ShowConfig) -> Result<Exit, Failure> {
    let mut value = serde_json::to_value(config.as_ref())?;
    if !value["gate"]["notify_webhook"].is_null() {
        value["gate"]["notify_webhook"] = json!("***");
    }
    value["file"] = json!(config.path);
    if let Some(name) = &args.env {
        let environment = config.any_environment(name)?;
        let mut variables = BTreeMap::new();
        for file in &environment.env_files {
            variables.extend(masked_variables(file)?);
        }
        value["environments"][name]["variables"] = json!(variables);
        value["environments"][name]["state_dir"] = json!(StateDir::of(config, &environment.project).root());
    }
    give_json(&serde_json::to_string_pretty(&value)?);
    report_names(config, args.env.as_deref()).await;
    Ok(Exit::Passed)
}

/// Reports names of the configuration that an environment's compose files do not have, and files that are not there.
///
/// What holds for several environments is reported once. Without Compose, names are not compared.
async fn report_names(config: &Config, wanted: Option<&str>) {
    let mut seen = BTreeSet::new();
    let wanted = |name: &str| wanted.map_or(name != EPHEMERAL, |wanted| wanted == name);
    for environment in config.environments_here().filter(|environment| wanted(&environment.name)) {
        let notes = match doctor::unknown_names(config, environment).await {
            Ok(entries) => entries.into_iter().map(|entry| with_fix(&entry)).collect(),
            Err(error @ ProjectError::Missing { .. }) => vec![error.to_string()],
            Err(error) => vec![format!(
                "the names were not compared with the compose files of `{}`: {}",
                environment.name,
                text::one_line(&with_causes(&error))
            )],
        };
        for note in notes.into_iter().filter(|note| seen.insert(note.clone())) {
            print_message(&format!("note: {note}"));
        }
    }
}

fn with_fix(entry: &Entry) -> String {
    let fix = entry.fix.as_ref().map(|fix| format!("; {fix}")).unwrap_or_default();
    format!("{}{fix}", entry.found)
}

fn masked_variables(file: &Path) -> Result<BTreeMap<String, Value>, Failure> {
    let text = stagegate_host::files::text(file).map_err(Failure::reading(file))?;
    let masked = |key: &str, value: &Secret| match password_of_url(value.expose()) {
        _ if names_a_secret(key) => json!("***"),
        Some(password) => json!(value.expose().replace(password, "***")),
        None => json!(value.expose()),
    };
    Ok(env_file(&text).into_iter().map(|(key, value)| (key.clone(), masked(&key, &value))).collect())
}

pub(super) async fn environments(config: &Arc<Config>) -> Result<Exit, Failure> {
    let (kind, how) = host::kind();
    print_result(&format!("this machine: {} ({how}; {} overrides)", word(kind), host::HOST_VARIABLE));
    let engine = Engine::connect().await;
    for environment in config.environments.values() {
        if let Some(host) = &environment.ssh {
            let protected = if environment.protected { "protected, " } else { "" };
            print_result(&format!(
                "  {:<12} {:<20} {host}, {protected}`gate status --env {}` shows what runs there",
                environment.name, environment.project, environment.name
            ));
            continue;
        }
        let running = match &engine {
            Ok(engine) => text::counted(engine.project(&environment.project).await?.len(), "container"),
            Err(_) => "Docker is not reachable".to_owned(),
        };
        let here = environment.host == kind || environment.host == HostKind::Any;
        print_result(&format!(
            "  {:<12} {:<20} host {:<7} {}{}{running}",
            environment.name,
            environment.project,
            word(environment.host),
            if environment.protected { "protected, " } else { "" },
            if here { "" } else { "not for this kind of machine, " },
        ));
    }
    if let Err(error) = engine {
        print_message(&format!("{error}"));
    }
    Ok(Exit::Passed)
}

fn word(kind: HostKind) -> &'static str {
    match kind {
        HostKind::Any => "any",
        HostKind::Laptop => "laptop",
        HostKind::Server => "server",
    }
}
