//! Commands about contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Contract {
    /// Compare two OpenAPI documents; exit 3 if a change breaks clients of the old one
    #[command(after_help = "\
Examples:
  gate contract diff old.yaml new.yaml
  gate contract diff git:v1.2:contracts/api.json contracts/api.json --markdown
  gate contract diff old.json new.json --json --fail-on warning")]
    Diff(ContractDiff),
}

#[derive(Debug, Args)]
pub struct ContractDiff {
    /// Old contract: a file, or git:REV:PATH
    pub old: String,
    /// New contract: a file, or git:REV:PATH
    pub new: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Minimum level that exits with 3
    #[arg(long, value_name = "LEVEL", value_enum, default_value = "error")]
    pub fail_on: BreakingLevel,
    /// Waiver file [default: contract-waivers.toml next to stagegate.toml]
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum BreakingLevel {
    Error,
    Warning,
}
