//! `gate bench`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct Bench {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Compare with the release of this environment; both are started in temporary projects on this host
    #[arg(long, value_name = "NAME", conflicts_with_all = ["baseline", "save_baseline"])]
    pub against: Option<String>,
    /// Measure and save the result under this name
    #[arg(long, value_name = "BASELINE", conflicts_with = "baseline")]
    pub save_baseline: Option<String>,
    /// Compare with the result saved under this name
    #[arg(long, value_name = "BASELINE")]
    pub baseline: Option<String>,
    /// Put load on a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Print JSON lines, including the raw measurements
    #[arg(long)]
    pub json: bool,
    /// Write the comparison as one HTML page with a plot for each probe
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write one SVG plot for each probe into this folder
    #[arg(long, value_name = "FOLDER")]
    pub svg: Option<PathBuf>,
}

/// Options of the child process that measures with criterion.
#[derive(Debug, Args)]
pub struct Criterion {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub env: String,
    /// For a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// Folder for criterion's files
    #[arg(long, value_name = "FOLDER")]
    pub dir: PathBuf,
    /// Also save the samples under this name
    #[arg(long, value_name = "BASELINE", conflicts_with = "baseline")]
    pub save_baseline: Option<String>,
    /// Compare with the result saved under this name
    #[arg(long, value_name = "BASELINE")]
    pub baseline: Option<String>,
}
