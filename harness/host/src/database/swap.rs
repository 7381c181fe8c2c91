//! Copies of a database on its server, and the exchange of two by their names.

use std::{path::Path, time::Duration};

use stagegate_base::{
    locale::Locale,
    mark::{Mark, Sessions},
    units::Size,
};
use tokio_postgres::Client;

use super::{
    DatabaseError, Dropped, STATEMENT_WITHIN, Server,
    carried::{carry_over, fresh_clauses},
    failed, identifier, limited,
    marked::{comment_on, create_marked, keeps},
};
use crate::process::Runner;

/// From this size on the files are copied; below, the copy goes through the write-ahead log and needs no checkpoint.
const FILE_COPY_FROM: Size = Size(64 << 20);
/// The first major that can be told how to copy.
const STRATEGY_SINCE: i32 = 150_000;
/// How often sessions are ended, each time with 5 s.
const TRIES: u32 = 3;

impl Server {
    /// Returns whether a database is there.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn has(&self, database: &str) -> Result<bool, DatabaseError> {
        let looking = async { has(&self.open_session().await?, database).await };
        limited(&format!("look for database `{database}`"), STATEMENT_WITHIN, looking).await
    }

    /// Ends all sessions of the gate's earlier runs and waits until they are gone: a killed client's statements go on.
    ///
    /// # Errors
    /// [`DatabaseError`] where one does not end.
    pub async fn end_gate_sessions(&self) -> Result<(), DatabaseError> {
        self.end_sessions("stagegate/").await
    }

    /// Ends all sessions whose application's name begins with `name`, and waits until they are gone.
    ///
    /// # Errors
    /// [`DatabaseError`] where one does not end.
    pub async fn end_sessions(&self, name: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[]).await?;
        let sql = "select coalesce(bool_and(pg_terminate_backend(pid, 5000)), true) from pg_stat_activity \
                   where starts_with(application_name, $1) and pid <> pg_backend_pid()";
        limited("end sessions", STATEMENT_WITHIN, all_ended(&client, sql, name)).await
    }

    /// Keeps everybody out of a database and ends the sessions that are in it.
    ///
    /// # Errors
    /// [`DatabaseError`] where a session does not end within 5 s.
    pub async fn shut(&self, database: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database]).await?;
        let what = format!("refuse sessions in database `{database}`");
        limited(&what, STATEMENT_WITHIN, shut(&client, database)).await
    }

    /// Lets sessions into a database again.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn open(&self, database: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database]).await?;
        let sql = format!("alter database {} allow_connections true", identifier(database));
        let what = format!("allow sessions in database `{database}`");
        let opening = async { client.batch_execute(&sql).await.map_err(|e| failed(&what, &e)) };
        limited(&what, STATEMENT_WITHIN, opening).await
    }

    /// Copies `database` to that of `copy`, its owner, rights and settings included. Nobody may be in `database`.
    ///
    /// # Errors
    /// [`DatabaseError`]; a part of the copy may be there then, under its name.
    pub async fn copy(&self, database: &str, copy: &Mark) -> Result<(), DatabaseError> {
        self.copy_like(database, copy, database).await
    }

    /// Copies `database` to that of `copy`, with the owner, rights and settings of `like`. Nobody may be in `database`.
    ///
    /// # Errors
    /// [`DatabaseError`]; a part of the copy may be there then, under its name.
    pub async fn copy_like(&self, database: &str, copy: &Mark, like: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database, &copy.name, like]).await?;
        let what = format!("copy database `{database}`");
        let sql = "select current_setting('server_version_num')::int4, pg_database_size($1)::int8";
        let row = client.query_one(sql, &[&database]).await.map_err(|e| failed(&what, &e))?;
        let (version, size): (i32, i64) = (row.get(0), row.get(1));
        let by_files = version >= STRATEGY_SINCE && u64::try_from(size).unwrap_or_default() >= FILE_COPY_FROM.0;
        let strategy = if by_files { " strategy file_copy" } else { "" };
        let clauses = format!("template {}{strategy}", identifier(database));
        create_marked(&client, copy, &clauses, &what).await?;
        carry_over(&client, like, &copy.name).await
    }

    /// Limits how many sessions of users that are no superusers the database of `mark` takes.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn limit_sessions(&self, mark: &Mark, sessions: u32) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[&mark.name]).await?;
        let sql = format!("alter database {} connection limit {sessions}", identifier(&mark.name));
        let what = format!("limit the sessions of database `{}`", mark.name);
        client.batch_execute(&sql).await.map_err(|e| failed(&what, &e))
    }

    /// Returns how a database sorts and encodes.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn locale(&self, database: &str) -> Result<Locale, DatabaseError> {
        let client = self.open_session().await?;
        // The column with the provider's locale has another name before 17, so it is read through JSON.
        let sql = "select pg_encoding_to_char(encoding)::text, datcollate::text, datctype::text, \
                   coalesce(to_jsonb(d)->>'datlocprovider', 'c'), \
                   coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'), to_jsonb(d)->>'daticurules' \
                   from pg_database d where datname::text = $1";
        let what = format!("read the locale of database `{database}`");
        let row = client.query_one(sql, &[&database]).await.map_err(|e| failed(&what, &e))?;
        let [encoding, collate, ctype, provider] = [0, 1, 2, 3].map(|column| row.get::<_, String>(column));
        Ok(Locale { encoding, collate, ctype, provider, provider_locale: row.get(4), rules: row.get(5) })
    }

    /// Makes an empty database.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn create_fresh(&self, fresh: &str, locale: &Locale) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[fresh]).await?;
        let sql = format!("create database {} {}", identifier(fresh), fresh_clauses(&client, locale, None).await?);
        client.batch_execute(&sql).await.map_err(|e| failed(&format!("create database `{fresh}`"), &e))
    }

    /// Makes an empty database with the locale, owner, rights and settings of `like`.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn create_like(&self, fresh: &Mark, like: &str) -> Result<(), DatabaseError> {
        let locale = self.locale(like).await?;
        let client = self.connect_outside(&[&fresh.name, like]).await?;
        let clauses = fresh_clauses(&client, &locale, Some(like)).await?;
        create_marked(&client, fresh, &clauses, &format!("create database `{}`", fresh.name)).await?;
        carry_over(&client, like, &fresh.name).await
    }

    /// Makes an empty marked database with a locale: there is no database of its kind to take rights and settings from.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn create_marked(&self, fresh: &Mark, locale: &Locale) -> Result<(), DatabaseError> {
        let what = format!("create database `{}`", fresh.name);
        let client = self.connect_outside(&[&fresh.name]).await?;
        let clauses = fresh_clauses(&client, locale, None).await?;
        create_marked(&client, fresh, &clauses, &what).await?;
        let sql = format!("alter database {} connection limit -1", identifier(&fresh.name));
        client.batch_execute(&sql).await.map_err(|e| failed(&what, &e))
    }

    /// Gives the database of `good` the name `database`, which nobody has, and takes its mark away, in one transaction.
    ///
    /// # Errors
    /// [`DatabaseError`]; name and mark are unchanged then.
    pub async fn put_in_place(&self, good: &Mark, database: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[&good.name, database]).await?;
        let renamed = if good.name == database {
            String::new()
        } else {
            format!("alter database {} rename to {}; ", identifier(&good.name), identifier(database))
        };
        let sql = format!("begin; {renamed}{}; commit", comment_on(database, None));
        client.batch_execute(&sql).await.map_err(|e| failed(&format!("put database `{database}` in place"), &e))
    }

    /// Returns the names of the server's roles, its own ones left out.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn roles(&self) -> Result<Vec<String>, DatabaseError> {
        let client = self.open_session().await?;
        let sql = "select rolname::text from pg_roles where rolname !~ '^pg_' order by 1";
        let rows = client.query(sql, &[]).await.map_err(|e| failed("list roles", &e))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Returns those of its roles that are superusers.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn superusers(&self) -> Result<Vec<String>, DatabaseError> {
        let client = self.open_session().await?;
        let sql = "select rolname::text from pg_roles where rolsuper order by 1";
        let rows = client.query(sql, &[]).await.map_err(|e| failed("list superusers", &e))?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Makes roles that may not log in, where they are not there yet; those of `superusers` may do everything else: only they may own
    /// an event trigger or a foreign-data wrapper.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn make_roles(&self, roles: &[String], superusers: &[String]) -> Result<(), DatabaseError> {
        let there = self.roles().await?;
        let client = self.connect_outside(&[]).await?;
        for role in roles.iter().filter(|role| !there.contains(role)) {
            let may = if superusers.contains(role) { " superuser" } else { "" };
            let sql = format!("create role {}{may}", identifier(role));
            client.batch_execute(&sql).await.map_err(|e| failed(&format!("create role `{role}`"), &e))?;
        }
        Ok(())
    }

    /// Makes the empty database of `fresh`, restores a dump into it and leaves it under that name; `live` are the plan's.
    ///
    /// # Errors
    /// [`DatabaseError`]; a part may be there then, under its name.
    pub async fn restore_side_by_side(
        &self,
        runner: &Runner,
        like: &str,
        fresh: &Mark,
        (dump, within): (&Path, Duration),
        live: &[String],
    ) -> Result<(), DatabaseError> {
        // What an earlier try left.
        if let Dropped::Stays(why) = self.drop_marked(fresh, live, Sessions::End).await? {
            let text = format!("database `{}` exists already and is not dropped: {why}", fresh.name);
            return Err(DatabaseError::Unexpected(text));
        }
        self.create_like(fresh, like).await?;
        self.restore(runner, &fresh.name, dump, within).await
    }

    /// Gives a database another name, whoever is in it. Nothing of it is lost.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server refuses.
    pub async fn set_aside(&self, database: &str, aside: &str) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database, aside]).await?;
        shut(&client, database).await?;
        let sql = format!("alter database {} rename to {}", identifier(database), identifier(aside));
        client.batch_execute(&sql).await.map_err(|e| failed(&format!("rename database `{database}`"), &e))
    }

    /// Puts the database of `good` in the place of `database`, which is kept as that of `aside`, in one transaction.
    ///
    /// `database` has `comment` then, and the other one its mark. That it was done already (`good` is gone, `aside` is
    /// there) is fine.
    ///
    /// # Errors
    /// [`DatabaseError`]; both names are unchanged then.
    pub async fn exchange(
        &self,
        database: &str,
        good: &Mark,
        aside: &Mark,
        comment: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let switching = self.exchange_once(database, good, aside, comment);
        limited(&format!("switch database `{database}` by name"), STATEMENT_WITHIN, switching).await
    }

    async fn exchange_once(
        &self,
        database: &str,
        good: &Mark,
        aside: &Mark,
        comment: Option<&str>,
    ) -> Result<(), DatabaseError> {
        let client = self.connect_outside(&[database, &good.name, &aside.name]).await?;
        let names = [database, &good.name, &aside.name];
        let there = [has(&client, names[0]).await?, has(&client, names[1]).await?, has(&client, names[2]).await?];
        let ours = match there {
            [true, true, false] => good,
            [true, false, true] => aside,
            _ => {
                let reported: Vec<String> =
                    names.iter().zip(there).map(|(name, there)| format!("`{name}`: {there}")).collect();
                return Err(DatabaseError::Unexpected(format!("cannot switch databases ({})", reported.join(", "))));
            }
        };
        if !keeps(&client, ours).await? {
            let text = format!("database `{}` does not carry the mark that the gate gave it", ours.name);
            return Err(DatabaseError::Unexpected(text));
        }
        if ours == aside {
            // The connection may have been lost right behind the switch, with both still closed.
            self.open(&aside.name).await?;
            return self.open(database).await;
        }
        shut(&client, database).await?;
        shut(&client, &good.name).await?;
        let [name, good_name, aside_name] = names.map(identifier);
        let comments = [comment_on(&aside.name, aside.comment().as_deref()), comment_on(database, comment)].join("; ");
        // A template may not be dropped, so that no copy is one before it has the name.
        let template = match is_template(&client, database).await? {
            true => format!("alter database {aside_name} is_template false; alter database {name} is_template true; "),
            false => String::new(),
        };
        let sql = format!(
            "begin; alter database {name} rename to {aside_name}; alter database {good_name} rename to {name}; \
             {template}{comments}; commit; \
             alter database {name} allow_connections true; alter database {aside_name} allow_connections true"
        );
        let done = client.batch_execute(&sql).await;
        done.map_err(|e| failed(&format!("switch database `{database}` by name"), &e))
    }
}

