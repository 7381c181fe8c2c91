//! `up`, `down` and `status` of `[migrations.<database>]`: any tool, by its commands.

use serde::Serialize;

use super::Tool;

/// The variable that holds the database's URL, where nothing else is said.
const VARIABLE: &str = "DATABASE_URL";

/// The commands of a migration tool. Each is a program and its arguments; no shell reads them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Commands {
    /// Applies the next migration.
    pub up: Vec<String>,
    /// Reverts the last one; empty where there is no down migration.
    pub down: Vec<String>,
    /// Lists all migrations, those that are applied and those that are not.
    pub status: Vec<String>,
    /// The compose service in whose image they run; on this host where `None`.
    pub service: Option<String>,
    /// The variable in which they find the database's URL.
    pub url_variable: String,
    /// The tables in which the tool records what it applied, in addition to those of the known tools.
    pub history_tables: Vec<String>,
    /// The tool that a driver of ours runs; its commands print what is applied when they are done.
    pub tool: Option<Tool>,
    /// The Python or Ruby that runs the driver, in front of the commands; where empty, the one of the folder or of the host.
    pub program: Vec<String>,
}

impl Commands {
    /// Returns a command as people would write it: the tool in the place of the driver's text.
    #[must_use]
    pub fn shown(&self, argv: &[String]) -> String {
        let Some(tool) = self.tool else { return argv.join(" ") };
        let rest = argv.iter().skip_while(|word| word.as_str() != tool.driver_option()).skip(2);
        std::iter::once(tool.name()).chain(rest.map(String::as_str)).collect::<Vec<_>>().join(" ")
    }

    /// Returns the commands of a tool that a driver of ours runs; `None` for one whose files are read.
    #[must_use]
    pub fn of_tool(tool: Tool, program: &[String]) -> Option<Self> {
        Some(Self::of_driver(tool, tool.driver()?, program))
    }

    fn of_driver(tool: Tool, driver: &str, program: &[String]) -> Self {
        Commands {
            up: driven(tool, driver, &["up", "{name}"]),
            down: driven(tool, driver, &["down", "{name}"]),
            status: driven(tool, driver, &["status"]),
            service: None,
            url_variable: VARIABLE.to_owned(),
            history_tables: Vec::new(),
            tool: Some(tool),
            program: program.to_vec(),
        }
    }

    /// Returns the command that takes all steps in one direction, where the tool has one.
    #[must_use]
    pub fn all(&self, is_up: bool) -> Option<Vec<String>> {
        let tool = self.tool?;
        tool.driver().map(|driver| driven(tool, driver, &[if is_up { "up-all" } else { "down-all" }]))
    }

    /// Returns the command that is run on an empty database before any step, where the tool has one.
    #[must_use]
    pub fn prepare(&self) -> Option<Vec<String>> {
        let tool = self.tool.filter(|tool| tool.is_prepared())?;
        tool.driver().map(|driver| driven(tool, driver, &["prepare"]))
    }
}

fn driven(tool: Tool, driver: &str, words: &[&str]) -> Vec<String> {
    [tool.driver_option(), driver].iter().chain(words).map(|word| (*word).to_owned()).collect()
}

/// What is written, as far as it concerns commands.
pub(super) struct Written<'a> {
    pub(super) up: &'a [String],
    pub(super) down: &'a [String],
    pub(super) status: &'a [String],
    pub(super) service: Option<&'a String>,
    pub(super) url_variable: Option<&'a String>,
    pub(super) history_tables: &'a [String],
    pub(super) has_source: bool,
    pub(super) tool: Option<Tool>,
    pub(super) program: &'a [String],
}

