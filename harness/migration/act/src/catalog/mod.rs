//! Reads a database's schema into facts: in one snapshot, by the server's own deparsers, a query a catalog family.
//!
//! What belongs to an extension is reported by the extension. User objects that no query reports are counted.

mod assemble;
mod probe;

use assemble::Line;
use futures_util::{StreamExt, TryStreamExt, future::try_join_all};
use stagegate_migration_decide::schema::Facts;
use tokio_postgres::{Client, Row, SimpleQueryMessage, Statement, types::ToSql};

use stagegate_host::database::{DatabaseError, Server, failed, literal};

/// The families. Each query gives: class, object, part, kind, name parts, rest of the name, class, object and part of
/// what it is a part of, payload. Without a kind the row states that the object is reported by that other one; without a
/// name its name is that other one's address.
const FAMILIES: &[(&str, &str)] = &[
    ("the database and its schemas", include_str!("database.sql")),
    ("relations", include_str!("relations.sql")),
    ("columns", include_str!("columns.sql")),
    ("constraints and indexes", include_str!("constraints.sql")),
    ("routines", include_str!("routines.sql")),
    ("triggers, rules and policies", include_str!("rules.sql")),
    ("types", include_str!("types.sql")),
    ("operators", include_str!("operators.sql")),
    ("foreign data, publications and text search", include_str!("others.sql")),
    ("owners and comments", include_str!("attached.sql")),
    ("privileges", include_str!("privileges.sql")),
];

/// The family that a second session reads, where there is one: no other one is as much work for the server.
const BESIDE: &str = "constraints and indexes";

/// What a deparsed text depends on. A catalog query is short, so that to compile it costs more than it saves.
const SETTINGS: &str = "set local search_path = ''; set local quote_all_identifiers = off; set local timezone = 'UTC'; \
     set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; set local bytea_output = 'hex'; \
     set local extra_float_digits = 1; set local jit = off";

/// Begins what sees one moment of the database and changes nothing.
const SNAPSHOT: &str = "begin transaction isolation level repeatable read read only";

/// The server's version, and whether the role may read how subscriptions connect: superusers may, others need a grant.
const SERVER: &str = "select current_setting('server_version_num')::int, \
     has_column_privilege('pg_catalog.pg_subscription', 'subconninfo', 'select')";

/// What belongs to an extension, and the functions that a range type brings, each with whether it is an extension's:
/// `pg_dump` writes neither, and of the latter not even who may call them.
const MEMBERS: &str = "select classid, objid, deptype = 'e' from pg_depend \
     where deptype = 'e' or (deptype = 'i' and classid = 'pg_proc'::regclass)";

/// The catalog queries, prepared in one session: to read again costs no parsing and no planning then.
pub struct Catalog {
    version: i32,
    catalogs: Vec<Row>,
    families: Vec<Family>,
    members: Statement,
    objects: Statement,
}

/// What a query reads, and the query.
type Family = (&'static str, Statement);

impl Catalog {
    /// Prepares the queries in the session of `client`.
    ///
    /// # Errors
    /// [`DatabaseError`] with the family that cannot be read.
    pub async fn prepare(client: &Client) -> Result<Self, DatabaseError> {
        Self::prepare_of(client, |_| true).await
    }

    async fn prepare_of(client: &Client, wanted: impl Fn(&str) -> bool) -> Result<Self, DatabaseError> {
        let query = async |what: &str, sql: &str| -> Result<Vec<Row>, DatabaseError> {
            client.query(sql, &[]).await.map_err(|e| failed(&format!("read {what}"), &e))
        };
        let server = query("the server's version", SERVER).await?;
        let (version, subscriptions) = server.first().map_or((0, false), |row| (row.get(0), row.get(1)));
        let catalogs = query("the list of catalogs", probe::CATALOGS).await?;
        let everything = probe::query(&catalogs);
        let (families, members, objects) = futures_util::try_join!(
            families(client, wanted, subscriptions),
            prepared(client, "the members of extensions", MEMBERS),
            prepared(client, "the user's objects", &everything),
        )?;
        Ok(Catalog { version, catalogs, families, members, objects })
    }

    /// Returns whether the queries are still prepared in the session of `client`, the one that prepared: a script may have
    /// removed them.
    ///
    /// # Errors
    /// [`DatabaseError`] where the session does not say.
    pub(super) async fn is_prepared(&self, client: &Client) -> Result<bool, DatabaseError> {
        // Sent as it is, so that it needs no prepared statement.
        let own = "select count(*) from pg_catalog.pg_prepared_statements where not from_sql";
        let messages = client.simple_query(own).await.map_err(|e| failed("count the prepared statements", &e))?;
        let count = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse::<usize>().ok(),
            _ => None,
        });
        // All of them go at once: by name nobody else knows them.
        Ok(count.is_some_and(|count| count >= self.families.len() + 2))
    }

    /// Reads the schema as the transaction sees it that `client` is in, and leaves its settings as they were.
    ///
    /// `client` is the one that prepared.
    ///
    /// # Errors
    /// [`DatabaseError`] with the family that cannot be read.
    pub async fn read_in_transaction(&self, client: &Client) -> Result<Facts, DatabaseError> {
        let begin = format!("savepoint stagegate_schema; {SETTINGS}");
        client.batch_execute(&begin).await.map_err(|e| failed("set a savepoint", &e))?;
        let facts = self.read(client).await;
        let back = "rollback to savepoint stagegate_schema; release savepoint stagegate_schema";
        client.batch_execute(back).await.map_err(|e| failed("roll back to a savepoint", &e))?;
        facts
    }

    /// Reads the schema in a snapshot of its own.
    ///
    /// # Errors
    /// [`DatabaseError`] with the family that cannot be read.
    pub async fn read_in_snapshot(&self, client: &Client) -> Result<Facts, DatabaseError> {
        client.batch_execute(&format!("{SNAPSHOT}; {SETTINGS}")).await.map_err(|e| failed("begin a snapshot", &e))?;
        let facts = self.read(client).await;
        client.batch_execute("rollback").await.map_err(|e| failed("end a snapshot", &e))?;
        facts
    }

    async fn read(&self, client: &Client) -> Result<Facts, DatabaseError> {
        self.read_with(client, async { Ok(Vec::new()) }).await
    }

    /// Reads what was prepared, while `beside` gives the lines of the other families.
    async fn read_with(
        &self,
        client: &Client,
        beside: impl Future<Output = Result<Vec<Line>, DatabaseError>>,
    ) -> Result<Facts, DatabaseError> {
        let query = async |what: &str, statement: &Statement| -> Result<Vec<Row>, DatabaseError> {
            client.query(statement, &[]).await.map_err(|e| failed(&format!("read {what}"), &e))
        };
        let (mut all, beside, members, objects) = futures_util::try_join!(
            lines(client, &self.families),
            beside,
            query("the members of extensions", &self.members),
            query("the user's objects", &self.objects),
        )?;
        all.extend(beside);
        assemble::facts(self.version, all, &members, &self.catalogs, &objects)
    }
}

