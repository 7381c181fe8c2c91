//! Commands that show environments and runs.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct OneEnvironment {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Doctor {
    /// Environment [default: $STAGEGATE_ENV, else all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Refresh every two seconds until Ctrl-C
    #[arg(long, short = 'w')]
    pub watch: bool,
    /// Print JSON; with --watch one line per refresh
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Services [default: all]
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Number of lines for each service
    #[arg(long, default_value_t = 50)]
    pub tail: u32,
    /// Follow new lines
    #[arg(long, short = 'f')]
    pub follow: bool,
}

#[derive(Debug, Args)]
pub struct History {
    /// Show one run: its plan, each step with its time, how it ended and why
    #[arg(value_name = "RUN", conflicts_with_all = ["since", "diff"])]
    pub run: Option<String>,
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Only runs that began within this time, such as 7d, or since this day (UTC), such as 2026-01-31
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Compare two runs: releases, images, databases, steps
    #[arg(long, num_args = 2, value_name = "RUN", conflicts_with = "since")]
    pub diff: Option<Vec<String>>,
    /// Print the run as a trace: an OpenTelemetry (OTLP) document in JSON
    #[arg(long, requires = "run", conflicts_with = "json")]
    pub trace: bool,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Pages {
    /// Folder for the pages; files of an earlier report in it are written over
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Days that the delivery figures are counted over
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// One page for the public: no release, service, host or reason
    #[arg(long)]
    pub public: bool,
}

#[derive(Debug, Args)]
pub struct Dashboard {
    /// Address and port to listen at; one that other machines reach needs --token-file
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7979")]
    pub listen: std::net::SocketAddr,
    /// File with the token that readers give as the password
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Name by which readers ask for the dashboard, such as that of a proxy in front of it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Days that the delivery figures are counted over
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
}

#[derive(Debug, Args)]
pub struct Metrics {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Days that the delivery figures are counted over
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
    /// Write stagegate.prom into this folder, for node_exporter's textfile collector, and nothing to standard output
    #[arg(long, value_name = "DIR")]
    pub textfile: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Unlock {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub env: String,
    /// Run ID, as `gate history` shows it
    #[arg(long, value_name = "RUN")]
    pub run: String,
}

#[derive(Debug, Args)]
pub struct ShowConfig {
    /// Environment whose variables are shown as well
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}
