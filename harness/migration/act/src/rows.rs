//! The same trip on tables with rows: seeded, counted and summed up around each step, locks recorded on the way up.
//!
//! All of it happens in a transaction that is rolled back, or on a copy: the trip without rows sees nothing of it.

use std::collections::{BTreeMap, BTreeSet};

use stagegate_migration_decide::{
    Comparand, Migration, Route, Script, Touched, comparand_rows, comparands,
    integrity::Content,
    locks::{Observed, Request, Sizes, statements, without_recorder},
    round_trip::{Failure, RowStates, Step},
    schema::{Facts, Kind},
    touched,
};
use tokio_postgres::Client;

use super::{
    bench::Bench, error::ProveError, options::Rows, round_trip::is_of_transaction, run, session::Session,
    session_options::SessionOptions, touched::tables,
};
use crate::{
    deferred,
    integrity::{ReadRequest, content, content_in_transaction, sizes},
    recorder::{self, Taken},
    seed::{Plan, Unfilled, fill_in_transaction},
};
use stagegate_host::database::{DatabaseError, error_text, failed};

/// How much of a database gets rows.
#[derive(Clone, Debug)]
pub(super) enum Share {
    /// All tables; locks are watched too.
    All,
    /// What the migration may change.
    Touched,
}

/// What came of a trip with rows.
#[derive(Debug)]
pub(super) enum OnRows {
    /// The script cannot be read, or several migrations begin on an empty database in one step.
    Nothing,
    /// No table that was there can change.
    Untouched,
    /// It was tried.
    Tried(Box<WithRows>),
}

/// What a migration showed on tables with rows.
#[derive(Debug, Default)]
pub(super) struct WithRows {
    /// Whether all tables had rows and locks were watched.
    pub(super) is_whole: bool,
    pub(super) moments: RowStates,
    pub(super) unfilled: Vec<Unfilled>,
    /// The tables that generated rows are in.
    pub(super) filled: Vec<String>,
    /// Why the user's statements did not run; none where they did, or there are none.
    pub(super) seed_refused: Option<String>,
    pub(super) observed: Vec<Observed>,
    pub(super) sizes: Sizes,
    /// What probes asked while it went up for good.
    pub(super) requests: Vec<Request>,
}

const MOMENT: &str = "savepoint stagegate_moment";
const BACK_TO_MOMENT: &str = "rollback to savepoint stagegate_moment";

impl Bench<'_> {
    /// Tries a migration on rows, before it goes up for good.
    pub(super) async fn with_rows(
        &mut self,
        migration: &Migration,
        before: &Facts,
        share: &Share,
    ) -> Result<OnRows, ProveError> {
        let Some(mut rows) = self.options.rows.clone() else { return Ok(OnRows::Nothing) };
        let (manner, carried) = (self.options.manner.clone(), self.carried.clone());
        let has_tables = before.iter().any(|fact| fact.id.kind == Kind::Table);
        if matches!(migration.up.route(), Route::Unreadable(_)) {
            return Ok(OnRows::Nothing);
        }
        if !has_tables {
            // What one command does to tables that it has created itself is not known, and may be done to older ones.
            let is_one = migration.up.step.as_ref().is_none_or(|step| step.names.len() == 1);
            return Ok(if is_one { OnRows::Untouched } else { OnRows::Nothing });
        }
        let mut without = Vec::new();
        if matches!(share, Share::Touched) {
            let tables = tables(&self.session().await?.client).await?;
            if let Touched::Some { watched, seeded } = touched(migration, &tables) {
                if watched.is_empty() {
                    return Ok(OnRows::Untouched);
                }
                rows.plan.only = Some(seeded.into_iter().collect());
                without = tables.all.into_keys().filter(|table| !watched.contains(table)).collect();
            }
        }
        if matches!(self.route(migration), Route::Session) {
            let mut taken = std::mem::take(&mut self.taken);
            let session = self.session().await?;
            let result = Run {
                session,
                client: &session.client,
                migration,
                manner: &manner,
                rows: &rows,
                share,
                without: &without,
                carried: &carried,
                inside: true,
            };
            let tried = result.all(&mut taken).await;
            // A server that is gone is reported by the trip that follows.
            let _ = session.client.batch_execute("rollback").await;
            self.taken = taken;
            let tried = tried?;
            if !tried.moments.stopped.as_ref().is_some_and(|(_, failure)| is_of_transaction(failure)) {
                return Ok(OnRows::Tried(Box::new(tried)));
            }
        }
        let copy = self.copy().await?;
        let session = self.open(&copy).await?;
        let result = Run {
            session: &session,
            client: &session.client,
            migration,
            manner: &manner,
            rows: &rows,
            share,
            without: &without,
            carried: &carried,
            inside: false,
        };
        let mut taken = std::mem::take(&mut self.taken);
        let tried = result.all(&mut taken).await;
        self.taken = taken;
        drop(session);
        self.scratch.drop(&copy).await?;
        tried.map(|tried| OnRows::Tried(Box::new(tried)))
    }
}

