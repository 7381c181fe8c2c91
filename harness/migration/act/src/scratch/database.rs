//! Databases of a scratch server: made empty or as copies, dropped when they are not needed any more.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::Client;

use super::{How, MAINTENANCE, Scratch, ScratchError, named};
use stagegate_host::database::{identifier, literal, said};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of a scratch server, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
}

impl Scratch {
    /// Makes a database: a copy of `template`, which nobody may be connected to, or an empty one.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server said.
    pub async fn create(&self, template: Option<&Database>) -> Result<Database, ScratchError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let database = Database { name: format!("{}-{number}", self.name) };
        let name = identifier(&database.name);
        let sql = match template {
            None => format!("create database {name}"),
            Some(template) => format!("create database {name} template {}", identifier(&template.name)),
        };
        self.command("create a database", &sql).await?;
        if matches!(self.how, Some(How::Named { .. })) {
            let claim = format!("comment on database {name} is {}", literal(&self.claim));
            self.command("mark a database", &claim).await?;
        }
        Ok(database)
    }

    /// Drops a database, whoever is connected to it; on a server of the user's only one that carries this run's claim.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server said.
    pub async fn drop(&self, database: &Database) -> Result<(), ScratchError> {
        if matches!(self.how, Some(How::Named { .. })) {
            named::drop_one(&self.connect(MAINTENANCE).await?, &database.name, &self.claim).await;
            return Ok(());
        }
        let sql = format!("drop database if exists {} with (force)", identifier(&database.name));
        self.command("drop a database", &sql).await
    }

    /// Makes a session with a database.
    ///
    /// # Errors
    /// [`ScratchError::Connect`] with what the server said.
    pub async fn session(&self, database: &Database) -> Result<Client, ScratchError> {
        self.connect(&database.name).await
    }

    async fn command(&self, what: &str, sql: &str) -> Result<(), ScratchError> {
        let client = self.connect(MAINTENANCE).await?;
        let refused = |reason| ScratchError::Refused { what: what.to_owned(), reason };
        client.batch_execute(sql).await.map_err(|error| refused(said(&error)))
    }
}
