//! `gate sync`, `gate sanitize`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct Sync {
    /// Environment to read
    #[arg(long, value_name = "NAME")]
    pub from: String,
    /// Environment to copy into; never a protected one
    #[arg(long, value_name = "NAME")]
    pub to: String,
    /// Database, as named in `[databases]` [default: all]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Also copy the files of the volumes in `[volumes]`, or of those that `files` of `[sync]` lists
    #[arg(long)]
    pub files: bool,
    /// Copy only the rows that this file names, and all that they need
    #[arg(long, value_name = "FILE")]
    pub subset: Option<PathBuf>,
    /// Copy only what changed since the last `--incremental` sync; a copy of it is kept on the target's server
    #[arg(long, conflicts_with = "subset")]
    pub incremental: bool,
    /// Show what would be copied and what refuses it; change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long)]
    pub yes: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum Sanitize {
    /// Propose rules for the columns that have none, from names, types, comments and values
    #[command(after_help = "\
Examples:
  gate sanitize suggest --env production
  gate sanitize suggest --env production --write")]
    Suggest(SanitizeSuggest),
}

#[derive(Debug, Args)]
pub struct SanitizeSuggest {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Database, as named in `[databases]` [default: the only one]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Write the file of rules, if there is none yet
    #[arg(long)]
    pub write: bool,
}
