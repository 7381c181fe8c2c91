//! `gate incident`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub enum Incident {
    /// Open an incident; `gate report --public` shows its text
    Open(OpenIncident),
    /// Close an incident, with what became of it
    Close(CloseIncident),
    /// List the incidents of an environment
    List(ListIncidents),
}

#[derive(Debug, Args)]
pub struct OpenIncident {
    /// What is wrong, for whoever reads the status page
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Promotion that caused it, which counts as failed then
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
}

#[derive(Debug, Args)]
pub struct CloseIncident {
    /// What became of it, for whoever reads the status page
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Number of the incident [default: the one that is open]
    #[arg(long, value_name = "NUMBER")]
    pub id: Option<u64>,
}

#[derive(Debug, Args)]
pub struct ListIncidents {
    /// Environment [default: all]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// Print JSON lines
    #[arg(long)]
    pub json: bool,
}
