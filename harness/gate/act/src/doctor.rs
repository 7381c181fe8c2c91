//! Gathers the facts that [`stagegate_gate_decide::doctor`] decides on. It changes nothing, and works without Docker.

use std::{
    collections::BTreeSet,
    error::Error,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustix::fs::{Access, access};
use stagegate_base::{
    command::Command,
    compose::drift,
    config::{self, Config, HostKind, OffsiteTarget, Restic},
    redact::names_a_secret,
};
use stagegate_data_act::backup::RepositoryError;
use stagegate_gate_decide::{
    doctor::Engine as EngineFacts,
    doctor::{
        Clock, Configured, EnvFile, Environment, Files, Folder, Machine, Problem, Program, Promotion, Repository,
        Unlisted, Workdir,
    },
    promotion::{Facts, Kind, refusals, stopped_services, uncommitted, unknown_freeze},
};
use stagegate_host::{
    clock, database,
    engine::{Engine, EngineError},
    error::with_causes,
    files,
    git::Git,
    host,
    paths::{StateDir, state_base},
    process::{RunError, Runner},
    project::{self, Project, ProjectError},
    reach,
};
use stagegate_migration_act::scratch;

use super::{
    candidate, compare,
    facts::{databases, find, missing_images, of_another_state, worktree_facts},
    new_databases::Lookup,
    plan_error::PlanError,
    unfinished,
};

/// How long a program may take to print its version.
const VERSION_WITHIN: Duration = Duration::from_secs(15);
/// Where the Engine listens if DOCKER_HOST names nothing else.
const SOCKET: &str = "unix:///var/run/docker.sock";
/// The mode bits of users who are neither the owner nor of the group.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Returns the cause that has no other one: it names what to fix.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Gathers the facts of this machine. `built` is the time of the commit that this program was built from, in seconds since 1970.
pub async fn machine(
    configured: Configured,
    config: Option<&Config>,
    engine: &Result<Engine, EngineError>,
    built: Option<i64>,
) -> Machine {
    let compose = Command::new("docker").args(["compose", "version", "--short"]);
    let git = Command::new("git").arg("--version");
    let (compose, git, synchronised) = tokio::join!(version(&compose), version(&git), synchronised());
    let time = match engine {
        Ok(engine) => engine.time().await,
        Err(_) => None,
    };
    Machine {
        configured,
        engine: engine_facts(engine).await,
        address: std::env::var("DOCKER_HOST").ok().filter(|set| !set.is_empty()).unwrap_or_else(|| SOCKET.to_owned()),
        compose,
        git,
        state: folder(&state_base(config.and_then(|config| config.state_dir.as_deref()))),
        repository: match config.and_then(|config| config.backup.restic.as_ref()) {
            Some(settings) => repository(settings).await,
            None => None,
        },
        programs: config.map(programs).unwrap_or_default(),
        postgres: scratch::installed_programs(),
        clock: Clock { now: clock::unix_seconds(), built, engine: time, is_synchronised: synchronised },
    }
}

async fn engine_facts(engine: &Result<Engine, EngineError>) -> Result<EngineFacts, String> {
    let (root, version) =
        engine.as_ref().map_err(|error| innermost(error))?.about().await.map_err(|error| innermost(&error))?;
    // An Engine of another machine has a folder that this one does not.
    let free = Path::new(&root).exists().then(|| files::free_space(Path::new(&root))).flatten();
    Ok(EngineFacts { version, root, free })
}

/// Returns what a program prints as its version; else why it cannot be run.
async fn version(command: &Command) -> Result<String, String> {
    match Runner::default().run_ok(command, VERSION_WITHIN).await {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error @ RunError::Start { .. }) => Err(error.to_string()),
        Err(error) => Err(with_causes(&error)),
    }
}

