//! `gate init`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Init {
    /// Print the proposal and write nothing
    #[arg(long)]
    pub print: bool,
    /// Ask no question on a terminal: what the files do not show is left out
    #[arg(long)]
    pub yes: bool,
    /// Read the files only: ask no container, send no request
    #[arg(long)]
    pub no_run: bool,
}
