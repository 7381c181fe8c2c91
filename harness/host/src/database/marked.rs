//! Databases that the gate keeps on a server: marked as they are made, and dropped by their mark alone.

use std::time::Duration;

use stagegate_base::mark::{FoundDatabase, Mark, Sessions, refuses_drop};
use tokio_postgres::Client;

use super::{DatabaseError, STATEMENT_WITHIN, Server, failed, identifier, limited, literal};

/// How long dropping a database may take: the files of a large one are many, and the server writes a checkpoint before.
const DROP_WITHIN: Duration = Duration::from_secs(300);

/// What became of a database that was to be dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// It is gone, or was not there.
    Gone,
    /// It stays, for this reason.
    Stays(String),
}

impl Server {
    /// Returns the server's databases, templates left out, with their comments and who is in them.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn databases(&self) -> Result<Vec<FoundDatabase>, DatabaseError> {
        let client = self.open_session().await?;
        found(&client, None).await
    }

    /// Returns the user's own comment on a database.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn comment(&self, database: &str) -> Result<Option<String>, DatabaseError> {
        let looking = async { found(&self.open_session().await?, Some(database)).await };
        let found = limited(&format!("read the comment of database `{database}`"), STATEMENT_WITHIN, looking).await?;
        Ok(found.first().and_then(FoundDatabase::own_comment).map(str::to_owned))
    }

    /// Returns whether the database of a mark is there and carries it.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn keeps(&self, mark: &Mark) -> Result<bool, DatabaseError> {
        let looking = async { keeps(&self.connect_outside(&[&mark.name]).await?, mark).await };
        limited(&format!("look for database `{}`", mark.name), STATEMENT_WITHIN, looking).await
    }

    /// Drops the database of a mark, and is the only way to drop one. That it is gone already is fine.
    ///
    /// Name and mark are looked at in the session that drops it; none of `live`, the plan's databases, is dropped
    /// whatever it carries.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say, or refuses.
    pub async fn drop_marked(
        &self,
        mark: &Mark,
        live: &[String],
        sessions: Sessions,
    ) -> Result<Dropped, DatabaseError> {
        let what = format!("drop database `{}`", mark.name);
        limited(&what, DROP_WITHIN, self.drop_found(mark, live, sessions)).await
    }

    async fn drop_found(&self, mark: &Mark, live: &[String], sessions: Sessions) -> Result<Dropped, DatabaseError> {
        let client = self.connect_outside(&[&mark.name]).await?;
        let Some(found) = found(&client, Some(&mark.name)).await?.pop() else { return Ok(Dropped::Gone) };
        if let Some(why) = refuses_drop(mark, &found, live, sessions) {
            return Ok(Dropped::Stays(why));
        }
        // Without `force` PostgreSQL itself refuses where somebody came in meanwhile.
        let force = if sessions == Sessions::End { " with (force)" } else { "" };
        let sql = format!("drop database if exists {}{force}", identifier(&mark.name));
        client.batch_execute(&sql).await.map_err(|e| failed(&format!("drop database `{}`", mark.name), &e))?;
        Ok(Dropped::Gone)
    }

    /// Returns the id of the server's cluster, which stays as long as its files do.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn cluster(&self) -> Result<String, DatabaseError> {
        let client = self.connect_outside(&[]).await?;
        let sql = "select system_identifier::text from pg_control_system()";
        Ok(client.query_one(sql, &[]).await.map_err(|e| failed("read the cluster's id", &e))?.get(0))
    }

    /// Returns what tells this server from every other one: its cluster's id and when it was started.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn identity(&self) -> Result<String, DatabaseError> {
        let client = self.connect_outside(&[]).await?;
        let sql = "select format('%s %s', (select system_identifier from pg_control_system()), \
                          extract(epoch from pg_postmaster_start_time()))";
        Ok(client.query_one(sql, &[]).await.map_err(|e| failed("read the server's identity", &e))?.get(0))
    }
}

/// Makes the database of a mark by `clauses` of `create database`, and marks it.
///
/// # Errors
/// [`DatabaseError`]; it may be there then, without its comment. The limit of connections tells that it is ours.
pub(super) async fn create_marked(
    client: &Client,
    mark: &Mark,
    clauses: &str,
    what: &str,
) -> Result<(), DatabaseError> {
    let (name, limit) = (identifier(&mark.name), mark.limit());
    let sql = format!("create database {name} {clauses} connection limit {limit}");
    client.batch_execute(&sql).await.map_err(|e| failed(what, &e))?;
    client.batch_execute(&comment_on(&mark.name, mark.comment().as_deref())).await.map_err(|e| failed(what, &e))
}

/// Returns the statement that gives a database a comment, or takes it away.
pub(super) fn comment_on(database: &str, comment: Option<&str>) -> String {
    let text = comment.map_or_else(|| "null".to_owned(), literal);
    format!("comment on database {} is {text}", identifier(database))
}

pub(super) async fn keeps(client: &Client, mark: &Mark) -> Result<bool, DatabaseError> {
    Ok(found(client, Some(&mark.name)).await?.iter().any(|found| mark.is_of(found)))
}

async fn found(client: &Client, name: Option<&str>) -> Result<Vec<FoundDatabase>, DatabaseError> {
    let sql = "select d.datname::text, shobj_description(d.oid, 'pg_database'), d.datconnlimit, \
                      array(select format('%s of %s (pid %s)', coalesce(nullif(a.application_name, ''), 'a session'), \
                                          a.usename, a.pid) \
                            from pg_stat_activity a \
                            where a.datid = d.oid and a.backend_type = 'client backend' and a.pid <> pg_backend_pid() \
                                  and not starts_with(a.application_name, 'stagegate/')) \
               from pg_database d \
               where case when $1::text is null then not d.datistemplate else d.datname::text = $1 end order by 1";
    let rows = client.query(sql, &[&name]).await.map_err(|e| failed("list databases", &e))?;
    let one = |row: &tokio_postgres::Row| FoundDatabase {
        name: row.get(0),
        comment: row.get(1),
        limit: row.get(2),
        sessions: row.get(3),
    };
    Ok(rows.iter().map(one).collect())
}
