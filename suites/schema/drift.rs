//! Is a database's schema the one that its migrations give?
//!
//! What they give is what the run of the suite `migrations` on a scratch server showed; it is made once for both.

use std::{collections::BTreeMap, sync::Arc};

use stagegate_base::{
    config::{Config, Database, Migrations},
    finding::{Finding, Place},
    record::{Evidence, Outcome},
    text::counted,
};
use stagegate_host::{
    database::{DatabaseError, Server},
    error::with_causes,
};
use stagegate_migration_decide::{
    round_trip::{Down, RoundTrip, without_bookkeeping},
    schema::{Difference, Drifted, Facts, Severity, Sides, drift, drift_terminal, summary},
};

use super::findings::{FINDINGS, findings};
use crate::{
    migrations::{BESIDE, proof},
    session::Session,
    trial::{Effect, Trial},
};

/// Why a schema could not be compared with what its migrations give.
#[derive(Debug, thiserror::Error)]
pub enum DriftError {
    /// What the migrations give could not be found out.
    #[error("{0}")]
    Proof(String),
    /// A migration did not run on the scratch server.
    #[error("the schema of the migrations is unknown, because not all of them ran: {0}")]
    NotAllRan(String),
    /// The environment's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// What an environment's schema was held against, and what came of it.
pub struct Drift {
    /// What the two sides are called.
    pub sides: Sides,
    /// What the migrations give on an empty database.
    pub migrated: Facts,
    /// What is there.
    pub found: Facts,
    /// Where they differ.
    pub drifted: Vec<Drifted>,
    /// The file of each migration's way up by the migration's label, relative to the environment's workdir.
    pub files: BTreeMap<String, String>,
}

impl Drift {
    /// Returns the differences without the migrations.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        self.drifted.iter().map(|drifted| drifted.difference.clone()).collect()
    }
}

/// Asks where it is known which migrations a database has.
pub(super) fn trial(config: &Config, database: &Database) -> Option<Trial> {
    let (migrations, database) = (config.migrations.get(&database.id)?.clone(), database.clone());
    let (id, within) = (database.id.clone(), migrations.within.0 + BESIDE);
    let ask = move |session| check(session, database.clone(), migrations.clone());
    Some(Trial::new("schema", &id, "drift", Effect::Reads, ask).within(within))
}

async fn check(session: Arc<Session>, database: Database, migrations: Migrations) -> Outcome {
    match of(&session, &database, &migrations).await {
        Ok(drift) => outcome(&drift, session.schema_ahead.as_deref()),
        Err(error) => Outcome::Broken(with_causes(&error)),
    }
}

/// Compares an environment's schema with what its migrations give on an empty database.
///
/// The tables in which the migrations' tool records what it applied are on neither side.
///
/// # Errors
/// [`DriftError`]: what could not be read, or which migration could not be run: then it is not known what they give.
pub async fn of(session: &Session, database: &Database, migrations: &Migrations) -> Result<Drift, DriftError> {
    let proof = proof::of(session, migrations).await.map_err(DriftError::Proof)?;
    let on = proof.servers.first().ok_or_else(|| DriftError::Proof("no scratch server is configured".to_owned()))?;
    if let Some(reason) = on.proven.trips.iter().find_map(stopped) {
        return Err(DriftError::NotAllRan(reason));
    }
    let read = async {
        let server = Server::of(&session.project, &session.engine, database, "stagegate/schema").await?;
        stagegate_migration_act::catalog::schema_of(&server, &database.name).await
    };
    let found = read.await?;
    let own = migrations.commands.iter().flat_map(|commands| &commands.history_tables).map(String::as_str);
    let history_tables: Vec<&str> = proof.chain.tool.bookkeeping_tables().iter().copied().chain(own).collect();
    let history_tables = history_tables.as_slice();
    let migrated = without_bookkeeping(on.proven.top.clone(), history_tables);
    let found = without_bookkeeping(found, history_tables);
    let file = |script: &str| migrations.source.join(script).to_string_lossy().into_owned();
    Ok(Drift {
        sides: Sides { old: shown(migrations), new: session.project.environment.name.clone() },
        drifted: drift(&migrated, &found, &on.proven.touched),
        migrated,
        found,
        files: proof.chain.migrations.iter().map(|one| (one.label(), file(&one.up.file))).collect(),
    })
}

/// Returns where the migrations are: their folder, or the service whose image has them.
fn shown(migrations: &Migrations) -> String {
    let service = migrations.commands.as_ref().and_then(|commands| commands.service.as_deref());
    match (service, migrations.source.as_os_str().is_empty()) {
        (Some(service), _) => format!("migrations of service `{service}`"),
        (None, true) => "migrations".to_owned(),
        (None, false) => format!("migrations in {}", migrations.source.display()),
    }
}

/// States why a migration is not in what the scratch server has, where that is so.
fn stopped(round_trip: &RoundTrip) -> Option<String> {
    match (&round_trip.up, &round_trip.down) {
        (Some(failure), _) => Some(format!("{}: {}", round_trip.label, failure.description())),
        (None, Down::NotTried(reason)) => Some(format!("{}: {reason}", round_trip.label)),
        _ => None,
    }
}

/// Judges; comments and the like alone do not fail, nor does what is not modelled: `schema::<db>::snapshot` tells it.
fn outcome(drift: &Drift, ahead: Option<&str>) -> Outcome {
    let differences = drift.differences();
    if let (Some(newer), false) = (ahead, differences.is_empty()) {
        return Outcome::Pass(format!(
            "not compared: the database has the schema of {newer}; {}",
            summary(&differences)
        ));
    }
    if differences.iter().all(|difference| difference.severity != Severity::Semantic) {
        return Outcome::Pass(format!("{}, {}", counted(drift.found.len(), "fact"), summary(&differences)));
    }
    let (old, environment) = (&drift.sides.old, &drift.sides.new);
    Outcome::Fail {
        message: format!("the schema differs from the {old}: {}", summary(&differences)),
        findings: drift.drifted.iter().take(FINDINGS).flat_map(drift_findings).collect(),
        evidence: vec![Evidence { name: "differences".to_owned(), text: drift_terminal(&drift.sides, &drift.drifted) }],
        hint: Some(format!(
            "`gate schema drift --env {environment}` names the migration that last changed each object; move manual \
             changes into a migration"
        )),
    }
}

fn drift_findings(drifted: &Drifted) -> Vec<Finding> {
    let by = drifted.migration.as_ref().map_or_else(String::new, |by| format!(" (last changed by {by})"));
    let one = |finding: Finding| Finding { place: Place::of(format!("{}{by}", finding.place.object)), ..finding };
    findings(&drifted.difference).into_iter().map(one).collect()
}
