//! The candidate as it would run in the target, resolved before anything is touched: what the target's files and
//! variables lack is known in the plan, not in the middle of a promotion.

use std::path::PathBuf;

use stagegate_base::{
    compose::Model,
    config::{Config, Environment},
    container::{Container, State},
    release::Release,
};
use stagegate_gate_decide::promotion::Plan;
use stagegate_host::{
    engine::{Engine, EngineError},
    error::with_causes,
    git::Git,
    moved::Search,
    paths::StateDir,
    process::Runner,
    taken,
    tree::Tree,
};

use crate::plan_error::PlanError;

/// Reports the servers of databases whose image has another major version of PostgreSQL than the one that runs: it refuses
/// the files of the data that is there, and a rehearsal keeps to the live image.
pub(super) async fn other_majors(
    engine: &Engine,
    plan: &Plan,
    live: &Model,
    candidate: &Model,
) -> Result<Vec<String>, EngineError> {
    let mut found = Vec::new();
    for change in &plan.services {
        let database = plan.databases.iter().find(|database| database.service == change.service);
        let (Some(database), Some(from), Some(to)) = (database, &change.from, &change.to) else { continue };
        let data = |model: &Model| model.json()["services"][&change.service]["volumes"].clone();
        let majors = (major(engine, from).await?, major(engine, to).await?);
        let (Some(now), Some(then)) = majors else { continue };
        if now != then && data(live) == data(candidate) {
            found.push(format!(
                "service `{}` of database `{}` goes from PostgreSQL {now} to {then} on the same data, whose files another \
                 major version refuses: move the data into a new volume by pg_dump and pg_restore in a maintenance window of \
                 its own, then promote the rest",
                change.service, database.id
            ));
        }
    }
    Ok(found)
}

/// Returns the major version of PostgreSQL that an image states; `None` where it states none.
async fn major(engine: &Engine, image: &str) -> Result<Option<String>, EngineError> {
    let details = engine.image_details(image).await?.unwrap_or_default();
    let variables = details["Config"]["Env"].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    let named = variables.filter_map(|variable| variable.strip_prefix("PG_MAJOR=")).next();
    Ok(named.map(str::to_owned))
}

/// Resolves the release for the target in a checkout aside; `Err` holds why it cannot be.
pub(super) async fn read(
    runner: &Runner,
    git: &Git,
    state: &StateDir,
    target: &Environment,
    release: &Release,
    run: &str,
    engine_and_config: (&Engine, &Config),
) -> Result<Result<Candidate, String>, PlanError> {
    let dir = git.subfolder().within(&state.run(run).join("plan-tree"));
    // What the commit or this machine lacks refuses the release as its files do.
    let checked_out = git.check_out(&dir, &release.commit).await;
    let tree = Tree { runner, environment: target, dir: &dir, subfolder: git.subfolder() };
    let read = match &checked_out {
        Ok(()) => Ok(tree.read().await),
        Err(error) => Err(with_causes(error)),
    };
    let tops = tree.tops();
    let refusals = match &read {
        Ok(Ok(read)) => refusals(engine_and_config, target, &tops, &read.model).await,
        _ => Ok(Vec::new()),
    };
    git.remove_worktree(&dir).await?;
    // Of a plan that is only shown nothing is left; the folder of a run is not empty.
    let _ = std::fs::remove_dir(state.run(run));
    let (tree, workdir) = (tops.0.display().to_string(), tops.1.display().to_string());
    let read = read.and_then(|read| read.map_err(|error| with_causes(&error)));
    let read = read.map_err(|reason| reason.replace(&tree, &workdir));
    let refusals = refusals?;
    Ok(read.and_then(|read| {
        let proxied = read.model.proxied(&target.name, &target.rollout, &state.proxy());
        proxied.map(|model| Candidate { model, refusals }).map_err(|refused| refused.to_string())
    }))
}

/// The candidate as it would run in the target.
pub(super) struct Candidate {
    /// Its model, with the paths of a checkout that is gone.
    pub(super) model: Model,
    /// The data that it would leave behind or share, and the ports that others have, in words.
    pub(super) refusals: Vec<String>,
}

async fn refusals(
    (engine, config): (&Engine, &Config),
    target: &Environment,
    (tree, workdir): &(PathBuf, PathBuf),
    model: &Model,
) -> Result<Vec<String>, EngineError> {
    let project = target.project.as_str();
    let search = Search { engine, config, project, workdir, tree, before: None };
    let mut found = search.refusals(model).await?;
    found.extend(search.shared(model, |_| false).await?);
    found.extend(taken::ports(engine, (&target.name, project), model).await?);
    Ok(found)
}

/// Returns in words which services run although no active profile starts them: they would be neither frozen nor replaced.
pub(super) fn running_inactive(environment: &str, model: &Model, containers: &[Container]) -> Vec<String> {
    let runs = |c: &&Container| !c.one_off && c.state == State::Running && model.has_profile(&c.service);
    let reported = containers.iter().filter(runs).map(|container| {
        let profiles = model.profiles(&container.service).join(", ");
        format!(
            "service `{}` of `{environment}` runs, but none of its profiles ({profiles}) is active: the release would \
             not replace it. Set COMPOSE_PROFILES in an `env_file` of the environment, or stop it",
            container.service
        )
    });
    reported.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use stagegate_base::container::Health;

    use super::*;

    fn container(service: &str, state: State) -> Container {
        Container {
            id: String::new(),
            name: service.to_owned(),
            service: service.to_owned(),
            one_off: false,
            image: String::new(),
            state,
            exit_code: 0,
            oom_killed: false,
            restarts: 0,
            started_at: String::new(),
            health: Health::None,
            health_output: String::new(),
            labels: BTreeMap::new(),
            addresses: Vec::new(),
            published: BTreeMap::new(),
            network_of: None,
        }
    }

    #[test]
    fn a_service_that_runs_without_an_active_profile_is_named_with_its_profiles() {
        let text = r#"{"services":{"web":{"profiles":["full"]},"once":{"profiles":["x"]},"db":{}}}"#;
        let containers =
            [container("web", State::Running), container("once", State::Exited), container("db", State::Running)];
        let reported = running_inactive("production", &Model::parse(text).unwrap(), &containers);
        assert_eq!(reported.len(), 1);
        assert!(
            reported[0].contains("`web`") && reported[0].contains("full") && reported[0].contains("COMPOSE_PROFILES")
        );
    }
}
