//! Fills the tables that have no rows: generated ones, the same for the same seed.
//!
//! For a caller: [`fill`] in a transaction of its own, [`fill_in_transaction`] within one. Tables that have rows are
//! left as they are, so that a user's own statements go first, and a second call fills what is new since. A table that
//! cannot be filled is reported with the reason: of its rows nothing can be proven.

mod edge;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use stagegate_migration_decide::seed::{CycleBreak, Known, Name, Ordered, Schema, Values, literal, order};
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::deferred;
use stagegate_host::database::{DatabaseError, error_text, failed};

const SCHEMA: &str = include_str!("schema.sql");

/// Settings under which values that come back are the texts that went in. The search path stays the user's: triggers
/// may rely on it.
const SETTINGS: &str = "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local bytea_output = 'hex'; \
     set local intervalstyle = 'iso_8601'; set local extra_float_digits = 1; set local row_security = off";

/// What is to be filled.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Another seed gives other values.
    pub seed: u64,
    /// Rows for each table; fewer where its constraints leave room for fewer.
    pub rows: usize,
    /// Tables that stay empty, such as a tool's own: `schema.table`, as the server quotes it.
    pub leave_out: Vec<Name>,
    /// The only tables that are looked at; whatever they point to has to be among them. All where `None`.
    pub only: Option<Vec<Name>>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { seed: 1, rows: 8, leave_out: Vec::new(), only: None }
    }
}

/// A table that has no rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfilled {
    /// The table.
    pub table: Name,
    /// Why.
    pub reason: String,
}

/// What was filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// Rows that were made, by table.
    pub rows: BTreeMap<Name, usize>,
    /// Tables that still have none.
    pub unfilled: Vec<Unfilled>,
}

/// Fills in a transaction of its own.
///
/// # Errors
/// [`DatabaseError`] where the catalog cannot be read, or the session ended.
pub async fn fill(client: &Client, plan: &Plan) -> Result<Filled, DatabaseError> {
    client.batch_execute("begin").await.map_err(|e| failed("begin generating rows", &e))?;
    let filled = fill_in_transaction(client, plan).await;
    let end = if filled.is_ok() { "commit" } else { "rollback" };
    client.batch_execute(end).await.map_err(|e| failed("end generating rows", &e))?;
    filled
}

/// Fills within the transaction that `client` is in. Settings that it changes end with the transaction;
/// constraints that can be deferred are checked at the end and have their defaults again.
///
/// # Errors
/// [`DatabaseError`] where the catalog cannot be read, or the session ended.
pub async fn fill_in_transaction(client: &Client, plan: &Plan) -> Result<Filled, DatabaseError> {
    client.batch_execute(SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let mut schema = read(client, plan).await?;
    let left_out: BTreeSet<&Name> = plan.leave_out.iter().collect();
    schema.tables.retain(|name, _| !left_out.contains(name));
    has_rows(client, &mut schema).await?;
    if schema.tables.values().all(|table| table.has_rows) {
        return Ok(Filled::default());
    }
    // Tables whose rows stay plain: values at the edge broke what is checked at the end of a transaction.
    let (mut refused, mut plain, mut is_plain) = (Vec::new(), Vec::new(), false);
    loop {
        client.batch_execute("savepoint stagegate_seed").await.map_err(|e| failed("set a savepoint", &e))?;
        let mut run = Run { client, plan, schema: &schema, known: Known::new(), filled: Filled::default() };
        run.all(&refused, &plain, is_plain).await?;
        // What is checked at the end of a transaction is checked here, so that the blame can be reported.
        let Err(error) = deferred::check(client).await else {
            run.filled.unfilled.extend(refused);
            let release = "release savepoint stagegate_seed";
            client.batch_execute(release).await.map_err(|e| failed("release a savepoint", &e))?;
            return Ok(run.filled);
        };
        let blamed = table::blamed(&error).filter(|name| run.filled.rows.contains_key(name));
        client
            .batch_execute("rollback to savepoint stagegate_seed; release savepoint stagegate_seed")
            .await
            .map_err(|e| failed("roll back to a savepoint", &e))?;
        let table = match blamed {
            Some(table) if !is_plain && !plain.contains(&table) => {
                plain.push(table);
                continue;
            }
            Some(table) => table,
            None if !is_plain => {
                is_plain = true;
                continue;
            }
            None => return Err(failed("check the generated rows", &error)),
        };
        refused.push(Unfilled { table, reason: error_text(&error) });
    }
}

/// Takes generated rows out again, with what their sequences counted; `false` where rows that were not generated may
/// refer to them.
pub async fn clear(client: &Client, filled: &[Name]) -> bool {
    let mut tables = filled.to_vec();
    // PostgreSQL empties no table that another one refers to, even if that one is empty: then both at once.
    while !tables.is_empty() {
        let referring = match client.query(REFERRING, &[&tables]).await {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect::<Vec<Name>>(),
            Err(_) => return false,
        };
        if referring.is_empty() {
            let sql = format!("truncate {} restart identity", tables.join(", "));
            return client.batch_execute(&sql).await.is_ok();
        }
        for table in &referring {
            let has_rows = client.query_one(&format!("select exists (select from {table})"), &[]).await;
            if has_rows.map_or(true, |row| row.get(0)) {
                return false;
            }
        }
        tables.extend(referring);
    }
    true
}

/// The tables that refer to some others and are none of them.
const REFERRING: &str = "
    select distinct format('%I.%I', n.nspname, c.relname)
    from pg_catalog.pg_constraint f join pg_catalog.pg_class c on c.oid = f.conrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where f.contype = 'f' and f.confrelid = any (select to_regclass(name) from unnest($1::text[]) name)
      and f.conrelid <> all (select to_regclass(name) from unnest($1::text[]) name)";

async fn read(client: &Client, plan: &Plan) -> Result<Schema, DatabaseError> {
    let row = client
        .query_one(SCHEMA, &[&plan.only])
        .await
        .map_err(|e| failed("read the columns and constraints of tables", &e))?;
    serde_json::from_str(row.get(0)).map_err(|error| {
        DatabaseError::Unexpected(format!("cannot read the columns and constraints of tables: {error}"))
    })
}

async fn has_rows(client: &Client, schema: &mut Schema) -> Result<(), DatabaseError> {
    let each: Vec<String> = schema.tables.keys().map(|name| format!("exists (select from {name})")).collect();
    let sql = format!("select array[{}]::bool[]", each.join(", "));
    let row = client.query_one(&sql, &[]).await.map_err(|e| failed("list the tables with rows", &e))?;
    let found: Vec<bool> = row.get(0);
    schema.tables.values_mut().zip(found).for_each(|(table, has_rows)| table.has_rows = has_rows);
    Ok(())
}

struct Run<'a> {
    client: &'a Client,
    plan: &'a Plan,
    schema: &'a Schema,
    known: Known,
    filled: Filled,
}

