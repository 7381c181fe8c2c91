//! Before a run: what is there, and the plan that follows from it. Nothing of the environments is touched here.

use std::{path::Path, sync::Arc};

use stagegate_base::{
    compose::{Model, drift},
    config::{Config, ConfigError, Database, Environment, Integrity, Tier},
    container::{Container, State},
    lifetime::{Lifetime, time_to_start},
    mark::{NAME_BYTES, Role},
    redact::Secret,
    release::Release,
    units::{Size, Span},
};
use stagegate_data_decide::DataFacts;
use stagegate_gate_decide::promotion::{
    Environments, Facts, Kind, Plan, PlanDatabase, ServiceChange, rollback_tag, source_services,
};

use super::{candidate, data::earlier};
use crate::journal::StoreError;
use stagegate_host::{
    database::{DatabaseError, Server},
    engine::{Engine, EngineError},
    files,
    git::{Git, GitError},
    paths::StateDir,
    process::Runner,
    project::{Project, ProjectError},
    release::{self, ReleaseError, Snapshot, images_of},
};

/// What is asked of the gate.
#[derive(Clone, Debug)]
pub struct Request {
    /// Forward or back.
    pub kind: Kind,
    /// The source environment; the target itself in a rollback.
    pub from: String,
    /// The target environment.
    pub to: String,
    /// The release; what the source runs where `None`.
    pub release: Option<String>,
    /// Go on where the readiness score is in the band of caution.
    pub accept_caution: bool,
}

/// Why no plan can be made. Nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An environment's files.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Git.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is deployed.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The journal.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state folder.
    #[error("the state folder {} has no id", path.display())]
    State {
        /// The folder.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing to put in the place of.
    #[error(
        "nothing runs in `{environment}` yet; bring the first release up with `gate up --env {environment} --release REV`"
    )]
    NothingDeployed {
        /// The environment.
        environment: String,
    },
    /// The source runs nothing that the gate knows of.
    #[error(
        "what `{environment}` runs is not known; deploy the release there with `gate up --env {environment} --release REV`"
    )]
    SourceUnknown {
        /// The environment.
        environment: String,
    },
}

struct Found {
    environment: Environment,
    containers: Vec<Container>,
    deployed: Option<Snapshot>,
}

/// Makes the plan of a run, and gathers the facts that may refuse it.
///
/// # Errors
/// [`BeginError`] where there is nothing to make a plan of.
pub async fn prepare_plan(
    config: &Arc<Config>,
    engine: &Engine,
    request: &Request,
    run: &str,
) -> Result<(Plan, Facts, Snapshot), BeginError> {
    let runner = Runner::default();
    let git = Git::open(&runner, config.root()).await?;
    let target = find(config, engine, &request.to).await?;
    let source = find(config, engine, &request.from).await?;
    if target.containers.is_empty() {
        return Err(BeginError::NothingDeployed { environment: request.to.clone() });
    }
    let old = match &target.deployed {
        Some(snapshot) => snapshot.clone(),
        None => adopt(config, &runner, &git, &target, run).await?,
    };
    let source_runs = source.deployed.as_ref().map(|snapshot| snapshot.release.commit.clone());
    let release = match (&request.release, &source_runs) {
        (Some(revision), _) => git.release(revision).await?,
        (None, Some(commit)) => git.release(commit).await?,
        (None, None) => return Err(BeginError::SourceUnknown { environment: request.from.clone() }),
    };
    let mut facts = Facts {
        repository_changes: git.changes(git.repository()).await?,
        source_runs,
        release: release.commit.clone(),
        source_drift: source.deployed.as_ref().map(|s| drift(&s.model, &source.containers)).unwrap_or_default(),
        target_drift: drift(&old.model, &target.containers),
        target_down: down(config, &old.model, &target.containers),
        missing_images: missing_images(engine, &old.model).await?,
        ..Facts::default()
    };
    worktree_facts(&git, &target.environment, &mut facts).await?;
    let state = StateDir::of(config, &target.environment.project);
    for (found, model) in [(&target, Some(&old.model)), (&source, source.deployed.as_ref().map(|s| &s.model))] {
        let Some(model) = model else { continue };
        facts.others.extend(candidate::running_inactive(&found.environment.name, model, &found.containers));
    }
    facts.others.dedup();
    let mut coming = old.model.clone();
    if request.kind == Kind::Promote {
        match candidate::read(&runner, &git, &state, &target.environment, &release, run).await? {
            Ok(read) => coming = read.model,
            Err(why) => facts.others.push(why),
        }
        facts.source_worktree = super::source::worktree_changes(&git, &source.environment.workdir, &release).await;
        let of_source = StateDir::of(config, &source.environment.project);
        facts.source_unfinished = super::unfinished(&of_source)?.map(|run| run.run);
    }
    facts.others.extend(unknown_freeze(config, &old.model));
    facts.others.extend(unnamed(&old.release));
    if request.kind == Kind::Promote && old.release == release && has_same_env_files(&old) {
        facts.others.push(format!("{} is live in `{}` already, with the same env files", release.name, request.to));
    }
    let databases = databases(config, &target, &old.model, &mut facts).await?;
    facts.free_state = files::free_space(state.root()).unwrap_or(u64::MAX);
    facts.free_volumes = files::free_space(Path::new(&engine.about().await?.0));
    let mut plan = plan(config, request, run, &git, &target, &source, &old, release, databases);
    (plan.door, plan.reachable) = candidate::traffic(&coming, |service| is_stateful(config, &plan, service));
    plan.state = state.id().map_err(|source| BeginError::State { path: state.root().to_path_buf(), source })?;
    facts.taken = taken(&plan, &target, &old.model).await?;
    if let Kind::Rollback { run, data: true } = &request.kind {
        plan.rows_since = rows_since(&plan, &state.run(run), &target, &old.model).await?;
    }
    Ok((plan, facts, old))
}

