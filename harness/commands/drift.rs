//! `gate schema drift`: an environment's schema against what its migrations give.

use std::sync::Arc;

use stagegate_base::{
    config::{Config, Database, Migrations},
    exit::Exit,
    finding::Place,
};
use stagegate_host::{
    engine::Engine,
    process::Runner,
    project::Project,
    signal::{self, Again},
};
use stagegate_migration_decide::schema::{Drifted, drift_terminal, finding, json};
use stagegate_suites::{
    schema::{Drift, drift},
    session::Session,
};

use super::differences::{Collected, chosen, modelled};
use crate::{cli, failure::Failure};

pub(super) async fn run(config: &Arc<Config>, args: cli::Checked) -> Result<Exit, Failure> {
    let environment = &super::named(config, args.env.as_ref())?.name;
    let chosen = with_migrations(config, args.database.as_deref())?;
    let project = Project::load(&Runner::default(), config, environment).await?;
    let session = Session::new(project, Engine::connect().await?, Runner::default());
    let signals = signal::listen(Again::Ends);
    let mut collected = Collected::default();
    for (database, migrations) in chosen {
        let found = tokio::select! {
            found = drift(&session, database, migrations) => found,
            () = signals.first() => return Err(Failure::interrupted("interrupted")),
        };
        let found = found.map_err(|error| Failure::from(error).context(format!("database `{}`", database.id)))?;
        let (sides, differences) = (&found.sides, found.differences());
        let findings =
            found.drifted.iter().map(|drifted| finding(&drifted.difference, place(&found, drifted))).collect();
        let details = json(sides, &found.migrated, &found.found, &found.drifted);
        collected.add(sides, (findings, drift_terminal(sides, &found.drifted)), &differences, details);
        collected.modelled(modelled(environment, &found.found, args.strict));
    }
    collected.write("schema drift", &args.output)
}

/// Returns the migration that last changed a thing, and its file.
fn place(found: &Drift, drifted: &Drifted) -> Place {
    let Some(label) = &drifted.migration else { return Place::default() };
    let place = Place::of(format!("last changed by {label}"));
    match found.files.get(label) {
        Some(file) => place.within(file.clone(), 0),
        None => place,
    }
}

/// Returns the databases of which it is known where their migrations are; the one that was named has to be one.
fn with_migrations<'a>(config: &'a Config, name: Option<&str>) -> Result<Vec<(&'a Database, &'a Migrations)>, Failure> {
    let chosen = chosen(config, name)?;
    let with: Vec<_> =
        chosen.iter().filter_map(|database| Some((*database, config.migrations.get(&database.id)?))).collect();
    if with.is_empty() {
        let id = chosen.first().map_or("NAME", |database| database.id.as_str());
        return Err(Failure::usage(format!(
            "no migrations are configured for database `{id}`; add [migrations.{id}] with its `source` to \
             stagegate.toml"
        )));
    }
    Ok(with)
}
