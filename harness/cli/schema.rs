//! Commands about databases' schemas.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct Schema {
    #[command(subcommand)]
    pub(crate) command: SchemaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SchemaCommand {
    /// Print the schema as a snapshot
    Dump(OneDatabase),
    /// Compare two schemas; exits 3 where they differ
    Diff(SchemaDiff),
    /// Compare an environment with its committed snapshots; exits 3 where they differ
    Snapshot(Checked),
    /// Compare an environment with what its migrations give on a scratch server; exits 3 where they differ
    Drift(Checked),
    /// Write an environment's schemas to snapshots/schema/ beside stagegate.toml
    Accept(OneDatabase),
}

#[derive(Debug, Args)]
pub(crate) struct OneDatabase {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Database, as `[databases]` names it [default: all; for a dump the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Checked {
    #[command(flatten)]
    pub(crate) of: OneDatabase,
    /// Write SARIF 2.1.0, for a code host
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaDiff {
    /// Environment or snapshot file: what the old release was made for
    #[arg(value_name = "OLD")]
    pub(crate) old: String,
    /// Environment or snapshot file: what the new release was made for
    #[arg(value_name = "NEW")]
    pub(crate) new: String,
    /// Database, as `[databases]` names it [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) database: Option<String>,
    /// Write SARIF 2.1.0, for a code host
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Args)]
pub(crate) struct Form {
    /// Print JSON
    #[arg(long, conflicts_with = "markdown")]
    pub(crate) json: bool,
    /// Print Markdown
    #[arg(long)]
    pub(crate) markdown: bool,
    /// Fail where there are objects that are not modelled
    #[arg(long)]
    pub(crate) strict: bool,
}
