//! `gate salvage`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Salvage {
    /// Run that put a database aside [default: list what was put aside]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Database, as named in `[databases]` [default: all]
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// Table, with or without its schema [default: all]
    #[arg(long, value_name = "TABLE", requires = "run")]
    pub table: Vec<String>,
    /// Write rows that are missing or changed in the live database as CSV into this folder
    #[arg(long, value_name = "DIR", requires = "run", conflicts_with = "carry")]
    pub csv: Option<PathBuf>,
    /// Write rows that are missing in the live database as INSERT statements into this file
    #[arg(long, value_name = "FILE", requires = "run", conflicts_with = "carry")]
    pub sql: Option<PathBuf>,
    /// Insert rows that are missing into the live database, in one transaction
    #[arg(long, requires = "run")]
    pub carry: bool,
    /// With --carry: also rows that refer to a row whose key both databases have with other contents
    #[arg(long, requires = "carry")]
    pub accept_links: bool,
    /// Do not ask for confirmation (a protected environment also needs --confirm)
    #[arg(long)]
    pub yes: bool,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
