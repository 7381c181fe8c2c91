//! A server that the user names by a variable; only databases of ours are touched there.

use tokio_postgres::{Client, Config as PgConfig, NoTls};

use super::{How, MAINTENANCE, Scratch, Started, Wish, leftover::NAME};
use crate::{database::identifier, owner::Claim};

pub(super) fn of_variable(wish: &Wish) -> Result<Started, String> {
    let Some(variable) = &wish.variable else { return Err("no server is named".to_owned()) };
    let url = std::env::var(variable).map_err(|_| format!("variable {variable} is not set"))?;
    start(variable, &url)
}

pub(super) fn start(variable: &str, url: &str) -> Result<Started, String> {
    // What the library says of a text that it cannot read may quote it.
    let access: PgConfig = url.parse().map_err(|_| format!("{variable} holds no connection string of PostgreSQL"))?;
    Ok(Started { access, how: How::Named { variable: variable.to_owned() } })
}

/// Drops the databases that killed runs left on a server of the user's.
pub(super) async fn sweep(scratch: &Scratch) {
    if !matches!(scratch.how, Some(How::Named { .. })) {
        return;
    }
    let Ok(client) = scratch.connect(MAINTENANCE).await else { return };
    for (name, comment) in databases(&client, NAME).await {
        if Claim::parse(&comment).is_some_and(|claim| claim.is_left_here()) {
            drop_database(&client, &name).await;
        }
    }
}

/// Drops the databases of one run.
pub(super) async fn drop_all(access: &PgConfig, name: &str) {
    let mut access = access.clone();
    let Ok((client, connection)) = access.dbname(MAINTENANCE).connect(NoTls).await else { return };
    tokio::spawn(connection);
    for (name, _) in databases(&client, name).await {
        drop_database(&client, &name).await;
    }
}

async fn databases(client: &Client, prefix: &str) -> Vec<(String, String)> {
    let sql = "select datname::text, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database \
               where starts_with(datname::text, $1)";
    let rows = client.query(sql, &[&prefix]).await.unwrap_or_default();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

async fn drop_database(client: &Client, name: &str) {
    // Nothing more can be done about one that stays: the next run tries again.
    let _ = client.batch_execute(&format!("drop database if exists {} with (force)", identifier(name))).await;
}
