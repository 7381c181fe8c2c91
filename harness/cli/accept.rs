//! Accepting what was seen.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// Trial, or the beginning of its name: contracts::api::get_orders, contracts::api, contracts
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,
}
