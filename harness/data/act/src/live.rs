//! What of a live database a migration would change: read before a release is rehearsed, and again after.

use std::collections::BTreeMap;

use stagegate_data_decide::live::{Counted, HISTORY_TABLES, LiveFacts};
use tokio_postgres::Client;

use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, ReadLimits, Server, failed};

const OBJECTS: &str = include_str!("live.sql");
const COUNTED: &str = "
    select format('%I.%I', schemaname, relname), n_tup_del, n_live_tup from pg_catalog.pg_stat_user_tables";
const HISTORY: &str = "
    select format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and (c.relname = any($1) or n.nspname || '.' || c.relname = any($1)) and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'";

/// Reads what of a live database a migration would change.
///
/// # Errors
/// [`DatabaseError`] with what could not be read, also where a lock holds it up for 5 s.
pub async fn live_facts(server: &Server, database: &str) -> Result<LiveFacts, DatabaseError> {
    server.read(database, ReadLimits::LOOK, facts_of).await
}

async fn facts_of(client: &Client) -> Result<LiveFacts, DatabaseError> {
    pin_settings(client).await?;
    let read = |what: &'static str| move |error: tokio_postgres::Error| failed(what, &error);
    let mut facts = LiveFacts::default();
    for row in client.query(OBJECTS, &[]).await.map_err(read("read the live schema"))? {
        facts.objects.insert(row.get(0), row.get(1));
    }
    for row in client.query(COUNTED, &[]).await.map_err(read("read the live tables' counters"))? {
        facts.tables.insert(row.get(0), Counted { deleted: row.get(1), rows: row.get(2) });
    }
    let names: Vec<&str> = HISTORY_TABLES.to_vec();
    for row in client.query(HISTORY, &[&names]).await.map_err(read("find the migrations' history"))? {
        let table: String = row.get(0);
        // `table` was quoted by the server (`%I.%I`).
        let sql = format!("select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from only {table} t");
        let row = client.query_one(&sql, &[]).await.map_err(read("read the migrations' history"))?;
        facts.history.insert(table, row.get(0));
    }
    Ok(facts)
}

/// Counts the rows of `tables` (`schema.table`, as the server quotes them); one that is gone is left out.
///
/// # Errors
/// [`DatabaseError`] with the table that cannot be read.
pub async fn count_rows(
    server: &Server,
    database: &str,
    tables: &[&String],
) -> Result<BTreeMap<String, i64>, DatabaseError> {
    if tables.is_empty() {
        return Ok(BTreeMap::new());
    }
    server.read(database, ReadLimits::LOOK, async |client| rows_of(client, tables).await).await
}

async fn rows_of(client: &Client, tables: &[&String]) -> Result<BTreeMap<String, i64>, DatabaseError> {
    pin_settings(client).await?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let sql = format!("select count(*) from only {table}");
        let row = client.query_one(&sql, &[]).await.map_err(|e| failed(&format!("count {table}"), &e))?;
        rows.insert((*table).clone(), row.get(0));
    }
    Ok(rows)
}

async fn pin_settings(client: &Client) -> Result<(), DatabaseError> {
    client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))
}
