//! The tools whose folders can be read.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A migration tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// sqlx (Rust): `N_name.sql`, or `N_name.up.sql` and `N_name.down.sql`.
    Sqlx,
    /// dbmate: `N_name.sql` with `-- migrate:up` and `-- migrate:down`.
    Dbmate,
    /// golang-migrate: `N_name.up.sql` and `N_name.down.sql`.
    GolangMigrate,
    /// goose: `N_name.sql` with `-- +goose Up` and `-- +goose Down`.
    Goose,
    /// diesel (Rust): `N_name/up.sql` and `N_name/down.sql`.
    Diesel,
    /// refinery (Rust): `VN__name.sql` and `UN__name.sql`, no way back.
    Refinery,
    /// Flyway: `VN__name.sql`, `UN__name.sql` for the way back, `R__name.sql`.
    Flyway,
    /// Sqitch: `sqitch.plan` with `deploy/` and `revert/`.
    Sqitch,
    /// No tool known: `name.up.sql` and `name.down.sql`, or `.sql` alone, by name.
    Plain,
    /// Commands of the user's, whatever tool they run.
    #[serde(skip_deserializing)]
    Command,
}

impl Tool {
    /// All whose folders can be read.
    pub const ALL: [Tool; 9] = [
        Tool::Sqlx,
        Tool::Dbmate,
        Tool::GolangMigrate,
        Tool::Goose,
        Tool::Diesel,
        Tool::Refinery,
        Tool::Flyway,
        Tool::Sqitch,
        Tool::Plain,
    ];

    /// Returns its name, as the configuration writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tool::Sqlx => "sqlx",
            Tool::Dbmate => "dbmate",
            Tool::GolangMigrate => "golang-migrate",
            Tool::Goose => "goose",
            Tool::Diesel => "diesel",
            Tool::Refinery => "refinery",
            Tool::Flyway => "flyway",
            Tool::Sqitch => "sqitch",
            Tool::Plain => "plain",
            Tool::Command => "commands",
        }
    }

    /// Returns the tables in which it writes down what it applied; they are no part of the schema. `name.*` is a schema
    /// with all that is in it.
    #[must_use]
    pub fn bookkeeping_tables(self) -> &'static [&'static str] {
        match self {
            Tool::Sqlx => &["_sqlx_migrations"],
            Tool::Dbmate | Tool::GolangMigrate | Tool::Plain => &["schema_migrations"],
            Tool::Goose => &["goose_db_version"],
            Tool::Diesel => &["__diesel_schema_migrations"],
            Tool::Refinery => &["refinery_schema_history"],
            Tool::Flyway => &["flyway_schema_history"],
            Tool::Sqitch => &["sqitch.*"],
            Tool::Command => &[
                "schema_migrations",
                "_sqlx_migrations",
                "goose_db_version",
                "__diesel_schema_migrations",
                "refinery_schema_history",
                "flyway_schema_history",
                "sqitch.*",
            ],
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tool {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Tool::ALL.into_iter().find(|tool| tool.name() == text).ok_or_else(|| {
            let known: Vec<&str> = Tool::ALL.iter().map(|tool| tool.name()).collect();
            let near = crate::suggest::closest(text, &known).map(|near| format!("; did you mean `{near}`?"));
            format!("unknown migration tool `{text}` (known: {}){}", known.join(", "), near.unwrap_or_default())
        })
    }
}
