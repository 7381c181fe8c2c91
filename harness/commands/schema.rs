//! `gate schema`: reads schemas, compares them, keeps the accepted ones.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::json;
use stagegate_base::{
    config::{Config, Database},
    exit::Exit,
    finding::Place,
    text,
};
use stagegate_host::{database::Server, engine::Engine, process::Runner, project::Project};
use stagegate_migration_decide::schema::{
    Difference, Facts, Sides, diff, finding, json, line_of, parse, snapshot_path, terminal, write,
};

use super::differences::{Collected, chosen, modelled, only};
use crate::{
    cli,
    failure::{Failure, give_json, print_result},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Schema) -> Result<Exit, Failure> {
    match args.command {
        cli::SchemaCommand::Dump(args) => dump(config, args).await,
        cli::SchemaCommand::Diff(args) => compare(config, args).await,
        cli::SchemaCommand::Snapshot(args) => snapshot(config, args).await,
        cli::SchemaCommand::Drift(args) => super::drift::run(config, args).await,
        cli::SchemaCommand::Accept(args) => accept(config, args).await,
    }
}

async fn dump(config: &Arc<Config>, args: cli::OneDatabase) -> Result<Exit, Failure> {
    let environment = &super::named(config, args.env.as_ref())?.name;
    let database = only(config, args.database.as_deref())?;
    let facts = of_environment(config, environment, database).await?;
    if args.json {
        let all: Vec<_> = facts.iter().collect();
        give_json(&serde_json::to_string_pretty(&json!({ "v": 1, "facts": all, "unmodelled": facts.unmodelled() }))?);
    } else {
        print_result(&write(&facts));
    }
    Ok(modelled(environment, &facts, args.strict))
}

async fn compare(config: &Arc<Config>, args: cli::SchemaDiff) -> Result<Exit, Failure> {
    let database = args.database.as_deref();
    let old = of_side(config, &args.old, database).await?;
    let new = of_side(config, &args.new, database).await?;
    let sides = Sides { old: args.old, new: args.new };
    let found = diff(&old, &new);
    // A file is a place to show it at; the old side's where both are files.
    let file = [&sides.old, &sides.new].into_iter().find(|side| Path::new(side).is_file());
    let text = file.map(|file| fs::read_to_string(file).map_err(Failure::reading(Path::new(file)))).transpose()?;
    let place = |difference: &Difference| match (&file, &text) {
        (Some(file), Some(text)) => at(file, text, difference),
        _ => Place::default(),
    };
    let mut collected = Collected::default();
    add(&mut collected, &sides, (&old, &new), &found, place);
    for (name, facts) in [(&sides.old, &old), (&sides.new, &new)] {
        collected.modelled(modelled(name, facts, args.strict));
    }
    collected.write("schema diff", &args.output)
}

async fn snapshot(config: &Arc<Config>, args: cli::Checked) -> Result<Exit, Failure> {
    let environment = &super::named(config, args.env.as_ref())?.name;
    let mut collected = Collected::default();
    for database in chosen(config, args.database.as_deref())? {
        let path = snapshot_path(config.root(), &database.id);
        let expected = of_file(&path)?;
        let text = fs::read_to_string(&path).map_err(Failure::reading(&path))?;
        let facts = of_environment(config, environment, database).await?;
        let sides = Sides { old: path_text(config, &path), new: environment.clone() };
        let found = diff(&expected, &facts);
        add(&mut collected, &sides, (&expected, &facts), &found, |difference| at(&sides.old, &text, difference));
        collected.modelled(modelled(environment, &facts, args.strict));
    }
    collected.write("schema snapshot", &args.output)
}

fn add(
    collected: &mut Collected,
    sides: &Sides,
    (old, new): (&Facts, &Facts),
    found: &[Difference],
    place: impl Fn(&Difference) -> Place,
) {
    let findings = found.iter().map(|difference| finding(difference, place(difference))).collect();
    collected.add(sides, (findings, terminal(sides, found)), found, json(sides, old, new, found));
}

/// Returns where a snapshot states a thing; what it does not state is placed at its beginning.
fn at(file: &str, text: &str, difference: &Difference) -> Place {
    Place::default().within(file, line_of(text, &difference.id).unwrap_or_default())
}

async fn accept(config: &Arc<Config>, args: cli::OneDatabase) -> Result<Exit, Failure> {
    let environment = &super::named(config, args.env.as_ref())?.name;
    for database in chosen(config, args.database.as_deref())? {
        let facts = of_environment(config, environment, database).await?;
        if modelled(environment, &facts, args.strict) != Exit::Passed {
            return Ok(Exit::Held);
        }
        let path = snapshot_path(config.root(), &database.id);
        let failed = Failure::writing(&path);
        path.parent().map(fs::create_dir_all).transpose().map_err(&failed)?;
        fs::write(&path, write(&facts)).map_err(failed)?;
        print_result(&format!(
            "{}: {} of `{environment}`; commit the file",
            path_text(config, &path),
            text::counted(facts.len(), "fact")
        ));
    }
    Ok(Exit::Passed)
}

/// Reads an environment, where `side` names one, else a file.
async fn of_side(config: &Arc<Config>, side: &str, database: Option<&str>) -> Result<Facts, Failure> {
    if config.environments.contains_key(side) {
        return of_environment(config, side, only(config, database)?).await;
    }
    let path = PathBuf::from(side);
    if path.is_file() {
        return of_file(&path);
    }
    let known: Vec<&str> = config.environments.keys().map(String::as_str).collect();
    Err(Failure::usage(format!("`{side}` is neither an environment nor a file (environments: {})", known.join(", "))))
}

fn of_file(path: &Path) -> Result<Facts, Failure> {
    let read = fs::read_to_string(path).map_err(|error| {
        Failure::reading(path)(error).context("no accepted schema; write it with `gate schema accept --env NAME`")
    })?;
    parse(&read).map_err(|error| {
        Failure::configuration(error).context(format!("{} is not a snapshot of a schema", path.display()))
    })
}

async fn of_environment(config: &Arc<Config>, name: &str, database: &Database) -> Result<Facts, Failure> {
    let project = Project::load(&Runner::default(), config, name).await?;
    let server = Server::of(&project, &Engine::connect().await?, database, "stagegate/schema").await?;
    Ok(stagegate_migration_act::catalog::schema_of(&server, &database.name).await?)
}

fn path_text(config: &Config, path: &Path) -> String {
    path.strip_prefix(config.root()).unwrap_or(path).display().to_string()
}
