//! Reads what a database holds, as counts and sums: one statement a table, all sent without waiting.
//!
//! For a caller: [`content`] takes a snapshot of its own; [`content_in_transaction`] reads what the transaction of
//! `client` sees and leaves its settings as they were. Two states compare by `stagegate_migration_decide::integrity::compare`.
//! Ask for [`Detail::Columns`] where columns come and go and tables
//! are small (seeded rows); for [`Detail::Rows`] on a copy of production, with `over` the other side's content, so
//! that both sum up the columns that both have.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use stagegate_migration_decide::integrity::{
    Column, ConstraintOrIndex, Content, Sequence, Shape, TableContent,
    query::{self, Detail},
};
use tokio_postgres::{Client, Row, SimpleQueryMessage};

use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, failed};

const SHAPES: &str = include_str!("shapes.sql");

const INVALID: &str = "select 'constraint', format('%I.%I', n.nspname, c.relname), k.conname::text \
     from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace \
     where not k.convalidated and k.conrelid >= 16384 and k.conparentid = 0 \
       and coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true) \
     union all \
     select 'index', format('%I.%I', n.nspname, c.relname), i.indexrelid::regclass::text \
     from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace \
     where not i.indisvalid and i.indrelid >= 16384 order by 1, 2, 3";

/// What is to be read.
#[derive(Clone, Debug)]
pub struct ReadRequest<'a> {
    /// How much of each table.
    pub detail: Detail,
    /// Workers that may share one table; 0 is none.
    pub workers: u8,
    /// Another side: of its tables only the columns are summed up that it has too.
    pub over: Option<&'a Content>,
    /// The tables that are read, `schema.table` as the server quotes it; all where nothing is said.
    pub only: Option<&'a [String]>,
    /// Tables that are not read.
    pub without: &'a [String],
}

impl ReadRequest<'_> {
    /// Requests all columns of all tables, without workers.
    #[must_use]
    pub fn columns() -> Self {
        ReadRequest { detail: Detail::Columns, workers: 0, over: None, only: None, without: &[] }
    }

    /// Requests whole rows of all tables.
    #[must_use]
    pub fn rows(workers: u8) -> Self {
        ReadRequest { detail: Detail::Rows, workers, over: None, only: None, without: &[] }
    }
}

/// Reads what the database of `client` holds, in a snapshot of its own.
///
/// # Errors
/// [`DatabaseError`] with the table that cannot be read.
pub async fn content(client: &Client, ask: &ReadRequest<'_>) -> Result<Content, DatabaseError> {
    let begin = "begin transaction isolation level repeatable read read only";
    client.batch_execute(begin).await.map_err(|e| failed("begin a snapshot", &e))?;
    let content = read(client, ask).await;
    client.batch_execute("rollback").await.map_err(|e| failed("end a snapshot", &e))?;
    content
}

/// Reads what the transaction sees that `client` is in, and leaves the transaction's settings as they were.
///
/// # Errors
/// [`DatabaseError`] with the table that cannot be read.
pub async fn content_in_transaction(client: &Client, ask: &ReadRequest<'_>) -> Result<Content, DatabaseError> {
    client.batch_execute("savepoint stagegate_integrity").await.map_err(|e| failed("set a savepoint", &e))?;
    let content = read(client, ask).await;
    let back = "rollback to savepoint stagegate_integrity; release savepoint stagegate_integrity";
    client.batch_execute(back).await.map_err(|e| failed("roll back to a savepoint", &e))?;
    content
}

