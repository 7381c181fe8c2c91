//! Gathers what is known before a run: the facts that its plan is made of, and those that may refuse it. Nothing of the
//! environments is changed here.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use stagegate_base::{
    compose::{Model, RELEASE_LABEL, drift},
    config::{Config, Environment, Integrity, Tier},
    container::Container,
    mark::{NAME_BYTES, Role},
    units::Size,
};
use stagegate_data_decide::{DataFacts, backup::Manifest};
use stagegate_gate_decide::promotion::{
    Facts, Kind, NewDatabase, Plan, PlanDatabase, PlanFacts, Request, SchemaFit, plan, plan_rollout,
    rollback_tag_of_run, schema_fit, stopped_services, uncommitted, unknown_freeze,
};

use stagegate_migration_act::catalog::schema_of;
use stagegate_migration_decide::schema::write;

use super::{
    candidate,
    data::earlier,
    new_databases::{self, Found, Lookup},
    plan_error::PlanError,
    side::{Side, server, server_among},
    volumes,
};
use crate::journal::{self, StoreError};
use stagegate_host::{
    database::Rights,
    engine::{Engine, EngineError},
    files,
    git::{Git, GitError},
    image, lock,
    paths::StateDir,
    process::Runner,
    project, reach,
    release::{self, ReleaseError, Snapshot, images_of},
};

