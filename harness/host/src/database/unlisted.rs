//! Databases of a server that the configuration does not name: they are in no backup and no rollback.
//!
//! A product may keep its rows in another database than the one that the server's image made; the one that is guarded is
//! empty then, and every proof about it holds.

use stagegate_base::{config::Config, mark::Mark, text::counted};

use super::{DatabaseError, Server, failed};
use crate::{engine::Engine, project::Project};

/// So many databases are looked at.
const LOOKED_AT: i64 = 50;
/// Tables of users: not those of the server, nor of an extension.
const TABLES: &str = "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
    where c.relkind in ('r', 'p', 'm', 'f') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' \
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')";

/// Databases that are guarded, and others with tables on the same server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unlisted {
    /// How many tables the guarded database has.
    pub own: i64,
    /// The others, each with its number of tables.
    pub others: Vec<(String, i64)>,
}

impl Unlisted {
    /// Returns why a run may not begin: what it would guard is empty, and the rows are elsewhere.
    #[must_use]
    pub fn refusal(&self, id: &str, database: &str) -> Option<String> {
        let (name, tables) = self.others.iter().max_by_key(|(_, tables)| *tables).filter(|_| self.own == 0)?;
        Some(format!(
            "database `{database}` has no tables, and `{name}` of the same server has {tables}: nothing of the product would be backed \
             up or rolled back. Set `name = \"{name}\"` in [databases.{id}], or list both"
        ))
    }

    /// Returns what a plan and a backup report.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let of = |(name, tables): &(String, i64)| {
            format!(
                "database `{name}` of the same server ({}) is in no backup and no rollback: [databases] does not list it",
                counted(tables, "table")
            )
        };
        self.others.iter().map(of).collect()
    }
}

/// Returns, for each configured database (by its place in `[databases]`) whose server can be reached, what is not listed of that
/// server; a server with several configured databases is looked at for each of them.
pub async fn unlisted_databases(
    config: &Config,
    project: &Project,
    engine: &Engine,
    application: &str,
) -> Vec<(String, Unlisted)> {
    let mut found = Vec::new();
    for database in config.databases.values() {
        let Ok(server) = Server::of(project, engine, database, application).await else { continue };
        let listed = config.databases_on(&database.service);
        if let Ok(unlisted) = server.unlisted(&database.name, &listed).await {
            found.push((database.id.clone(), unlisted));
        }
    }
    found
}

impl Server {
    /// Returns the databases with tables that `listed` does not have; those that the gate made, and those that the role may not
    /// enter, are left out.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not answer.
    pub async fn unlisted(&self, database: &str, listed: &[String]) -> Result<Unlisted, DatabaseError> {
        let server = self.open_session().await?;
        let sql = "select datname::text, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database \
            where not datistemplate and datallowconn and has_database_privilege(oid, 'connect') and datname::text <> all($1) \
            order by 1 limit $2";
        let rows = server.query(sql, &[&listed, &LOOKED_AT]).await.map_err(|e| failed("list databases", &e))?;
        let names = rows.iter().filter(|row| Mark::parse(row.get(1)).is_none()).map(|row| row.get::<_, String>(0));
        let mut others = Vec::new();
        for name in names {
            // Dropped meanwhile, or closed by pg_hba.conf.
            if let Ok(tables) = self.tables(&name).await
                && tables > 0
            {
                others.push((name, tables));
            }
        }
        let own = if others.is_empty() { 0 } else { self.tables(database).await? };
        Ok(Unlisted { own, others })
    }

    async fn tables(&self, database: &str) -> Result<i64, DatabaseError> {
        let client = self.connect_to_read(database).await?;
        let row = client.query_one(TABLES, &[]).await.map_err(|e| failed("count tables", &e))?;
        Ok(row.get(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_database_next_to_a_full_one_refuses_the_run_and_a_second_full_one_is_reported() {
        let others = vec![("metabase".to_owned(), 3), ("plausible_db".to_owned(), 24)];
        let empty = Unlisted { own: 0, others: others.clone() };
        let refusal = empty.refusal("main", "postgres").unwrap();
        assert!(refusal.contains("`plausible_db` of the same server has 24"), "{refusal}");
        assert!(refusal.ends_with("Set `name = \"plausible_db\"` in [databases.main], or list both"), "{refusal}");
        let full = Unlisted { own: 9, others };
        assert_eq!(full.refusal("main", "shop"), None);
        assert!(full.notes()[0].starts_with("database `metabase` of the same server (3 tables) is in no backup"));
        assert_eq!(Unlisted::default().refusal("main", "shop"), None);
    }
}
