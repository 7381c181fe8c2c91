//! PostgreSQL of a target: sessions, copies, renames.
//!
//! Sessions are made from this host to the container of the database's service; dumps and restores are run inside
//! it, so that program and server have one version.

mod carried;
mod marked;
mod reading;
mod replace;
mod rights;
mod swap;
mod ties;
mod unlisted;

pub use marked::Dropped;
pub use reading::ReadLimits;
pub use rights::Rights;
pub use ties::Ties;
pub use unlisted::{Unlisted, unlisted_databases};

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{
    command::postgres::{self as command, Inside},
    config::Database,
    container::{Container, State},
    redact::Secret,
};
use tokio_postgres::{Client, Config as PgConfig};

use crate::{
    engine::Engine,
    probe::postgres::Login,
    process::{RunError, Runner},
    project::Project,
    tls::{Authority, Tls},
};

/// Settings under which rows become text: a database's or role's own ones would give other checksums for equal rows.
pub const DATA_FACTS_SETTINGS: &str = "set search_path = ''; set timezone = 'UTC'; set datestyle = 'ISO, YMD'; \
     set intervalstyle = 'iso_8601'; set bytea_output = 'hex'; set extra_float_digits = 1; set lc_monetary = 'C'; \
     set xmloption = 'content'; set row_security = off; set role none; set standard_conforming_strings = on; \
     select set_config(name, '0', false) from pg_catalog.pg_settings where name = 'transaction_timeout'";
/// The database in which commands about other databases are given, and the one for commands about that: nobody may be in a database
/// that is renamed or copied.
const MAINTENANCE: &str = "postgres";
const OTHER_MAINTENANCE: &str = "template1";
/// The server's codes of a database that is not there, and of one that takes no sessions.
// Source: PostgreSQL manual, appendix A.
const NO_DATABASE: [&str; 2] = ["3D000", "55000"];
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long a statement about databases and sessions may take. A server that hangs is a failure, which is tried again.
const STATEMENT_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may leave what was sent to it unacknowledged, or be silent between two signs of life: packets that a
/// firewall or a removed network drops are never refused.
const SILENT_WITHIN: Duration = Duration::from_secs(20);
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(5);

/// What PostgreSQL refused.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// No session could be made.
    #[error("database `{database}` of service `{service}` does not accept a session at {addresses}: {reason}")]
    Connect {
        /// The compose service.
        service: String,
        /// The database.
        database: String,
        /// Addresses that were tried.
        addresses: String,
        /// The server's or the system's answer.
        reason: String,
    },
    /// A statement failed.
    #[error("cannot {what}: {reason}")]
    Statement {
        /// What was tried.
        what: String,
        /// The server's code and message.
        reason: String,
    },
    /// The server took a session and does not respond.
    #[error(
        "cannot {what}: the server did not respond within {within:?}; its container may be paused, or its disk hang"
    )]
    Silent {
        /// What was tried.
        what: String,
        /// How long it was waited.
        within: Duration,
    },
    /// Somebody holds a lock for longer than is waited.
    #[error("cannot {what}: locked by {holders}; end it (`select pg_terminate_backend(PID)`), or wait until it ends")]
    Locked {
        /// What was tried.
        what: String,
        /// The sessions.
        holders: String,
    },
    /// A dump or restore failed.
    #[error("cannot {what}")]
    Program {
        /// What was tried.
        what: String,
        /// What the program reported.
        #[source]
        source: RunError,
    },
    /// A dump names what a restore does not find.
    #[error("cannot {what} ({hint})")]
    NotFound {
        /// What was tried.
        what: String,
        /// The usual cause.
        hint: &'static str,
        /// What the program reported.
        #[source]
        source: RunError,
    },
    /// A file.
    #[error("cannot {what}")]
    File {
        /// What was tried.
        what: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Found something that should not be.
    #[error("{0}")]
    Unexpected(String),
}

/// Returns what PostgreSQL reported, with its code, instead of the library's bare "db error".
#[must_use]
pub fn error_text(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} {}: {}", db.severity(), db.code().code(), db.message()),
        None => {
            let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
            format!("{error}{cause}")
        }
    }
}

/// A PostgreSQL server in a container.
#[derive(Clone, Debug)]
pub struct Server {
    service: String,
    addresses: Vec<SocketAddr>,
    /// The container's own addresses.
    own: Vec<IpAddr>,
    password: Secret,
    authority: Option<Authority>,
    inside: Inside,
}

impl Server {
    /// Describes the server that runs in `container`; its sessions are named `application`.
    #[must_use]
    pub fn new(container: &Container, role: &str, password: Secret, application: &str) -> Self {
        let inside = Inside {
            container: container.id.clone(),
            role: role.to_owned(),
            password: Some(password.clone()).filter(|password| !password.expose().is_empty()),
            application: application.to_owned(),
        };
        let (service, addresses) = (container.service.clone(), container.reach(5432));
        Server { service, addresses, own: container.addresses.clone(), password, authority: None, inside }
    }