/// Makes the plan of a run, and gathers the facts that may refuse it.
///
/// # Errors
/// [`PlanError`] where there is nothing to make a plan of.
pub async fn prepare_plan(
    config: &Arc<Config>,
    engine: &Engine,
    request: &Request,
    run: &str,
) -> Result<(Plan, Facts, Snapshot), PlanError> {
    let runner = Runner::default();
    let git = Git::open(&runner, config.root()).await?;
    let target = find(config, engine, &request.to).await?;
    let source = find(config, engine, &request.from).await?;
    if target.containers.is_empty() {
        return Err(PlanError::NothingDeployed { environment: request.to.clone() });
    }
    let old = match &target.deployed {
        Some(snapshot) => snapshot.clone(),
        None => adopt(config, &runner, &git, (engine, &target), run).await?,
    };
    let source_runs = source.deployed.as_ref().map(|snapshot| snapshot.release.commit.clone());
    let release = match (&request.release, &source_runs) {
        (Some(revision), _) => git.release(revision).await?,
        (None, Some(commit)) => git.release(commit).await?,
        (None, None) => return Err(PlanError::SourceUnknown { environment: request.from.clone() }),
    };
    let mut facts = Facts {
        target: request.to.clone(),
        repository_changes: reach::changes(&runner, &git, &target.environment, config.root()).await?,
        source_runs,
        release: release.commit.clone(),
        source_drift: source.deployed.as_ref().map(|s| drift(&s.model, &source.containers)).unwrap_or_default(),
        target_drift: drift(&old.model, &target.containers),
        target_down: stopped_services(config, &old.model, &target.containers),
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
    let mut candidate_model = old.model.clone();
    if request.kind == Kind::Promote {
        let by = (engine, config.as_ref());
        match candidate::read(&runner, &git, &state, &target.environment, &release, run, by).await? {
            Ok(read) => {
                candidate_model = read.model;
                facts.others.extend(read.refusals);
            }
            Err(why) => facts.others.push(why),
        }
        facts.source_worktree = super::source::worktree_changes(&runner, &git, &source.environment, &release).await;
        let of_source = StateDir::of(config, &source.environment.project);
        facts.source_unfinished = super::unfinished(&of_source)?.map(|run| run.run);
    }
    facts.others.extend(unknown_freeze(config, &old.model));
    let unfinished = super::unfinished(&state)?;
    if let Some(open) = &unfinished
        && lock::at_work(&state).is_none()
    {
        facts.unfinished_run = Some(open.run.clone());
    }
    if unfinished.is_none() {
        facts.others.extend(retired(engine, &target.environment).await?);
    }
    facts.others.extend(of_another_state(&target, &state));
    facts.others.extend(uncommitted(&old.release));
    let is_live = request.kind == Kind::Promote
        && old.release == release
        && has_same_env_files(&old, &target.environment)
        && facts.target_drift.is_empty();
    let live_name = release.name.clone();
    let schema_fit = schema_fit_of(&request.kind, &state)?;
    if !request.accept_newer_schema {
        facts.others.extend(schema_fit.as_ref().and_then(|fit| fit.refusal(&release.name)));
    }
    let (live, candidate) = (&old.model, &candidate_model);
    let is_promotion = request.kind == Kind::Promote;
    let later = new_databases::later(&request.kind, &state)?;
    let lookup = Lookup { target: &target, live, candidate, source: is_promotion.then_some(&source), later };
    let (databases, new_databases) = databases(config, &lookup, &mut facts).await?;
    facts.free_state = files::free_space(state.root()).unwrap_or(u64::MAX);
    facts.free_volumes = files::free_space(Path::new(&engine.about().await?.0));
    let id = state.id().map_err(|source| PlanError::State { path: state.root().to_path_buf(), source })?;
    let mut plan = plan(PlanFacts {
        request,
        run,
        state: id,
        config,
        target: &target.environment,
        repository: git.repository().to_path_buf(),
        subfolder: git.subfolder().clone(),
        release,
        live: old.release.clone(),
        live_model: &old.model,
        candidate_model: &candidate_model,
        source_model: source.deployed.as_ref().map(|snapshot| &snapshot.model),
        source_containers: &source.containers,
        schema_fit,
        databases,
        new_databases,
    });
    let volumes = volumes::facts::Lookup {
        config,
        engine,
        target: &target.environment,
        state: &state,
        live: &old.model,
        candidate: &candidate_model,
    };
    if is_live && plan.services.iter().all(|change| change.from == change.to) {
        facts
            .others
            .push(format!("{live_name} is live in `{}` already, with the same env files and images", request.to));
    }
    facts.others.extend(candidate::other_majors(engine, &plan, &old.model, &candidate_model).await?);
    volumes::facts::add(&volumes, &mut plan, &mut facts).await?;
    let next = rollout_next(&request.kind, &state, &candidate_model)?;
    if git.has_tag(&plan.tag).await? {
        // A run of another product, in the same second.
        plan.tag = rollback_tag_of_run(run);
    }
    plan.rollout = plan_rollout(&target.environment.rollout, &old.model, &next);
    if matches!(request.kind, Kind::Rollback { .. }) {
        // The earlier release has proven itself, and whoever rolls back is in a hurry.
        plan.rollout.iter_mut().for_each(|rollout| rollout.canary = None);
        facts.missing_images.extend(missing_images(engine, &next).await?);
        facts.missing_images.sort();
        facts.missing_images.dedup();
    }
    facts.taken = taken(&plan, &target, &old.model).await?;
    if let Kind::Rollback { run, data: true } = &request.kind {
        plan.rows_since = rows_since(&plan, &state.run(run), &target, &old.model).await?;
    }
    Ok((plan, facts, old))
}

/// Reports containers that an abandoned run replaced and left: the proxy has no place for a third one of a service. Which of
/// the two gets the requests is not known, so neither is to be removed by itself.
async fn retired(engine: &Engine, target: &Environment) -> Result<Vec<String>, EngineError> {
    let (left, name) = (engine.retired(&target.project).await?.into_iter(), &target.name);
    Ok(left
        .map(|container| {
            format!(
                "container {} is left of an abandoned run, and may be the one that gets the requests; `gate down --env {name}` \
                 and `gate up --env {name}` start one container of each service, with downtime",
                container.name
            )
        })
        .collect())
}

/// Returns the model that takes the live one's place: in a rollback the one that ran before the run that is rolled back.
fn rollout_next(kind: &Kind, state: &StateDir, candidate: &Model) -> Result<Model, ReleaseError> {
    match kind {
        Kind::Promote => Ok(candidate.clone()),
        Kind::Rollback { run, .. } => Ok(Snapshot::read(&state.run(run).join("old"))?.model),
    }
}

/// Returns SHA-256 (hex) of the schema of each of the plan's databases, by id.
///
/// # Errors
/// [`PlanError`] where one cannot be read.
pub async fn schema_hashes(engine: &Engine, plan: &Plan, model: &Model) -> Result<BTreeMap<String, String>, PlanError> {
    let containers = engine.project(&plan.project).await?;
    let mut hashes = BTreeMap::new();
    for database in &plan.databases {
        let Some(server) = server_among(&containers, database, model) else { continue };
        let schema = write(&schema_of(&server, &database.name).await?);
        hashes.insert(database.id.clone(), files::hash_text(&schema));
    }
    Ok(hashes)
}

/// Returns what is known of the release that a rollback of code alone starts, on the schema that it will meet.
fn schema_fit_of(kind: &Kind, state: &StateDir) -> Result<Option<SchemaFit>, StoreError> {
    let Kind::Rollback { run, data: false } = kind else { return Ok(None) };
    // What `gate up` did to the schema no journal has.
    if was_brought_up_since(state, run) {
        let reason = "a release was started by `gate up`, without a promotion, since".to_owned();
        return Ok(Some(SchemaFit::Unknown { reason }));
    }
    let journals: Vec<_> =
        journal::runs(&state.runs()).iter().map(|dir| journal::lines(dir)).collect::<Result<_, _>>()?;
    Ok(Some(schema_fit(run, &journals)))
}

/// Reports a target that a gate with another state folder deployed: the lock, the open runs and the rollback points of
/// that one are not seen from here.
pub(super) fn of_another_state(target: &Side, state: &StateDir) -> Option<String> {
    let by_a_gate = |c: &&Container| !c.one_off && c.labels.contains_key(RELEASE_LABEL);
    let container = target.containers.iter().find(by_a_gate).filter(|_| target.deployed.is_none())?;
    let name = &target.environment.name;
    Some(format!(
        "`{name}` was deployed by a gate with another state folder ({} carries its label, and {} knows of no deployment): \
         set STAGEGATE_STATE_DIR, or `state_dir` in [project], to that folder; if it is lost, `gate up --env {name} \
         --release REV` records what is live",
        container.name,
        state.root().display()
    ))
}

/// Returns whether `gate up` deployed something after a run began.
fn was_brought_up_since(state: &StateDir, run: &str) -> bool {
    let folders = std::fs::read_dir(state.runs()).into_iter().flatten().flatten();
    let mut names = folders.filter_map(|folder| folder.file_name().into_string().ok());
    names.any(|name| name.ends_with("-up") && name.as_str() > run)
}

fn has_same_env_files(deployed: &Snapshot, environment: &Environment) -> bool {
    let paths: Vec<&std::path::PathBuf> = deployed.env_files.iter().map(|env| &env.path).collect();
    paths.iter().copied().eq(&environment.env_files)
        && deployed.env_files.iter().all(|env| {
            let before = deployed.env_bytes(env).ok();
            before.is_some() && before == std::fs::read(&env.path).ok()
        })
}

pub(super) async fn find(config: &Arc<Config>, engine: &Engine, name: &str) -> Result<Side, PlanError> {
    let environment = config.environment(name)?.clone();
    let containers = engine.project(&environment.project).await?;
    let deployed = release::deployed(&StateDir::of(config, &environment.project))?;
    Ok(Side { environment, containers, deployed })
}

/// Describes a stack that was brought up without the gate: its files as they are, its images as they run.
async fn adopt(
    config: &Arc<Config>,
    runner: &Runner,
    git: &Git,
    (engine, target): (&Engine, &Side),
    run: &str,
) -> Result<Snapshot, PlanError> {
    // As it runs: a proxy comes with the first release that the gate deploys.
    let model = project::whole(runner, &target.environment.name, &project::source(&target.environment)?).await?;
    let release = git.release_of(&target.environment.workdir).await?;
    let images = images_of(&target.containers);
    let origins = image::origins(engine, &model, &images).await?;
    let model = model.pinned(&release.commit, &images, &BTreeMap::new()).with_origins(&origins);
    let dir = StateDir::of(config, &target.environment.project).run(run).join("adopted");
    Ok(Snapshot::write(&dir, &release, &model, &target.environment.env_files)?)
}

/// Returns the images of a frozen model that this host lacks and that no registry is known to have, in words.
pub(super) async fn missing_images(engine: &Engine, model: &Model) -> Result<Vec<String>, EngineError> {
    let mut missing = Vec::new();
    for service in model.with_images() {
        let image = model.image(&service);
        if model.origin(image).is_none() && engine.image(image).await?.is_none() {
            missing.push(format!("{image} ({service})"));
        }
    }
    Ok(missing)
}

pub(super) async fn worktree_facts(git: &Git, environment: &Environment, facts: &mut Facts) -> Result<(), PlanError> {
    let workdir = &environment.workdir;
    let top = match git.top_of(workdir) {
        Ok(top) => top,
        Err(refused) => {
            facts.others.push(refused.to_string());
            return Ok(());
        }
    };
    if git.is_own_worktree(workdir).await? {
        // All of the worktree: a checkout replaces whatever was changed there.
        facts.target_changes = git.changes(workdir).await?;
        match git.refuse_other_product(&top).await {
            Err(refused @ GitError::OtherProduct { .. }) => facts.others.push(refused.to_string()),
            others => others?,
        }
    } else {
        facts.workdir_is_working_copy = true;
    }
    Ok(())
}

pub(super) async fn databases(
    config: &Config,
    lookup: &Lookup<'_>,
    facts: &mut Facts,
) -> Result<(Vec<PlanDatabase>, Vec<NewDatabase>), PlanError> {
    let (mut databases, mut new) = (Vec::new(), Vec::new());
    for database in config.databases.values() {
        let (planned, server) = match lookup.find(database).await {
            Found::Live(planned, server) => (*planned, server),
            Found::New(found) => {
                new.push(found);
                continue;
            }
            Found::Refused(refusal) => {
                facts.others.push(refusal);
                continue;
            }
        };
        if database.name.len() > NAME_BYTES {
            facts.others.push(format!("`{}` has more than {NAME_BYTES} bytes: PostgreSQL would cut it", database.name));
            continue;
        }
        // First: what a pooler passes on may be refused in other words.
        if let Some(pooled) = server.pooled(&database.name).await.ok().flatten() {
            facts.others.push(pooled);
            continue;
        }
        match server.sizes(&database.name).await {
            Ok((size, wal)) => {
                let rights = server.rights(&database.name).await?;
                facts.others.extend(rights.refusal(&database.name));
                facts.others.extend(unsuitable_tier(config.gate.tier, &rights));
                if config.gate.tier != Tier::Restore
                    && let Some(differs) = server.collation_mismatch(&database.name).await?
                {
                    facts.others.push(differs);
                }
                let ties = server.ties(&database.name).await?;
                facts.others.extend(ties.refusal(&database.name));
                let unlisted = server.unlisted(&database.name, &config.databases_on(&database.service)).await?;
                facts.others.extend(unlisted.refusal(&database.id, &database.name));
                facts.databases += size;
                facts.wal += wal;
                let notes = ties.notes().into_iter().chain(rights.note()).chain(unlisted.notes()).collect();
                let is_limited = !rights.is_superuser;
                databases.push(PlanDatabase { size: Size(size), notes, is_limited, ..planned });
            }
            Err(error) => facts.others.push(stagegate_host::error::with_causes(&error)),
        }
    }
    Ok((databases, new))
}

/// Reports a tier that the role's rights do not suffice for.
fn unsuitable_tier(tier: Tier, rights: &Rights) -> Option<String> {
    (tier == Tier::Swap && !rights.is_superuser).then(|| {
        format!(
            "role `{}` is no superuser, which `tier = \"swap\"` of [gate] needs: set `tier = \"auto\"` or \"restore\"",
            rights.role
        )
    })
}

/// Returns the databases that are there already under names that the run would give.
async fn taken(plan: &Plan, target: &Side, model: &Model) -> Result<Vec<String>, PlanError> {
    let mut taken = Vec::new();
    for database in &plan.databases {
        let Some(server) = server(target, database, model) else { continue };
        for role in [Role::Copy, Role::Failed, Role::Left, Role::Restored] {
            let name = plan.mark(&database.name, role).name;
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
    target: &Side,
    model: &Model,
) -> Result<Vec<stagegate_data_decide::RowChange>, PlanError> {
    let mut changes = Vec::new();
    for database in &plan.databases {
        let Some(server) = server(target, database, model) else { continue };
        let run = dir.file_name().unwrap_or_default().to_string_lossy();
        let copy = earlier(dir, &run, plan).mark(&database.name, Role::Copy);
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
    let manifest = Manifest::parse(&std::fs::read(dir.join("backup/manifest.json")).ok()?).ok()?;
    manifest.database(database).map(|dump| dump.facts.clone())
}
