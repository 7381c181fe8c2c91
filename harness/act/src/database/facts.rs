//! Counts, checksums and the schema, all read in one snapshot.

use stagegate_decide::{
    config::Integrity,
    data::{DataFacts, TableFacts},
    schema::write,
};
use tokio_postgres::Client;

use super::{DatabaseError, failed, schema_in_transaction};

/// Settings under which rows become text: a database's or role's own ones would give other sums for equal rows.
pub const DATA_FACTS_SETTINGS: &str = "set search_path = ''; set timezone = 'UTC'; set datestyle = 'ISO, YMD'; \
     set intervalstyle = 'iso_8601'; set bytea_output = 'hex'; set extra_float_digits = 1; set lc_monetary = 'C'; \
     set xmloption = 'content'; set row_security = off";

const TABLES: &str = "select format('%I.%I', n.nspname, c.relname) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind = 'r' and c.relpersistence <> 't' \
       and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \
     order by 1";

/// Reads what the database of `client` holds, in a snapshot of its own.
///
/// # Errors
/// [`DatabaseError`] with the table that cannot be read.
pub async fn data_facts(client: &Client, integrity: Integrity) -> Result<DataFacts, DatabaseError> {
    let begin = "begin transaction isolation level repeatable read read only";
    client.batch_execute(begin).await.map_err(|e| failed("begin a snapshot", &e))?;
    let facts = in_snapshot(client, integrity).await;
    client.batch_execute("rollback").await.map_err(|e| failed("end a snapshot", &e))?;
    facts
}

/// Reads what the database holds within the transaction that `client` is in.
pub(super) async fn in_snapshot(client: &Client, integrity: Integrity) -> Result<DataFacts, DatabaseError> {
    client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let tables = client.query(TABLES, &[]).await.map_err(|e| failed("list tables", &e))?;
    let schema = write(&schema_in_transaction(client).await?);
    let mut facts = DataFacts { schema, ..DataFacts::default() };
    for row in tables {
        let table: String = row.get(0);
        let found = table_facts(client, &table, integrity).await?;
        facts.tables.insert(table, found);
    }
    Ok(facts)
}

async fn table_facts(client: &Client, table: &str, integrity: Integrity) -> Result<TableFacts, DatabaseError> {
    let sum = match integrity {
        Integrity::Checksums => {
            "coalesce(sum(pg_catalog.hashtextextended(whole_row::text, 20260101)::numeric), 0)::text"
        }
        Integrity::Counts => "null::text",
    };
    // `table` was quoted by the server (`%I.%I`).
    let sql = format!("select count(*), {sum} from only {table} as whole_row");
    let row = client.query_one(&sql, &[]).await.map_err(|e| failed(&format!("count {table}"), &e))?;
    Ok(TableFacts { rows: row.get(0), checksum: row.get(1) })
}
