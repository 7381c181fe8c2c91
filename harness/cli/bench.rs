//! Measuring.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Compare with the release of this environment: both are started beside, in throw-away projects on this host
    #[arg(long, value_name = "NAME", conflicts_with_all = ["baseline", "save_baseline"])]
    pub(crate) against: Option<String>,
    /// Measure and keep the blocks under this name
    #[arg(long, value_name = "BASELINE", conflicts_with = "baseline")]
    pub(crate) save_baseline: Option<String>,
    /// Compare with what was kept under this name
    #[arg(long, value_name = "BASELINE")]
    pub(crate) baseline: Option<String>,
    /// Print JSON lines, with every block
    #[arg(long)]
    pub(crate) json: bool,
}
