//! `gate recover`.

use clap::{Args, Subcommand};

use crate::{InstallSchedule, UninstallSchedule};

#[derive(Debug, Subcommand)]
pub enum Recover {
    /// Finish interrupted runs of all environments now
    Run,
    /// Finish interrupted runs at every boot, by a systemd unit or cron
    Install(InstallSchedule),
    /// Remove the systemd unit of `gate recover install`
    Uninstall(UninstallSchedule),
    /// Show whether the boot unit is installed, and runs that have not ended
    Status,
    /// Watch a run of another process
    #[command(hide = true)]
    Watch(WatchRun),
}

/// What a watchdog is started with.
#[derive(Debug, Args)]
pub struct WatchRun {
    /// Environment
    #[arg(long, value_name = "NAME")]
    pub env: String,
    /// The run
    #[arg(long, value_name = "RUN")]
    pub run: String,
    /// The process that conducts it
    #[arg(long, value_name = "ID")]
    pub process: u32,
    /// Seconds since the machine was started, until which the point of no return must be reached
    #[arg(long, value_name = "SECONDS")]
    pub until: u64,
}