/// Returns whether systemd keeps the clock synchronised; `None` where that cannot be found out.
async fn synchronised() -> Option<bool> {
    let command = Command::new("timedatectl").args(["show", "--property=NTPSynchronized", "--value"]);
    match Runner::default().run_ok(&command, VERSION_WITHIN).await.ok()?.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn folder(path: &Path) -> Folder {
    let others = |mode: u32| mode & OTHERS_WRITE != 0 && mode & STICKY == 0;
    Folder {
        path: path.to_path_buf(),
        is_writable: is_writable(path),
        others_may_write: path.metadata().is_ok_and(|found| others(found.permissions().mode())),
        free: files::free_space(path),
    }
}

/// Returns whether this user may write in a folder, or make it below its nearest parent that exists.
fn is_writable(path: &Path) -> bool {
    let there = path.ancestors().find(|path| path.exists());
    there.is_some_and(|there| there.is_dir() && access(there, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// Returns the programs that only this configuration makes necessary.
fn programs(config: &Config) -> Vec<Program> {
    let mut needed: Vec<(&str, &str)> = Vec::new();
    if !config.backup.encrypt_to.is_empty() {
        needed.push(("age", "`encrypt_to` of [backup]"));
    }
    if config.backup.restic.is_some() {
        needed.push(("restic", "[backup.restic]"));
    }
    match config.backup.offsite.as_ref().map(|offsite| &offsite.place) {
        Some(OffsiteTarget::Rclone(_)) => needed.push(("rclone", "`url` of [backup.offsite]")),
        Some(OffsiteTarget::Programs(programs)) => {
            needed.extend(programs.put.first().map(|program| (program.as_str(), "`command` of [backup.offsite]")));
        }
        _ => {}
    }
    let program = |(name, by): (&str, &str)| Program {
        name: name.to_owned(),
        needed_by: by.to_owned(),
        is_there: is_on_path(config.root(), name),
    };
    needed.into_iter().map(program).collect()
}

/// Returns whether the repository of volumes can be opened; `None` without the program.
async fn repository(settings: &Restic) -> Option<Repository> {
    let opened = stagegate_data_act::backup::Repository::check(settings, &Runner::default()).await;
    let is_there = !matches!(&opened, Err(RepositoryError::Program { source: RunError::Start { .. }, .. }));
    is_there.then(|| Repository {
        place: settings.repository.clone(),
        refused: opened.err().map(|error| with_causes(&error)),
    })
}

fn is_on_path(root: &Path, program: &str) -> bool {
    let may_run = |path: PathBuf| path.is_file() && access(&path, Access::EXEC_OK).is_ok();
    if program.contains('/') {
        return may_run(root.join(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| may_run(dir.join(program)))
}

/// Gathers the facts of one environment.
///
/// Without an Engine, what runs is not examined; without Compose, its files are not.
pub async fn environment(
    config: &Arc<Config>,
    engine: Option<&Engine>,
    has_compose: bool,
    environment: &config::Environment,
) -> Environment {
    let (kind, _) = host::kind();
    let elsewhere = match environment.host {
        HostKind::Any => None,
        wanted if wanted == kind => None,
        HostKind::Laptop => Some("laptop".to_owned()),
        HostKind::Server => Some("server".to_owned()),
    };
    let source = project::source(environment);
    let files = match &source {
        _ if !has_compose || elsewhere.is_some() => None,
        Ok(source) => Some(resolved(&environment.name, source).await),
        // A missing workdir or env file is an entry of its own.
        Err(ProjectError::Missing { what, .. }) if *what != "compose file" => None,
        Err(error) => Some(Files::Refused(with_causes(error))),
    };
    let can_be_promoted = environment.name != config::EPHEMERAL && matches!(files, Some(Files::Read { .. }));
    let promotion = match engine.filter(|_| can_be_promoted) {
        Some(engine) => promotion(config, engine, &environment.name).await,
        None => Promotion::NotExamined,
    };
    let unlisted = match (engine, &promotion) {
        (Some(engine), Promotion::Refusals(_)) => unlisted(config, engine, &environment.name).await,
        _ => Vec::new(),
    };
    Environment {
        name: environment.name.clone(),
        elsewhere,
        workdir: Workdir {
            path: environment.workdir.clone(),
            exists: environment.workdir.is_dir(),
            is_writable: is_writable(&environment.workdir),
        },
        env_files: environment.env_files.iter().map(|path| env_file(path)).collect(),
        files,
        ignored: source.ok().map(|source| project::ignored_variables(&source)).unwrap_or_default(),
        unlisted,
        promotion,
    }
}

/// Returns the databases of the environment's servers that the configuration does not name; none where they cannot be listed.
async fn unlisted(config: &Arc<Config>, engine: &Engine, name: &str) -> Vec<Unlisted> {
    let Ok(project) = Project::load(&Runner::default(), config, name).await else { return Vec::new() };
    let mut all: Vec<Unlisted> = Vec::new();
    for (id, found) in database::unlisted_databases(config, &project, engine, "stagegate/doctor").await {
        let service = &config.databases[&id].service;
        let of = |(database, tables)| Unlisted { service: service.clone(), database, tables };
        let new = found.others.into_iter().map(of).filter(|one| !all.contains(one)).collect::<Vec<_>>();
        all.extend(new);
    }
    all
}

fn env_file(path: &Path) -> EnvFile {
    let problem = match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(Problem::Missing),
        Err(error) => Some(Problem::Unreadable(error.to_string())),
        Ok(found) => match std::fs::read_to_string(path) {
            Err(error) => Some(Problem::Unreadable(error.to_string())),
            Ok(text) => {
                let is_secret = || compare::env_file(&text).keys().any(|name| names_a_secret(name));
                (found.permissions().mode() & OTHERS_READ != 0 && is_secret()).then_some(Problem::OthersMayRead)
            }
        },
    };
    EnvFile { path: path.to_path_buf(), problem }
}

async fn resolved(name: &str, source: &stagegate_base::command::compose::Source) -> Files {
    let runner = Runner::default();
    let read = async {
        let unset = project::unset_variables(&runner, name, source).await?;
        let model = project::whole(&runner, name, source).await?;
        Ok::<_, ProjectError>(Files::Read { services: model.services().len(), unset })
    };
    read.await.unwrap_or_else(|error| Files::Refused(with_causes(&error)))
}

async fn promotion(config: &Arc<Config>, engine: &Engine, name: &str) -> Promotion {
    match target_facts(config, engine, name).await {
        Ok(None) => Promotion::NothingRuns,
        // What the source and the release may add is in the plan of a promotion.
        Ok(Some(facts)) => Promotion::Refusals(refusals(&Kind::Rollback { run: String::new(), data: false }, &facts)),
        Err(error) => Promotion::Unknown(with_causes(&error)),
    }
}

/// Gathers what would refuse a promotion into an environment whatever the release; `None` where nothing runs there.
async fn target_facts(config: &Arc<Config>, engine: &Engine, name: &str) -> Result<Option<Facts>, PlanError> {
    let runner = Runner::default();
    let git = Git::open(&runner, config.root()).await?;
    let target = find(config, engine, name).await?;
    if target.containers.is_empty() {
        return Ok(None);
    }
    let state = StateDir::of(config, &target.environment.project);
    let mut facts = Facts {
        target: name.to_owned(),
        repository_changes: reach::changes(&runner, &git, &target.environment, config.root()).await?,
        unfinished_run: unfinished(&state)?.map(|run| run.run),
        free_state: files::free_space(state.root()).unwrap_or(u64::MAX),
        free_volumes: files::free_space(Path::new(&engine.about().await?.0)),
        ..Facts::default()
    };
    worktree_facts(&git, &target.environment, &mut facts).await?;
    facts.others.extend(of_another_state(&target, &state));
    let model = match &target.deployed {
        Some(live) => live.model.clone(),
        None => Project::load(&runner, config, name).await?.model,
    };
    if let Some(live) = &target.deployed {
        facts.target_drift = drift(&model, &target.containers);
        facts.missing_images = missing_images(engine, &model).await?;
        facts.others.extend(uncommitted(&live.release));
    }
    facts.target_down = stopped_services(config, &model, &target.containers);
    facts.others.extend(candidate::running_inactive(name, &model, &target.containers));
    facts.others.extend(unknown_freeze(config, &model));
    let lookup = Lookup { target: &target, live: &model, candidate: &model, source: None, later: BTreeSet::new() };
    databases(config, &lookup, &mut facts).await?;
    Ok(Some(facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_env_file_that_everybody_may_read_is_reported_and_a_missing_one_named() {
        let dir = std::env::temp_dir().join(format!("stagegate-doctor-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let path = dir.join(".env");
        assert_eq!(env_file(&path).problem, Some(Problem::Missing));
        std::fs::write(&path, "PORT=80\nDB_PASSWORD=b\n").unwrap();
        let with_mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            env_file(&path).problem
        };
        assert_eq!(with_mode(0o644), Some(Problem::OthersMayRead));
        assert_eq!(with_mode(0o600), None);
        std::fs::write(&path, "PORT=80\n").unwrap();
        assert_eq!(with_mode(0o644), None, "it holds no secret");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_a_folder_cannot_be_written_to() {
        let path = std::env::temp_dir().join(format!("stagegate-doctor-file-{}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        assert!(!is_writable(&path.join("state")));
        std::fs::remove_file(&path).unwrap();
        assert!(is_writable(&path), "its parent may be written to");
    }
}