async fn prepared(client: &Client, what: &str, sql: &str) -> Result<Statement, DatabaseError> {
    client.prepare(sql).await.map_err(|e| failed(&format!("read {what}"), &e))
}

/// Prepares the families that are `wanted`; without connection and transfer options of `subscriptions` where the role may
/// not read them.
async fn families(
    client: &Client,
    wanted: impl Fn(&str) -> bool,
    subscriptions: bool,
) -> Result<Vec<Family>, DatabaseError> {
    let one = async |(what, sql): &(&'static str, &str)| {
        // A whole row is refused too: with what not every version has, the connection would be asked for.
        let without = || sql.replace("s.subconninfo", "null::text").replace("to_jsonb(s)", "null::jsonb");
        let sql = if subscriptions { (*sql).to_owned() } else { without() };
        Ok((*what, prepared(client, what, &sql).await?))
    };
    try_join_all(FAMILIES.iter().filter(|(what, _)| wanted(what)).map(one)).await
}

/// Reads families: sent one after the other without waiting, so that the server is never idle in between. A row goes as
/// soon as its line is made: the rows of all families together take more memory than the facts.
async fn lines(client: &Client, families: &[Family]) -> Result<Vec<Line>, DatabaseError> {
    let one = async |(what, statement): &Family| -> Result<Vec<Line>, DatabaseError> {
        let refused = |e| failed(&format!("read {what}"), &e);
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = client.query_raw(statement, none).await.map_err(refused)?;
        rows.map(|row| assemble::line(&row.map_err(refused)?)).try_collect().await
    };
    Ok(try_join_all(families.iter().map(one)).await?.into_iter().flatten().collect())
}

/// Reads the schema of the database that both are connected with, in one snapshot that they share, so that the server
/// works on two queries at a time.
///
/// # Errors
/// [`DatabaseError`] with the family that cannot be read.
pub async fn schema_by_two(first: &Client, second: &Client) -> Result<Facts, DatabaseError> {
    let (catalog, alongside) = futures_util::try_join!(
        Catalog::prepare_of(first, |what| what != BESIDE),
        families(second, |what| what == BESIDE, true)
    )?;
    first.batch_execute(&format!("{SNAPSHOT}; {SETTINGS}")).await.map_err(|e| failed("begin a snapshot", &e))?;
    let snapshot = first.query_one("select pg_export_snapshot()", &[]).await;
    let snapshot: String = snapshot.map_err(|e| failed("share a snapshot", &e))?.get(0);
    let share = format!("{SNAPSHOT}; set transaction snapshot {}; {SETTINGS}", literal(&snapshot));
    second.batch_execute(&share).await.map_err(|e| failed("share a snapshot", &e))?;
    let facts = catalog.read_with(first, lines(second, &alongside)).await;
    let (one, two) = futures_util::join!(first.batch_execute("rollback"), second.batch_execute("rollback"));
    one.and(two).map_err(|e| failed("end a snapshot", &e))?;
    facts
}

/// Reads the schema of the database of `client`, in a snapshot of its own.
///
/// # Errors
/// [`DatabaseError`] with the family that cannot be read.
pub async fn schema(client: &Client) -> Result<Facts, DatabaseError> {
    Catalog::prepare(client).await?.read_in_snapshot(client).await
}

/// Reads the schema as the transaction sees it that `client` is in, and leaves the transaction's settings as they were.
///
/// # Errors
/// [`DatabaseError`] with the family that cannot be read.
pub async fn schema_in_transaction(client: &Client) -> Result<Facts, DatabaseError> {
    Catalog::prepare(client).await?.read_in_transaction(client).await
}

/// Reads the schema of `database`, with a second session where the server has room for one.
///
/// # Errors
/// [`DatabaseError`] where there is no session, or with the family that cannot be read; [`DatabaseError::Locked`] where
/// somebody's lock holds it up.
pub async fn schema_of(server: &Server, database: &str) -> Result<Facts, DatabaseError> {
    let read = match futures_util::join!(server.connect_to_read(database), server.connect_to_read(database)) {
        (Ok(first), Ok(second)) => schema_by_two(&first, &second).await,
        (first, second) => schema(&first.or(second)?).await,
    };
    match read {
        Err(error) => Err(server.with_lock_holders(database, error).await),
        found => found,
    }
}
