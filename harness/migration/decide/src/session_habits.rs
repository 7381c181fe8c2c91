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
    /// The same, in a transaction of its own after the script's: what the script set for its transaction is gone.
    ByNameApart,
    /// In the schema that is current after the script, else in `public`.
    InCurrentSchema,
    /// By schema and name, or in another session: no script can hide it.
    BySchema,
}

/// What a tool does where a script ended the transaction that the tool had opened around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// It sees that there is none to commit, and ends with an error.
    Checked,
    /// It sends COMMIT, which is no more than a warning then.
    Unchecked,
}

/// A tool's habits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionHabits {
    /// How long its session lasts.
    pub lasts: Lasts,
    /// How it finds its history table.
    pub records: Records,
    /// What it does where a script ended its transaction.
    pub commits: Commits,
}

impl SessionHabits {
    /// Returns those of a tool.
    // Source: sqlx-postgres migrate.rs (`INSERT INTO _sqlx_migrations`, one connection); goose provider_run.go and its
    // store; diesel_migrations migration_harness.rs; refinery_core traits/sync.rs (two transactions); golang-migrate database/postgres
    // (`SetVersion` with schema); dbmate pkg/driver/postgres (`quotedMigrationsTableNameParts`); Flyway DbMigrate.java
    // (`restoreOriginalState`, `changeCurrentSchemaTo`) with a connection of its own for the history; prisma-engines
    // sql_migration_persistence.rs (`_prisma_migrations`, one connection); drizzle-orm pg-core/dialect.ts (table with schema).
    #[must_use]
    pub fn of(tool: Tool) -> Self {
        let (lasts, records) = match tool {
            Tool::Sqlx | Tool::Goose | Tool::Diesel | Tool::Prisma => (Lasts::Run, Records::ByName),
            Tool::Refinery => (Lasts::Run, Records::ByNameApart),
            Tool::GolangMigrate | Tool::Drizzle => (Lasts::Run, Records::BySchema),
            Tool::Dbmate => (Lasts::Run, Records::InCurrentSchema),
            Tool::Flyway => (Lasts::RunWithOwnPath, Records::BySchema),
            Tool::Sqitch | Tool::Alembic | Tool::Django | Tool::Yoyo | Tool::Rails | Tool::Plain | Tool::Command => {
                (Lasts::Script, Records::BySchema)
            }
        };
        // Measured: dbmate 2.37, "unexpected transaction status idle", by its driver lib/pq; diesel 2.3, "Cannot perform this
        // operation outside of a transaction".
        let commits = match tool {
            Tool::Dbmate | Tool::Diesel => Commits::Checked,
            _ => Commits::Unchecked,
        };
        SessionHabits { lasts, records, commits }
    }

    /// Returns the expression that is true where the tool finds its history table, which is in the schema `home` (an SQL
    /// string), after a script; `None` where it always does.
    #[must_use]
    pub fn finds_history(self, home: &str) -> Option<String> {
        match self.records {
            Records::ByName | Records::ByNameApart => Some(format!("{home} = any(pg_catalog.current_schemas(true))")),
            Records::InCurrentSchema => Some(format!("coalesce(pg_catalog.current_schema(), 'public') = {home}")),
            Records::BySchema => None,
        }
    }
}
