//! Measuring.

use std::path::PathBuf;

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
    /// Put load on a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Print JSON lines, with every block
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a comparison as one HTML page, with a picture for each probe
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Write a comparison's pictures into this folder, one SVG file a probe
    #[arg(long, value_name = "FOLDER")]
    pub(crate) svg: Option<PathBuf>,
}

/// What the child process is told that measures by criterion.
#[derive(Debug, Args)]
pub(crate) struct Criterion {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// For a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Folder for criterion's files
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: PathBuf,
    /// Keep the samples under this name too
    #[arg(long, value_name = "BASELINE", conflicts_with = "baseline")]
    pub(crate) save_baseline: Option<String>,
    /// Compare with what was kept under this name
    #[arg(long, value_name = "BASELINE")]
    pub(crate) baseline: Option<String>,
}
