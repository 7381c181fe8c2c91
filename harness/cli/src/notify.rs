//! `gate notify`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a test message to each receiver, or to one
    Test(TestNotify),
    /// List the messages that no receiver took yet, with the reason
    Pending(PendingNotify),
    /// Send the messages that wait, at once
    Send(SendNotify),
}

#[derive(Debug, Args)]
pub struct TestNotify {
    /// Receiver, as `name` of `[[notify]]` [default: all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct PendingNotify {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct SendNotify {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Only those whose pause is over
    #[arg(long)]
    pub due: bool,
    /// Stay and send again what fails; started by `gate` itself
    #[arg(long, hide = true)]
    pub stay: bool,
}