/// Reads the commands; none where a folder is named instead. An error is what is wrong, and the way out.
pub(super) fn commands(written: &Written<'_>) -> Result<Option<Commands>, (String, String)> {
    let wrong = |text: &str, way_out: &str| Err((text.to_owned(), way_out.to_owned()));
    if let Some((tool, driver)) = written.tool.and_then(|tool| Some((tool, tool.driver()?))) {
        if !(written.up.is_empty() && written.down.is_empty() && written.status.is_empty()) {
            return wrong("`tool` has commands of its own, and `up`, `down` or `status` is set", "remove one of them");
        }
        let url_variable = written.url_variable.cloned().unwrap_or_else(|| VARIABLE.to_owned());
        return Ok(Some(Commands {
            service: written.service.cloned(),
            history_tables: written.history_tables.to_vec(),
            url_variable,
            ..Commands::of_driver(tool, driver, written.program)
        }));
    }
    if !written.program.is_empty() {
        return wrong(
            "`program` is the interpreter of `tool`, which is not set",
            "add tool = \"alembic\", \"django\", \"yoyo\" or \"rails\"",
        );
    }
    if written.up.is_empty() {
        if !written.has_source {
            return wrong(
                "neither `source` nor `up` is set",
                "set `source` to the folder of migrations, or `up`, `down` and `status` to the tool's commands",
            );
        }
        let is_alone = written.down.is_empty()
            && written.status.is_empty()
            && written.service.is_none()
            && written.url_variable.is_none();
        return match is_alone {
            true => Ok(None),
            false => wrong(
                "`down`, `status`, `service` and `url_variable` need `up`, which is not set",
                "add up = [\"program\", \"argument\"], or remove these keys",
            ),
        };
    }
    if written.status.is_empty() {
        return wrong("`up` is set and `status` is not", "add the command that lists all migrations");
    }
    if written.tool.is_some() {
        return wrong("`tool` names the format of a folder, and `up` is a command", "remove one of them");
    }
    Ok(Some(Commands {
        up: written.up.to_vec(),
        down: written.down.to_vec(),
        status: written.status.to_vec(),
        service: written.service.cloned(),
        url_variable: written.url_variable.cloned().unwrap_or_else(|| VARIABLE.to_owned()),
        history_tables: written.history_tables.to_vec(),
        tool: None,
        program: Vec::new(),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::super::{Config, Migrations, Tool};

    fn read(lines: &str) -> Result<Migrations, String> {
        let text = format!(
            "[project]\nname = \"shop\"\n[databases.main]\nservice = \"db\"\nname = \"shop\"\n[migrations.main]\n{lines}\n"
        );
        let config = Config::parse(Path::new("/srv/stagegate.toml"), &text).map_err(|error| error.to_string())?;
        Ok(config.migrations["main"].clone())
    }

    #[test]
    fn commands_stand_in_the_place_of_a_folder() {
        let found = read("up = [\"./m\", \"up\"]\nstatus = [\"./m\", \"list\"]\nservice = \"migrate\"").unwrap();
        let commands = found.commands.unwrap();
        assert_eq!((commands.up.join(" "), commands.down.len()), ("./m up".to_owned(), 0));
        assert_eq!((commands.service.as_deref(), commands.url_variable.as_str()), (Some("migrate"), "DATABASE_URL"));
        assert!(read("source = \"migrations\"").unwrap().commands.is_none());
        let named = read("source = \"migrations\"\nhistory_tables = [\"app.versions\"]").unwrap();
        assert!(named.commands.is_none() && named.history_tables == ["app.versions"]);
    }

    #[rstest]
    #[case::alembic("alembic")]
    #[case::django("django")]
    #[case::yoyo("yoyo")]
    #[case::rails("rails")]
    fn one_line_names_a_tool_that_brings_its_own_commands(#[case] tool: &str) {
        let commands = read(&format!("tool = \"{tool}\"")).unwrap().commands.unwrap();
        assert_eq!(commands.shown(&commands.up), format!("{tool} up {{name}}"));
        assert_eq!(commands.shown(&commands.all(false).unwrap()), format!("{tool} down-all"));
        assert!(!commands.up.iter().any(|word| word.contains("{version}")));
        assert_eq!(
            commands.up.iter().filter(|word| word.contains("{name}")).count(),
            1,
            "the driver has no place for a name"
        );
        let service = read(&format!("tool = \"{tool}\"\nservice = \"migrate\"\nprogram = [\"python3\"]")).unwrap();
        assert_eq!(service.commands.unwrap().service.as_deref(), Some("migrate"));
    }

    #[test]
    fn flask_migrate_is_alembic_and_django_applies_packages_first() {
        let flask = read("tool = \"flask-migrate\"").unwrap().commands.unwrap();
        assert_eq!((flask.shown(&flask.status), flask.prepare()), ("alembic status".to_owned(), None));
        assert_eq!("flask-migrate".parse(), Ok(Tool::Alembic));
        let django = read("tool = \"django\"").unwrap().commands.unwrap();
        assert_eq!(django.shown(&django.prepare().unwrap()), "django prepare");
    }

    #[rstest]
    #[case::two_ways("tool = \"django\"\nup = [\"m\"]", "has commands of its own")]
    #[case::no_tool("source = \"m\"\nprogram = [\"python\"]", "which is not set")]
    #[case::nothing("", "neither `source` nor `up`")]
    #[case::no_list("up = [\"m\"]", "`status` is not")]
    #[case::no_up("source = \"m\"\ndown = [\"m\"]", "need `up`, which is not set")]
    #[case::both("up = [\"m\"]\nstatus = [\"m\"]\ntool = \"sqlx\"", "remove one of them")]
    fn half_a_set_of_commands_is_refused(#[case] lines: &str, #[case] want: &str) {
        let error = read(lines).unwrap_err();
        assert!(error.contains("[migrations.main]") && error.contains(want), "{error}");
    }
}
