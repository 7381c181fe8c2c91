//! Is what the tool noted in the environment's database what the folder states? Only reads there.

use std::sync::Arc;

use stagegate_base::{
    config::{Migrations, Tool},
    record::Outcome,
    text::counted,
};
use stagegate_host::{database::Server, error::with_causes};
use stagegate_migration_act::{applied, files};
use stagegate_migration_decide::{
    Extent, Finding,
    applied::{drift, query},
    apply_waivers, chain, codes,
};

use super::{SUITE, outcome, proof};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Returns a trial for each tool whose history table is known.
pub(super) fn trial(migrations: &Migrations) -> Option<Trial> {
    let has_no_history_table = |tool: Tool| query(tool).is_none();
    if migrations.commands.is_some() || migrations.tool.is_some_and(has_no_history_table) {
        return None;
    }
    let (id, migrations) = (migrations.database.clone(), migrations.clone());
    Some(Trial::new(SUITE.name, &id, "applied", Effect::Reads, move |session| check(session, migrations.clone())))
}

async fn check(session: Arc<Session>, migrations: Migrations) -> Outcome {
    record_finding(&session, &migrations).await.unwrap_or_else(Outcome::Broken)
}

async fn record_finding(session: &Session, migrations: &Migrations) -> Result<Outcome, String> {
    let source = session.project.environment.workdir.join(&migrations.source);
    let files = files(&source).map_err(|error| with_causes(&error))?;
    let chain = chain(&files, migrations.tool).map_err(|error| format!("{}: {error}", source.display()))?;
    let tool = chain.tool;
    if query(tool).is_none() {
        return Ok(Outcome::Pass(format!("{tool} has no known history table to compare the folder with")));
    }
    let databases = &session.project.config.databases;
    let database = databases
        .get(&migrations.database)
        .ok_or_else(|| format!("[databases.{}] does not exist", migrations.database))?;
    let read = async {
        let server = Server::of(&session.project, &session.engine, database, "stagegate/migrations").await?;
        let client = server.connect_to_read(&database.name).await?;
        match applied(&client, tool).await {
            Err(error) => Err(server.with_lock_holders(&database.name, error).await),
            rows => rows,
        }
    };
    let Some(rows) = read.await.map_err(|error| with_causes(&error))? else {
        return Ok(Outcome::Skip(format!(
            "database `{}` has no history table of {tool}: the applied migrations are unknown; name the right `tool` \
             in [migrations.{}]",
            database.name, migrations.database
        )));
    };
    let mut found = drift(&chain, &rows);
    let ahead = session.schema_ahead.as_deref();
    let newer = ahead.map(|newer| without_newer(&mut found, newer)).unwrap_or_default();
    let waivers = proof::waivers(session.project.config.root())?;
    apply_waivers(&waivers, &mut found, &stagegate_host::clock::today(), Extent::Applied);
    let message = match (tool, rows.as_slice()) {
        // It notes one version for all.
        (Tool::GolangMigrate, [row]) => format!("{tool} recorded version {}", row.version),
        _ => format!("{tool} recorded {}; the folder has {}", counted(rows.len(), "migration"), chain.migrations.len()),
    };
    Ok(outcome::history_outcome(format!("{message}{newer}"), &found, migrations))
}

/// Takes out what a newer release applied, which a rollback of the code alone leaves, and returns what it states of them.
fn without_newer(found: &mut Vec<Finding>, newer: &str) -> String {
    let before = found.len();
    found.retain(|finding| finding.code != codes::APPLIED_NOT_IN_FOLDER.id);
    match before - found.len() {
        0 => String::new(),
        count => format!("; {} of {newer}", counted(count, "migration")),
    }
}
