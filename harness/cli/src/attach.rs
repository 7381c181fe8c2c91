//! `gate attach`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Attach {
    /// Run on the host [default: the newest one]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Environment with a `host` [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Interrupt the run instead: a promotion is rolled back
    #[arg(long)]
    pub interrupt: bool,
}

/// What the copy of the program on a host is started with.
#[derive(Debug, Args)]
pub struct HostSide {
    /// Folder of a run that is conducted here
    #[arg(long, value_name = "DIR")]
    pub supervise: Option<std::path::PathBuf>,
}
