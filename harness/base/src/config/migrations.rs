//! `[migrations.<database>]`: where a database's migrations lie, and how they are tried on a scratch server.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{
    Commands, Database, LockLimits, Tool,
    commands::{Written, commands},
    locks::RawLocks,
};
use crate::{suggest::closest, units::Span};

/// How the migrations of one database are tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Migrations {
    /// The database's id.
    #[serde(skip)]
    pub database: String,
    /// The folder, relative to the environment's workdir; with commands the one that they run in.
    pub source: PathBuf,
    /// The tool's commands, where it is not its folder that is read.
    pub commands: Option<Commands>,
    /// The tool whose rules are followed; told by the files where `None`.
    pub tool: Option<Tool>,
    /// How long one statement may take.
    pub statement_timeout: Span,
    /// How long all of it may take.
    pub within: Span,
    /// The search path of the product's sessions; the server's own where `None`.
    pub search_path: Option<String>,
    /// The tables in which the tool records what it applied, where they are not its own by default.
    pub history_tables: Vec<String>,
    /// Roles that the migrations name and do not make.
    pub roles: Vec<String>,
    /// Majors to try on; the one of the environment's own image where there are none.
    pub pg: Vec<u32>,
    /// The environment variable that holds the connection string of a server for tests.
    pub server_variable: Option<String>,
    /// A file of SQL that makes rows, relative to the environment's workdir.
    pub seed: Option<PathBuf>,
    /// A folder of SQL that is run in the place of steps in Go or Rust, relative to the environment's workdir.
    pub stand_ins: Option<PathBuf>,
    /// What locks may cost.
    pub locks: LockLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMigrations {
    source: Option<PathBuf>,
    tool: Option<Tool>,
    #[serde(default)]
    up: Vec<String>,
    #[serde(default)]
    down: Vec<String>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    program: Vec<String>,
    service: Option<String>,
    url_variable: Option<String>,
    #[serde(default, alias = "books")]
    history_tables: Vec<String>,
    statement_timeout: Option<Span>,
    within: Option<Span>,
    search_path: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    pg: Vec<u32>,
    server_variable: Option<String>,
    seed: Option<PathBuf>,
    stand_ins: Option<PathBuf>,
    #[serde(default)]
    locks: RawLocks,
}

/// Fills the defaults in; `error` makes an error of place, text and way out.
pub(super) fn migrations<E>(
    raw: &BTreeMap<String, Spanned<RawMigrations>>,
    databases: &BTreeMap<String, Database>,
    error: impl Fn(usize, String, String) -> E,
) -> Result<BTreeMap<String, Migrations>, E> {
    let known: Vec<&str> = databases.keys().map(String::as_str).collect();
    let mut all = BTreeMap::new();
    for (id, raw) in raw {
        if !databases.contains_key(id) {
            let text = format!("[migrations.{id}]: unknown database `{id}` (known: {})", known.join(", "));
            let way_out = match closest(id, &known) {
                Some(near) => format!("did you mean [migrations.{near}]?"),
                None => format!("add [databases.{id}] with its `service` and `name`"),
            };
            return Err(error(raw.span().start, text, way_out));
        }
        let commands = commands(&written(raw.get_ref()));
        let commands = commands
            .map_err(|(text, way_out)| error(raw.span().start, format!("[migrations.{id}]: {text}"), way_out))?;
        all.insert(id.clone(), read(id, raw.get_ref(), commands));
    }
    Ok(all)
}

fn written(raw: &RawMigrations) -> Written<'_> {
    Written {
        up: &raw.up,
        down: &raw.down,
        status: &raw.status,
        service: raw.service.as_ref(),
        url_variable: raw.url_variable.as_ref(),
        history_tables: &raw.history_tables,
        has_source: raw.source.is_some(),
        tool: raw.tool,
        program: &raw.program,
    }
}

fn read(id: &str, raw: &RawMigrations, commands: Option<Commands>) -> Migrations {
    let or = |span: Option<Span>, seconds| span.unwrap_or(Span(Duration::from_secs(seconds)));
    Migrations {
        database: id.to_owned(),
        source: raw.source.clone().unwrap_or_default(),
        commands,
        tool: raw.tool,
        statement_timeout: or(raw.statement_timeout, 30),
        within: or(raw.within, 600),
        search_path: raw.search_path.clone(),
        history_tables: raw.history_tables.clone(),
        roles: raw.roles.clone(),
        pg: raw.pg.clone(),
        server_variable: raw.server_variable.clone(),
        seed: raw.seed.clone(),
        stand_ins: raw.stand_ins.clone(),
        locks: raw.locks.limits(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    const GOOD: &str = "[project]\nname = \"shop\"\n[databases.main]\nservice = \"db\"\nname = \"shop\"\n";

    #[test]
    fn migrations_of_a_database_that_is_not_there_are_refused() {
        let text = format!("{GOOD}[migrations.mian]\nsource = \"migrations\"\n");
        let error = Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap_err().to_string();
        assert!(error.contains("unknown database `mian`") && error.contains("[migrations.main]"), "{error}");
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let text = format!("{GOOD}[migrations.main]\nsource = \"migrations\"\ntool = \"golang-migrate\"\n");
        let config = Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap();
        let migrations = &config.migrations["main"];
        assert_eq!(migrations.statement_timeout.0.as_secs(), 30);
        assert_eq!(migrations.tool.unwrap().name(), "golang-migrate");
        assert!(migrations.pg.is_empty());
    }
}
