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
    /// refinery (Rust): `VN__name.sql` and `UN__name.sql`, no rollback.
    Refinery,
    /// Flyway: `VN__name.sql`, `UN__name.sql` for the rollback, `R__name.sql`.
    Flyway,
    /// Sqitch: `sqitch.plan` with `deploy/` and `revert/`.
    Sqitch,
    /// Prisma (TypeScript): `T_name/migration.sql`; no down migrations.
    Prisma,
    /// Drizzle (TypeScript): `meta/_journal.json` and the scripts that it names; no down migrations.
    Drizzle,
    /// Alembic (Python), also as Flask-Migrate: run by its own API, which a driver of ours calls.
    #[serde(alias = "flask-migrate")]
    Alembic,
    /// Django (Python): run by its own API, which a driver of ours calls.
    Django,
    /// yoyo (Python): run by its own API, which a driver of ours calls.
    Yoyo,
    /// Rails (Active Record, Ruby): run by its own API, which a driver of ours calls.
    Rails,
    /// No tool known: `name.up.sql` and `name.down.sql`, or `.sql` alone, by name.
    Plain,
    /// Commands of the user's, whatever tool they run.
    #[serde(skip_deserializing)]
    Command,
}

impl Tool {
    /// All whose folders can be read.
    pub const ALL: [Tool; 11] = [
        Tool::Sqlx,
        Tool::Dbmate,
        Tool::GolangMigrate,
        Tool::Goose,
        Tool::Diesel,
        Tool::Refinery,
        Tool::Flyway,
        Tool::Sqitch,
        Tool::Prisma,
        Tool::Drizzle,
        Tool::Plain,
    ];

    /// All that a driver of ours runs.
    pub const DRIVEN: [Tool; 4] = [Tool::Alembic, Tool::Django, Tool::Yoyo, Tool::Rails];

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
            Tool::Prisma => "prisma",
            Tool::Drizzle => "drizzle",
            Tool::Alembic => "alembic",
            Tool::Django => "django",
            Tool::Yoyo => "yoyo",
            Tool::Rails => "rails",
            Tool::Plain => "plain",
            Tool::Command => "commands",
        }
    }

    /// Returns whether it can run down migrations; with one that cannot, a folder without any is complete.
    #[must_use]
    pub fn has_downs(self) -> bool {
        !matches!(self, Tool::Prisma | Tool::Drizzle)
    }

    /// Returns the program, in Python or Ruby, that runs it on the scratch database alone; `None` where its files are read as SQL.
    ///
    /// The program takes `status`, `up NAME`, `down NAME`, `up-all` or `down-all`, and `prepare` where
    /// [`Self::is_prepared`], and prints what is applied afterwards.
    #[must_use]
    pub fn driver(self) -> Option<&'static str> {
        match self {
            Tool::Alembic => Some(include_str!("drivers/alembic.py")),
            Tool::Django => Some(include_str!("drivers/django.py")),
            Tool::Yoyo => Some(include_str!("drivers/yoyo.py")),
            Tool::Rails => Some(include_str!("drivers/rails.rb")),
            _ => None,
        }
    }

    /// Returns whether its driver first applies the migrations of installed packages, which are not tested.
    #[must_use]
    pub fn is_prepared(self) -> bool {
        self == Tool::Django
    }

    /// Returns the option with which the driver's language takes a program as an argument.
    #[must_use]
    pub fn driver_option(self) -> &'static str {
        if self == Tool::Rails { "-e" } else { "-c" }
    }

    /// Returns what runs the driver where nothing else is set: paths below the folder, the best one first, and a program of
    /// the host and of an image.
    #[must_use]
    pub fn interpreters(self) -> (&'static [&'static str], &'static str, &'static str) {
        match self {
            Tool::Rails => (&[], "ruby", "ruby"),
            _ => (&[".venv/bin/python", "venv/bin/python"], "python3", "python"),
        }
    }

    /// Returns the tables in which it writes down what it applied; they are no part of the schema. `name.*` is a schema
    /// with all that is in it.
    #[must_use]
    pub fn bookkeeping_tables(self) -> &'static [&'static str] {
        match self {
            Tool::Sqlx => &["_sqlx_migrations"],
            Tool::Dbmate | Tool::GolangMigrate => &["schema_migrations"],
            // Scripts of several tools are read as plain ones.
            Tool::Plain => &[
                "schema_migrations",
                "gorp_migrations",
                "pgmigrations",
                "schema_version",
                "schemaversion",
                "shmig_version",
                "atlas_schema_revisions",
                "atlas_schema_revisions.*",
                "_yoyo_migration",
                "_yoyo_log",
                "_yoyo_version",
                "yoyo_lock",
            ],
            Tool::Goose => &["goose_db_version"],
            Tool::Diesel => &["__diesel_schema_migrations"],
            Tool::Refinery => &["refinery_schema_history"],
            Tool::Flyway => &["flyway_schema_history"],
            Tool::Sqitch => &["sqitch.*"],
            Tool::Prisma => &["_prisma_migrations"],
            Tool::Drizzle => &["__drizzle_migrations", "drizzle.*"],
            Tool::Alembic => &["alembic_version"],
            Tool::Django => &["django_migrations"],
            Tool::Yoyo => &["_yoyo_migration", "_yoyo_log", "_yoyo_version", "yoyo_lock"],
            Tool::Rails => &["schema_migrations", "ar_internal_metadata"],
            Tool::Command => &[
                "schema_migrations",
                "_sqlx_migrations",
                "goose_db_version",
                "__diesel_schema_migrations",
                "refinery_schema_history",
                "flyway_schema_history",
                "sqitch.*",
                "alembic_version",
                "django_migrations",
                "ar_internal_metadata",
                "_prisma_migrations",
                "drizzle.*",
                "__drizzle_migrations",
                "knex_migrations",
                "knex_migrations_lock",
                "databasechangelog",
                "databasechangeloglock",
                "SequelizeMeta",
                "pgmigrations",
                "gorp_migrations",
                "schemaversion",
                "_yoyo_migration",
                "_yoyo_log",
                "_yoyo_version",
                "yoyo_lock",
                "atlas_schema_revisions.*",
                "ecto_migrations",
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
        // Flask-Migrate is Alembic with an application.
        let name = if text == "flask-migrate" { Tool::Alembic.name() } else { text };
        Tool::ALL.into_iter().chain(Tool::DRIVEN).find(|tool| tool.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Tool::ALL.iter().chain(&Tool::DRIVEN).map(|tool| tool.name()).collect();
            let near = crate::suggest::closest(text, &known).map(|near| format!("; did you mean `{near}`?"));
            format!("unknown migration tool `{text}` (known: {}){}", known.join(", "), near.unwrap_or_default())
        })
    }
}
