//! `gate watch`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Watch {
    #[command(subcommand)]
    pub command: Option<WatchCommand>,
    #[command(flatten)]
    pub run: RunWatch,
}

#[derive(Debug, Subcommand)]
pub enum WatchCommand {
    /// Watch from now on and from every boot on, by a systemd unit or cron
    Install(InstallWatch),
    /// Remove the systemd unit of `gate watch install`
    Uninstall(UninstallWatch),
    /// Show the checks as the watch saw them last; exit 3 if one is down, 4 if nobody watches
    Status(WatchStatus),
}

#[derive(Debug, Args)]
pub struct RunWatch {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Make one round and exit; 3 if a check fails
    #[arg(long)]
    pub once: bool,
    /// File with a URL that is requested after each round in which nothing is down
    #[arg(long, value_name = "FILE")]
    pub ping_url_file: Option<PathBuf>,
    /// Less free disk space than this is a failure
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub min_free: String,
}

#[derive(Debug, Args)]
pub struct InstallWatch {
    #[command(flatten)]
    pub run: RunWatch,
    /// Print the crontab line instead of installing a systemd unit
    #[arg(long)]
    pub cron: bool,
    /// Write the systemd unit into this folder and do not enable it
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct UninstallWatch {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Folder of the systemd unit, if it was named when it was written
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct WatchStatus {
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
