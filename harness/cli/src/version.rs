//! `gate version`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Version {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
