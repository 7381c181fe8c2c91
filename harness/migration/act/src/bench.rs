//! The place where a chain is tried: one database that goes up step by step, and copies of it where they are needed.

use std::time::{Duration, Instant};

use stagegate_migration_decide::{
    Chain, Script, history_table,
    round_trip::{Failure, is_bookkeeping, without_bookkeeping},
    schema::{Facts, Id, Kind},
};
use tokio_postgres::Client;

use super::{
    error::ProveError,
    options::Options,
    run::{self, Ran},
};
use crate::{
    catalog::Catalog,
    recorder::Taken,
    scratch::{Database, Scratch},
};
use stagegate_host::database::{identifier, literal};

const LEFT_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(2);

/// A session with what it has prepared.
pub(super) struct Session<'a> {
    pub(super) client: Client,
    pub(super) catalog: Catalog,
    scratch: &'a Scratch,
    options: &'a Options,
    database: Database,
    /// The tables in which the tool records what it applied, where they are there.
    history_tables: Vec<&'a str>,
}

impl<'a> Session<'a> {
    /// Reads the schema; the tool's history table is no part of it.
    pub(super) async fn facts(&self) -> Result<Facts, ProveError> {
        Ok(self.without_history_tables(self.catalog.read_in_snapshot(&self.client).await?))
    }

    /// The same, in the transaction that the session is in.
    pub(super) async fn facts_inside(&self) -> Result<Facts, ProveError> {
        Ok(self.without_history_tables(self.catalog.read_in_transaction(&self.client).await?))
    }

    fn without_history_tables(&self, facts: Facts) -> Facts {
        if self.history_tables.is_empty() { facts } else { without_bookkeeping(facts, &self.history_tables) }
    }

    /// Tells whether a table, `schema.table` as the server quotes it, is one in which the tool records what it applied.
    pub(super) fn is_history_table(&self, table: &str) -> bool {
        !self.history_tables.is_empty()
            && is_bookkeeping(&Id { kind: Kind::Table, name: table.to_owned() }, &self.history_tables)
    }

    /// Tells whether there may be such tables.
    pub(super) fn has_history_tables(&self) -> bool {
        !self.history_tables.is_empty()
    }

    /// Runs a script as its tool would: its statements in this session, or the command that takes its step.
    pub(super) async fn as_the_tool(&self, script: &Script) -> Result<Ran, Failure> {
        match (&script.step, &self.options.commands) {
            (Some(_), Some(commands)) => {
                commands.step(self.scratch, &self.database, script).await.map(|()| Ran::default())
            }
            _ => run::as_the_tool(&self.client, script, &self.options.manner).await,
        }
    }
}

pub(super) struct Bench<'a> {
    pub(super) scratch: &'a Scratch,
    pub(super) options: &'a Options,
    pub(super) main: Database,
    /// For commands about databases.
    service: Client,
    pub(super) session: Option<Session<'a>>,
    /// What was read of the locks' records.
    pub(super) taken: Taken,
    history_tables: Vec<&'a str>,
}

impl<'a> Bench<'a> {
    pub(super) async fn new(scratch: &'a Scratch, chain: &Chain, options: &'a Options) -> Result<Self, ProveError> {
        let main = scratch.create(None).await?;
        let service = scratch.connect("postgres").await?;
        let made = history_table(chain);
        let history_tables = match (&options.commands, made) {
            (Some(commands), _) => commands.history_tables(),
            (None, Some(_)) => chain.tool.bookkeeping_tables().to_vec(),
            (None, None) => Vec::new(),
        };
        let bench = Bench { scratch, options, main, service, session: None, taken: Taken::default(), history_tables };
        let before = [options.before.as_str(), made.unwrap_or_default()];
        if before.iter().any(|sql| !sql.is_empty()) {
            let client = scratch.session(&bench.main).await?;
            for sql in before {
                let ran = client.batch_execute(sql).await;
                ran.map_err(|error| ProveError::Before(stagegate_host::database::said(&error)))?;
            }
        }
        Ok(bench)
    }

    /// Opens a session with a database of this bench.
    pub(super) async fn open(&self, database: &Database) -> Result<Session<'a>, ProveError> {
        let client = self.scratch.session(database).await?;
        let catalog = Catalog::prepare(&client).await?;
        let (scratch, options, history_tables) = (self.scratch, self.options, self.history_tables.clone());
        Ok(Session { client, catalog, scratch, options, database: database.clone(), history_tables })
    }

    /// Returns the session with the database that goes up.
    pub(super) async fn session(&mut self) -> Result<&Session<'a>, ProveError> {
        if self.session.as_ref().is_none_or(|session| session.client.is_closed()) {
            self.session = Some(self.open(&self.main).await?);
        }
        self.session.as_ref().ok_or_else(|| ProveError::Before("no session".to_owned()))
    }

    /// Makes a copy of the database as it is now; the session with it is ended, since nobody may be connected.
    pub(super) async fn copy(&mut self) -> Result<Database, ProveError> {
        self.session = None;
        let count = format!("select count(*) from pg_stat_activity where datname = {}", literal(&self.main.name));
        let begun = Instant::now();
        while begun.elapsed() < LEFT_WITHIN {
            let row = self.service.query_one(&count, &[]).await;
            if row.is_ok_and(|row| row.get::<_, i64>(0) == 0) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(self.scratch.create(Some(&self.main)).await?)
    }
}

/// Returns the statements that make roles where they are not there.
#[must_use]
pub fn roles(names: &[String]) -> String {
    let one = |name: &String| {
        format!(
            "do $stagegate$ begin if not exists (select from pg_roles where rolname = {}) then create role {}; end if; \
             end $stagegate$;",
            literal(name),
            identifier(name)
        )
    };
    names.iter().map(one).collect::<Vec<_>>().join("\n")
}
