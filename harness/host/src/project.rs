//! An environment made real: its configuration, its resolved compose model and its containers.

mod files;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use stagegate_base::{
    command::{
        Command,
        compose::{self as command, Source},
        variables,
    },
    compose::{Model, ModelError, RolloutRefused},
    config::{Config, ConfigError, Environment},
    container::Container,
    redact::Mask,
};

use crate::{
    earlier,
    engine::{Engine, EngineError},
    paths::StateDir,
    process::{RunError, Runner},
};

use files::compose_files;
pub use files::{EXAMPLES, env_file_hint, files_in, named_files, override_files, unnamed_files_in};

/// How long Compose may take to resolve its files.
const RESOLVE_WITHIN: Duration = Duration::from_secs(30);
/// Keeps temporary files of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// Why an environment could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The configuration does not know it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// There is no configuration file.
    #[error("no stagegate.toml in {} or above; change to your project's folder, or write one with `gate init`", start.display())]
    NoConfig {
        /// Where the search began.
        start: PathBuf,
    },
    /// A file or folder that the configuration names is not there.
    #[error("environment `{environment}`: {what} {} does not exist; {way_out}", path.display())]
    Missing {
        /// The environment.
        environment: String,
        /// What kind of file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What to do.
        way_out: String,
    },
    /// Compose could not be run on the files, or did not end.
    #[error(
        "environment `{environment}`: Compose cannot resolve its files (`docker compose version` must report 2 or later)"
    )]
    Resolve {
        /// The environment.
        environment: String,
        /// What went wrong.
        #[source]
        source: RunError,
    },
    /// Compose read the files and refused them.
    #[error("environment `{environment}`: docker compose refuses its files: {reason}; {way_out}")]
    Refused {
        /// The environment.
        environment: String,
        /// What Compose reported.
        reason: String,
        /// What to do.
        way_out: String,
    },
    /// A secret or config has no value.
    #[error(
        "environment `{environment}`: {what} `{name}` takes its value from variable {variable}, which no env file sets; \
         add {variable}=... to {}", file.as_ref().map_or("an `env_file` of the environment".to_owned(), |f| f.display().to_string())
    )]
    NoValue {
        /// The environment.
        environment: String,
        /// `secret` or `config`.
        what: &'static str,
        /// Its name.
        name: String,
        /// The variable.
        variable: String,
        /// The env file to write it into.
        file: Option<PathBuf>,
    },
    /// A temporary file.
    #[error("cannot write {}", path.display())]
    Temporary {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A service cannot be replaced without downtime.
    #[error(transparent)]
    Rollout(#[from] RolloutRefused),
    /// Compose resolved them to something else than a model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The Engine does not answer.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Reads the configuration at `path`, or the one found from the current folder upwards.
///
/// # Errors
/// [`ProjectError`] where there is none or it cannot be used.
pub fn read_config(path: Option<&Path>) -> Result<Config, ProjectError> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = match path {
        Some(path) => here.join(path),
        None => crate::paths::find_config(&here).ok_or(ProjectError::NoConfig { start: here })?,
    };
    let text = crate::files::text(&path).map_err(|source| ProjectError::Unreadable { path: path.clone(), source })?;
    let config = Config::parse(&path, &text)?;
    Ok(if crate::host::is_the_host(&path) { config.on_the_host() } else { config })
}

/// An environment with its resolved compose model.
#[derive(Clone, Debug)]
pub struct Project {
    /// The whole configuration.
    pub config: Arc<Config>,
    /// The environment.
    pub environment: Environment,
    /// The files that Compose resolved.
    pub source: Source,
    /// What it resolved them to.
    pub model: Model,
}

impl Project {
    /// Resolves an environment: checks that its files are there and lets Compose read them. One whose release has its compose
    /// files under other names than the configuration is resolved by these, as the release's own configuration names them.
    ///
    /// # Errors
    /// [`ProjectError`] that names the missing file or holds what Compose reported.
    pub async fn load(runner: &Runner, config: &Arc<Config>, name: &str) -> Result<Self, ProjectError> {
        let mut environment = config.environment(name)?.clone();
        let source = match (source(&environment), earlier::compose_files(config, &environment)) {
            (Err(error @ ProjectError::Missing { .. }), Some(files)) if files != environment.compose => {
                environment.compose = files;
                source(&environment).map_err(|_| error)?
            }
            (found, _) => found?,
        };
        let model = whole(runner, name, &source).await?;
        let model = proxied(&model, config, &environment)?;
        Ok(Project { config: Arc::clone(config), environment, source, model })
    }

    /// Returns the compose project's name.
    #[must_use]
    pub fn compose_name(&self) -> &str {
        &self.environment.project
    }

    /// Returns the mask of all secrets that the model holds.
    #[must_use]
    pub fn mask(&self) -> Mask {
        crate::secret::mask(&self.model)
    }

    /// Returns the containers of the project, ended ones included.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn containers(&self, engine: &Engine) -> Result<Vec<Container>, EngineError> {
        engine.project(self.compose_name()).await
    }
}

