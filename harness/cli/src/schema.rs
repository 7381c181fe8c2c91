//! `gate schema`.

use clap::{Args, Subcommand};

use super::Output;

#[derive(Debug, Args)]
pub struct Schema {
    #[command(subcommand)]
    pub command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Print the schema as a snapshot
    Dump(OneDatabase),
    /// Compare two schemas; exit 3 if they differ
    Diff(SchemaDiff),
    /// Compare an environment with its committed snapshots; exit 3 if they differ
    Snapshot(Checked),
    /// Compare an environment with the result of its migrations on a scratch server; exit 3 if they differ
    Drift(Checked),
    /// Write an environment's schemas to snapshots/schema/ next to stagegate.toml
    Accept(OneDatabase),
}

#[derive(Debug, Args)]
pub struct OneDatabase {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Database, as named in `[databases]` [default: all; for `dump` the only one]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Fail if there are objects that cannot be compared
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct Checked {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Database, as named in `[databases]` [default: all]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Fail if there are objects that cannot be compared
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct SchemaDiff {
    /// Old schema: an environment or a snapshot file
    #[arg(value_name = "OLD")]
    pub old: String,
    /// New schema: an environment or a snapshot file
    #[arg(value_name = "NEW")]
    pub new: String,
    /// Database, as named in `[databases]` [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Fail if there are objects that cannot be compared
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub output: Output,
}
