//! The database that is filled: its schema before the rows, and all that is built on them.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::try_join_all;
use stagegate_base::command::postgres::{self as command, Part};
use stagegate_data_decide::sync::{Post, SequenceFound, quoted};
use stagegate_host::{
    database::{DATA_FACTS_SETTINGS, DatabaseError, Server, error_text, failed},
    files,
    process::Runner,
};
use tokio_postgres::Client;

use super::source::SequenceState;

/// Memory for each of the index builds: containers are small, and two of them run at a time.
const BUILD_SETTINGS: &str = "set maintenance_work_mem = '128MB'; set max_parallel_maintenance_workers = 0; \
     set synchronous_commit = off; set jit = off; set row_security = off; set default_transaction_read_only = off";
/// The logins of the source to other servers, as statements that remove them.
const USER_MAPPINGS: &str = "
    select format('drop user mapping for %s server %I', case when umuser = 0 then 'public' else quote_ident(usename) end, srvname)
    from pg_catalog.pg_user_mappings";

/// Removes the user mappings of a sanitised copy: they hold passwords, and foreign tables would read and write where the source's do.
pub(super) async fn drop_user_mappings(client: &Client) -> Result<(), DatabaseError> {
    let what = "remove user mappings";
    client.batch_execute("set default_transaction_read_only = off").await.map_err(|e| failed(what, &e))?;
    for row in client.query(USER_MAPPINGS, &[]).await.map_err(|e| failed(what, &e))? {
        client.batch_execute(row.get(0)).await.map_err(|e| failed(what, &e))?;
    }
    Ok(())
}

/// The dump of a part, as a file of the run.
#[derive(Clone)]
pub(super) struct Schema<'a> {
    pub(super) runner: &'a Runner,
    pub(super) path: PathBuf,
    pub(super) within: Duration,
}

impl Schema<'_> {
    /// Writes a part of the snapshot to the file.
    pub(super) async fn dump(
        &self,
        server: &Server,
        database: &str,
        snapshot: &str,
        part: Part,
    ) -> Result<(), DatabaseError> {
        let name = || format!("dump the schema of database `{database}`");
        let file = files::private_file(&self.path).map_err(|source| DatabaseError::File { what: name(), source })?;
        let dump = command::dump_part(server.inside(), database, snapshot, part);
        let dumped = self.runner.run_to_file(&dump, self.within, file).await;
        dumped.map_err(|source| DatabaseError::Program { what: name(), source })
    }

    /// Restores what comes before the rows into `database`; of large objects all.
    pub(super) async fn restore(&self, server: &Server, database: &str, part: Part) -> Result<(), DatabaseError> {
        let what = || format!("restore {} into database `{database}`", self.path.display());
        let file = open(&self.path, what())?;
        let restore = match part {
            Part::LargeObjects => command::restore(server.inside(), database),
            _ => command::restore_section(server.inside(), database, "pre-data"),
        };
        let restored = self.runner.run_from_file(&restore, self.within, file).await;
        restored.map_err(|source| DatabaseError::Program { what: what(), source })
    }

    /// Reads the section that comes after the rows.
    pub(super) async fn post(&self, server: &Server) -> Result<Post, DatabaseError> {
        let what = || "read the schema's part that comes after the rows".to_owned();
        let path = self.path.with_extension("sql");
        let file_error = |source| DatabaseError::File { what: what(), source };
        let (from, to) = (open(&self.path, what())?, files::private_file(&path).map_err(file_error)?);
        let script = command::script_of_section(server.inside(), "post-data");
        let written = self.runner.run_between(&script, self.within, from, to).await;
        written.map_err(|source| DatabaseError::Program { what: what(), source })?;
        Ok(Post::read(&std::fs::read_to_string(&path).map_err(file_error)?))
    }
}

fn open(path: &Path, what: String) -> Result<File, DatabaseError> {
    File::open(path).map_err(|source| DatabaseError::File { what, source })
}

/// Builds what comes after the rows, in `workers` sessions.
pub(super) struct Build<'a> {
    pub(super) server: &'a Server,
    pub(super) database: &'a str,
    pub(super) post: &'a Post,
    pub(super) workers: usize,
}

