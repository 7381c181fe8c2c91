//! `gate migrations`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::Output;

#[derive(Debug, Args)]
pub struct Migrations {
    #[command(subcommand)]
    pub command: MigrationsCommand,
}

#[derive(Debug, Subcommand)]
pub enum MigrationsCommand {
    /// Run each migration of a folder up, down and up again on a scratch server; needs no stagegate.toml
    Check(Box<MigrationsCheck>),
}

#[derive(Debug, Args)]
pub struct MigrationsCheck {
    /// Folder of migrations
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// Migration tool: sqlx, dbmate, golang-migrate, goose, diesel, refinery, flyway, sqitch, prisma, drizzle,
    /// plain, alembic (also flask-migrate), django, yoyo or rails [default: detected from the files]
    #[arg(long, value_name = "TOOL")]
    pub tool: Option<String>,
    /// Interpreter that runs alembic, django, yoyo or rails, with its arguments [default: .venv/bin/python in DIR, else python3; ruby]
    #[arg(long, value_name = "PROGRAM", num_args = 1.., requires = "tool")]
    pub program: Vec<String>,
    /// PostgreSQL major versions to test on, such as 15,17,18 [default: the one available]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub pg: Vec<u32>,
    /// Image of the scratch server [default: the one built by scripts/setup.sh, else postgres:MAJOR]
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// How to start the scratch PostgreSQL: docker, programs or server [default: the first that works]
    #[arg(long, value_name = "HOW", hide_possible_values = true)]
    pub scratch: Option<ScratchMethod>,
    /// Environment variable with the connection string of your own server, for --scratch server
    #[arg(long, value_name = "VARIABLE")]
    pub server_variable: Option<String>,
    /// Time limit for one statement
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub statement_timeout: String,
    /// Roles that the migrations refer to; they are created on the scratch server
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Tables in which the tool records migrations, if not its default, such as app.schema_migrations
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub history_tables: Vec<String>,
    /// Test every migration on a copy of the database, even if one session is enough
    #[arg(long)]
    pub always_clone: bool,
    /// Skip the checks that need rows: data loss, locks and table rewrites
    #[arg(long, conflicts_with = "seed")]
    pub no_rows: bool,
    /// SQL file with seed rows; tables left empty get generated rows
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Folder of VERSION.up.sql and VERSION.down.sql, run in the place of steps in Go or Rust
    #[arg(long, value_name = "DIR")]
    pub stand_ins: Option<PathBuf>,
    /// Write the schema after the last up migration to FILE: what pg_dump -s would write, as a snapshot
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Report every migration, how it was tested and how long it took
    #[arg(long)]
    pub verbose: bool,
    /// Waiver file [default: stagegate-waivers.toml in the current folder]
    #[arg(long, value_name = "FILE", alias = "exceptions")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ScratchMethod {
    Docker,
    Programs,
    Server,
}
