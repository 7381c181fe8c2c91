//! A server that the user names by a variable; only databases of ours are touched there.

use tokio_postgres::{Client, Config as PgConfig, NoTls};

use super::{MAINTENANCE, Scratch, ServerHandle, ServerSpec, Started, leftover::NAME};
use stagegate_host::{database::identifier, owner::Claim};

pub(super) fn of_variable(spec: &ServerSpec) -> Result<Started, String> {
    let Some(variable) = &spec.variable else { return Err("no server is configured".to_owned()) };
    let url = std::env::var(variable).map_err(|_| format!("variable {variable} is not set"))?;
    start(variable, &url)
}

pub(super) fn start(variable: &str, url: &str) -> Result<Started, String> {
    // What the library states of a text that it cannot read may quote it.
    let access: PgConfig = url.parse().map_err(|_| format!("{variable} is not a PostgreSQL connection string"))?;
    Ok(Started { access, how: ServerHandle::Named { variable: variable.to_owned() } })
}

/// Drops the databases that killed runs left on a server of the user's.
pub(super) async fn sweep(scratch: &Scratch) {
    if !matches!(scratch.how, Some(ServerHandle::Named { .. })) {
        return;
    }
    let Ok(client) = scratch.connect(MAINTENANCE).await else { return };
    for (name, comment) in databases(&client, NAME).await {
        if is_given(&name) && Claim::parse(&comment).is_some_and(|claim| claim.is_abandoned_here()) {
            drop_database(&client, &name).await;
        }
    }
}

/// Drops the databases of one run: those under its name that carry its claim.
pub(super) async fn drop_all(access: &PgConfig, name: &str, claim: &str) {
    let mut access = access.clone();
    let Ok((client, connection)) = access.dbname(MAINTENANCE).connect(NoTls).await else { return };
    tokio::spawn(connection);
    for (name, comment) in databases(&client, name).await {
        if is_given(&name) && comment == claim {
            drop_database(&client, &name).await;
        }
    }
}

/// Drops one database of a run, where it carries the run's claim.
pub(super) async fn drop_one(client: &Client, name: &str, claim: &str) {
    if databases(client, name).await.iter().any(|(found, comment)| found == name && comment == claim) {
        drop_database(client, name).await;
    }
}

/// Returns whether a name is one that runs give: `stagegate-scratch-`, 16 hexadecimal digits, `-` and a number. One that
/// was renamed is somebody's.
fn is_given(name: &str) -> bool {
    let Some((run, number)) = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-')) else { return false };
    let is_run = run.len() == 16 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_run && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::is_given;

    #[rstest]
    #[case::given("stagegate-scratch-0123456789abcdef-7", true)]
    #[case::renamed("stagegate-scratch-0123456789abcdef-7-mine", false)]
    #[case::no_number("stagegate-scratch-0123456789abcdef-", false)]
    #[case::no_run("stagegate-scratch-mine-7", false)]
    #[case::other("stagegate-0123456789abcdef-7", false)]
    fn only_a_name_that_runs_give_is_ours(#[case] name: &str, #[case] ours: bool) {
        assert_eq!(is_given(name), ours);
    }
}
