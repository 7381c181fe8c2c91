//! `stagegate.toml`: what the user writes, with every default filled in.
//!
//! Unknown keys, wrong units and unknown names are errors with file, line and what is known instead. The
//! annotated example is `docs/stagegate.toml`; a test parses it.

mod algorithm;
mod backup;
mod choice;
mod commands;
mod compare;
mod error;
mod evidence;
mod explain;
mod former;
mod growth;
mod host;
mod locks;
mod log_errors;
mod logs;
mod migrations;
mod monitoring;
mod notify;
mod offsite;
mod performance;
mod port;
mod raw;
mod read;
mod readiness;
mod restic;
mod rollout;
mod security;
mod sync;
mod token;
mod tool;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    record::Severity,
    units::{Size, Span},
};
pub use algorithm::Algorithm;
pub use backup::{Backup, Volume, VolumePlace};
pub use choice::{Approval, BreakingChanges, CrossVersions, HostKind, Integrity, PortsMode, Tier};
pub use commands::Commands;
pub use compare::Compare;
pub use error::ConfigError;
pub use evidence::Evidence;
pub use growth::Growth;
pub use host::{AddressError, SshHost};
pub use locks::LockLimits;
pub use log_errors::{LogErrors, NewErrors};
pub use logs::Logs;
pub use migrations::Migrations;
pub use monitoring::{Metrics, Pages, StatusPage};
pub use notify::{Channel, Event, Mail, MailTls, Receiver, Repository, SecretSource, Sentry, SentryVersion, UrlSource};
pub use offsite::{Offsite, OffsiteTarget, PlacePrograms};
pub use performance::{Budget, Limits, Load, Probe, ResourceLimits, Target};
pub use readiness::Readiness;
pub use restic::Restic;
pub use rollout::{Rollout, Strategy};
pub use security::{Jwt, Security, Tls};
pub use sync::Sync;
pub use token::TokenSource;
pub use tool::Tool;

/// The name of the file, looked for in the current folder and above.
pub const FILE_NAME: &str = "stagegate.toml";
/// The environment that exists without being named: a temporary copy of the stack.
pub const EPHEMERAL: &str = "ephemeral";

/// The folder of the workflow files, in the environment's workdir.
pub const WORKFLOWS: &str = "workflows";
/// How long all steps of a workflow may take together by default.
pub const WORKFLOW_WITHIN: Duration = Duration::from_secs(30);

/// How much of a response's body is read by default.
pub const MAX_BODY: Size = Size(1 << 20);

/// Returns the JSON Schema of `stagegate.toml`, for editors; `reference` is the text of the annotated example.
///
/// # Errors
/// [`toml::de::Error`] where the reference is no TOML.
pub fn json_schema(reference: &str) -> Result<serde_json::Value, toml::de::Error> {
    crate::json_schema::json_schema::<raw::RawConfig>("stagegate.toml", reference)
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Config {
    /// The file it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    /// The folder whose snapshots of schemas and responses count, where it is not the file's: an earlier release's.
    #[serde(skip)]
    pub snapshots: Option<PathBuf>,
    /// The product's name; environments' compose projects are named after it.
    pub name: String,
    /// Where runs, backups and logs are kept; the machine's usual state folder where `None`.
    pub state_dir: Option<PathBuf>,
    /// The environments, by name. `ephemeral` is always there.
    pub environments: BTreeMap<String, Environment>,
    /// The services that are checked, by compose service name.
    pub services: BTreeMap<String, Service>,
    /// Whether a compose service runs once and ends, where somebody states so; those that do are not in `services`.
    pub one_shot: BTreeMap<String, bool>,
    /// The databases, by a name of the user's.
    pub databases: BTreeMap<String, Database>,
    /// Severity by the beginning of a check's name; the longest one counts.
    pub severity: BTreeMap<String, Severity>,
    /// What is measured, in the order of the file.
    pub performance: Vec<Probe>,
    /// How migrations are tried, by the database's id.
    pub migrations: BTreeMap<String, Migrations>,
    /// What the suite security needs.
    pub security: Security,
    /// How the gate works.
    pub gate: Gate,
    /// How backups are made, and how long they stay.
    pub backup: Backup,
    /// The volumes and folders that backups and rollbacks include, by a name of the user's.
    pub volumes: BTreeMap<String, Volume>,
    /// How long logs and records of checks stay.
    pub logs: Logs,
    /// Where metrics are written.
    pub metrics: Metrics,
    /// Where the pages are read.
    pub pages: Pages,
    /// What proves later how runs ended.
    pub evidence: Evidence,
    /// What a page for the public shows.
    pub status_page: StatusPage,
    /// Which lines of containers' logs are errors, and what new ones do.
    pub errors: LogErrors,
    /// How ready a release has to be.
    pub readiness: Readiness,
    /// How environments are compared.
    pub compare: Compare,
    /// How data is copied from one environment into another one.
    pub sync: Sync,
    /// Who gets messages.
    pub notify: Vec<Receiver>,
    /// Earlier names of keys and values that the file uses, each with the new one.
    #[serde(skip)]
    pub notices: Vec<String>,
}

/// One environment: a named compose project.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Environment {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// The compose project's name.
    pub project: String,
    /// The folder that holds the release: absolute.
    pub workdir: PathBuf,
    /// Compose files, relative to `workdir`; found as Compose finds them where there are none.
    pub compose: Vec<PathBuf>,
    /// Env files: absolute, later ones win.
    pub env_files: Vec<PathBuf>,
    /// The kind of machine it lives on.
    pub host: HostKind,
    /// The host that it is on, where that is another machine: commands run there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssh: Option<SshHost>,
    /// Destructive commands are refused, and checks only read.
    pub protected: bool,
    /// Whether a promotion into it needs an approved plan.
    pub approval: Approval,
    /// How long the services may take to become ready; 60 s and their healthchecks' longest `start_period` where `None`.
    pub ready_within: Option<Span>,
    /// How long a promotion into it waits, before its point of no return, for somebody to confirm that the release stays; `None`
    /// where nobody has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<Span>,
    /// Which of its services are replaced without downtime, and how.
    pub rollout: Rollout,
}

