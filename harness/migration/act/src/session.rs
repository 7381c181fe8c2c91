//! A session in which scripts are run and the schema is read; each time as a new process of the tool would find it.

use stagegate_base::config::Tool;
use stagegate_migration_decide::{
    Script,
    round_trip::{Failure, is_bookkeeping, without_bookkeeping},
    schema::{Facts, Id, Kind},
};
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::Client;

use super::{
    error::ProveError,
    options::Options,
    process::{History, Process},
    run::{self, SessionState},
    session_options::fresh,
};
use crate::{
    catalog::Catalog,
    scratch::{Database, Scratch},
};
use stagegate_host::database::failed;

/// A session with what it has prepared.
pub(super) struct Session<'a> {
    pub(super) client: Client,
    catalog: Mutex<Catalog>,
    scratch: &'a Scratch,
    options: &'a Options,
    database: Database,
    /// The tool whose process the session is.
    tool: Tool,
    /// The tables in which the tool records what it applied, where they are there.
    history_tables: Vec<&'a str>,
    history: Option<History>,
}

impl<'a> Session<'a> {
    /// Opens a session with a database.
    pub(super) async fn open(
        scratch: &'a Scratch,
        options: &'a Options,
        database: &Database,
        tool: Tool,
        (history_tables, history): (Vec<&'a str>, Option<History>),
    ) -> Result<Self, ProveError> {
        let client = scratch.session(database).await?;
        let catalog = Mutex::new(Catalog::prepare(&client).await?);
        Ok(Session { client, catalog, scratch, options, database: database.clone(), tool, history_tables, history })
    }

    /// Reads the schema; the tool's history table is no part of it.
    pub(super) async fn facts(&self) -> Result<Facts, ProveError> {
        let facts = self.catalog().await?.read_in_snapshot(&self.client).await?;
        Ok(self.without_history_tables(facts))
    }

    /// The same, in the transaction that the session is in.
    pub(super) async fn facts_inside(&self) -> Result<Facts, ProveError> {
        let facts = self.catalog().await?.read_in_transaction(&self.client).await?;
        Ok(self.without_history_tables(facts))
    }

    /// Takes away what a script left in the session, and returns the catalog's queries: prepared again, where the script
    /// removed them (`DEALLOCATE ALL`, `DISCARD ALL`).
    async fn catalog(&self) -> Result<MutexGuard<'_, Catalog>, ProveError> {
        fresh(&self.client, &self.options.manner).await.map_err(|error| failed("reset the session", &error))?;
        let mut catalog = self.catalog.lock().await;
        if !catalog.is_prepared(&self.client).await? {
            *catalog = Catalog::prepare(&self.client).await?;
        }
        Ok(catalog)
    }

    fn without_history_tables(&self, facts: Facts) -> Facts {
        if self.history_tables.is_empty() { facts } else { without_bookkeeping(facts, &self.history_tables) }
    }

    /// Returns whether a table, `schema.table` as the server quotes it, is one in which the tool records what it applied.
    pub(super) fn is_history_table(&self, table: &str) -> bool {
        !self.history_tables.is_empty()
            && is_bookkeeping(&Id { kind: Kind::Table, name: table.to_owned() }, &self.history_tables)
    }

    /// Returns whether there may be such tables.
    pub(super) fn has_history_tables(&self) -> bool {
        !self.history_tables.is_empty()
    }

    /// Returns the process of the tool that runs the next script; `carried` are statements that set what earlier
    /// migrations of the same run set, none for a process of its own.
    pub(super) fn process<'s>(&'s self, carried: &'s str) -> Process<'s> {
        Process { manner: &self.options.manner, tool: self.tool, history: self.history.as_ref(), carried }
    }

    /// Runs a script as its tool would: its statements in this session, or the command that takes its step.
    pub(super) async fn as_the_tool(&self, script: &Script, carried: &str) -> Result<SessionState, Failure> {
        match (&script.step, &self.options.commands) {
            (Some(_), Some(commands)) => {
                commands.step(self.scratch, &self.database, script).await.map(|()| SessionState::default())
            }
            _ => run::as_the_tool(&self.client, script, self.process(carried)).await,
        }
    }
}
