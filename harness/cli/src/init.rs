//! `gate init`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Init {
    /// Print the proposal and write nothing
    #[arg(long)]
    pub print: bool,
    /// Read the files only: ask no container, send no request
    #[arg(long)]
    pub no_run: bool,
}