    /// Describes it as one whose certificate is verified by the certificates in a PEM file, where there is one.
    #[must_use]
    pub fn verified_by(self, ca: Option<&Path>) -> Self {
        let authority = ca.map(|file| Authority { file: file.to_path_buf(), name: self.service.clone() });
        Server { authority, ..self }
    }

    /// Describes the server of a configured database by the container that runs now.
    ///
    /// # Errors
    /// [`DatabaseError::Unexpected`] where its service has no running container.
    pub async fn of(
        project: &Project,
        engine: &Engine,
        database: &Database,
        application: &str,
    ) -> Result<Self, DatabaseError> {
        let containers =
            project.containers(engine).await.map_err(|error| DatabaseError::Unexpected(error.to_string()))?;
        let runs = |c: &&Container| c.service == database.service && !c.one_off && c.state == State::Running;
        let container = containers.iter().find(runs).ok_or_else(|| {
            let (service, name) = (&database.service, &project.environment.name);
            DatabaseError::Unexpected(format!(
                "service `{service}` of `{name}` has no running container; bring it up with `gate up --env {name}`"
            ))
        })?;
        let login = Login::of(&project.model, database);
        let password = login.password.unwrap_or_else(|| Secret::new(""));
        Ok(Server::new(container, &login.user, password, application).verified_by(database.ca.as_deref()))
    }

    /// Makes a session with `database`.
    ///
    /// # Errors
    /// [`DatabaseError::Connect`] with the addresses and the last response.
    pub async fn connect(&self, database: &str) -> Result<Client, DatabaseError> {
        let mut reason = "its container has no address".to_owned();
        for address in &self.addresses {
            match self.connect_at(*address, database).await {
                Ok(client) => return Ok(client),
                Err(why) => reason = why,
            }
        }
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        Err(DatabaseError::Connect {
            service: self.service.clone(),
            database: database.to_owned(),
            addresses: addresses.join(", "),
            reason,
        })
    }

    /// Makes a session for commands about `databases`, which is in none of them.
    ///
    /// A product may have the database `postgres` as its own, or none of that name.
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub(super) async fn connect_outside(&self, databases: &[&str]) -> Result<Client, DatabaseError> {
        if databases.contains(&MAINTENANCE) {
            return self.connect(OTHER_MAINTENANCE).await;
        }
        match self.connect(MAINTENANCE).await {
            Err(DatabaseError::Connect { reason, .. }) if NO_DATABASE.iter().any(|code| reason.contains(code)) => {
                self.connect(OTHER_MAINTENANCE).await
            }
            connected => connected,
        }
    }

    async fn connect_at(&self, address: SocketAddr, database: &str) -> Result<Client, String> {
        let mut config = PgConfig::new();
        config
            .host(address.ip().to_string())
            .port(address.port())
            .user(&self.inside.role)
            .password(self.password.expose())
            .dbname(database)
            .application_name(&self.inside.application)
            .connect_timeout(CONNECT_WITHIN)
            .tcp_user_timeout(SILENT_WITHIN)
            .keepalives_idle(SIGN_OF_LIFE_EVERY)
            .keepalives_interval(SIGN_OF_LIFE_EVERY)
            .keepalives_retries(3);
        let tls = Tls::of(self.authority.as_ref()).map_err(|error| crate::error::with_causes(&error))?;
        config.ssl_mode(tls.mode());
        loop {
            let connecting = tokio::time::timeout(CONNECT_WITHIN, config.connect(tls.clone())).await;
            let error = match connecting.map_err(|_| format!("no response within {CONNECT_WITHIN:?}"))? {
                Ok((client, connection)) => {
                    tokio::spawn(connection);
                    return Ok(client);
                }
                Err(error) => error,
            };
            config.ssl_mode(tls.fallback(&error).ok_or_else(|| error_text(&error))?);
        }
    }

    /// Waits until the server takes sessions.
    ///
    /// # Errors
    /// [`DatabaseError::Connect`] with the last response, once `within` is over.
    pub async fn wait(&self, within: Duration) -> Result<(), DatabaseError> {
        let deadline = Instant::now() + within;
        loop {
            match self.connect_outside(&[]).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// Returns the bytes of a database and of the server's write-ahead log.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn sizes(&self, database: &str) -> Result<(u64, u64), DatabaseError> {
        let client = self.open_session().await?;
        // A role that may not list the log's files takes for its size what the log may grow to.
        let may = "select has_function_privilege('pg_catalog.pg_ls_waldir()', 'execute')";
        let may = client.query_one(may, &[]).await.map_err(|e| failed("measure the database", &e))?.get(0);
        let wal = match may {
            true => "(select coalesce(sum(size), 0)::int8 from pg_ls_waldir())",
            false => "pg_size_bytes(current_setting('max_wal_size'))::int8",
        };
        let sql = format!("select pg_database_size($1)::int8, {wal}");
        let row = client.query_one(&sql, &[&database]).await.map_err(|e| failed("measure the database", &e))?;
        let bytes = |column| u64::try_from(row.get::<_, i64>(column)).unwrap_or_default();
        Ok((bytes(0), bytes(1)))
    }

    /// Returns the server's major version, such as 17, and what it loads as it starts (`shared_preload_libraries`); nothing of that
    /// where the role may not read it.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn version(&self) -> Result<(u32, String), DatabaseError> {
        let client = self.open_session().await?;
        let sql = "select current_setting('server_version_num')::int4 / 10000, \
                   case when pg_has_role('pg_read_all_settings', 'USAGE') then current_setting('shared_preload_libraries') else '' end";
        let row = client.query_one(sql, &[]).await.map_err(|e| failed("read the server's version", &e))?;
        Ok((u32::try_from(row.get::<_, i32>(0)).unwrap_or_default(), row.get(1)))
    }

