//! A fresh database in the place of another one: made with the locale of a third, put in place in one transaction.

use std::time::Duration;

use stagegate_base::{locale::Locale, mark::Mark};

use super::{
    DatabaseError, Server,
    carried::{carry_over, fresh_clauses},
    failed, identifier,
    marked::{comment_on, create_marked, keeps},
    swap::has,
};

/// How often the switch is tried: sessions that come back at once can hold it up.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(200);
/// Ends who is in a database; those of the switch itself are in another one.
const END: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
                   where datname::text = any($1) and pid <> pg_backend_pid()";

impl Server {
    /// Makes an empty database with a locale, and with the owner, rights and settings of `like`.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn create_with(&self, fresh: &Mark, locale: &Locale, like: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[like]).await?;
        let clauses = fresh_clauses(&client, locale, Some(like)).await?;
        create_marked(&client, fresh, &clauses, &format!("create database `{}`", fresh.name)).await?;
        carry_over(&client, like, &fresh.name).await
    }

    /// Puts the database of `good` in the place of `database`, which stays as that of `aside`, in one transaction: a
    /// process that dies at any moment leaves both names as they were, or both switched, and no database closed.
    ///
    /// # Errors
    /// [`DatabaseError`]; both names are unchanged then.
    // Source: PostgreSQL, dbcommands.c, RenameDatabase: it locks out new sessions, and waits 5 s for those that are there.
    pub async fn replace(
        &self,
        database: &str,
        good: &Mark,
        aside: &Mark,
        comment: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database, &good.name, &aside.name]).await?;
        if has(&client, &aside.name).await? {
            return Err(DatabaseError::Unexpected(format!("database `{}` exists already", aside.name)));
        }
        if !keeps(&client, good).await? {
            let text = format!("database `{}` does not carry the mark that the gate gave it", good.name);
            return Err(DatabaseError::Unexpected(text));
        }
        let [name, good_name, aside_name] = [database, &good.name, &aside.name].map(identifier);
        let comments = [comment_on(&aside.name, aside.comment().as_deref()), comment_on(database, comment)].join("; ");
        let sql = format!(
            "begin; alter database {name} rename to {aside_name}; alter database {good_name} rename to {name}; \
             {comments}; commit"
        );
        let mut tries = 1;
        loop {
            let Err(error) = self.while_sessions_end(&client, &sql, &[database, &good.name]).await? else {
                return Ok(());
            };
            let _ = client.batch_execute("rollback").await;
            if tries == TRIES {
                return Err(failed(&format!("switch database `{database}` by name"), &error));
            }
            tries += 1;
        }
    }

    /// Runs `sql` while a second session ends all that is in `databases`.
    async fn while_sessions_end(
        &self,
        client: &tokio_postgres::Client,
        sql: &str,
        databases: &[&str],
    ) -> Result<Result<(), tokio_postgres::Error>, DatabaseError> {
        let ending = self.connect_outside(databases).await?;
        let switched = client.batch_execute(sql);
        tokio::pin!(switched);
        loop {
            ending.query_one(END, &[&databases]).await.map_err(|e| failed("end sessions", &e))?;
            tokio::select! {
                switched = &mut switched => return Ok(switched),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}