async fn read(client: &Client, ask: &ReadRequest<'_>) -> Result<Content, DatabaseError> {
    let settings = format!(
        "{}; set local max_parallel_workers_per_gather = {}; set local jit = off",
        DATA_FACTS_SETTINGS.replace("set ", "set local "),
        ask.workers
    );
    client.batch_execute(&settings).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let shapes = client.query(SHAPES, &[]).await.map_err(|e| failed("list tables and columns", &e))?;
    let invalid = client.query(INVALID, &[]).await.map_err(|e| failed("list what is invalid", &e))?;
    let is_asked =
        |shape: &Shape| ask.only.is_none_or(|only| only.contains(&shape.name)) && !ask.without.contains(&shape.name);
    let shapes = assembled(&shapes)?.into_iter().filter(is_asked).map(|shape| reduced(shape, ask.over));
    let tables = try_join_all(shapes.map(|shape| table(client, shape, ask.detail))).await?;
    let kept = |row: &Row| ConstraintOrIndex { kind: row.get(0), table: row.get(1), name: row.get(2) };
    Ok(Content {
        tables: tables.into_iter().map(|table| (table.shape.name.clone(), table)).collect(),
        invalid: invalid.iter().map(kept).collect(),
    })
}

async fn table(client: &Client, shape: Shape, detail: Detail) -> Result<TableContent, DatabaseError> {
    let examples = query::examples(&shape).filter(|_| detail == Detail::Columns);
    let what = format!("compute the row count and checksum of {}", shape.name);
    let (checksums, examples) =
        futures_util::try_join!(lines(client, &what, query::checksum_query(&shape, detail)), async {
            match examples {
                Some(sql) => lines(client, &what, sql).await,
                None => Ok(Vec::new()),
            }
        },)?;
    let answer = checksums.first().map_or("", String::as_str);
    query::read_checksums(shape, answer, &examples)
        .ok_or_else(|| DatabaseError::Unexpected(format!("cannot {what}: the server returned `{answer}`")))
}

/// Asks without a prepared statement: one way to the server and back instead of three.
async fn lines(client: &Client, what: &str, sql: String) -> Result<Vec<String>, DatabaseError> {
    let messages = client.simple_query(&sql).await.map_err(|e| failed(what, &e))?;
    let line = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(line).collect())
}

fn assembled(rows: &[Row]) -> Result<Vec<Shape>, DatabaseError> {
    let mut shapes: Vec<Shape> = Vec::new();
    for row in rows {
        let name: String = row.get(0);
        if shapes.last().is_none_or(|shape| shape.name != name) {
            shapes.push(Shape { name, is_partitioned: row.get(1), columns: Vec::new(), key: Vec::new() });
        }
        let (Some(shape), Some(column)) = (shapes.last_mut(), column(row)?) else { continue };
        if row.get(8) {
            shape.key.push(column.name.clone());
        }
        shape.columns.push(column);
    }
    Ok(shapes)
}

/// Returns the column of a row; a table without columns has a row without one.
fn column(row: &Row) -> Result<Option<Column>, DatabaseError> {
    let Some(name) = row.get::<_, Option<String>>(2) else { return Ok(None) };
    let sequence = row.get::<_, Option<String>>(9).map(|sequence| {
        let next: String = row.get(10);
        let increment = row.get(11);
        // A sequence at its end has no next value that fits.
        let next = next.parse().unwrap_or(if increment > 0 { i64::MAX } else { i64::MIN });
        Sequence { name: sequence, next, increment, cycles: row.get(12) }
    });
    let base: Option<String> = row.get(4);
    let base = base.ok_or_else(|| DatabaseError::Unexpected(format!("column `{name}` has no type")))?;
    Ok(Some(Column {
        name,
        data_type: row.get(3),
        base,
        is_builtin: row.get(5),
        has_modifier: row.get(6),
        is_deterministic: row.get(7),
        sequence,
    }))
}

fn reduced(mut shape: Shape, over: Option<&Content>) -> Shape {
    if let Some(other) = over.and_then(|content| content.tables.get(&shape.name)) {
        shape.columns.retain(|column| other.shape.columns.iter().any(|c| c.name == column.name));
        shape.key.retain(|key| other.shape.columns.iter().any(|c| c.name == *key));
    }
    shape
}

/// Returns tables by name with their rows, such as thresholds are scaled by.
#[must_use]
pub fn sizes(content: &Content) -> BTreeMap<String, i64> {
    content.tables.iter().map(|(name, table)| (name.clone(), table.rows)).collect()
}
