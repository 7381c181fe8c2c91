//! Where workflows run, and what those of one run share: the environment, logins, secrets.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use stagegate_base::{
    container::State,
    redact::{Mask, Secret},
};
use stagegate_workflow_decide::{Login, Vars, env_file};
use tokio::sync::OnceCell;

use stagegate_host::{
    engine::{Engine, EngineError},
    paths::StateDir,
    process::Runner,
    project::Project,
};

/// What the steps of a login gave, which are taken once a run.
pub(super) type LoggedIn = OnceCell<Result<Vars, String>>;

/// Why a service has no address.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// The configuration does not have it.
    #[error("service `{service}` is not in stagegate.toml")]
    Unknown {
        /// The service.
        service: String,
    },
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No container of it runs.
    #[error("service `{service}` of project `{project}` has no running container")]
    NotRunning {
        /// The service.
        service: String,
        /// The compose project.
        project: String,
    },
}

/// An environment in which workflows run. One is made for each run of the suites.
pub struct WorkflowContext {
    /// The environment and its compose model.
    pub project: Project,
    /// The Engine.
    pub engine: Engine,
    /// Runs programs.
    pub runner: Runner,
    logins: BTreeMap<String, Arc<Login>>,
    logged_in: BTreeMap<String, LoggedIn>,
    secrets: Mutex<Vec<Secret>>,
    id: String,
}

impl WorkflowContext {
    /// Makes the place of one run; `logins` are those of all its workflow files.
    #[must_use]
    pub fn new(project: Project, engine: Engine, runner: Runner, logins: BTreeMap<String, Arc<Login>>) -> Arc<Self> {
        let logged_in = logins.keys().map(|name| (name.clone(), OnceCell::new())).collect();
        let secrets = Mutex::new(project.model.secrets());
        let id = format!("{}-{}", stagegate_host::clock::stamp(), std::process::id());
        Arc::new(WorkflowContext { project, engine, runner, logins, logged_in, secrets, id })
    }

    /// Returns the logins.
    #[must_use]
    pub fn logins(&self) -> &BTreeMap<String, Arc<Login>> {
        &self.logins
    }

    /// Returns a login with what it captured, once its steps were taken; `None` where no workflow file has it.
    pub(super) fn known_login(&self, name: &str) -> Option<(&Arc<Login>, &LoggedIn)> {
        self.logins.get(name).zip(self.logged_in.get(name))
    }

    /// Returns the mask of all secrets that are known by now: those of the model, named ones, captures of logins.
    #[must_use]
    pub fn mask(&self) -> Mask {
        Mask::new(self.secrets.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Returns the folder in which pictures are kept.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        StateDir::of(&self.project.config, self.project.compose_name()).tests()
    }

    /// Returns the addresses of a configured service, the best one first.
    ///
    /// # Errors
    /// [`AddressError`], which names the service and what is missing.
    pub async fn addresses(&self, service: &str) -> Result<Vec<SocketAddr>, AddressError> {
        let configured = self.project.config.services.get(service);
        let port = configured.ok_or_else(|| AddressError::Unknown { service: service.to_owned() })?.port;
        let containers = self.project.containers(&self.engine).await?;
        let running = containers.iter().filter(|c| c.service == service && !c.one_off && c.state == State::Running);
        let addresses: Vec<SocketAddr> = running.flat_map(|c| c.reach(port)).collect();
        if addresses.is_empty() {
            let project = self.project.compose_name().to_owned();
            return Err(AddressError::NotRunning { service: service.to_owned(), project });
        }
        Ok(addresses)
    }

    /// Returns what every template may name, in the `nth` run of one workflow; 0 where there is but one.
    pub(super) fn vars(&self, nth: u64) -> Vars {
        let id = if nth == 0 { self.id.clone() } else { format!("{}-{nth}", self.id) };
        Vars::from([
            ("run.id".to_owned(), Value::from(id)),
            ("run.environment".to_owned(), Value::from(self.project.environment.name.as_str())),
        ])
    }

    /// Reads named secrets: a variable of this process, else a key of the env files, the last file first.
    ///
    /// # Errors
    /// A text that names the variable which is nowhere.
    pub(super) fn read_secrets(&self, names: &BTreeMap<String, String>) -> Result<Vars, String> {
        let mut vars = Vars::new();
        for (name, variable) in names {
            let value = self.variable(variable).ok_or_else(|| {
                format!(
                    "secret `{name}`: {variable} is neither a variable of this process nor in an env file of `{}`; set it",
                    self.project.environment.name
                )
            })?;
            self.keep_secret(&value);
            vars.insert(format!("secrets.{name}"), Value::from(value));
        }
        Ok(vars)
    }

    fn variable(&self, name: &str) -> Option<String> {
        let set = std::env::var(name).ok().filter(|value| !value.is_empty());
        let in_file = |path: &PathBuf| env_file::value(&std::fs::read_to_string(path).ok()?, name);
        set.or_else(|| self.project.environment.env_files.iter().rev().find_map(in_file))
    }

    pub(super) fn keep_secret(&self, text: &str) {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner).push(Secret::new(text));
    }
}
