//! Commands about migrations.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Migrations {
    #[command(subcommand)]
    pub(crate) command: MigrationsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrationsCommand {
    /// Run each migration of a folder up, down and up again on a scratch server; needs no stagegate.toml
    Check(MigrationsCheck),
}

#[derive(Debug, Args)]
pub(crate) struct MigrationsCheck {
    /// Folder of migrations
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Tool whose rules are followed, such as sqlx, dbmate, golang-migrate, goose, diesel, refinery, flyway, sqitch,
    /// plain [default: told by the files]
    #[arg(long, value_name = "TOOL")]
    pub(crate) tool: Option<String>,
    /// Majors of PostgreSQL, one run each, such as 15,17,18 [default: what is there]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) pg: Vec<u32>,
    /// Image of the scratch server [default: what scripts/setup.sh provided, else postgres:MAJOR]
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// The only way to get a scratch server that is tried
    #[arg(long, value_name = "WAY")]
    pub(crate) scratch: Option<ScratchWay>,
    /// Environment variable that holds the connection string of a server of yours
    #[arg(long, value_name = "VARIABLE")]
    pub(crate) server_variable: Option<String>,
    /// How long one statement may take
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) statement_timeout: String,
    /// Roles that the migrations name
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) roles: Vec<String>,
    /// Try every migration on a copy of the database, also where one session would do
    #[arg(long)]
    pub(crate) always_clone: bool,
    /// Leave out what needs rows: whether they stay, and which locks and rewrites they meet
    #[arg(long, conflicts_with = "seed")]
    pub(crate) no_rows: bool,
    /// File of SQL that makes rows; tables that are empty after it get made ones [default: only made ones]
    #[arg(long, value_name = "FILE")]
    pub(crate) seed: Option<PathBuf>,
    /// Tell every migration, the way it was tried and how long it took
    #[arg(long)]
    pub(crate) verbose: bool,
    /// File of accepted findings [default: none]
    #[arg(long, value_name = "FILE")]
    pub(crate) exceptions: Option<PathBuf>,
    /// Write SARIF 2.1.0, for a code host
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with_all = ["verbose", "markdown"])]
    pub(crate) json: bool,
    /// Print Markdown
    #[arg(long, conflicts_with = "verbose")]
    pub(crate) markdown: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ScratchWay {
    Docker,
    Programs,
    Server,
}
