//! The file as it is written, and the way from it to [`Config`].

mod service;

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    time::Duration,
};

use serde::Deserialize;
use toml::Spanned;

use super::{
    Approval, Backup, Compare, Config, ConfigError, CrossVersions, Database, EPHEMERAL, Environment, Gate, HostKind,
    Integrity, Kind, Pages, PortsMode, Readiness, Receiver, Rollout, Service, SshHost, StatusPage, Tier, Volume,
    backup::{RawBackup, RawVolume},
    evidence::RawEvidence,
    former, host,
    log_errors::RawLogErrors,
    logs::RawLogs,
    migrations::{self, RawMigrations},
    monitoring::{RawMetrics, RawPages},
    notify::{self, RawNotify},
    performance::{self, Known, RawPerformance},
    read,
    readiness::RawReadiness,
    rollout::{RawRollout, Strategy},
    security::RawSecurity,
    sync::{RawSync, Sync},
};
use crate::{record::Severity, suggest::closest, units::Span};
use service::RawService;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawConfig {
    project: RawProject,
    #[serde(default)]
    environments: BTreeMap<Spanned<String>, RawEnvironment>,
    #[serde(default)]
    services: BTreeMap<String, Spanned<RawService>>,
    #[serde(default)]
    databases: BTreeMap<String, Spanned<RawDatabase>>,
    #[serde(default)]
    severity: BTreeMap<String, Severity>,
    #[serde(default)]
    performance: Vec<Spanned<RawPerformance>>,
    #[serde(default)]
    migrations: BTreeMap<String, Spanned<RawMigrations>>,
    #[serde(default)]
    security: RawSecurity,
    #[serde(default)]
    gate: RawGate,
    backup: Option<Spanned<RawBackup>>,
    #[serde(default)]
    volumes: BTreeMap<String, Spanned<RawVolume>>,
    #[serde(default)]
    logs: RawLogs,
    #[serde(default)]
    errors: RawLogErrors,
    #[serde(default)]
    metrics: RawMetrics,
    pages: Option<Spanned<RawPages>>,
    #[serde(default)]
    evidence: RawEvidence,
    #[serde(default)]
    status_page: StatusPage,
    readiness: Option<Spanned<RawReadiness>>,
    #[serde(default)]
    compare: Compare,
    sync: Option<Spanned<RawSync>>,
    #[serde(default)]
    notify: Vec<Spanned<RawNotify>>,
    #[serde(default)]
    rollout: RawRollout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProject {
    name: Spanned<String>,
    #[serde(default)]
    compose: Vec<PathBuf>,
    state_dir: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnvironment {
    project: Option<Spanned<String>>,
    workdir: Option<PathBuf>,
    compose: Option<Vec<PathBuf>>,
    env_file: Option<OneOrMany>,
    host: Option<Spanned<String>>,
    #[serde(default)]
    protected: bool,
    #[serde(default)]
    approval: Approval,
    ready_within: Option<Span>,
    confirm_within: Option<Spanned<Span>>,
    #[serde(default)]
    rollout: BTreeMap<String, Strategy>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path or a list of paths")]
enum OneOrMany {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDatabase {
    service: Spanned<String>,
    name: Spanned<String>,
    role: Option<String>,
    password_variable: Option<String>,
    ca: Option<PathBuf>,
    migrations: Option<String>,
    #[serde(default)]
    rows_may_fall: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGate {
    verify_within: Option<Span>,
    rollback_within: Option<Span>,
    soak: Option<Span>,
    migrate_within: Option<Span>,
    backup_within: Option<Span>,
    pull_within: Option<Span>,
    #[serde(default)]
    tier: Tier,
    #[serde(default)]
    integrity: Integrity,
    #[serde(default, alias = "door")]
    ports: PortsMode,
    #[serde(default)]
    cross_versions: CrossVersions,
    longest_stall: Option<Span>,
    freeze: Option<Vec<String>>,
    #[serde(default)]
    may_start_empty: Vec<String>,
    keep: Option<usize>,
    plan_expires: Option<Span>,
    watchdog: Option<bool>,
    commit_within: Option<Span>,
    #[serde(default)]
    notify_command: Vec<String>,
    notify_webhook: Option<String>,
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Config, ConfigError> {
    let raw: RawConfig = read::read(path, text)?;
    let reader = Reader { path, text };
    reader.project_name(&raw.project.name)?;
    let mut environments = BTreeMap::new();
    for (name, environment) in &raw.environments {
        reader.environment_name(name)?;
        if let Some(own) = &environment.project {
            reader.compose_name(own, "project name")?;
        }
        environments.insert(name.get_ref().clone(), reader.environment(name.get_ref(), environment, &raw.project)?);
    }
    if !environments.contains_key(EPHEMERAL) {
        let ephemeral = reader.environment(EPHEMERAL, &RawEnvironment::default(), &raw.project)?;
        environments.insert(EPHEMERAL.to_owned(), ephemeral);
    }
    reader.one_project_each(&raw.environments, &environments)?;
    let services = reader.services(&raw.services)?;
    let one_shot = reader.one_shot(&raw.services)?;
    reader.rollouts(&raw.environments, &raw.rollout, &services, &mut environments)?;
    let databases: BTreeMap<String, Database> =
        raw.databases.iter().map(|(id, raw)| (id.clone(), reader.database(id, raw.get_ref()))).collect();
    let wrong = raw.databases.iter().filter_map(|(id, raw)| reader.database_service(id, raw, &services).err());
    ConfigError::all(wrong.collect()).map_or(Ok(()), Err)?;
    let known_environments: Vec<&str> = raw.environments.keys().map(|name| name.get_ref().as_str()).collect();
    let known = Known { services: &services, databases: &databases };
    let migrations =
        migrations::migrations(&raw.migrations, &databases, |at, text, hint| reader.error(at, text, hint))?;
    let performance = performance::probes(&raw.performance, &known, |at, text, hint| reader.error(at, text, hint))?;
    let security = raw.security.read(&services, |at, text, hint| reader.error(at, text, hint))?;
    let pages = reader.pages(raw.pages)?;
    let notify = reader.notify(&raw.notify, &known_environments, &pages)?;
    let sync = reader.sync(raw.sync.as_ref(), &environments, &raw.volumes)?;
    Ok(Config {
        path: path.to_path_buf(),
        snapshots: None,
        state_dir: raw.project.state_dir.as_ref().map(|dir| reader.absolute(dir)),
        name: raw.project.name.into_inner(),
        environments,
        services,
        one_shot,
        databases,
        severity: raw.severity,
        performance,
        migrations,
        security,
        gate: gate(raw.gate),
        backup: reader.backup(raw.backup.as_ref(), &known_environments)?,
        volumes: reader.volumes(&raw.volumes)?,
        logs: raw.logs.read(|path| reader.absolute(path)),
        errors: raw.errors.read(),
        metrics: raw.metrics.read(|path| reader.absolute(path)),
        pages,
        evidence: raw.evidence.read(|path| reader.absolute(path)),
        status_page: raw.status_page,
        readiness: reader.readiness(raw.readiness.as_ref())?,
        compare: raw.compare,
        sync,
        notify,
        notices: former::notices(text),
    })
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn error(&self, offset: usize, message: String, hint: impl Into<String>) -> ConfigError {
        ConfigError::at(self.path, self.text, offset, message, Some(hint.into()))
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        let joined = self.path.parent().unwrap_or(Path::new("/")).join(path);
        // Lexical, since the folder may not be there yet.
        let mut clean = PathBuf::new();
        for part in joined.components() {
            match part {
                Component::ParentDir => drop(clean.pop()),
                Component::CurDir => {}
                part => clean.push(part),
            }
        }
        clean
    }

    fn project_name(&self, name: &Spanned<String>) -> Result<(), ConfigError> {
        self.compose_name(name, "project name")
    }

    fn environment_name(&self, name: &Spanned<String>) -> Result<(), ConfigError> {
        self.compose_name(name, "environment name")
    }

    fn compose_name(&self, name: &Spanned<String>, what: &str) -> Result<(), ConfigError> {
        let text = name.get_ref();
        let good = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        if good {
            return Ok(());
        }
        let message = format!("{what} `{text}` cannot be used as a compose project name");
        Err(self.error(name.span().start, message, "use a-z, 0-9, - and _, with a letter or digit first"))
    }

    fn environment(&self, name: &str, raw: &RawEnvironment, project: &RawProject) -> Result<Environment, ConfigError> {
        let (host, ssh) = self.host(name, raw.host.as_ref())?;
        let env_files = match &raw.env_file {
            None => Vec::new(),
            Some(OneOrMany::One(path)) => vec![self.absolute(path)],
            Some(OneOrMany::Many(paths)) => paths.iter().map(|path| self.absolute(path)).collect(),
        };
        Ok(Environment {
            name: name.to_owned(),
            project: match &raw.project {
                Some(own) => own.get_ref().clone(),
                None => format!("{}-{name}", project.name.get_ref()),
            },
            workdir: self.absolute(raw.workdir.as_deref().unwrap_or(Path::new("."))),
            compose: raw.compose.clone().unwrap_or_else(|| project.compose.clone()),
            env_files,
            host,
            ssh,
            protected: raw.protected,
            approval: raw.approval,
            ready_within: raw.ready_within,
            confirm_within: self.confirm_within(raw.confirm_within.as_ref())?,
            rollout: Rollout::default(),
        })
    }

    fn host(&self, name: &str, raw: Option<&Spanned<String>>) -> Result<(HostKind, Option<SshHost>), ConfigError> {
        let Some(raw) = raw else { return Ok((HostKind::Any, None)) };
        host::read(name, raw.get_ref()).map_err(|(message, hint)| self.error(raw.span().start, message, hint))
    }

    /// Refuses no time at all: nobody could confirm in it.
    fn confirm_within(&self, raw: Option<&Spanned<Span>>) -> Result<Option<Span>, ConfigError> {
        match raw {
            Some(span) if span.get_ref().is_zero() => {
                let hint = "give a time such as \"5m\"; without the key no confirmation is needed";
                Err(self.error(span.span().start, "`confirm_within` leaves no time to confirm".to_owned(), hint))
            }
            span => Ok(span.map(|span| *span.get_ref())),
        }
    }

    /// Refuses two environments with one project: they would be the same containers and the same data.
    fn one_project_each(
        &self,
        raw: &BTreeMap<Spanned<String>, RawEnvironment>,
        environments: &BTreeMap<String, Environment>,
    ) -> Result<(), ConfigError> {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for (name, environment) in environments {
            let Some(other) = seen.insert(&environment.project, name) else { continue };
            let offset = raw.keys().find(|key| key.get_ref() == name).map_or(0, |key| key.span().start);
            let message =
                format!("environments `{other}` and `{name}` have the same compose project `{}`", environment.project);
            return Err(self.error(offset, message, "give each environment its own `project`"));
        }
        Ok(())
    }

    fn readiness(&self, raw: Option<&Spanned<RawReadiness>>) -> Result<Readiness, ConfigError> {
        let Some(raw) = raw else { return Ok(Readiness::default()) };
        raw.get_ref().read().map_err(|(message, hint)| self.error(raw.span().start, message, hint))
    }

    fn rollouts(
        &self,
        raw: &BTreeMap<Spanned<String>, RawEnvironment>,
        table: &RawRollout,
        services: &BTreeMap<String, Service>,
        environments: &mut BTreeMap<String, Environment>,
    ) -> Result<(), ConfigError> {
        for (name, environment) in raw {
            let (at, name) = (name.span().start, name.get_ref());
            let read = table.read(name, &environment.rollout, services);
            let rollout = read.map_err(|(message, hint)| self.error(at, message, hint))?;
            if let Some(environment) = environments.get_mut(name) {
                environment.rollout = rollout;
            }
        }
        Ok(())
    }

    fn sync(
        &self,
        raw: Option<&Spanned<RawSync>>,
        environments: &BTreeMap<String, Environment>,
        volumes: &BTreeMap<String, Spanned<RawVolume>>,
    ) -> Result<Sync, ConfigError> {
        let known: Vec<(&str, bool)> =
            environments.values().map(|one| (one.name.as_str(), one.host == HostKind::Laptop)).collect();
        let volumes: Vec<&str> = volumes.keys().map(String::as_str).collect();
        let default = RawSync::default();
        let (table, at) = raw.map_or((&default, 0), |raw| (raw.get_ref(), raw.span().start));
        table.read(&known, &volumes).map_err(|(message, hint)| self.error(at, message, hint))
    }

    fn volumes(&self, raw: &BTreeMap<String, Spanned<RawVolume>>) -> Result<BTreeMap<String, Volume>, ConfigError> {
        let one = |(id, raw): (&String, &Spanned<RawVolume>)| {
            let read = raw.get_ref().read(id);
            read.map(|volume| (id.clone(), volume)).map_err(|(text, hint)| self.error(raw.span().start, text, hint))
        };
        raw.iter().map(one).collect()
    }

    fn pages(&self, raw: Option<Spanned<RawPages>>) -> Result<Pages, ConfigError> {
        let Some(raw) = raw else { return Ok(Pages::default()) };
        let at = raw.span().start;
        raw.into_inner().read().map_err(|(message, hint)| self.error(at, message, hint))
    }

    fn notify(&self, raw: &[Spanned<RawNotify>], known: &[&str], pages: &Pages) -> Result<Vec<Receiver>, ConfigError> {
        let read = notify::receivers(raw, |path| self.absolute(path), known);
        let mut receivers = read.map_err(|(at, text, hint)| self.error(at, text, hint))?;
        receivers.iter_mut().for_each(|one| one.pages.clone_from(&pages.url));
        Ok(receivers)
    }

    fn backup(&self, raw: Option<&Spanned<RawBackup>>, known: &[&str]) -> Result<Backup, ConfigError> {
        let Some(raw) = raw else { return Ok(Backup::default()) };
        let read = raw.get_ref().read(|path| self.absolute(path), known);
        read.map_err(|(message, hint)| self.error(raw.span().start, message, hint))
    }

    /// Refuses a database whose service is there under another kind, or is only mistyped.
    fn database_service(
        &self,
        id: &str,
        raw: &Spanned<RawDatabase>,
        services: &BTreeMap<String, Service>,
    ) -> Result<(), ConfigError> {
        if !is_id(id) {
            let message = format!("database id `{id}` cannot be used as a file name");
            return Err(self.error(
                raw.span().start,
                message,
                "use letters, digits, - and _ (`name` is the database's own)",
            ));
        }
        for (key, value) in [("service", &raw.get_ref().service), ("name", &raw.get_ref().name)] {
            if value.get_ref().trim().is_empty() {
                let hint = match key {
                    "name" => "write the name of the database on the server, as `psql -l` lists it",
                    _ => "write the service of the compose files that runs PostgreSQL",
                };
                return Err(self.error(value.span().start, format!("`{key}` of [databases.{id}] is empty"), hint));
            }
        }
        let name = raw.get_ref().service.get_ref();
        let known: Vec<&str> =
            services.values().filter(|s| s.kind == Kind::Postgres).map(|s| s.name.as_str()).collect();
        if known.is_empty() || known.contains(&name.as_str()) {
            return Ok(());
        }
        let message = format!("database `{id}`: `{name}` is not a PostgreSQL service (known: {})", known.join(", "));
        let hint = match closest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("add [services.{name}] with kind = \"postgres\""),
        };
        Err(self.error(raw.span().start, message, hint))
    }

    fn database(&self, id: &str, raw: &RawDatabase) -> Database {
        Database {
            id: id.to_owned(),
            service: raw.service.get_ref().clone(),
            name: raw.name.get_ref().clone(),
            role: raw.role.clone(),
            password_variable: raw.password_variable.clone().unwrap_or_else(|| "POSTGRES_PASSWORD".to_owned()),
            ca: raw.ca.as_deref().map(|file| self.absolute(file)),
            migrations: raw.migrations.clone(),
            rows_may_fall: raw.rows_may_fall.clone(),
        }
    }
}

/// Returns whether a text can be part of a file name wherever it stands.
fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

fn gate(raw: RawGate) -> Gate {
    let or = |span: Option<Span>, seconds| span.unwrap_or(Span(Duration::from_secs(seconds)));
    let verify_within = or(raw.verify_within, 300);
    Gate {
        verify_within,
        // Whoever gave a deploy more time has checks that need it after a rollback too.
        rollback_within: raw.rollback_within.unwrap_or(Span(verify_within.0.max(Duration::from_secs(300)))),
        soak: or(raw.soak, 10),
        migrate_within: or(raw.migrate_within, 600),
        backup_within: or(raw.backup_within, 1_800),
        pull_within: or(raw.pull_within, 600),
        tier: raw.tier,
        integrity: raw.integrity,
        door: raw.ports,
        cross_versions: raw.cross_versions,
        longest_stall: raw.longest_stall,
        freeze: raw.freeze,
        may_start_empty: raw.may_start_empty,
        keep: raw.keep.unwrap_or(5).max(1),
        plan_expires: or(raw.plan_expires, 86_400),
        watchdog: raw.watchdog.unwrap_or(true),
        commit_within: raw.commit_within,
        notify_command: raw.notify_command,
        notify_webhook: raw.notify_webhook,
    }
}
