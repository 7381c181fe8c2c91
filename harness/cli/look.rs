//! Commands that look at environments and runs.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct OneEnvironment {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Show it again every two seconds, until Ctrl-C
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    /// Print JSON, with --watch a line each time
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Logs {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Services [default: all]
    #[arg(value_name = "SERVICE")]
    pub(crate) services: Vec<String>,
    /// How many lines of each
    #[arg(long, default_value_t = 50)]
    pub(crate) tail: u32,
    /// Go on as lines come
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Unlock {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub(crate) env: String,
    /// The run, as `gate history` shows it
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
}

#[derive(Debug, Args)]
pub(crate) struct ShowConfig {
    /// Environment whose variables are shown too
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}