    /// Returns in words that the database's collation has another version than the server provides, with the way out.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    // Source: PostgreSQL manual, CREATE DATABASE: from 15 on it refuses a template whose version is another one.
    pub async fn collation_mismatch(&self, database: &str) -> Result<Option<String>, DatabaseError> {
        const FIRST: i32 = 150_000;
        let client = self.open_session().await?;
        let what = "read the collation's version";
        let version = "select current_setting('server_version_num')::int4";
        let row = client.query_one(version, &[]).await.map_err(|e| failed(what, &e))?;
        if row.get::<_, i32>(0) < FIRST {
            return Ok(None);
        }
        let sql =
            "select datcollversion, pg_database_collation_actual_version(oid) from pg_database where datname = $1";
        let row = client.query_opt(sql, &[&database]).await.map_err(|e| failed(what, &e))?;
        let versions = row.map(|row| (row.get::<_, Option<String>>(0), row.get::<_, Option<String>>(1)));
        Ok(match versions {
            Some((Some(recorded), Some(provided))) if recorded != provided => Some(format!(
                "database `{database}` was created with collation version {recorded}, and its server provides {provided}: \
                 PostgreSQL does not copy it, and its indexes may be wrong. REINDEX DATABASE {0}; ALTER DATABASE {0} \
                 REFRESH COLLATION VERSION; or set `tier = \"restore\"` in [gate]",
                identifier(database)
            )),
            _ => None,
        })
    }

    /// Returns how programs are run inside of the server's container.
    #[must_use]
    pub fn inside(&self) -> &Inside {
        &self.inside
    }

    /// Restores a dump into `database`, which is fresh and empty.
    ///
    /// # Errors
    /// [`DatabaseError::Program`] with what `pg_restore` reported.
    pub async fn restore(
        &self,
        runner: &Runner,
        database: &str,
        path: &Path,
        within: Duration,
    ) -> Result<(), DatabaseError> {
        let what = format!("restore {} into database `{database}`", path.display());
        match std::fs::File::open(path) {
            Ok(file) => self.restore_from(runner, database, (&what, file), within).await,
            Err(source) => Err(DatabaseError::File { what, source }),
        }
    }

    /// Restores a dump that is read from a file or pipe into `database`, which is fresh and empty; `what` states that.
    ///
    /// # Errors
    /// As [`Server::restore`].
    pub async fn restore_from(
        &self,
        runner: &Runner,
        database: &str,
        (what, file): (&str, std::fs::File),
        within: Duration,
    ) -> Result<(), DatabaseError> {
        let what = || what.to_owned();
        let restore = command::restore(&self.inside, database);
        runner.run_from_file(&restore, within, file).await.map_err(|source| {
            match ties::restore_hint(&crate::error::with_causes(&source)) {
                Some(hint) => DatabaseError::NotFound { what: what(), hint, source },
                None => DatabaseError::Program { what: what(), source },
            }
        })
    }
}

/// Waits for the server within [`STATEMENT_WITHIN`]; `what` is what is tried, in words.
///
/// # Errors
/// Those of `work`, and [`DatabaseError::Silent`]; whether the server does it later is not known then.
async fn limited<T>(
    what: &str,
    within: Duration,
    work: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let silent = |_| DatabaseError::Silent { what: what.to_owned(), within };
    tokio::time::timeout(within, work).await.map_err(silent)?
}

/// Makes an error of what the server refused; `what` states what was tried.
#[must_use]
pub fn failed(what: &str, error: &tokio_postgres::Error) -> DatabaseError {
    DatabaseError::Statement { what: what.to_owned(), reason: error_text(error) }
}

/// Returns `name` as an SQL identifier.
// Source: PostgreSQL manual 4.1.1: a quote within a quoted identifier is written twice.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns `text` as an SQL string; the E form takes a backslash for itself whatever the server's settings.
pub fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_does_not_respond_is_an_error_in_time_and_one_that_does_is_none() {
        let within = Duration::from_millis(20);
        let error = limited("switch database `shop` by name", within, std::future::pending::<Result<(), _>>()).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.starts_with("cannot switch database `shop` by name: the server did not respond within 20ms"),
            "{text}"
        );
        assert_eq!(limited("count", within, async { Ok(7) }).await.unwrap(), 7);
    }
}