impl Build<'_> {
    /// Builds indexes and keys side by side, then the rest in order; foreign keys are not validated yet.
    pub(super) async fn build(&self, family: impl Fn(&str) -> String) -> Result<(), DatabaseError> {
        let groups = self.post.side_by_side(family);
        let (next, later) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let work = async || -> Result<(), DatabaseError> {
            let client = self.session().await?;
            while let Some(places) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                for place in places {
                    let Err(error) = client.batch_execute(&self.post.statements[*place].sql).await else { continue };
                    // On a view or by a function that only comes later in the script.
                    let is_early = error.code().is_some_and(|code| code.code().starts_with("42"));
                    match later.lock() {
                        Ok(mut later) if is_early => later.push(*place),
                        _ => return Err(self.failed(*place, &error)),
                    }
                }
            }
            Ok(())
        };
        try_join_all((0..self.workers).map(|_| work())).await?;
        let mut places = self.post.in_order();
        places.extend(later.into_inner().unwrap_or_default());
        places.sort_unstable();
        let client = self.session().await?;
        self.run(&client, &places).await
    }

    /// Validates the foreign keys and returns how many there are.
    pub(super) async fn validate(&self) -> Result<usize, DatabaseError> {
        let groups = self.post.validations();
        let next = AtomicUsize::new(0);
        let work = async || -> Result<(), DatabaseError> {
            let client = self.session().await?;
            while let Some(statements) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                for sql in statements {
                    client.batch_execute(sql).await.map_err(|e| failed(&first_line(sql), &e))?;
                }
            }
            Ok(())
        };
        try_join_all((0..self.workers).map(|_| work())).await?;
        Ok(groups.iter().map(Vec::len).sum())
    }

    /// Runs what lets user code run at every statement.
    pub(super) async fn finish(&self) -> Result<(), DatabaseError> {
        let client = self.session().await?;
        self.run(&client, &self.post.last()).await
    }

    async fn run(&self, client: &Client, places: &[usize]) -> Result<(), DatabaseError> {
        for place in places {
            let run = client.batch_execute(&self.post.statements[*place].sql).await;
            run.map_err(|error| self.failed(*place, &error))?;
        }
        Ok(())
    }

    fn failed(&self, place: usize, error: &tokio_postgres::Error) -> DatabaseError {
        failed(&first_line(&self.post.statements[place].sql), error)
    }

    async fn session(&self) -> Result<Client, DatabaseError> {
        let client = self.server.connect(self.database).await?;
        let settings = format!("{}{BUILD_SETTINGS}", self.post.settings);
        client.batch_execute(&settings).await.map_err(|e| failed("fix the settings of a session", &e))?;
        Ok(client)
    }
}

fn first_line(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let text = words.join(" ");
    text.chars().take(120).collect()
}

/// Fills materialized views, those first that others are made of.
pub(super) async fn refresh(client: &Client, views: &[String]) -> Result<(), DatabaseError> {
    let mut left: Vec<&String> = views.iter().collect();
    loop {
        let mut waiting = Vec::new();
        let mut reason = String::new();
        for view in &left {
            if let Err(error) = client.batch_execute(&format!("refresh materialized view {view}")).await {
                reason = error_text(&error);
                waiting.push(*view);
            }
        }
        if waiting.is_empty() {
            return Ok(());
        }
        if waiting.len() == left.len() {
            let what = format!("refresh materialized view {}", waiting[0]);
            return Err(DatabaseError::Statement { what, reason });
        }
        left = waiting;
    }
}

/// Returns each table that is part of a family (partitions, children) with the family's name, as SQL writes tables.
pub(super) async fn families(client: &Client) -> Result<Vec<(String, String)>, DatabaseError> {
    let sql = "with recursive up(child, top) as ( \
                   select inhrelid, inhparent from pg_inherits \
                   union select up.child, i.inhparent from up join pg_inherits i on i.inhrelid = up.top) \
               select format('%I.%I', n.nspname, c.relname), min(top)::text from up \
               join pg_class c on c.oid = up.child join pg_namespace n on n.oid = c.relnamespace \
               where not exists (select from pg_inherits i where i.inhrelid = up.top) group by 1 \
               union all \
               select distinct format('%I.%I', n.nspname, c.relname), c.oid::text from pg_inherits i \
               join pg_class c on c.oid = i.inhparent join pg_namespace n on n.oid = c.relnamespace \
               where not exists (select from pg_inherits o where o.inhrelid = c.oid)";
    client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let rows = client.query(sql, &[]).await.map_err(|e| failed("list partitions", &e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Sets the sequences as they are in the source and returns how many there are.
pub(super) async fn set_sequences(client: &Client, all: &[SequenceState]) -> Result<usize, DatabaseError> {
    for (schema, name, last, is_called) in all {
        let sequence = format!("{}.{}", quoted(schema), quoted(name));
        let sql = "select setval($1::text::regclass, $2, $3)";
        let set = client.query_one(sql, &[&sequence, last, is_called]).await;
        set.map_err(|e| failed(&format!("set sequence {schema}.{name}"), &e))?;
    }
    Ok(all.len())
}

/// Returns the sequences that would give a number that their column has already.
pub(super) async fn behind(client: &Client) -> Result<Vec<SequenceFound>, DatabaseError> {
    let sql = "select format('%I.%I', sn.nspname, s.relname), format('%I.%I.%I', n.nspname, c.relname, a.attname), \
                      format('select (select max(%I)::int8 from %I.%I), last_value::int8 from %I.%I', \
                             a.attname, n.nspname, c.relname, sn.nspname, s.relname) \
               from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' \
               join pg_namespace sn on sn.oid = s.relnamespace \
               join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p') \
               join pg_namespace n on n.oid = c.relnamespace \
               join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid \
               join pg_sequence q on q.seqrelid = s.oid and q.seqincrement > 0 and not q.seqcycle \
               where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') \
                     and a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)";
    let mut found = Vec::new();
    for row in client.query(sql, &[]).await.map_err(|e| failed("list sequences", &e))? {
        let (sequence, column, sql): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let row = client.query_one(&sql, &[]).await.map_err(|e| failed(&format!("read sequence {sequence}"), &e))?;
        let (greatest, last): (Option<i64>, i64) = (row.get(0), row.get(1));
        if let Some(greatest) = greatest.filter(|greatest| *greatest > last) {
            found.push(SequenceFound { sequence, column, last, greatest });
        }
    }
    Ok(found)
}
