//! Rows of a database that was put aside: compared with the live one, exported, carried over.
//!
//! The kept database is only read (the hashes of the rows in question are in a temporary table of one session). The live
//! one is read in one snapshot; what is carried is inserted in one transaction, so that a process that dies half way
//! leaves nothing.

mod carry;
mod export;

use std::{collections::BTreeMap, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use stagegate_base::mark::{Mark, Role};
use stagegate_data_decide::live::is_history_table;
use stagegate_data_decide::salvage::{
    ColumnOf, Hashes, Kind, NoTable, Pair, ROWS, Reference, Relation, Side, Step, TableRows, pairs, step,
};
use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, ReadLimits, Server, failed};
use tokio_postgres::{Client, RowStream, types::Oid};

use crate::sync::source::without_conversion;

const RELATIONS: &str = include_str!("salvage/relations.sql");
const COLUMNS: &str = include_str!("salvage/columns.sql");
const REFERENCES: &str = include_str!("salvage/references.sql");

/// Why rows were neither compared nor carried.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// A table that somebody named.
    #[error(transparent)]
    NoTable(#[from] NoTable),
    /// A server refused something.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A file cannot be written.
    #[error("cannot write {path}")]
    File {
        /// The file or folder.
        path: String,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
}

/// Returns the databases of a server that hold what a run or a sync put aside, with whose place they had.
///
/// # Errors
/// [`DatabaseError`] where the server does not answer.
pub async fn set_aside_databases(server: &Server) -> Result<Vec<Mark>, DatabaseError> {
    let holds_rows = |mark: &Mark| matches!(mark.role, Role::Failed | Role::Left | Role::Replaced);
    let found = server.databases().await?;
    let marks = found.iter().filter_map(|found| {
        let mark = Mark::parse(found.comment.as_deref()?)?;
        (mark.is_of(found) && holds_rows(&mark)).then_some(mark)
    });
    Ok(marks.collect())
}

/// A kept database next to the live one, each table compared.
#[derive(Debug)]
pub struct Salvage<'a> {
    server: &'a Server,
    live: &'a str,
    /// A session of the kept database, which owns the temporary table.
    client: Client,
    within: Duration,
    pairs: Vec<Pair>,
    found: Vec<TableRows>,
    /// History tables.
    left_out: Vec<String>,
}

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Tables, as `schema.name` or `name`; all but history tables where it is empty.
    pub wanted: &'a [String],
    /// History tables that no known migration tool has, as the configuration names them.
    pub history_tables: &'a [String],
    /// How long a statement may take.
    pub within: Duration,
}