pub(super) struct Run<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) client: &'a Client,
    pub(super) migration: &'a Migration,
    pub(super) manner: &'a SessionOptions,
    pub(super) rows: &'a Rows,
    pub(super) share: &'a Share,
    /// Tables that are not looked at.
    pub(super) without: &'a [String],
    /// What the migrations before it left in the tool's session, for the first way up; see [`Process`].
    ///
    /// [`Process`]: super::process::Process
    pub(super) carried: &'a str,
    /// In one transaction that the caller rolls back; else as the tool would.
    pub(super) inside: bool,
}

impl Run<'_> {
    async fn all(&self, taken: &mut Taken) -> Result<WithRows, ProveError> {
        let mut found = self.seeded().await?;
        let client = self.client;
        found.moments.before = self.content(&self.migration.up).await?;
        found.is_whole = matches!(self.share, Share::All);
        let rows = sizes(&found.moments.before).into_iter();
        found.sizes = rows.map(|(table, rows)| (table, rows.unsigned_abs())).collect();
        if found.is_whole {
            recorder::install(client).await?;
            recorder::mark(client).await?;
            taken.take(client).await?;
        }
        if self.inside {
            self.execute(MOMENT).await?;
        }
        self.steps(&mut found, taken, &mut Vec::new()).await?;
        if self.inside {
            self.blame(&mut found.moments).await?;
        }
        Ok(found)
    }

    /// Goes up, down and up again, until a step does not run to its end; outside of a transaction the schema after each
    /// step is read too.
    pub(super) async fn steps(
        &self,
        found: &mut WithRows,
        taken: &mut Taken,
        schemas: &mut Vec<Facts>,
    ) -> Result<(), ProveError> {
        let Migration { up, .. } = self.migration;
        let moments = &mut found.moments;
        moments.updating = self.updating().await?;
        if let Err(failure) = self.script(up, self.carried).await {
            moments.stopped = Some((Step::Up, failure));
            return Ok(());
        }
        moments.up = Some(self.content(up).await?);
        self.schema(schemas).await?;
        if found.is_whole {
            found.observed = statements(&taken.take(self.client).await?);
        }
        for observed in &mut found.observed {
            observed.locks.retain(|(table, _)| !self.session.is_history_table(table));
            observed.rewrites.retain(|(table, _)| !self.session.is_history_table(table));
        }
        let Some(down) = self.migration.usable_down() else { return Ok(()) };
        if matches!(down.route(), Route::Unreadable(_)) {
            return Ok(());
        }
        if let Err(failure) = self.script(down, "").await {
            moments.stopped = Some((Step::Down, failure));
            return Ok(());
        }
        moments.down = Some(self.content(down).await?);
        let updating = self.updating().await?;
        moments.updating.retain(|table| updating.contains(table));
        self.schema(schemas).await?;
        if let Err(failure) = self.script(up, "").await {
            moments.stopped = Some((Step::Again, failure));
            return Ok(());
        }
        moments.again = Some(self.content(up).await?);
        self.schema(schemas).await
    }

    /// Returns the tables whose rows a trigger of theirs may change before they are updated.
    // Source: PostgreSQL's trigger.h: bits 1 (row), 2 (before) and 16 (update) of `tgtype`.
    async fn updating(&self) -> Result<BTreeSet<String>, ProveError> {
        let tables = "select distinct format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_trigger t \
             join pg_catalog.pg_class c on c.oid = t.tgrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 19 = 19";
        let found = self.client.query(tables, &[]).await.map_err(|e| failed("list the triggers of tables", &e))?;
        Ok(found.iter().map(|row| row.get(0)).collect())
    }

    /// Reads the schema where steps are commands: there it is not read in a trip of its own.
    async fn schema(&self, schemas: &mut Vec<Facts>) -> Result<(), ProveError> {
        if self.migration.up.step.is_some() {
            schemas.push(without_recorder(&self.session.facts().await?));
        }
        Ok(())
    }

    async fn script(&self, script: &Script, carried: &str) -> Result<(), Failure> {
        if self.inside {
            return run::as_a_transaction(self.client, script, self.session.process(carried)).await;
        }
        self.session.as_the_tool(script, carried).await.map(drop)
    }

    /// Reads what is there, as the session's own user, whatever role the script took.
    pub(super) async fn content(&self, script: &Script) -> Result<Content, DatabaseError> {
        let ask = ReadRequest { without: self.without, ..ReadRequest::columns() };
        let fresh = run::freshen(self.client, self.manner, script).await;
        fresh.map_err(|failure| {
            DatabaseError::Unexpected(format!("cannot reset the session: {}", failure.description()))
        })?;
        let mut found = match self.inside {
            true => content_in_transaction(self.client, &ask).await?,
            false => content(self.client, &ask).await?,
        };
        found.tables.retain(|table, _| !self.session.is_history_table(table));
        found.invalid.retain(|kept| !self.session.is_history_table(&kept.table));
        Ok(found)
    }

    /// Makes rows: the user's, the generator's, and those that the script's conditions ask for.
    pub(super) async fn seeded(&self) -> Result<WithRows, ProveError> {
        let mut found = WithRows::default();
        self.execute("begin").await?;
        if let Some(seed) = &self.rows.seed {
            self.execute(MOMENT).await?;
            if let Err(error) = self.client.batch_execute(seed).await {
                found.seed_refused = Some(error_text(&error));
                self.execute(BACK_TO_MOMENT).await?;
            }
            self.execute("reset session authorization; reset role; reset all; release savepoint stagegate_moment")
                .await?;
        }
        let filled = fill_in_transaction(self.client, &self.plan().await?).await?;
        (found.unfilled, found.filled) = (filled.unfilled, filled.rows.into_keys().collect());
        let (requested, rows) = (comparands(&self.migration.up), self.rows.plan.rows.max(1));
        for (nth, one) in requested.iter().enumerate() {
            self.request_row(nth % rows, &[one]).await?;
        }
        // What one statement compares has to meet in one row; the last rows are taken for it.
        for (nth, together) in comparand_rows(&requested).into_iter().enumerate() {
            self.request_row(rows - 1 - nth % rows, &together).await?;
        }
        if self.inside {
            // The rows are there as committed ones would be: neither the generator's nor the seed file's `SET CONSTRAINTS`
            // may reach the migration.
            deferred::check(self.client).await.map_err(|e| failed("check the generated rows", &e))?;
        } else {
            self.execute("commit").await?;
        }
        Ok(found)
    }

    /// Returns what is to be filled: not the tables in which the tool records what it applied.
    async fn plan(&self) -> Result<Plan, ProveError> {
        let mut plan = self.rows.plan.clone();
        if self.session.has_history_tables() {
            let tables = "select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c \
                 join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p') and c.oid >= 16384";
            let found = self.client.query(tables, &[]).await.map_err(|e| failed("list tables", &e))?;
            let names = found.iter().map(|row| row.get::<_, String>(0));
            plan.leave_out.extend(names.filter(|table| self.session.is_history_table(table)));
        }
        Ok(plan)
    }

    /// Gives the row at a place of each table that is meant the values; where the table refuses them, nothing.
    async fn request_row(&self, place: usize, requested: &[&Comparand]) -> Result<(), ProveError> {
        let mut set: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for one in requested {
            for (table, column) in self.compared(one).await? {
                set.entry(table).or_default().push(format!("{column} = {}", one.value));
            }
        }
        // Each value has had a row of its own before.
        for (table, values) in set.into_iter().filter(|(_, values)| requested.len() == 1 || values.len() > 1) {
            let sql = format!(
                "update {table} set {} where (tableoid, ctid) = \
                 (select tableoid, ctid from {table} order by tableoid, ctid offset {place} limit 1)",
                values.join(", ")
            );
            self.execute(MOMENT).await?;
            if self.client.batch_execute(&sql).await.is_err() {
                self.execute(BACK_TO_MOMENT).await?;
            }
            self.execute("release savepoint stagegate_moment").await?;
        }
        Ok(())
    }

    /// Returns the tables that the statement names and that have the column, each with the column as SQL.
    async fn compared(&self, requested: &Comparand) -> Result<Vec<(String, String)>, ProveError> {
        let tables = "select format('%I.%I', n.nspname, c.relname), format('%I', a.attname) \
             from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where c.oid >= 16384 and c.relkind in ('r', 'p') and a.attnum > 0 and a.attname = $1 and c.relname::text = any($2)";
        let rows = self.client.query(tables, &[&requested.column, &requested.names]).await;
        let rows = rows.map_err(|e| failed("find the tables that a statement compares", &e))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Runs the way up once more, statement by statement, and notes the first that changes a table's rows.
    async fn blame(&self, moments: &mut RowStates) -> Result<(), ProveError> {
        let Some(up) = &moments.up else { return Ok(()) };
        let tables = moments.changed(up);
        let script = &self.migration.up;
        if tables.is_empty() || script.statements.len() < 2 {
            return Ok(());
        }
        self.execute(BACK_TO_MOMENT).await?;
        self.execute(self.carried).await?;
        for nth in 0..script.statements.len() {
            if run::nth(self.client, script, nth, self.manner).await.is_err() {
                return Ok(());
            }
            let open: Vec<String> =
                tables.iter().filter(|table| !moments.blamed.contains_key(*table)).cloned().collect();
            if open.is_empty() {
                return Ok(());
            }
            let now = content_in_transaction(self.client, &ReadRequest { only: Some(&open), ..ReadRequest::columns() })
                .await?;
            for table in moments.changed(&now).into_iter().filter(|table| open.contains(table)) {
                moments.blamed.insert(table, nth);
            }
        }
        Ok(())
    }

    async fn execute(&self, sql: &str) -> Result<(), ProveError> {
        Ok(self.client.batch_execute(sql).await.map_err(|e| failed("generate rows", &e))?)
    }
}
