//! Watches what a migration does to the tables that were there before it, whatever tool runs it.
//!
//! For a caller, on a scratch server or a copy where the session is a superuser's: [`install`] once in a database,
//! [`mark`] before each migration, [`Taken::take`] after it; `stagegate_migration_decide::locks` makes statements and findings of it. Take the
//! schema's facts without the recorder: `stagegate_migration_decide::locks::without_recorder`. [`Sampler`] looks from outside, for what
//! event triggers do not see: waits, CONCURRENTLY, TRUNCATE, LOCK. [`Probe`] reads and writes the tables meanwhile.

mod probe;
mod sampler;

pub use probe::{ABSENT, Probe};
pub use sampler::Sampler;

use std::collections::{BTreeMap, BTreeSet};

use stagegate_migration_decide::locks::Event;
use tokio_postgres::Client;

use stagegate_host::database::{DatabaseError, failed};

const INSTALL: &str = include_str!("install.sql");

/// Returns whether a table, as `schema.table`, is the recorder's own.
pub fn is_own(table: &str) -> bool {
    table.starts_with("stagegate_recorder.")
}

const KNOWN: &str = "truncate stagegate_recorder.known; \
     insert into stagegate_recorder.known select c.oid, format('%I.%I', n.nspname, c.relname) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and c.oid >= 16384 \
       and n.nspname not in ('stagegate_recorder', 'information_schema') and n.nspname !~ '^pg_'";

const TAKE: &str = "select name from pg_ls_dir('.') name where name like 'stagegate-recorder-%' order by name";

/// Puts the recorder into the database of `client`.
///
/// # Errors
/// [`DatabaseError`] where the session is no superuser's.
pub async fn install(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(INSTALL).await.map_err(|e| failed("install the recorder of locks (it needs a superuser)", &e))
}

/// Takes the recorder out again.
///
/// # Errors
/// [`DatabaseError`] where the server refuses.
pub async fn uninstall(client: &Client) -> Result<(), DatabaseError> {
    let drop = "drop event trigger if exists stagegate_recorder_ended; \
                drop event trigger if exists stagegate_recorder_rewritten; \
                drop schema if exists stagegate_recorder cascade";
    client.batch_execute(drop).await.map_err(|e| failed("remove the recorder of locks", &e))
}

/// Lets the server count what this session did so far, so that it is not taken for the next transaction's; before 15 the
/// server does it by itself, after a second.
const FLUSH: &str = "do $$ begin if exists (select from pg_catalog.pg_proc where proname = 'pg_stat_force_next_flush') \
     then perform pg_catalog.pg_stat_force_next_flush(); end if; end $$";

/// Notes which tables are there now, so that locks on them are reported. Call it before each migration.
///
/// # Errors
/// [`DatabaseError`] where the recorder is not installed.
pub async fn mark(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(KNOWN).await.map_err(|e| failed("list the existing tables", &e))?;
    client.batch_execute(FLUSH).await.map_err(|e| failed("count what the session did", &e))
}

/// What was recorded so far, so that it is not told twice.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    files: BTreeSet<String>,
}

impl Taken {
    /// Returns the events that are new since the last call, in the order in which they happened.
    ///
    /// # Errors
    /// [`DatabaseError`] where the files cannot be read, or one is no event.
    pub async fn take(&mut self, client: &Client) -> Result<Vec<Event>, DatabaseError> {
        let rows = client.query(TAKE, &[]).await.map_err(|e| failed("list the recorded locks", &e))?;
        let mut events = Vec::new();
        for row in rows {
            let file: String = row.get(0);
            if !self.files.insert(file.clone()) {
                continue;
            }
            let read = client.query_one("select pg_read_file($1)", &[&file]).await;
            let text: String = read.map_err(|e| failed("read the recorded locks", &e))?.get(0);
            let event: Event = serde_json::from_str(text.trim()).map_err(|error| {
                DatabaseError::Unexpected(format!(
                    "{file} in the server's data folder is not a recorded event: {error}"
                ))
            })?;
            events.push(event);
        }
        events.sort_by(|a, b| a.at.total_cmp(&b.at));
        Ok(events)
    }
}

/// Returns the rows that the server thinks each table has, as it was analysed; what sizes are scaled by. A table that
/// has pages and was never analysed is left out: nobody knows.
///
/// # Errors
/// [`DatabaseError`] where the catalog cannot be read.
pub async fn rows(client: &Client) -> Result<BTreeMap<String, u64>, DatabaseError> {
    let sql = "select format('%I.%I', n.nspname, c.relname), greatest(c.reltuples, 0)::int8 \
               from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
               where c.relkind in ('r', 'p', 'm') and c.oid >= 16384 \
                 and (c.reltuples >= 0 or (c.relkind <> 'p' and pg_catalog.pg_relation_size(c.oid) = 0))";
    let rows = client.query(sql, &[]).await.map_err(|e| failed("read the sizes of tables", &e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect())
}
