//! `up`, `down` and `status` of `[migrations.<database>]`: any tool, by its commands.

use serde::Serialize;

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
    pub(super) has_tool: bool,
}

/// Reads the commands; none where a folder is named instead. An error is what is wrong, and the way out.
pub(super) fn commands(written: &Written<'_>) -> Result<Option<Commands>, (String, String)> {
    let wrong = |text: &str, way_out: &str| Err((text.to_owned(), way_out.to_owned()));
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
            && written.url_variable.is_none()
            && written.history_tables.is_empty();
        return match is_alone {
            true => Ok(None),
            false => wrong(
                "`down`, `status`, `service`, `url_variable` and `history_tables` need `up`, which is not set",
                "add up = [\"program\", \"argument\"], or remove these keys",
            ),
        };
    }
    if written.status.is_empty() {
        return wrong("`up` is set and `status` is not", "add the command that lists all migrations");
    }
    if written.has_tool {
        return wrong("`tool` names the format of a folder, and `up` is a command", "remove one of them");
    }
    Ok(Some(Commands {
        up: written.up.to_vec(),
        down: written.down.to_vec(),
        status: written.status.to_vec(),
        service: written.service.cloned(),
        url_variable: written.url_variable.cloned().unwrap_or_else(|| VARIABLE.to_owned()),
        history_tables: written.history_tables.to_vec(),
    }))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rstest::rstest;

    use super::super::{Config, Migrations};

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
    }

    #[rstest]
    #[case::nothing("", "neither `source` nor `up`")]
    #[case::no_list("up = [\"m\"]", "`status` is not")]
    #[case::no_up("source = \"m\"\ndown = [\"m\"]", "need `up`, which is not set")]
    #[case::both("up = [\"m\"]\nstatus = [\"m\"]\ntool = \"sqlx\"", "remove one of them")]
    fn half_a_set_of_commands_is_refused(#[case] lines: &str, #[case] want: &str) {
        let error = read(lines).unwrap_err();
        assert!(error.contains("[migrations.main]") && error.contains(want), "{error}");
    }
}