pub(super) async fn has(client: &Client, database: &str) -> Result<bool, DatabaseError> {
    let sql = "select exists (select from pg_database where datname::text = $1)";
    Ok(client.query_one(sql, &[&database]).await.map_err(|e| failed("look for a database", &e))?.get(0))
}

async fn is_template(client: &Client, database: &str) -> Result<bool, DatabaseError> {
    let sql = "select coalesce(bool_or(datistemplate), false) from pg_database where datname::text = $1";
    Ok(client.query_one(sql, &[&database]).await.map_err(|e| failed("look for a database", &e))?.get(0))
}

async fn shut(client: &Client, database: &str) -> Result<(), DatabaseError> {
    let sql = format!("alter database {} allow_connections false", identifier(database));
    client.batch_execute(&sql).await.map_err(|e| failed(&format!("refuse sessions in database `{database}`"), &e))?;
    // Autovacuum has no role and writes no row, and whatever exchanges the database ends it; only a superuser may.
    let sql = "select coalesce(bool_and(pg_terminate_backend(pid, 5000)), true) from pg_stat_activity \
               where datname::text = $1 and pid <> pg_backend_pid() \
                 and (usesysid is not null or (select rolsuper from pg_roles where rolname = current_user))";
    all_ended(client, sql, database).await
}

/// Ends sessions by a statement whose only value is the database.
async fn all_ended(client: &Client, sql: &str, database: &str) -> Result<(), DatabaseError> {
    for _ in 0..TRIES {
        let row = client.query_one(sql, &[&database]).await.map_err(|e| failed("end sessions", &e))?;
        // Also false where one ended by itself between the list and the signal: the next list has it no more.
        if row.get(0) {
            return Ok(());
        }
    }
    // Without its query: that may hold what users wrote, and this goes into journals and messages.
    let sql = "select coalesce(string_agg(format('pid %s of %s (%s)', pid, usename, coalesce(nullif(application_name, ''), backend_type)), \
               '; '), '') from pg_stat_activity where datname::text = $1 and pid <> pg_backend_pid()";
    let row = client.query_one(sql, &[&database]).await.map_err(|e| failed("list sessions", &e))?;
    Err(DatabaseError::Unexpected(format!("a session did not end within {} s: {}", 5 * TRIES, row.get::<_, String>(0))))
}
