//! Counts, checksums and the schema of a database, all read in one snapshot; and the dump of that snapshot.

use stagegate_base::{command::postgres as command, config::Integrity};
use stagegate_data_decide::{DataFacts, TableFacts};
use stagegate_migration_decide::schema::write;
use tokio_postgres::Client;

use stagegate_host::{
    database::{DATA_FACTS_SETTINGS, DatabaseError, ReadLimits, Server, failed},
    process::Runner,
};
use stagegate_migration_act::catalog::schema_in_transaction;

use crate::age::{Output, StreamError};

const TABLES: &str = "select format('%I.%I', n.nspname, c.relname), c.relpersistence = 'u' \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.relkind = 'r' and c.relpersistence <> 't' \
       and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)' \
     order by 1";

/// Reads what a database holds, in a snapshot of its own.
///
/// # Errors
/// [`DatabaseError`] with the table that cannot be read.
pub async fn facts(server: &Server, database: &str, integrity: Integrity) -> Result<DataFacts, DatabaseError> {
    server.read(database, ReadLimits::TABLES, async |client| data_facts(client, integrity).await).await
}

/// Writes a dump of `database` to `output` and returns what the database held in the very snapshot of the dump.
///
/// # Errors
/// [`DatabaseError`]; the file is incomplete then.
pub async fn dump(
    server: &Server,
    runner: &Runner,
    database: &str,
    output: Output<'_>,
    integrity: Integrity,
) -> Result<DataFacts, DatabaseError> {
    let client = server.connect_within(database, ReadLimits::for_snapshot(output.within)).await?;
    let begin = "begin transaction isolation level repeatable read read only";
    client.batch_execute(begin).await.map_err(|e| failed("begin a snapshot", &e))?;
    let row = client.query_one("select pg_export_snapshot()", &[]).await;
    let snapshot: String = row.map_err(|e| failed("export a snapshot", &e))?.get(0);
    let dump = command::dump(server.inside(), database, Some(&snapshot));
    let dumping = output.receive(runner, async |file| runner.run_to_file(&dump, output.within, file).await);
    let (dumped, facts) = tokio::join!(dumping, in_snapshot(&client, integrity));
    let facts = match facts {
        // The dump waited for the same lock; this names who has it.
        Err(error) => return Err(server.with_lock_holders(database, error).await),
        Ok(facts) => facts,
    };
    let what = format!("dump database `{database}`");
    match dumped {
        Ok(()) => Ok(facts),
        Err(StreamError::File(source)) => Err(DatabaseError::File { what, source }),
        Err(StreamError::Age(source) | StreamError::Other(source)) => Err(DatabaseError::Program { what, source }),
    }
}

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
async fn in_snapshot(client: &Client, integrity: Integrity) -> Result<DataFacts, DatabaseError> {
    client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let tables = client.query(TABLES, &[]).await.map_err(|e| failed("list tables", &e))?;
    let schema = write(&schema_in_transaction(client).await?);
    let mut facts = DataFacts { schema, ..DataFacts::default() };
    for row in tables {
        let table: String = row.get(0);
        if row.get(1) {
            facts.unlogged.insert(table.clone());
        }
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
