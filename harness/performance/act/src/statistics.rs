//! A database's own counters: transactions, blocks, scans, statements.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use stagegate_performance_decide::{Figures, StatementFigures, TableFigures};
use tokio_postgres::{Client, Row};

/// Tables that are read, those with the most rows first.
const TABLES: i64 = 1_000;
/// Statements that are read, those with the most executions first; the server keeps 5,000 by default.
const STATEMENTS: i64 = 10_000;

const DATABASE: &str = "
    select xact_commit, xact_rollback, blks_read, blks_hit, temp_bytes, deadlocks
    from pg_stat_database where datname = current_database()";

const TABLE_SCANS: &str = "
    select schemaname || '.' || relname, n_live_tup, seq_scan, coalesce(seq_tup_read, 0)
    from pg_stat_user_tables order by n_live_tup desc limit $1";

const EXTENSION: &str = "
    select quote_ident(nspname) from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
    where extname = 'pg_stat_statements'";

/// Reads the counters of the database that `client` is connected to.
///
/// Statements are `None` where pg_stat_statements is not installed in it, or not loaded by the server.
///
/// # Errors
/// What the server reported.
pub async fn figures(client: &Client) -> Result<Figures, tokio_postgres::Error> {
    // Counters are otherwise those of the first look of the transaction.
    let database = client.query_one(DATABASE, &[]).await?;
    let tables = client.query(TABLE_SCANS, &[&TABLES]).await?;
    Ok(Figures {
        commits: counter(&database, 0)?,
        rollbacks: counter(&database, 1)?,
        blocks_read: counter(&database, 2)?,
        blocks_hit: counter(&database, 3)?,
        temp_bytes: counter(&database, 4)?,
        deadlocks: counter(&database, 5)?,
        tables: tables.iter().map(table).collect::<Result<_, _>>()?,
        statements: statements(client).await?,
    })
}

fn table(row: &Row) -> Result<(String, TableFigures), tokio_postgres::Error> {
    let figures =
        TableFigures { rows: counter(row, 1)?, sequential_scans: counter(row, 2)?, sequential_rows: counter(row, 3)? };
    Ok((row.try_get(0)?, figures))
}

async fn statements(client: &Client) -> Result<Option<BTreeMap<i64, StatementFigures>>, tokio_postgres::Error> {
    let Some(extension) = client.query_opt(EXTENSION, &[]).await? else { return Ok(None) };
    let schema: String = extension.try_get(0)?;
    // One statement has a row for each role that ran it. Its own kind of question is left out.
    let text = format!(
        "select queryid, max(query), sum(calls)::bigint, sum(total_exec_time), sum(rows)::bigint,
                sum(shared_blks_hit + shared_blks_read)::bigint
         from {schema}.pg_stat_statements
         where dbid = (select oid from pg_database where datname = current_database())
           and queryid is not null and query !~ 'pg_stat_|pg_locks|pg_extension'
         group by queryid order by sum(calls) desc limit {STATEMENTS}"
    );
    // Installed and not loaded by the server: 55000, object_not_in_prerequisite_state.
    let Ok(rows) = client.query(&text, &[]).await else { return Ok(None) };
    rows.iter().map(statement).collect::<Result<_, _>>().map(Some)
}

fn statement(row: &Row) -> Result<(i64, StatementFigures), tokio_postgres::Error> {
    let figures = StatementFigures {
        text: row.try_get(1)?,
        calls: counter(row, 2)?,
        total_ms: row.try_get(3)?,
        rows: counter(row, 4)?,
        blocks: counter(row, 5)?,
    };
    Ok((row.try_get(0)?, figures))
}

fn counter(row: &Row, column: usize) -> Result<u64, tokio_postgres::Error> {
    // Counters are bigint and never negative; those that nothing counted yet are null.
    Ok(row.try_get::<_, Option<i64>>(column)?.and_then(|count| count.try_into().ok()).unwrap_or_default())
}

/// How long counters may lag behind what a session did that goes on; one that fell idle may keep the rest for 10 s, but
/// for those of pg_stat_statements, which are written at once.
// Source: PostgreSQL manual, 27.2.2, and pgstat.c of 15 and later: PGSTAT_MIN_INTERVAL, PGSTAT_IDLE_INTERVAL.
pub const LAG: Duration = Duration::from_millis(1_100);

/// Waits until counters hold what was done up to `since`.
pub async fn settle(since: Instant) {
    tokio::time::sleep_until((since + LAG).into()).await;
}
