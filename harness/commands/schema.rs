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
    text,
};
use stagegate_host::{database::Server, engine::Engine, process::Runner, project::Project};
use stagegate_migration_decide::schema::{
    Difference, Facts, Place, Sides, diff, json, line_of, markdown, parse, snapshot_path, summary, terminal, write,
};

use super::differences::{chosen, ended, modelled, only, written};
use crate::{
    cli,
    failure::{Failure, give},
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
    if args.form.json {
        let all: Vec<_> = facts.iter().collect();
        give(&serde_json::to_string_pretty(&json!({ "v": 1, "facts": all, "unmodelled": facts.unmodelled() }))?);
    } else {
        give(&write(&facts));
    }
    Ok(modelled(environment, &facts, args.form.strict))
}

async fn compare(config: &Arc<Config>, args: cli::SchemaDiff) -> Result<Exit, Failure> {
    let database = args.database.as_deref();
    let old = of_side(config, &args.old, database).await?;
    let new = of_side(config, &args.new, database).await?;
    let sides = Sides { old: args.old, new: args.new };
    let found = diff(&old, &new);
    tell(&sides, &old, &new, &found, &args.form)?;
    // A file is a place to show it at; the old side's where both are files.
    let file = [&sides.old, &sides.new].into_iter().find(|side| Path::new(side).is_file());
    let read = |file: &String| fs::read_to_string(file).map_err(Failure::reading(Path::new(file)));
    let text = file.map(read).transpose()?.unwrap_or_default();
    let place = |difference: &Difference| file.map(|file| at(file, &text, difference)).unwrap_or_default();
    let placed: Vec<_> = found.iter().map(|difference| (difference.clone(), place(difference))).collect();
    written(args.sarif.as_deref(), &placed)?;
    let modelled =
        [(&sides.old, &old), (&sides.new, &new)].map(|(name, facts)| modelled(name, facts, args.form.strict));
    Ok(ended(&found, &modelled))
}

async fn snapshot(config: &Arc<Config>, args: cli::Checked) -> Result<Exit, Failure> {
    let (file, args) = (args.sarif, args.of);
    let environment = &super::named(config, args.env.as_ref())?.name;
    let (mut placed, mut exits) = (Vec::new(), Vec::new());
    for database in chosen(config, args.database.as_deref())? {
        let path = snapshot_path(config.root(), &database.id);
        let expected = of_file(&path)?;
        let text = fs::read_to_string(&path).map_err(Failure::reading(&path))?;
        let facts = of_environment(config, environment, database).await?;
        let sides = Sides { old: shown(config, &path), new: environment.clone() };
        let found = diff(&expected, &facts);
        tell(&sides, &expected, &facts, &found, &args.form)?;
        exits.push(modelled(environment, &facts, args.form.strict));
        placed.extend(found.into_iter().map(|difference| {
            let place = at(&sides.old, &text, &difference);
            (difference, place)
        }));
    }
    written(file.as_deref(), &placed)?;
    Ok(ended(&placed, &exits))
}

/// Says where a snapshot tells of a thing; what it does not tell of stands at its beginning.
fn at(file: &str, text: &str, difference: &Difference) -> Place {
    Place { file: Some(file.to_owned()), line: line_of(text, &difference.id).unwrap_or_default(), note: None }
}

async fn accept(config: &Arc<Config>, args: cli::OneDatabase) -> Result<Exit, Failure> {
    let environment = &super::named(config, args.env.as_ref())?.name;
    for database in chosen(config, args.database.as_deref())? {
        let facts = of_environment(config, environment, database).await?;
        if modelled(environment, &facts, args.form.strict) != Exit::Passed {
            return Ok(Exit::Held);
        }
        let path = snapshot_path(config.root(), &database.id);
        let failed = Failure::writing(&path);
        path.parent().map(fs::create_dir_all).transpose().map_err(&failed)?;
        fs::write(&path, write(&facts)).map_err(failed)?;
        give(&format!(
            "{}: {} of `{environment}`; commit the file",
            shown(config, &path),
            text::counted(facts.len(), "fact")
        ));
    }
    Ok(Exit::Passed)
}

fn tell(sides: &Sides, old: &Facts, new: &Facts, found: &[Difference], form: &cli::Form) -> Result<(), Failure> {
    if form.json {
        give(&serde_json::to_string_pretty(&json(sides, old, new, found))?);
    } else if form.markdown {
        give(&markdown(sides, found));
    } else {
        give(&format!("{}{} against {}: {}", terminal(sides, found), sides.old, sides.new, summary(found)));
    }
    Ok(())
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

fn shown(config: &Config, path: &Path) -> String {
    path.strip_prefix(config.root()).unwrap_or(path).display().to_string()
}
