//! `gate accept`.

use clap::Args;

#[derive(Debug, Args)]
pub struct Accept {
    /// Check, or the beginning of its name: contracts::api::get_orders, contracts::api, contracts
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Environment [default: $STAGEGATE_ENV]
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
}
