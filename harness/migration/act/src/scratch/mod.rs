//! A PostgreSQL server for one run: empty, quick, not durable, and gone at its end.
//!
//! There is one way to ask, [`Scratch::start`], and three ways to get it, tried in this order: a container, PostgreSQL's
//! programs on this host, a server that the user names. What a killed run left is found by its claim and taken away
//! by the next one.

mod database;
mod docker;
mod images;
mod leftover;
mod named;
mod programs;
mod reach;

use std::{
    fmt, io,
    time::{Duration, Instant},
};

use tokio_postgres::{Client, Config as PgConfig, NoTls};

use stagegate_base::redact::Secret;
use stagegate_host::{
    database::{Server, error_text},
    engine::{Engine, EngineError},
    owner::Claim,
};

pub use database::Database;
pub use images::images;
pub use leftover::{NAME, remove, sweep};
pub use programs::installed as installed_programs;

/// The database in which commands about other databases are given.
pub(crate) const MAINTENANCE: &str = "postgres";
/// How long a server may take to be made and to take sessions.
const START_WITHIN: Duration = Duration::from_secs(90);
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(25);
/// What makes a server quick whose data nobody needs after a crash.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "jit=off",
    "max_locks_per_transaction=512",
    "max_connections=50",
    "log_min_messages=fatal",
];

/// The ways to get a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScratchMethod {
    /// A container.
    Docker,
    /// `initdb` and `postgres` of this host.
    Programs,
    /// A server that the user names.
    Named,
}

/// What is wanted of a scratch server.
#[derive(Clone, Debug, Default)]
pub struct ServerSpec {
    /// The images to choose from, the best one first; none where no container will do.
    pub images: Vec<String>,
    /// What the server's program gets next to our own settings, such as `-c` `shared_preload_libraries=..`.
    pub arguments: Vec<String>,
    /// The major, where only that one will do.
    pub major: Option<u32>,
    /// The superuser's name; `postgres` where empty.
    pub role: String,
    /// The environment variable that holds the connection string of a server of the user's.
    pub variable: Option<String>,
    /// The only way that is tried, where one is reported.
    pub way: Option<ScratchMethod>,
    /// A container's data goes to its disk: there is more of it than fits into memory.
    pub on_disk: bool,
}

impl ServerSpec {
    fn role(&self) -> &str {
        if self.role.is_empty() { "postgres" } else { &self.role }
    }
}

/// Why there is no scratch server, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// No way led to one.
    #[error(
        "cannot start a scratch PostgreSQL{}: {}; start Docker with a PostgreSQL image, or install its programs \
         (`initdb`), or name a server's connection string by `server_variable`",
        wanted(*major),
        reasons.join("; ")
    )]
    None {
        /// The major that was wanted.
        major: Option<u32>,
        /// Why each way failed.
        reasons: Vec<String>,
    },
    /// The server does not take a session.
    #[error("the scratch server does not accept a session in database `{database}`: {reason}")]
    Connect {
        /// The database.
        database: String,
        /// What it reported.
        reason: String,
    },
    /// The server refused something.
    #[error("the scratch server refused to {what}: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// What it reported.
        reason: String,
    },
}

fn wanted(major: Option<u32>) -> String {
    major.map(|major| format!(" {major}")).unwrap_or_default()
}

/// A scratch server. It goes with this value; [`Scratch::end`] is the quieter way.
pub struct Scratch {
    name: String,
    claim: String,
    access: PgConfig,
    version: String,
    how: Option<ServerHandle>,
}

enum ServerHandle {
    Docker { container: Box<docker::Container>, image: String },
    Programs(programs::Cluster),
    Named { variable: String },
}

impl fmt::Debug for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scratch").field("name", &self.name).field("told", &self.description()).finish_non_exhaustive()
    }
}

/// What a way gives.
struct Started {
    access: PgConfig,
    how: ServerHandle,
}

impl Scratch {
    /// Returns a name that nobody else has.
    ///
    /// # Errors
    /// The system's, where it gives no random digits.
    pub fn new_name() -> io::Result<String> {
        Ok(format!("{NAME}{}", random()?))
    }

    /// Starts a server named `name`, see [`Scratch::new_name`].
    ///
    /// # Errors
    /// [`ScratchError::None`] with why each way failed; nothing is left then.
    pub async fn start(name: &str, claim: &Claim, wish: &ServerSpec) -> Result<Self, ScratchError> {
        let mut reasons = Vec::new();
        for way in [ScratchMethod::Docker, ScratchMethod::Programs, ScratchMethod::Named] {
            if wish.way.is_some_and(|only| only != way) {
                continue;
            }
            let started = match way {
                ScratchMethod::Docker => docker::start(name, claim, wish).await,
                ScratchMethod::Programs => programs::start(name, claim, wish).await,
                ScratchMethod::Named => named::of_variable(wish),
            };
            match Self::checked(name, claim, wish, started).await {
                Ok(scratch) => return Ok(scratch),
                Err(reason) => reasons.push(reason),
            }
        }
        Err(ScratchError::None { major: wish.major, reasons })
    }

