//! Databases of a scratch server: made empty or as copies, dropped when they are not needed any more.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::Client;

use super::{MAINTENANCE, Scratch, ScratchError, ServerHandle, named};
use stagegate_host::database::{error_text, identifier, literal};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of a scratch server, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
}

/// Returns the statements that give a copy what `TEMPLATE` does not: owner, privileges, connection limit and settings.
// Source: PostgreSQL manual, CREATE DATABASE, notes: "database-level configuration parameters and permissions are not
// copied from the template database".
fn like(template: &Database, copy: &Database) -> String {
    let (old, new) = (literal(&template.name), literal(&copy.name));
    format!(
        "do $stagegate$ declare old pg_database; new text := {new}; one record; begin \
         select * into strict old from pg_database where datname = {old}; \
         execute format('alter database %I owner to %I', new, pg_get_userbyid(old.datdba)); \
         execute format('alter database %I connection limit %s', new, old.datconnlimit); \
         if old.datacl is not null then \
             execute format('revoke all on database %I from public, %I', new, pg_get_userbyid(old.datdba)); \
             for one in select privilege_type, is_grantable, grantee from aclexplode(old.datacl) loop \
                 execute format('grant %s on database %I to %s%s', one.privilege_type, new, \
                     case one.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(one.grantee)) end, \
                     case when one.is_grantable then ' with grant option' else '' end); \
             end loop; \
         end if; \
         insert into pg_db_role_setting select d.oid, s.setrole, s.setconfig from pg_db_role_setting s, pg_database d \
         where s.setdatabase = old.oid and d.datname = new; \
         end $stagegate$"
    )
}

impl Scratch {
    /// Makes a database: a copy of `template`, which nobody may be connected to, or an empty one.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server reported.
    pub async fn create(&self, template: Option<&Database>) -> Result<Database, ScratchError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let database = Database { name: format!("{}-{number}", self.name) };
        let name = identifier(&database.name);
        let sql = match template {
            None => format!("create database {name}"),
            Some(template) => format!("create database {name} template {}", identifier(&template.name)),
        };
        self.command("create a database", &sql).await?;
        if let Some(template) = template {
            self.command("copy a database's privileges and settings", &like(template, &database)).await?;
        }
        if matches!(self.how, Some(ServerHandle::Named { .. })) {
            let claim = format!("comment on database {name} is {}", literal(&self.claim));
            self.command("mark a database", &claim).await?;
        }
        Ok(database)
    }

    /// Drops a database, whoever is connected to it; on a server of the user's only one that carries this run's claim.
    ///
    /// # Errors
    /// [`ScratchError`] with what the server reported.
    pub async fn drop(&self, database: &Database) -> Result<(), ScratchError> {
        if matches!(self.how, Some(ServerHandle::Named { .. })) {
            named::drop_one(&self.connect(MAINTENANCE).await?, &database.name, &self.claim).await;
            return Ok(());
        }
        let sql = format!("drop database if exists {} with (force)", identifier(&database.name));
        self.command("drop a database", &sql).await
    }

    /// Makes a session with a database.
    ///
    /// # Errors
    /// [`ScratchError::Connect`] with what the server reported.
    pub async fn session(&self, database: &Database) -> Result<Client, ScratchError> {
        self.connect(&database.name).await
    }

    async fn command(&self, what: &str, sql: &str) -> Result<(), ScratchError> {
        let client = self.connect(MAINTENANCE).await?;
        let refused = |reason| ScratchError::Refused { what: what.to_owned(), reason };
        client.batch_execute(sql).await.map_err(|error| refused(error_text(&error)))
    }
}
