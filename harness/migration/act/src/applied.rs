//! What a tool noted of the migrations that it applied, read from its own table.

use stagegate_base::config::Tool;
use stagegate_migration_decide::applied::{Applied, query};
use tokio_postgres::{Client, error::SqlState};

use stagegate_host::database::{DatabaseError, failed};

/// Reads the rows of the tool's table; `None` where the tool keeps none that is known, or the database has not got it.
///
/// # Errors
/// [`DatabaseError`] where it is there and cannot be read.
pub async fn applied(client: &Client, tool: Tool) -> Result<Option<Vec<Applied>>, DatabaseError> {
    let Some(sql) = query(tool) else { return Ok(None) };
    let rows = match client.query(sql, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => return Ok(None),
        Err(error) => return Err(failed(&format!("read the history table of {tool}"), &error)),
    };
    let one = |row: &tokio_postgres::Row| Applied {
        version: row.get(0),
        name: row.get(1),
        checksum: row.get(2),
        is_done: row.get(3),
        is_baseline: row.get(4),
    };
    Ok(Some(rows.iter().map(one).collect()))
}
