//! `gate host`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Host {
    /// Check whether the host of an environment can run the gate; changes nothing there
    #[command(
        after_help = "Example:\n  gate host check production\n\nExit codes: 0 ready, 3 something is missing, 4 not reachable"
    )]
    Check(CheckHost),
    /// Copy this program and the product's repository (HEAD) to the host of an environment
    #[command(after_help = "Example:\n  gate host add production")]
    Add(OneHost),
    /// Replace the copy of this program on the host, and put stagegate.toml there to HEAD
    #[command(after_help = "Example:\n  gate host upgrade production")]
    Upgrade(OneHost),
    /// Work on the env files on a host
    #[command(subcommand)]
    Env(HostEnv),
}

#[derive(Debug, Subcommand)]
pub enum HostEnv {
    /// Copy an env file to the host, readable by its user only
    #[command(after_help = "Example:\n  gate host env push production .env.production")]
    Push(PushEnv),
}

#[derive(Debug, Args)]
pub struct PushEnv {
    /// Environment with a `host`
    #[arg(value_name = "ENVIRONMENT")]
    pub env: String,
    /// The file; its place there is that of the environment's `env_file`
    #[arg(value_name = "FILE")]
    pub file: std::path::PathBuf,
}

#[derive(Debug, Args)]
pub struct CheckHost {
    /// Environment with a `host`
    #[arg(value_name = "ENVIRONMENT")]
    pub env: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OneHost {
    /// Environment with a `host`
    #[arg(value_name = "ENVIRONMENT")]
    pub env: String,
}