    /// Uses the server of a connection string; `variable` is where it came from, for messages.
    ///
    /// # Errors
    /// [`ScratchError::None`] with what the server reported, never the string.
    pub async fn named(name: &str, claim: &Claim, variable: &str, url: &str) -> Result<Self, ScratchError> {
        let started = named::start(variable, url);
        let checked = Self::checked(name, claim, &ServerSpec::default(), started).await;
        checked.map_err(|reason| ScratchError::None { major: None, reasons: vec![reason] })
    }

    async fn checked(
        name: &str,
        claim: &Claim,
        spec: &ServerSpec,
        started: Result<Started, String>,
    ) -> Result<Self, String> {
        let Started { access, how } = started?;
        let (name, version) = (name.to_owned(), String::new());
        let mut scratch = Scratch { name, claim: claim.label(), access, version, how: Some(how) };
        scratch.version = scratch.server_version().await?;
        let found = scratch.major();
        match spec.major {
            Some(major) if found != major => Err(format!("{} is not PostgreSQL {major}", scratch.description())),
            _ => {
                named::sweep(&scratch).await;
                Ok(scratch)
            }
        }
    }

    /// Waits until the server takes sessions, and returns its version.
    async fn server_version(&self) -> Result<String, String> {
        let deadline = Instant::now() + START_WITHIN;
        loop {
            match self.connect(MAINTENANCE).await {
                Ok(client) => {
                    let row = client.query_one("select current_setting('server_version')", &[]).await;
                    return row.map(|row| row.get(0)).map_err(|error| error_text(&error));
                }
                Err(error) if Instant::now() >= deadline => return Err(error.to_string()),
                Err(error) => {
                    if let Some(last_words) = self.has_ended().await {
                        return Err(format!("{error}; {last_words}"));
                    }
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Returns what the server last reported, where it has ended.
    pub async fn has_ended(&self) -> Option<String> {
        match &self.how {
            Some(ServerHandle::Docker { image, .. }) => {
                let engine = Engine::connect().await.ok()?;
                docker::ended(&engine, &self.name)
                    .await
                    .map(|printed| format!("its container of {image} exited: {printed}"))
            }
            Some(ServerHandle::Programs(cluster)) => cluster.ended(),
            Some(ServerHandle::Named { .. }) | None => None,
        }
    }

    /// Returns the server as one whose own programs are run inside of its container; `None` where it is in none.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not say.
    pub async fn in_container(&self, engine: &Engine, application: &str) -> Result<Option<Server>, EngineError> {
        let Some(ServerHandle::Docker { .. }) = &self.how else { return Ok(None) };
        let password = String::from_utf8_lossy(self.access.get_password().unwrap_or_default()).into_owned();
        let role = self.access.get_user().unwrap_or_default();
        let found = engine.inspect(&self.name).await?;
        Ok(found.map(|container| Server::new(&container, role, Secret::new(password), application)))
    }

    /// Makes a session with `database`.
    ///
    /// # Errors
    /// [`ScratchError::Connect`] with what the server reported.
    pub async fn connect(&self, database: &str) -> Result<Client, ScratchError> {
        let refused = |reason| ScratchError::Connect { database: database.to_owned(), reason };
        let mut access = self.access.clone();
        access.dbname(database).application_name("stagegate/scratch").connect_timeout(CONNECT_WITHIN);
        let connecting = tokio::time::timeout(CONNECT_WITHIN, access.connect(NoTls)).await;
        let (client, connection) = connecting
            .map_err(|_| refused(format!("no response within {CONNECT_WITHIN:?}")))?
            .map_err(|error| refused(error_text(&error)))?;
        tokio::spawn(connection);
        Ok(client)
    }

    /// Returns the server's access, for who needs a connection of his own making. It holds the password.
    #[must_use]
    pub fn access(&self) -> &PgConfig {
        &self.access
    }

    /// Returns the way and the version, such as `PostgreSQL 17.5 (container of postgres:17)`.
    #[must_use]
    pub fn description(&self) -> String {
        let version = self.version.split_whitespace().next().unwrap_or("of an unknown version");
        match &self.how {
            Some(ServerHandle::Docker { image, .. }) => format!("PostgreSQL {version} (container of {image})"),
            Some(ServerHandle::Programs(cluster)) => {
                format!("PostgreSQL {version} (programs in {})", cluster.programs())
            }
            Some(ServerHandle::Named { variable }) => format!("PostgreSQL {version} (server of {variable})"),
            None => format!("PostgreSQL {version}"),
        }
    }

    /// Returns the major, such as 17.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Takes the server away with all that is in it; of a server of the user's the scratch databases only.
    pub async fn end(mut self) {
        match self.how.take() {
            Some(ServerHandle::Docker { container, .. }) => drop(container.rm().await),
            Some(ServerHandle::Programs(cluster)) => cluster.end().await,
            Some(ServerHandle::Named { .. }) => named::drop_all(&self.access, &self.name, &self.claim).await,
            None => {}
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A container's own drop needs a runtime; without one the next run's sweep takes the container away.
        if tokio::runtime::Handle::try_current().is_err()
            && let Some(ServerHandle::Docker { container, .. }) = self.how.take()
        {
            std::mem::forget(container);
        }
    }
}

fn random() -> io::Result<String> {
    use io::Read;
    let mut bytes = [0_u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_ne_bytes(bytes)))
}