/// What listens at a service's port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// HTTP.
    Http,
    /// Anything that accepts a connection.
    Tcp,
    /// PostgreSQL.
    Postgres,
    /// Redis.
    Redis,
}

/// A service that is checked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Service {
    /// The compose service's name.
    #[serde(skip)]
    pub name: String,
    /// What listens there.
    pub kind: Kind,
    /// The port inside the container.
    pub port: u16,
    /// Path that responds 2xx while the service is healthy.
    pub health: Option<String>,
    /// Path that reports the running version.
    pub version: Option<String>,
    /// OpenAPI document, relative to the environment's workdir.
    pub contract: Option<PathBuf>,
    /// Path at which the running service gives its OpenAPI document.
    pub served_contract: Option<String>,
    /// Where the token for operations that need one comes from.
    pub token: Option<TokenSource>,
    /// How much of a response's body is read.
    pub max_body: Size,
    /// What becomes of a release whose contract breaks callers.
    pub breaking_changes: BreakingChanges,
    /// Path in front of the contract's paths; none where `None`.
    pub base_path: Option<String>,
    /// The name that requests carry in their Host header; the address where `None`.
    pub host: Option<String>,
}

/// A PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Database {
    /// The user's name for it.
    #[serde(skip)]
    pub id: String,
    /// The compose service that runs the server.
    pub service: String,
    /// The database's name.
    pub name: String,
    /// The role to work as; the service's POSTGRES_USER where `None`.
    pub role: Option<String>,
    /// The variable of the compose service that holds the role's password.
    pub password_variable: String,
    /// The PEM file that the server's certificate is verified by; none is verified where `None`.
    pub ca: Option<PathBuf>,
    /// The one-shot compose service that applies the migrations.
    pub migrations: Option<String>,
    /// Tables whose rows may become fewer by a migration, as `schema.table`.
    pub rows_may_fall: Vec<String>,
}

/// How the gate works.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gate {
    /// A deploy that is not verified within this time is a failure.
    pub verify_within: Span,
    /// How long a rollback may take, from the decision until it is verified.
    pub rollback_within: Span,
    /// How long the services must stay healthy.
    pub soak: Span,
    /// How long the release's migrations may take.
    pub migrate_within: Span,
    /// How long a dump or a restore may take.
    pub backup_within: Span,
    /// How long the pull of one image may take.
    pub pull_within: Span,
    /// The rollback tier for data; chosen from facts where `auto`.
    pub tier: Tier,
    /// What proves that rows are whole.
    pub integrity: Integrity,
    /// Whether users get in before the point of no return.
    #[serde(rename = "ports")]
    pub door: PortsMode,
    /// What each release's run on the other one's schema decides.
    pub cross_versions: CrossVersions,
    /// How long the migrations may delay those who read and write the copy; only reported where `None`.
    pub longest_stall: Option<Span>,
    /// The services that are stopped while data is frozen; all but databases and caches where `None`.
    pub freeze: Option<Vec<String>>,
    /// The services that a release may give an empty volume or folder in the place of the one that they have.
    pub may_start_empty: Vec<String>,
    /// How many rollback points are kept.
    pub keep: usize,
    /// How long a plan file may be applied.
    pub plan_expires: Span,
    /// Whether a process on the host rolls back alone where the gate dies or hangs before the point of no return.
    pub watchdog: bool,
    /// How long after the cut-over it waits for the point of no return; the sum of the steps' limits where `None`.
    pub commit_within: Option<Span>,
    /// A program that receives the end of a run (JSON on its standard input).
    pub notify_command: Vec<String>,
    /// A URL that the end of a run is posted to as JSON.
    pub notify_webhook: Option<String>,
}

