//! `gate host`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Host {
    /// Check whether the host of an environment can run the gate; changes nothing there
    #[command(
        after_help = "Example:\n  gate host check production\n\nExit codes: 0 ready, 3 something is missing, 4 not reachable"
    )]
    Check(CheckHost),
    /// Copy this program to the host of an environment, verified there
    #[command(after_help = "Example:\n  gate host add production")]
    Add(OneHost),
    /// Replace the copy of this program on the host of an environment; earlier copies stay there
    #[command(after_help = "Example:\n  gate host upgrade production")]
    Upgrade(OneHost),
}

#[derive(Debug, Args)]
pub struct CheckHost {
    /// Environment with a `host`
    #[arg(value_name = "ENVIRONMENT")]
    pub env: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OneHost {
    /// Environment with a `host`
    #[arg(value_name = "ENVIRONMENT")]
    pub env: String,
}