impl<'a> Salvage<'a> {
    /// Compares the tables of `kept` that are in `scope` with those of `live`.
    ///
    /// Which rows are missing or changed is remembered where `remember`: an export or a carry needs it. `progress` is
    /// called with a table's name before it is read.
    ///
    /// # Errors
    /// [`SalvageError`]; nothing was changed.
    pub async fn compare(
        server: &'a Server,
        (kept, live): (&str, &'a str),
        scope: Scope<'_>,
        remember: bool,
        mut progress: impl FnMut(&str),
    ) -> Result<Self, SalvageError> {
        let Scope { wanted, history_tables, within } = scope;
        // It has a temporary table, which is a change.
        let client = writing_session(server, kept, within).await?;
        let (reader, other) = (session(server, kept, within).await?, session(server, live, within).await?);
        for (session, of) in [(&reader, "kept"), (&other, "live")] {
            let begun = session.batch_execute("begin transaction isolation level repeatable read read only").await;
            begun.map_err(|e| failed(&format!("begin a snapshot of the {of} database"), &e))?;
        }
        let all = relations(&reader, history_tables).await?;
        let pairs = pairs(&all, &relations(&other, history_tables).await?, wanted)?;
        let left_out = all.iter().filter(|one| wanted.is_empty() && one.is_history).map(Relation::label).collect();
        let make =
            format!("create temporary table {} (t int4, h text, kind text)", ROWS.trim_start_matches("pg_temp."));
        client.batch_execute(&make).await.map_err(|e| failed("make a temporary table", &e))?;
        let mut found = Vec::new();
        for (at, pair) in pairs.iter().enumerate() {
            progress(&pair.kept.label());
            let remembered = if remember { Some(Remembered::open(&client, at).await?) } else { None };
            found.push(walk(pair, (&reader, &other), remembered).await?);
        }
        let analyze = format!("analyze {ROWS}");
        client.batch_execute(&analyze).await.map_err(|e| failed("analyze a temporary table", &e))?;
        Ok(Salvage { server, live, client, within, pairs, found, left_out })
    }

    /// Returns what each table holds that the live one does not.
    #[must_use]
    pub fn found(&self) -> &[TableRows] {
        &self.found
    }

    /// Returns the history tables of migration tools that were left out.
    #[must_use]
    pub fn history_tables(&self) -> &[String] {
        &self.left_out
    }

    /// Returns the tables that hold what the live ones do not, with their places in the list of all.
    fn differing(&self) -> impl Iterator<Item = (usize, &Pair, &TableRows)> {
        let all = self.pairs.iter().zip(&self.found).enumerate();
        all.map(|(at, (pair, found))| (at, pair, found)).filter(|(_, _, found)| found.differs())
    }
}

/// Walks along both sides of a table.
async fn walk(
    pair: &Pair,
    (reader, other): (&Client, &Client),
    mut remembered: Option<Remembered>,
) -> Result<TableRows, DatabaseError> {
    let (label, mut found) = (pair.kept.label(), TableRows::of(pair));
    let what = |of: &str| format!("read {label} of the {of} database");
    let mut kept = Rows::open(reader, &pair.hashes(Side::Kept), what("kept")).await?;
    let mut live = match pair.live {
        Some(_) => Rows::open(other, &pair.hashes(Side::Live), what("live")).await?,
        None => Rows::none(),
    };
    loop {
        let next = step(kept.next.as_ref(), live.next.as_ref());
        let kind = found.count(next);
        if let (Some(kind), Some(hashes), Some(remembered)) = (kind, &kept.next, &mut remembered) {
            remembered.add(&hashes.0, kind).await?;
        }
        if matches!(next, Step::Kept | Step::Both(_)) {
            kept.advance().await?;
        }
        if matches!(next, Step::Live | Step::Both(_)) {
            live.advance().await?;
        }
        if next == Step::End {
            break;
        }
    }
    if let Some(remembered) = remembered {
        remembered.close().await?;
    }
    Ok(found)
}

/// Makes a session that may write, and in which rows become the same texts as in the others.
async fn writing_session(server: &Server, database: &str, within: Duration) -> Result<Client, DatabaseError> {
    let client = server.connect(database).await?;
    let limits = format!(
        "set lock_timeout = '5s'; set statement_timeout = {}; set idle_in_transaction_session_timeout = 0",
        within.as_millis()
    );
    client.batch_execute(&limits).await.map_err(|e| failed("limit what a session waits for", &e))?;
    pin_settings(&client).await?;
    // A trigger of the product may name its tables without their schema; what is written here names them with it.
    client.batch_execute("reset search_path").await.map_err(|e| failed("fix the settings of a session", &e))?;
    Ok(client)
}

async fn pin_settings(client: &Client) -> Result<(), DatabaseError> {
    let settings = format!("{DATA_FACTS_SETTINGS}; set jit = off");
    client.batch_execute(&settings).await.map_err(|e| failed("fix the settings of a session", &e))?;
    without_conversion(client).await
}

/// Makes a session in which rows become the same texts on both sides.
async fn session(server: &Server, database: &str, within: Duration) -> Result<Client, DatabaseError> {
    let limits = ReadLimits { statement: within, idle: within, ..ReadLimits::LOOK };
    let client = server.connect_within(database, limits).await?;
    pin_settings(&client).await?;
    Ok(client)
}

async fn relations(client: &Client, history_tables: &[String]) -> Result<Vec<Relation>, DatabaseError> {
    let rows = client.query(RELATIONS, &[]).await.map_err(|e| failed("list tables", &e))?;
    let oids: Vec<Oid> = rows.iter().map(|row| row.get(5)).collect();
    let mut columns: BTreeMap<Oid, Vec<ColumnOf>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[&oids]).await.map_err(|e| failed("list columns", &e))? {
        let column = ColumnOf {
            name: row.get(1),
            declared: row.get(2),
            is_needed: row.get(3),
            sequence: row.get(4),
            unlimited: row.get(5),
        };
        columns.entry(row.get(0)).or_default().push(column);
    }
    let mut references: BTreeMap<Oid, Vec<Reference>> = BTreeMap::new();
    for row in client.query(REFERENCES, &[&oids]).await.map_err(|e| failed("list foreign keys", &e))? {
        let reference = Reference { to: row.get(1), columns: row.get(2), to_columns: row.get(3) };
        references.entry(row.get(0)).or_default().push(reference);
    }
    let one = |row: &tokio_postgres::Row| Relation {
        schema: row.get(0),
        name: row.get(1),
        is_partitioned: row.get(2),
        key: row.get(3),
        triggers: row.get(4),
        references: references.remove(&row.get::<_, Oid>(5)).unwrap_or_default(),
        columns: columns.remove(&row.get::<_, Oid>(5)).unwrap_or_default(),
        is_history: is_history_table(row.get(0), row.get(1), history_tables),
    };
    Ok(rows.iter().map(one).collect())
}