fn unknown_freeze(config: &Config, model: &Model) -> Option<String> {
    let unknown: Vec<&str> =
        config.gate.freeze.iter().flatten().filter(|name| !model.has(name)).map(String::as_str).collect();
    let (unknown, known) = (unknown.join(", "), model.services().join(", "));
    (!unknown.is_empty())
        .then(|| format!("`freeze` of [gate] names {unknown}, which the target has not (known: {known})"))
}

/// What was deployed from uncommitted changes cannot be put back from git.
fn unnamed(release: &Release) -> Option<String> {
    let changed = release.commit.ends_with("-changed");
    changed.then(|| {
        format!("the target runs {}, which is no commit; deploy one with `gate up --release REV`", release.name)
    })
}

fn has_same_env_files(deployed: &Snapshot) -> bool {
    deployed.env_files.iter().all(|env| {
        let before = deployed.env_bytes(env).ok();
        before.is_some() && before == std::fs::read(&env.path).ok()
    })
}

async fn find(config: &Arc<Config>, engine: &Engine, name: &str) -> Result<Found, BeginError> {
    let environment = config.environment(name)?.clone();
    let containers = engine.project(&environment.project).await?;
    let deployed = release::deployed(&StateDir::of(config, &environment.project))?;
    Ok(Found { environment, containers, deployed })
}

/// Describes a stack that was brought up without the gate: its files as they are, its images as they run.
async fn adopt(
    config: &Arc<Config>,
    runner: &Runner,
    git: &Git,
    target: &Found,
    run: &str,
) -> Result<Snapshot, BeginError> {
    let project = Project::load(runner, config, &target.environment.name).await?;
    let release = git.release_of(&target.environment.workdir).await?;
    let images = images_of(&target.containers);
    let model = project.model.pinned(&release.commit, &images, &std::collections::BTreeMap::new());
    let dir = StateDir::of(config, &target.environment.project).run(run).join("adopted");
    Ok(Snapshot::write(&dir, &release, &model, &target.environment.env_files)?)
}

fn down(config: &Config, model: &Model, containers: &[Container]) -> Vec<String> {
    let is_over = |c: &Container| Lifetime::of(config, model, &c.service).is_over(c);
    containers
        .iter()
        .filter(|c| !c.one_off && !is_over(c) && c.state != State::Running)
        .map(|c| format!("container {} is {:?}", c.name, c.state).to_lowercase())
        .collect()
}

