//! `gate confirm`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Confirm {
    /// Run that waits [default: the one that waits]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Environment [default: $STAGEGATE_ENV, else those with `confirm_within`]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}
