//! Facts about what two environments could share: who their servers are, what is seen from inside of a network, and
//! whether what one writes is there in the other.

use std::time::Duration;

use serde_json::Value;
use stagegate_base::{
    command::docker,
    config::{Database, Service},
    redact::Secret,
};
use stagegate_policy_decide::isolation::{Contained, Identity, ReachReport, ServerAddress, script};
use tokio_postgres::Client;

use stagegate_host::{
    database::{DatabaseError, Server, error_text},
    engine::{Engine, EngineError},
    probe::{ProbeError, redis},
    process::{RunError, Runner},
    project::Project,
};

/// How the sessions of these questions are named.
const APPLICATION: &str = "stagegate/isolation";
/// How long one look from inside may take: the container's start, and a second for each place, all at once.
const LOOK_WITHIN: Duration = Duration::from_secs(30);
/// How long a key stays in Redis where nobody takes it out again.
const KEY_SECONDS: &str = "60";
/// Variable of the compose service that holds Redis' password.
const REDIS_PASSWORD: &str = "REDIS_PASSWORD";

/// Returns the containers of a compose project, those of `docker compose run` left out.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn containers(engine: &Engine, project: &str) -> Result<Vec<Contained>, EngineError> {
    let details = engine.project_details(project).await?;
    let is_own = |details: &&Value| details["Config"]["Labels"]["com.docker.compose.oneoff"] != "True";
    Ok(details.iter().filter(is_own).map(Contained::of_inspect).collect())
}

/// Asks a database who it is.
///
/// # Errors
/// [`DatabaseError`] where it does not answer.
pub async fn database(project: &Project, engine: &Engine, database: &Database) -> Result<Identity, DatabaseError> {
    let client = session(project, engine, database).await?;
    let text = "select system_identifier::text, pg_postmaster_start_time()::text, current_database()::text \
                from pg_control_system()";
    let row =
        client.query_one(text, &[]).await.map_err(|error| statement("query the identity of a cluster", &error))?;
    let column =
        |at: usize| row.try_get::<_, String>(at).map_err(|error| statement("read the identity of a cluster", &error));
    Ok(Identity {
        service: database.service.clone(),
        kind: "PostgreSQL",
        server: column(0)?,
        started: column(1)?,
        database: column(2)?,
    })
}

/// Why a service's Redis could not be used.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The server.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The server does not report which one it is.
    #[error("`{service}` did not report its run_id")]
    NoRunId {
        /// The service.
        service: String,
    },
    /// A key was not written.
    #[error("`{service}` replied {reply} to SET")]
    NotSet {
        /// The service.
        service: String,
        /// What it replied.
        reply: String,
    },
}

/// Asks a Redis server who it is.
///
/// # Errors
/// [`RedisError`] where it does not respond.
pub async fn redis(project: &Project, engine: &Engine, service: &Service) -> Result<Identity, RedisError> {
    let info = command(project, engine, service, &["INFO", "server"]).await?;
    let line = |key: &str| info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')).map(str::trim);
    let server = line("run_id").ok_or_else(|| RedisError::NoRunId { service: service.name.clone() })?;
    Ok(Identity {
        service: service.name.clone(),
        kind: "Redis",
        server: server.to_owned(),
        // A run_id is made anew at every start.
        started: String::new(),
        database: String::new(),
    })
}

/// Makes a session with a configured database.
///
/// # Errors
/// [`DatabaseError`] where it does not answer.
pub async fn session(project: &Project, engine: &Engine, database: &Database) -> Result<Client, DatabaseError> {
    Server::of(project, engine, database, APPLICATION).await?.connect_to_read(&database.name).await
}

/// Writes a row that every session of the database can see, and that goes with this one: an empty temporary table.
///
/// # Errors
/// [`DatabaseError::Statement`] where the server refuses.
pub async fn mark(client: &Client, name: &str) -> Result<(), DatabaseError> {
    // The session changes nothing else.
    let text = format!("begin transaction read write; create temporary table \"{name}\" (); commit");
    client.batch_execute(&text).await.map_err(|error| statement("write a canary", &error))
}

/// Returns whether a session sees the row of [`mark`].
///
/// # Errors
/// [`DatabaseError::Statement`] where the server refuses.
pub async fn is_marked(client: &Client, name: &str) -> Result<bool, DatabaseError> {
    let found = client.query_opt("select 1 from pg_catalog.pg_class where relname = $1", &[&name]).await;
    Ok(found.map_err(|error| statement("look for a canary", &error))?.is_some())
}

/// Sends a command to a service's Redis and returns its reply.
///
/// # Errors
/// [`RedisError`] where it does not respond.
pub async fn command(
    project: &Project,
    engine: &Engine,
    service: &Service,
    words: &[&str],
) -> Result<String, RedisError> {
    let containers = project.containers(engine).await?;
    let own = containers.iter().filter(|c| c.service == service.name && !c.one_off);
    let addresses: Vec<_> = own.flat_map(|container| container.reach(service.port)).collect();
    let password: Option<Secret> = stagegate_host::secret::variable(&project.model, &service.name, REDIS_PASSWORD);
    Ok(redis::command(&addresses, password.as_ref(), words).await?)
}

/// Writes a key that ends by itself.
///
/// # Errors
/// As [`command`].
pub async fn mark_key(project: &Project, engine: &Engine, service: &Service, key: &str) -> Result<(), RedisError> {
    let reply = command(project, engine, service, &["SET", key, "1", "EX", KEY_SECONDS]).await?;
    if reply == "OK" { Ok(()) } else { Err(RedisError::NotSet { service: service.name.clone(), reply }) }
}

/// Looks from inside of `from`'s network whether `places` can be found, with a short-lived container of `image`.
///
/// # Errors
/// [`RunError`] where the container could not be run.
pub async fn reach_report(
    runner: &Runner,
    from: &Contained,
    image: &str,
    places: &[ServerAddress],
) -> Result<ReachReport, RunError> {
    let arguments = places.iter().flat_map(|place| [place.host.clone(), place.port.to_string()]);
    let command = docker::inside(&from.id, image, script(), arguments);
    let output = runner.run_ok(&command, LOOK_WITHIN).await?;
    Ok(ReachReport { from: from.name.clone(), output })
}

fn statement(what: &str, error: &tokio_postgres::Error) -> DatabaseError {
    DatabaseError::Statement { what: what.to_owned(), reason: error_text(error) }
}
