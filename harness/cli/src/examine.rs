//! `gate test` and `gate lint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Output;

#[derive(Debug, Args)]
pub struct Test {
    /// Environment [default: $STAGEGATE_ENV, else `ephemeral`, a temporary copy of the stack]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Run only these checks: a suite, segments of a name such as `api::http`, else any part of a name
    #[arg(value_name = "FILTER")]
    pub filters: Vec<String>,
    /// PostgreSQL major versions to test migrations on, such as 15,17,18 [default: `pg` of `[migrations]`, else the
    /// environment's version]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub pg: Vec<u32>,
    /// Put the full load on a protected environment: its name, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub confirm: Option<String>,
    /// List the checks without running them
    #[arg(long)]
    pub list: bool,
    /// Print each check with all that it found, not only the suites and what failed
    #[arg(long, short)]
    pub verbose: bool,
    /// Print only what blocks, and the result
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Lint {
    /// Compose files, later ones override [default: those of the environment, else the one in this folder]
    #[arg(value_name = "FILE", conflicts_with = "env")]
    pub files: Vec<PathBuf>,
    /// Environment of stagegate.toml, including its running containers [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Env file for the compose files [default: .env next to the first one]
    #[arg(long, value_name = "FILE", conflicts_with = "env")]
    pub env_file: Vec<PathBuf>,
    /// Minimum severity that exits with 3
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub fail_on: FailOn,
    /// Print the fixes as a compose file to merge over the others; no file is changed
    #[arg(long, conflicts_with = "json")]
    pub fix: bool,
    /// Explain a rule; `all` lists them
    #[arg(long, value_name = "RULE")]
    pub explain: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum FailOn {
    #[value(alias = "error")]
    Required,
    Warning,
    Info,
}
