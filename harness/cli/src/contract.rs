//! Commands about contracts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FailOn, Output};

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
    /// Minimum severity that exits with 3: required is a change that breaks clients
    #[arg(long, value_name = "SEVERITY", default_value = "required")]
    pub fail_on: FailOn,
    /// Waiver file [default: stagegate-waivers.toml next to stagegate.toml]
    #[arg(long, value_name = "FILE")]
    pub waivers: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}
