//! What a tool does with its session between two migrations of one run, and how it finds its history table.
//!
//! A new process has a new session, whatever the tool: only the migrations of one run share what they set.

use stagegate_base::config::Tool;

/// How long a session of the tool lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasts {
    /// One script: the next one has a session of its own.
    Script,
    /// All migrations of a run: what one sets, the next one finds.
    Run,
    /// The same, but the tool sets role and search path again before each migration.
    RunWithOwnPath,
}

/// How a tool finds its history table when it records a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// By its name alone, in the session and search path that the script left.
    ByName,
    /// In the schema that is current after the script, else in `public`.
    InCurrentSchema,
    /// By schema and name, or in another session: no script can hide it.
    BySchema,
}

/// A tool's habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habits {
    /// How long its session lasts.
    pub lasts: Lasts,
    /// How it finds its history table.
    pub records: Records,
}

impl Habits {
    /// Returns those of a tool.
    // Source: sqlx-postgres migrate.rs (`INSERT INTO _sqlx_migrations`, one connection); goose provider_run.go and its
    // store; diesel_migrations migration_harness.rs; refinery_core traits/sync.rs; golang-migrate database/postgres
    // (`SetVersion` with schema); dbmate pkg/driver/postgres (`quotedMigrationsTableNameParts`); Flyway DbMigrate.java
    // (`restoreOriginalState`, `changeCurrentSchemaTo`) with a connection of its own for the history.
    #[must_use]
    pub fn of(tool: Tool) -> Self {
        let (lasts, records) = match tool {
            Tool::Sqlx | Tool::Goose | Tool::Diesel | Tool::Refinery => (Lasts::Run, Records::ByName),
            Tool::GolangMigrate => (Lasts::Run, Records::BySchema),
            Tool::Dbmate => (Lasts::Run, Records::InCurrentSchema),
            Tool::Flyway => (Lasts::RunWithOwnPath, Records::BySchema),
            Tool::Sqitch | Tool::Alembic | Tool::Django | Tool::Rails | Tool::Plain | Tool::Command => {
                (Lasts::Script, Records::BySchema)
            }
        };
        Habits { lasts, records }
    }

    /// Returns the expression that is true where the tool finds its history table, which is in the schema `home` (an SQL
    /// string), after a script; `None` where it always does.
    #[must_use]
    pub fn finds_history(self, home: &str) -> Option<String> {
        match self.records {
            Records::ByName => Some(format!("{home} = any(pg_catalog.current_schemas(true))")),
            Records::InCurrentSchema => Some(format!("coalesce(pg_catalog.current_schema(), 'public') = {home}")),
            Records::BySchema => None,
        }
    }
}
