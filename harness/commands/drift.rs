//! `gate schema drift`: an environment's schema against what its migrations give.

use std::sync::Arc;

use stagegate_base::{
    config::{Config, Database, Migrations},
    exit::Exit,
};
use stagegate_host::{engine::Engine, process::Runner, project::Project};
use stagegate_migration_decide::schema::{Place, drift_markdown, drift_terminal, json, summary};
use stagegate_suites::{
    schema::{Drift, drift},
    session::Session,
};

use super::differences::{chosen, ended, modelled, written};
use crate::{
    cli,
    failure::{Failure, give},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Checked) -> Result<Exit, Failure> {
    let (file, args) = (args.sarif, args.of);
    let environment = &super::named(config, args.env.as_ref())?.name;
    let chosen = with_migrations(config, args.database.as_deref())?;
    let project = Project::load(&Runner::default(), config, environment).await?;
    let session = Session::new(project, Engine::connect().await?, Runner::default());
    let (mut placed, mut exits) = (Vec::new(), Vec::new());
    for (database, migrations) in chosen {
        let found = tokio::select! {
            found = drift(&session, database, migrations) => found,
            () = super::test::interrupted() => Err("interrupted".to_owned()),
        };
        let found = found.map_err(|reason| Failure::not_run(format!("{}: {reason}", database.id)))?;
        tell(&found, &args.form)?;
        exits.push(modelled(environment, &found.found, args.form.strict));
        placed.extend(found.drifted.iter().map(|drifted| {
            let file = drifted.migration.as_ref().and_then(|label| found.files.get(label)).cloned();
            let note = drifted.migration.as_ref().map(|label| format!("last changed by {label}"));
            (drifted.difference.clone(), Place { file, line: 0, note })
        }));
    }
    written(file.as_deref(), &placed)?;
    Ok(ended(&placed, &exits))
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

fn tell(found: &Drift, form: &cli::Form) -> Result<(), Failure> {
    let (sides, drifted) = (&found.sides, &found.drifted);
    if form.json {
        give(&serde_json::to_string_pretty(&json(sides, &found.migrated, &found.found, drifted))?);
    } else if form.markdown {
        give(&drift_markdown(sides, drifted));
    } else {
        let told = drift_terminal(sides, drifted);
        give(&format!("{told}{} against {}: {}", sides.new, sides.old, summary(&found.differences())));
    }
    Ok(())
}