/// Returns the model with the proxy that the environment's `rollout` needs; as it is where that needs none, and where
/// what was started there last has none ([`crate::deployment::up`]).
///
/// # Errors
/// [`RolloutRefused`] with each service that cannot be replaced without downtime.
pub fn proxied(model: &Model, config: &Config, environment: &Environment) -> Result<Model, RolloutRefused> {
    let folder = StateDir::of(config, &environment.project).proxy();
    if !folder.is_dir() {
        return Ok(model.clone());
    }
    model.proxied(&environment.name, &environment.rollout, &folder)
}

/// Returns the files that Compose is to resolve for an environment.
///
/// # Errors
/// [`ProjectError::Missing`] with the first file or folder that is not there.
pub fn source(environment: &Environment) -> Result<Source, ProjectError> {
    let missing = |what, path: &Path, way_out: String| missing(environment, what, path, way_out);
    if !environment.workdir.is_dir() {
        let way_out = format!("create it with `gate up --env {} --release REV`", environment.name);
        return Err(missing("workdir", &environment.workdir, way_out));
    }
    let files: Vec<PathBuf> = compose_files(environment).iter().map(|file| environment.workdir.join(file)).collect();
    if let Some(file) = files.iter().find(|file| !file.is_file()) {
        let way_out = format!("name its files in `compose` of [environments.{}]", environment.name);
        return Err(missing("compose file", file, way_out));
    }
    env_files(environment)?;
    Ok(Source {
        project: environment.project.clone(),
        dir: environment.workdir.clone(),
        files,
        env_files: environment.env_files.clone(),
    })
}

/// Verifies that the env files are there that the configuration names.
///
/// # Errors
/// [`ProjectError::Missing`] with the first one that is not.
pub fn env_files(environment: &Environment) -> Result<(), ProjectError> {
    match environment.env_files.iter().find(|file| !file.is_file()) {
        None => Ok(()),
        Some(file) => Err(missing(environment, "env file", file, "write it (one NAME=value a line)".to_owned())),
    }
}

fn missing(environment: &Environment, what: &'static str, path: &Path, way_out: String) -> ProjectError {
    ProjectError::Missing { environment: environment.name.clone(), what, path: path.to_path_buf(), way_out }
}

/// Returns the variables that the compose files use and that have no value, so that Compose takes them for empty.
///
/// # Errors
/// [`ProjectError`] with what Compose refused.
pub async fn unset_variables(runner: &Runner, environment: &str, source: &Source) -> Result<Vec<String>, ProjectError> {
    let config = command::config(source);
    match runner.run_checked(&config, RESOLVE_WITHIN).await {
        Ok(output) => Ok(unset(&output.stderr).into_iter().map(str::to_owned).collect()),
        Err(error) => {
            let unset = unset_of(runner, &config, &error).await;
            Err(refused(environment, source, error, &unset))
        }
    }
}

/// Lets Compose resolve files to a model in which the services of active profiles have no profile any more.
///
/// # Errors
/// [`ProjectError`] with what Compose reported.
pub async fn resolve(runner: &Runner, environment: &str, source: &Source) -> Result<Model, ProjectError> {
    resolve_with(runner, environment, source, command::config(source)).await
}

/// Resolves only the services that `up` starts, where a file that another one names is missing.
///
/// # Errors
/// [`ProjectError`] with what Compose reported.
pub async fn resolve_active(runner: &Runner, environment: &str, source: &Source) -> Result<Model, ProjectError> {
    resolve_with(runner, environment, source, command::config_of_active(source)).await
}

async fn resolve_with(
    runner: &Runner,
    environment: &str,
    source: &Source,
    config: Command,
) -> Result<Model, ProjectError> {
    let active = command::active(source);
    let (text, active) =
        tokio::join!(runner.run_checked(&config, RESOLVE_WITHIN), runner.run_ok(&active, RESOLVE_WITHIN));
    let (text, active) = match text.and_then(|text| Ok((text, active?))) {
        Ok(both) => both,
        Err(error) => {
            let unset = unset_of(runner, &config, &error).await;
            return Err(refused(environment, source, error, &unset));
        }
    };
    report_unset(runner, environment, &text.stderr);
    let text = text.stdout;
    Ok(Model::parse(&text)?.activated(&active.lines().map(|line| line.trim().to_owned()).collect()))
}

/// Returns the variables that have no value, where Compose refused the files: its refusal does not name them.
async fn unset_of(runner: &Runner, config: &Command, error: &RunError) -> BTreeSet<String> {
    if !matches!(error, RunError::Failed { .. }) {
        return BTreeSet::new();
    }
    let output = runner.run(config, RESOLVE_WITHIN).await;
    output.map(|output| unset(&output.stderr).into_iter().map(str::to_owned).collect()).unwrap_or_default()
}