async fn missing_images(engine: &Engine, model: &Model) -> Result<Vec<String>, EngineError> {
    let mut missing = Vec::new();
    for service in model.with_images() {
        let image = model.image(&service);
        if engine.image(image).await?.is_none() {
            missing.push(format!("{image} ({service})"));
        }
    }
    Ok(missing)
}

async fn worktree_facts(git: &Git, environment: &Environment, facts: &mut Facts) -> Result<(), BeginError> {
    let workdir = &environment.workdir;
    if git.is_own_worktree(workdir).await? {
        facts.target_changes = git.changes(workdir).await?;
    } else {
        facts.workdir_is_working_copy = true;
    }
    Ok(())
}

async fn databases(
    config: &Config,
    target: &Found,
    model: &Model,
    facts: &mut Facts,
) -> Result<Vec<PlanDatabase>, BeginError> {
    let mut databases = Vec::new();
    for database in config.databases.values() {
        let planned = planned(database, model);
        let Some(server) = server(target, &planned, model) else {
            facts.others.push(format!("service `{}` of database `{}` does not run", database.service, database.id));
            continue;
        };
        if database.name.len() > NAME_BYTES {
            facts.others.push(format!("`{}` has more than {NAME_BYTES} bytes: PostgreSQL would cut it", database.name));
            continue;
        }
        match server.sizes(&database.name).await {
            Ok((size, wal)) => {
                if config.gate.tier != Tier::Restore
                    && let Some(differs) = server.collation_mismatch(&database.name).await?
                {
                    facts.others.push(differs);
                }
                facts.databases += size;
                facts.wal += wal;
                databases.push(PlanDatabase { size: Size(size), ..planned });
            }
            Err(error) => facts.others.push(stagegate_host::error::with_causes(&error)),
        }
    }
    Ok(databases)
}

fn planned(database: &Database, model: &Model) -> PlanDatabase {
    let role = database
        .role
        .clone()
        .or_else(|| model.variable(&database.service, "POSTGRES_USER").map(|user| user.expose().to_owned()));
    PlanDatabase {
        id: database.id.clone(),
        service: database.service.clone(),
        name: database.name.clone(),
        role: role.unwrap_or_else(|| "postgres".to_owned()),
        password_variable: database.password_variable.clone(),
        migrations: database.migrations.clone(),
        rows_may_fall: database.rows_may_fall.clone(),
        size: Size(0),
    }
}

/// Returns the databases that are there already under names that the run would give.
async fn taken(plan: &Plan, target: &Found, model: &Model) -> Result<Vec<String>, BeginError> {
    let mut taken = Vec::new();
    for database in &plan.databases {
        let Some(server) = server(target, database, model) else { continue };
        for role in [Role::Copy, Role::Failed, Role::Left, Role::Restored] {
            let name = plan.kept(&database.name, role).name;
            if server.has(&name).await? {
                taken.push(name);
            }
        }
    }
    Ok(taken)
}

/// Compares what an earlier run kept of each database with what is served now.
async fn rows_since(
    plan: &Plan,
    dir: &Path,
    target: &Found,
    model: &Model,
) -> Result<Vec<stagegate_data_decide::RowChange>, BeginError> {
    let mut changes = Vec::new();
    for database in &plan.databases {
        let Some(server) = server(target, database, model) else { continue };
        let run = dir.file_name().unwrap_or_default().to_string_lossy();
        let copy = earlier(dir, &run, plan).kept(&database.name, Role::Copy);
        let frozen_is_there = server.keeps(&copy).await? || dir.join(format!("frozen-{}.dump", database.id)).is_file();
        let kept = if frozen_is_there { frozen_facts(dir, &database.id) } else { dumped_facts(dir, &database.id) };
        let Some(kept) = kept else { continue };
        let now = stagegate_data_act::facts::facts(&server, &database.name, Integrity::Counts).await?;
        changes.extend(stagegate_data_decide::row_changes(&kept, &now));
    }
    Ok(changes)
}

fn frozen_facts(dir: &Path, database: &str) -> Option<DataFacts> {
    serde_json::from_slice(&std::fs::read(dir.join(format!("frozen-{database}.json"))).ok()?).ok()
}