impl Run<'_> {
    async fn all(&mut self, refused: &[Unfilled], plain: &[Name], is_plain: bool) -> Result<(), DatabaseError> {
        let ordered = order(self.schema);
        let is_foreseen = |turn: &Ordered| turn.broken.iter().any(|(_, way)| *way == CycleBreak::Foreseen);
        if ordered.iter().any(is_foreseen) {
            deferred::defer(self.client).await.map_err(|e| failed("defer constraints", &e))?;
        }
        let mut late = Vec::new();
        for turn in &ordered {
            if self.schema.tables[&turn.table].has_rows {
                self.load(&turn.table).await?;
            } else if !refused.iter().any(|one| one.table == turn.table) {
                let mut places = self.table(turn).await?;
                if !is_plain && !plain.contains(&turn.table) {
                    let values = self.known.get(&turn.table).map_or(&[][..], Vec::as_slice);
                    places = self.edges(turn, places, values).await?;
                }
                late.push((turn, places));
            }
        }
        for (turn, places) in late {
            self.late(turn, &places).await?;
        }
        Ok(())
    }

    async fn load(&mut self, table: &Name) -> Result<(), DatabaseError> {
        let sql = format!("select * from {table} limit {}", self.plan.rows);
        let messages = self.client.simple_query(&sql).await.map_err(|e| failed(&format!("read {table}"), &e))?;
        self.known.insert(table.clone(), rows(&messages).map(|row| values(row, 0)).collect());
        Ok(())
    }

    /// Sets the foreign keys that had to wait for rows of later tables. What is refused stays null.
    async fn late(&self, turn: &Ordered, places: &[String]) -> Result<(), DatabaseError> {
        let waiting: Vec<usize> =
            turn.broken.iter().filter(|(_, way)| *way == CycleBreak::NullFirst).map(|(at, _)| *at).collect();
        if waiting.is_empty() {
            return Ok(());
        }
        for (number, place) in places.iter().enumerate() {
            let found = waiting
                .iter()
                .filter_map(|at| stagegate_migration_decide::seed::late(self.schema, turn, *at, number, &self.known));
            let set: Values = found.flatten().collect();
            let Some((ctid, oid)) = place.split_once(' ').filter(|_| !set.is_empty()) else { continue };
            let assign = |(name, value): (&String, &Option<String>)| {
                let value = value.as_deref().map_or("null".to_owned(), literal);
                format!("\"{}\" = {value}", name.replace('"', "\"\""))
            };
            let set: Vec<String> = set.iter().map(assign).collect();
            let sql = format!(
                "savepoint stagegate_row; update {} set {} where ctid = '{ctid}' and tableoid = {oid}; \
                 release savepoint stagegate_row",
                turn.table,
                set.join(", ")
            );
            if let Err(error) = self.client.batch_execute(&sql).await {
                self.undo_row(&error).await?;
            }
        }
        Ok(())
    }

    async fn undo_row(&self, cause: &tokio_postgres::Error) -> Result<(), DatabaseError> {
        let back = "rollback to savepoint stagegate_row; release savepoint stagegate_row";
        match self.client.batch_execute(back).await {
            Ok(()) => Ok(()),
            Err(_) => Err(failed("generate rows", cause)),
        }
    }
}

fn rows(messages: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

fn values(row: &SimpleQueryRow, skip: usize) -> Values {
    let value = |at: usize| (row.columns()[at].name().to_owned(), row.get(at).map(str::to_owned));
    (skip..row.len()).map(value).collect()
}
