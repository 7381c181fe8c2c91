//! `gate sanitize`: the rules by which `gate sync` replaces values.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    path::PathBuf,
    sync::Arc,
};

use stagegate_base::{
    config::{Config, EPHEMERAL},
    exit::Exit,
    text::counted,
};
use stagegate_data_decide::sanitize::{Rules, file_text};
use stagegate_host::{database::Server, engine::Engine, process::Runner, project::Project};

use super::differences::only;
use crate::{
    cli,
    failure::{Failure, print_message, print_result},
};

/// The keys of the file of rules for editors, next to it.
const SCHEMA: &str = "stagegate-sanitize.schema.json";

/// Reads the rules of a database; without a file the profile alone.
pub(super) fn rules(config: &Config, id: &str) -> Result<Rules, Failure> {
    let path = path(config);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Rules::of_no_file()),
        Err(error) => return Err(Failure::reading(&path)(error)),
    };
    Rules::parse(&text, id).map_err(|error| Failure::configuration(error).context(path.display().to_string()))
}

fn path(config: &Config) -> PathBuf {
    config.root().join(&config.sync.rules)
}

pub(super) async fn suggest(config: &Arc<Config>, args: cli::SanitizeSuggest) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    if environment.name == EPHEMERAL {
        return Err(Failure::usage("`ephemeral` exists only while `gate test` runs; name another environment"));
    }
    let database = only(config, args.database.as_deref())?;
    let rules = rules(config, &database.id)?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let server = Server::of(&project, &Engine::connect().await?, database, "stagegate/sanitize").await?;
    let found = stagegate_data_act::sanitize::suggestions(&server, &database.name, &rules).await?;
    let text = file_text(&database.id, &found);
    let open = found.iter().filter(|one| one.rule.is_none()).count();
    if !args.write {
        print_result(&text);
    } else {
        let path = path(config);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let mut file = file.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Failure::usage(format!(
                "{} exists already; leave --write out and copy the lines that you need",
                path.display()
            )),
            _ => Failure::writing(&path)(error),
        })?;
        let text = format!("#:schema ./{SCHEMA}\n{text}");
        file.write_all(text.as_bytes()).map_err(Failure::writing(&path))?;
        let schema = path.with_file_name(SCHEMA);
        let keys = super::schema_json::text(cli::UserFile::Sanitize)? + "\n";
        fs::write(&schema, keys).map_err(Failure::writing(&schema))?;
        print_message(&format!("{}: {}", path.display(), counted(found.len() - open, "rule")));
    }
    if open > 0 {
        print_message(&format!("{} to be decided; until then `gate sync` refuses to copy", counted(open, "column")));
    }
    Ok(Exit::Passed)
}