/// Returns what the dump holds that was made before the freeze: the last resort, once the copy is gone.
fn dumped_facts(dir: &Path, database: &str) -> Option<DataFacts> {
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("backup/manifest.json")).ok()?).ok()?;
    let object = manifest["objects"].as_array()?.iter().find(|object| object["database"] == database)?;
    serde_json::from_value(object["facts"].clone()).ok()
}

fn server(target: &Found, database: &PlanDatabase, model: &Model) -> Option<Server> {
    let container = target.containers.iter().find(|c| c.service == database.service && c.state == State::Running)?;
    let password = model.variable(&database.service, &database.password_variable);
    Some(Server::new(container, &database.role, password.unwrap_or_else(|| Secret::new("")), "stagegate/preflight"))
}

#[expect(clippy::too_many_arguments, reason = "each is a fact of its own that the plan freezes; they share no life")]
fn plan(
    config: &Config,
    request: &Request,
    run: &str,
    git: &Git,
    target: &Found,
    source: &Found,
    old: &Snapshot,
    release: Release,
    databases: Vec<PlanDatabase>,
) -> Plan {
    let gate = &config.gate;
    let is_database = |service: &String| databases.iter().any(|database| database.service == *service);
    let services = old.model.services();
    let stateful = |service: &String| is_database(service) || config.services.get(service).is_some_and(is_store);
    let freeze = gate.freeze.clone().unwrap_or_else(|| {
        // The door first, so that what is under way may end.
        let (door, rest): (Vec<String>, Vec<String>) =
            services.iter().filter(|s| !stateful(s)).cloned().partition(|s| old.model.publishes(s));
        let one_shots = stagegate_base::lifetime::one_shots(config, &old.model);
        let running = |s: &String| !one_shots.contains(s) && !old.model.has_profile(s);
        door.into_iter().chain(rest).filter(running).collect()
    });
    Plan {
        kind: request.kind.clone(),
        run: run.to_owned(),
        state: String::new(),
        environments: Environments { source: request.from.clone(), target: request.to.clone() },
        project: target.environment.project.clone(),
        tag: rollback_tag(run),
        previous: old.release.clone(),
        repository: git.repository().to_path_buf(),
        workdir: target.environment.workdir.clone(),
        env_files: target.environment.env_files.clone(),
        services: changes(&old.model, source, &request.kind),
        source: match request.kind {
            Kind::Promote => source_services(source.deployed.as_ref().map(|s| &s.model), &source.containers),
            Kind::Rollback { .. } => std::collections::BTreeMap::new(),
        },
        rows_since: Vec::new(),
        door: Vec::new(),
        reachable: Vec::new(),
        release,
        databases,
        freeze,
        door_policy: gate.door,
        tier: gate.tier,
        integrity: gate.integrity,
        verify_within: gate.verify_within,
        ready_within: Span(time_to_start(&target.environment, &old.model)),
        soak: gate.soak,
        migrate_within: gate.migrate_within,
        backup_within: gate.backup_within,
        keep: gate.keep,
        accept_caution: request.accept_caution,
        cross_versions: gate.cross_versions,
        longest_stall: gate.longest_stall,
    }
}

fn is_stateful(config: &Config, plan: &Plan, service: &str) -> bool {
    plan.databases.iter().any(|database| database.service == service)
        || config.services.get(service).is_some_and(is_store)
}

fn is_store(service: &stagegate_base::config::Service) -> bool {
    use stagegate_base::config::Kind;
    matches!(service.kind, Kind::Postgres | Kind::Redis)
}

fn changes(old: &Model, source: &Found, kind: &Kind) -> Vec<ServiceChange> {
    let next = match (kind, &source.deployed) {
        (Kind::Promote, Some(snapshot)) => &snapshot.model,
        _ => return Vec::new(),
    };
    let mut names: Vec<String> = old.services();
    names.extend(next.services());
    names.sort();
    names.dedup();
    let image = |model: &Model, name: &str| model.has(name).then(|| model.image(name).to_owned());
    names
        .into_iter()
        .map(|service| ServiceChange { from: image(old, &service), to: image(next, &service), service })
        .collect()
}
