//! Commands that ask whether something is sound.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Environment [default: $STAGEGATE_ENV, else `ephemeral`, a throw-away copy]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Run only trials whose name contains one of these
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Majors of PostgreSQL to try migrations on, such as 15,17,18 [default: `pg` of `[migrations]`, else the
    /// environment's own]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) pg: Vec<u32>,
    /// Load at the full rate on a protected environment: the name of the environment, to confirm that it is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// List the trials and run none
    #[arg(long)]
    pub(crate) list: bool,
    /// Print records and verdict as JSON lines
    #[arg(long)]
    pub(crate) json: bool,
    /// Write JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Write Markdown, as for a job summary
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Write one HTML page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// Compose files, later ones override [default: those of the environment, else the one in this folder]
    #[arg(value_name = "FILE", conflicts_with = "env")]
    pub(crate) files: Vec<PathBuf>,
    /// Environment of stagegate.toml, with its running containers [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
    /// Variables for the files [default: .env beside the first one]
    #[arg(long, value_name = "FILE", conflicts_with = "env")]
    pub(crate) env_file: Vec<PathBuf>,
    /// The least severity that ends with exit code 3
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    pub(crate) fail_on: FailOn,
    /// Print JSON
    #[arg(long, conflicts_with = "fix")]
    pub(crate) json: bool,
    /// Write SARIF 2.1.0, for a code host
    #[arg(long, value_name = "FILE")]
    pub(crate) sarif: Option<PathBuf>,
    /// Print the lines to add, as a compose file to be merged over the others; nothing is changed
    #[arg(long)]
    pub(crate) fix: bool,
    /// Explain a rule; `all` lists them
    #[arg(long, value_name = "RULE")]
    pub(crate) explain: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FailOn {
    Required,
    Warning,
    Info,
}
