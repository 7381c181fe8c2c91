//! `gate compare`.

use clap::Args;

use super::Output;

#[derive(Debug, Args)]
pub struct Compare {
    /// Environment with the candidate release
    #[arg(value_name = "A")]
    pub a: String,
    /// Environment that the release would be promoted to
    #[arg(value_name = "B")]
    pub b: String,
    /// Exit with 0 if the readiness score is in the caution band
    #[arg(long)]
    pub accept_caution: bool,
    /// Skip the suites; usually too little evidence is left for a score
    #[arg(long)]
    pub no_suites: bool,
    #[command(flatten)]
    pub output: Output,
}
