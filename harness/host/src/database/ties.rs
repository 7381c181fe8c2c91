//! What ties a database to others: prepared transactions, replication slots and subscriptions, which no copy carries, and
//! tables that a crash empties.

use super::{DatabaseError, Server, failed, literal};

/// What of a database does not come along into its copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ties {
    /// Global ids of prepared transactions: PostgreSQL copies no database that has one.
    pub prepared: Vec<String>,
    /// Logical replication slots.
    pub slots: Vec<String>,
    /// Subscriptions.
    pub subscriptions: Vec<String>,
    /// Publications: they come along, and what their slots have given does not.
    pub publications: Vec<String>,
    /// Unlogged tables that hold rows, as `schema.table`.
    pub unlogged: Vec<String>,
}

impl Ties {
    /// Returns why a run must not begin, with the way out; `None` where it may.
    #[must_use]
    pub fn refusal(&self, database: &str) -> Option<String> {
        let first = self.prepared.first()?;
        let ids = self.prepared.join("`, `");
        Some(format!(
            "database `{database}` has prepared transactions (`{ids}`), which hold locks, and PostgreSQL does not copy it \
             meanwhile: end each in `{database}` with COMMIT PREPARED {0} or ROLLBACK PREPARED {0}",
            literal(first)
        ))
    }

    /// Returns what the operator has to know before a run, one sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.slots.is_empty() {
            notes.push(format!(
                "replication slot {}: after a rollback with data it stays with the failed database, its consumer gets \
                 nothing more, and the server keeps write-ahead logs for it until `pg_drop_replication_slot`",
                self.slots.join(", ")
            ));
        }
        if !self.subscriptions.is_empty() {
            notes.push(format!(
                "subscription {}: after a rollback with data it stays with the failed database, and the restored one \
                 receives nothing until it is created there",
                self.subscriptions.join(", ")
            ));
        }
        if !self.publications.is_empty() {
            notes.push(format!(
                "publication {}: after a rollback with data the restored database has it, and its subscribers keep rows that the \
                 rollback removed, until they copy its tables anew",
                self.publications.join(", ")
            ));
        }
        if !self.unlogged.is_empty() {
            notes.push(format!(
                "unlogged table {}: PostgreSQL empties it after a crash, and then a rollback cannot restore its rows",
                self.unlogged.join(", ")
            ));
        }
        notes
    }
}

impl Server {
    /// Reads what ties a database to others.
    ///
    /// # Errors
    /// [`DatabaseError`] where the server does not say.
    pub async fn ties(&self, database: &str) -> Result<Ties, DatabaseError> {
        let server = self.open_session().await?;
        let names = async |client: &tokio_postgres::Client, sql: &str| -> Result<Vec<String>, DatabaseError> {
            let rows = client.query(sql, &[]).await.map_err(|e| failed("read what a copy does not carry", &e))?;
            Ok(rows.iter().map(|row| row.get(0)).collect())
        };
        let name = literal(database);
        let prepared = format!("select gid from pg_prepared_xacts where database = {name} order by 1");
        let slots = format!(
            "select slot_name::text from pg_replication_slots where database = {name} and not temporary order by 1"
        );
        let inside = self.connect_to_read(database).await?;
        // The columns of `pg_subscription` that others may read do not tell its connection.
        let subscriptions = "select subname::text from pg_subscription s join pg_database d on d.oid = s.subdbid \
             where d.datname = current_database() order by 1";
        let publications = "select pubname::text from pg_publication order by 1";
        let unlogged = "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = \
             c.relnamespace where c.relkind = 'r' and c.relpersistence = 'u' and pg_relation_size(c.oid) > 0 order by 1";
        Ok(Ties {
            prepared: names(&server, &prepared).await?,
            slots: names(&server, &slots).await?,
            subscriptions: names(&inside, subscriptions).await?,
            publications: names(&inside, publications).await?,
            unlogged: names(&inside, unlogged).await?,
        })
    }
}

/// Returns what may help where a restore failed on a name that the server does not find; `None` elsewhere.
// Source: pg_dump writes `set search_path` to '' into each dump, so that a function that names another object without its
// schema fails where the restore calls it: in a generated column, an index, a check, a materialised view.
#[must_use]
pub(super) fn restore_hint(printed: &str) -> Option<&'static str> {
    let printed = printed.to_lowercase();
    let is_name =
        ["function", "relation", "type", "operator"].iter().any(|kind| printed.contains(&format!("error: {kind} ")))
            || printed.contains("error:  function ")
            || printed.contains("error:  relation ")
            || printed.contains("error:  type ");
    (is_name && printed.contains("does not exist")).then_some(
        "a dump is restored with an empty search_path: name the schema inside of the function that the statement calls, or \
         `alter function .. set search_path = ..`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prepared_transaction_refuses_the_run_with_the_statement_that_ends_it() {
        let ties = Ties { prepared: vec!["job-7".into()], ..Ties::default() };
        let refusal = ties.refusal("shop").unwrap();
        assert!(refusal.contains("`job-7`") && refusal.contains("ROLLBACK PREPARED E'job-7'"), "{refusal}");
        assert_eq!(Ties::default().refusal("shop"), None);
    }

    #[test]
    fn what_a_copy_does_not_carry_is_one_sentence_each() {
        let ties = Ties {
            slots: vec!["cdc".into()],
            subscriptions: vec!["feed".into()],
            unlogged: vec!["public.cache".into()],
            ..Ties::default()
        };
        let notes = ties.notes();
        assert_eq!(notes.len(), 3);
        assert!(notes[0].starts_with("replication slot cdc:"), "{notes:?}");
        assert!(Ties::default().notes().is_empty());
    }

    #[test]
    fn a_name_that_a_restore_does_not_find_comes_with_the_usual_cause() {
        let printed = "pg_restore: error: could not execute query: ERROR:  function cut(text) does not exist";
        assert!(restore_hint(printed).unwrap().contains("search_path"));
        assert_eq!(restore_hint("ERROR:  role \"app\" does not exist"), None);
        assert_eq!(restore_hint("ERROR:  disk full"), None);
    }
}
