//! Reads a database's schema into facts: in one snapshot, by the server's own deparsers, a query a catalog family.
//!
//! What belongs to an extension is told by the extension. User objects that no query tells of are counted.

mod assemble;
mod probe;

use futures_util::future::try_join_all;
use stagegate_decide::schema::Facts;
use tokio_postgres::{Client, Row};

use super::{DatabaseError, Server, failed};

/// The families. Each query gives: class, object, part, kind, name parts, rest of the name, class, object and part of
/// what it is a part of, payload. Without a kind the row says that the object is told by that other one; without a
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

/// What a deparsed text depends on. A catalog query is short, so that to compile it costs more than it saves.
const SETTINGS: &str = "set local search_path = ''; set local quote_all_identifiers = off; set local timezone = 'UTC'; \
     set local datestyle = 'ISO, YMD'; set local intervalstyle = 'iso_8601'; set local bytea_output = 'hex'; \
     set local extra_float_digits = 1; set local jit = off";

/// What belongs to an extension.
const MEMBERS: &str = "select classid, objid from pg_depend where deptype = 'e'";

/// Reads the schema of the database of `client`, in a snapshot of its own.
///
/// # Errors
/// [`DatabaseError`] with the family that cannot be read.
pub async fn schema(client: &Client) -> Result<Facts, DatabaseError> {
    let begin = "begin transaction isolation level repeatable read read only";
    client.batch_execute(begin).await.map_err(|e| failed("begin a snapshot", &e))?;
    let facts = read(client).await;
    client.batch_execute("rollback").await.map_err(|e| failed("end a snapshot", &e))?;
    facts
}

/// Reads the schema as the transaction sees it that `client` is in, and leaves the transaction's settings as they were.
///
/// # Errors
/// [`DatabaseError`] with the family that cannot be read.
pub async fn schema_in_transaction(client: &Client) -> Result<Facts, DatabaseError> {
    client.batch_execute("savepoint stagegate_schema").await.map_err(|e| failed("set a savepoint", &e))?;
    let facts = read(client).await;
    let back = "rollback to savepoint stagegate_schema; release savepoint stagegate_schema";
    client.batch_execute(back).await.map_err(|e| failed("go back to a savepoint", &e))?;
    facts
}

async fn read(client: &Client) -> Result<Facts, DatabaseError> {
    client.batch_execute(SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let query = async |what: &str, sql: &str| -> Result<Vec<Row>, DatabaseError> {
        client.query(sql, &[]).await.map_err(|e| failed(&format!("read {what}"), &e))
    };
    let version = query("the server's version", "select current_setting('server_version_num')::int").await?;
    let version: i32 = version.first().map_or(0, |row| row.get(0));
    let catalogs = query("the list of catalogs", probe::CATALOGS).await?;
    let everything = probe::query(&catalogs);
    // Sent one after the other without waiting: the server is never idle in between.
    let (families, members, objects) = futures_util::try_join!(
        try_join_all(FAMILIES.iter().map(|(what, sql)| query(what, sql))),
        query("the members of extensions", MEMBERS),
        query("the user's objects", &everything),
    )?;
    assemble::facts(version, &families, &members, &catalogs, &objects)
}

impl Server {
    /// Reads the schema of `database`.
    ///
    /// # Errors
    /// [`DatabaseError`] where there is no session, or with the family that cannot be read.
    pub async fn schema(&self, database: &str) -> Result<Facts, DatabaseError> {
        schema(&self.connect(database).await?).await
    }
}