impl Service {
    /// Makes a service of a kind whose port is known and that no section describes.
    #[must_use]
    pub fn plain(name: &str, kind: Kind, port: u16) -> Self {
        Service {
            name: name.to_owned(),
            kind,
            port,
            health: None,
            version: None,
            contract: None,
            served_contract: None,
            token: None,
            max_body: MAX_BODY,
            breaking_changes: BreakingChanges::default(),
            base_path: None,
            host: None,
        }
    }

    /// Returns what stands in front of the contract's paths.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base_path.as_deref().unwrap_or_default()
    }

    /// Returns the headers that every request to the service carries.
    #[must_use]
    pub fn headers(&self) -> Vec<(String, String)> {
        self.host.iter().map(|host| ("host".to_owned(), host.clone())).collect()
    }
}

impl Config {
    /// Reads the configuration from the text of the file at `path`, which is absolute.
    ///
    /// # Errors
    /// [`ConfigError`] with line and column, what was found, and what is known.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        raw::parse(path, text)
    }

    /// Returns the folder that the file stands in.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Returns the folder whose snapshots of schemas and of responses are compared with.
    #[must_use]
    pub fn snapshots(&self) -> &Path {
        self.snapshots.as_deref().unwrap_or(self.root())
    }

    /// Returns the names of a service's databases that the configuration lists.
    #[must_use]
    pub fn databases_on(&self, service: &str) -> Vec<String> {
        self.databases.values().filter(|one| one.service == service).map(|one| one.name.clone()).collect()
    }

    /// Returns an environment by name.
    ///
    /// # Errors
    /// [`ConfigError`] with the names that are known, and for one on another machine: nothing here may take what runs on
    /// this machine for it.
    pub fn environment(&self, name: &str) -> Result<&Environment, ConfigError> {
        let environment = self.any_environment(name)?;
        match &environment.ssh {
            Some(host) => Err(ConfigError::on_a_host(self, name, host)),
            None => Ok(environment),
        }
    }

    /// Returns an environment by name, wherever it is.
    ///
    /// # Errors
    /// [`ConfigError`] with the names that are known.
    pub fn any_environment(&self, name: &str) -> Result<&Environment, ConfigError> {
        self.environments.get(name).ok_or_else(|| ConfigError::unknown_environment(self, name))
    }

    /// Returns the environments of this machine.
    pub fn environments_here(&self) -> impl Iterator<Item = &Environment> {
        self.environments.values().filter(|environment| environment.ssh.is_none())
    }

    /// Returns the configuration as it is read on the host of its environments: all of them are there.
    #[must_use]
    pub fn on_the_host(mut self) -> Self {
        self.environments.values_mut().for_each(|environment| environment.ssh = None);
        self
    }

    /// Returns the severity of a trial; `own` is the check's, which counts where the user states nothing.
    #[must_use]
    pub fn severity_of(&self, trial: &str, own: Severity) -> Severity {
        self.severity
            .iter()
            .filter(|(prefix, _)| begins(trial, prefix))
            .max_by_key(|(prefix, _)| prefix.len())
            .map_or(own, |(_, severity)| *severity)
    }

    /// Returns the names of `[severity]` with which no trial begins, so that they change nothing.
    #[must_use]
    pub fn idle_severities<'a>(&'a self, trials: &[&str]) -> Vec<&'a str> {
        let is_idle = |prefix: &&String| !trials.iter().any(|trial| begins(trial, prefix));
        self.severity.keys().filter(is_idle).map(String::as_str).collect()
    }
}

/// Returns whether `prefix` is `trial` or some of its first parts.
pub fn begins(trial: &str, prefix: &str) -> bool {
    trial.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests;