/// One side of the walk: hashes, a row at a time.
struct Rows {
    stream: Option<Pin<Box<RowStream>>>,
    next: Option<Hashes>,
    what: String,
}

impl Rows {
    async fn open(client: &Client, sql: &str, what: String) -> Result<Self, DatabaseError> {
        let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
        let stream = client.query_raw(sql, none).await.map_err(|e| failed(&what, &e))?;
        let mut rows = Rows { stream: Some(Box::pin(stream)), next: None, what };
        rows.advance().await?;
        Ok(rows)
    }

    fn none() -> Self {
        Rows { stream: None, next: None, what: String::new() }
    }

    async fn advance(&mut self) -> Result<(), DatabaseError> {
        let Some(stream) = &mut self.stream else { return Ok(()) };
        let row = stream.as_mut().try_next().await.map_err(|e| failed(&self.what, &e))?;
        self.next = row.map(|row| (row.get(0), row.get(1)));
        Ok(())
    }
}

/// Hashes on their way into the temporary table.
struct Remembered {
    sink: Pin<Box<tokio_postgres::CopyInSink<Bytes>>>,
    table: usize,
    piece: String,
}

impl Remembered {
    const WHAT: &'static str = "remember the rows in question";

    async fn open(client: &Client, table: usize) -> Result<Self, DatabaseError> {
        let sink = client.copy_in(&format!("copy {ROWS} from stdin")).await.map_err(|e| failed(Self::WHAT, &e))?;
        Ok(Remembered { sink: Box::pin(sink), table, piece: String::new() })
    }

    async fn add(&mut self, hash: &str, kind: Kind) -> Result<(), DatabaseError> {
        let (table, word) = (self.table, kind.word());
        self.piece.push_str(&format!("{table}\t{hash}\t{word}\n"));
        if self.piece.len() >= 64 << 10 {
            let full = std::mem::take(&mut self.piece);
            self.sink.send(Bytes::from(full)).await.map_err(|e| failed(Self::WHAT, &e))?;
        }
        Ok(())
    }

    async fn close(mut self) -> Result<(), DatabaseError> {
        let rest = std::mem::take(&mut self.piece);
        if !rest.is_empty() {
            self.sink.send(Bytes::from(rest)).await.map_err(|e| failed(Self::WHAT, &e))?;
        }
        self.sink.as_mut().finish().await.map(drop).map_err(|e| failed(Self::WHAT, &e))
    }
}