/// States what Compose refused, in its own words without the command, and what to do; `unset` are variables without a
/// value, which often are the cause.
fn refused(environment: &str, source: &Source, error: RunError, unset: &BTreeSet<String>) -> ProjectError {
    let environment = environment.to_owned();
    let RunError::Failed { reason, .. } = error else { return ProjectError::Resolve { environment, source: error } };
    let names = unset.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let way_out = match (required(&reason), source.env_files.last()) {
        (None, Some(file)) if !unset.is_empty() => format!("set {names} in {}", file.display()),
        (None, None) if !unset.is_empty() => format!("set {names} in {}", source.dir.join(".env").display()),
        (Some(name), Some(file)) => format!("add {name}=... to {}", file.display()),
        (Some(name), None) => format!("set `env_file` of [environments.{environment}] to a file with {name}=..."),
        (None, _) if reason.contains("is not a docker command") => "install Docker Compose 2 or later".to_owned(),
        (None, _) => "correct them, or name other ones in `compose` of stagegate.toml".to_owned(),
    };
    let way_out = env_file_hint(&reason).unwrap_or(way_out);
    let reason = if unset.is_empty() { reason } else { format!("{reason} ({names} not set, and so empty)") };
    ProjectError::Refused { environment, reason, way_out }
}

/// Returns the variable that the files require and that has no value, out of Compose's own words.
// Source: compose-go, template: `required variable NAME is missing a value: MESSAGE`.
#[must_use]
pub fn required(reason: &str) -> Option<&str> {
    reason.split("required variable ").nth(1)?.split(" is missing a value").next().filter(|name| !name.contains(' '))
}

/// Reports the variables that Compose takes for empty: what then fails states nothing of them.
fn report_unset(runner: &Runner, environment: &str, stderr: &str) {
    let names = unset(stderr);
    if !names.is_empty() {
        let all: Vec<&str> = names.into_iter().collect();
        runner.report(&format!(
            "warning: the compose files use {}, which {} not set and so empty; set `env_file` of [environments.{environment}]",
            all.join(", "),
            if all.len() == 1 { "is" } else { "are" },
        ));
    }
}

// Source: compose-go, template: `The "NAME" variable is not set. Defaulting to a blank string.`, quotes escaped in a log.
fn unset(stderr: &str) -> BTreeSet<&str> {
    stderr
        .lines()
        .filter(|line| line.contains("variable is not set"))
        .filter_map(|line| line.split("The ").nth(1)?.split(" variable").next())
        .map(|name| name.trim_matches(['"', '\\']))
        .collect()
}

/// Resolves files to a model that holds all that Compose reads at `up`, the values of variables in secrets and configs
/// included.
///
/// # Errors
/// [`ProjectError::NoValue`] where one has none; what Compose reported.
pub async fn whole(runner: &Runner, environment: &str, source: &Source) -> Result<Model, ProjectError> {
    let model = resolve(runner, environment, source).await?;
    let wanted = model.from_variables();
    if wanted.is_empty() {
        return Ok(model);
    }
    let names: BTreeSet<&str> = wanted.iter().map(|from| from.variable.as_str()).collect();
    let values = values(runner, environment, source, &names).await?;
    if let Some(from) = wanted.into_iter().find(|from| !values.contains_key(&from.variable)) {
        return Err(ProjectError::NoValue {
            environment: environment.to_owned(),
            what: from.kind.trim_end_matches('s'),
            name: from.name,
            variable: from.variable,
            file: source.env_files.last().cloned(),
        });
    }
    Ok(model.with_contents(&values))
}

/// Returns what Compose takes variables for in the environment of `source`, escaped; those without a value are left out.
///
/// Compose is asked itself: what quotes, `$` and lines mean in an env file is its own affair.
async fn values(
    runner: &Runner,
    environment: &str,
    source: &Source,
    names: &BTreeSet<&str>,
) -> Result<BTreeMap<String, String>, ProjectError> {
    const SERVICE: &str = "variables";
    let text = serde_json::json!({ "services": { SERVICE: { "image": "none", "environment": names } } }).to_string();
    let name = format!("stagegate-variables-{}-{}.json", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, text).map_err(|source| ProjectError::Temporary { path: path.clone(), source })?;
    let printed = runner.run_ok(&command::config_of(source, &path), RESOLVE_WITHIN).await;
    let _ = std::fs::remove_file(&path);
    let printed = printed.map_err(|error| refused(environment, source, error, &BTreeSet::new()))?;
    let model = Model::parse(&printed)?;
    let variables = model.json()["services"][SERVICE]["environment"].as_object().into_iter().flatten();
    Ok(variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
}

/// Returns the variables of the caller's shell that Compose would use for these files, and does not get.
#[must_use]
pub fn ignored_variables(source: &Source) -> Vec<String> {
    let texts = |files: &[PathBuf]| files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect();
    let (compose, env): (Vec<String>, Vec<String>) = (texts(&source.files), texts(&source.env_files));
    let shell: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    variables::ignored(shell.iter().map(|(name, value)| (name.as_str(), value.as_str())), &compose, &env)
}

#[cfg(test)]
mod tests;
