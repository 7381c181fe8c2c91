//! Commands about contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Contract {
    /// Show what changed between two OpenAPI documents; exit 3 where a caller of the old one is hurt
    #[command(after_help = "\
Examples:
  gate contract diff old.yaml new.yaml
  gate contract diff git:v1.2:contracts/api.json contracts/api.json --markdown
  gate contract diff old.json new.json --json --fail-on warning")]
    Diff(ContractDiff),
}

#[derive(Debug, Args)]
pub(crate) struct ContractDiff {
    /// The contract that callers know: a file, or git:REV:PATH
    pub(crate) old: String,
    /// The contract that replaces it: a file, or git:REV:PATH
    pub(crate) new: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Print Markdown
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// The least level that makes the exit code 3
    #[arg(long, value_name = "LEVEL", value_enum, default_value = "error")]
    pub(crate) fail_on: BreakingLevel,
    /// Waivers [default: contract-waivers.toml beside stagegate.toml]
    #[arg(long, value_name = "FILE")]
    pub(crate) waivers: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum BreakingLevel {
    Error,
    Warning,
}
