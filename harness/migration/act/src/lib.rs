//! Migrations on the disk, and on a scratch server: each one up, down and up again, and the whole chain.
//!
//! The facts are made here; what they mean is decided in `stagegate_migration_decide::round_trip`.

mod applied;
mod bench;
mod carried;
pub mod catalog;
mod chain;
mod commands;
mod deferred;
mod error;
pub mod integrity;
mod merged;
mod options;
mod probes;
mod process;
mod prove;
mod proven;
pub mod recorder;
mod round_trip;
mod rows;
mod run;
pub mod scratch;
pub mod seed;
mod session;
mod session_options;
mod source;
mod touched;

pub use applied::applied;
pub use bench::roles;
pub use commands::Commands;
pub use error::ProveError;
pub use options::{Options, Rows};
pub use prove::prove;
pub use proven::{OnRows, Proven, ServerFindings};
pub use session_options::SessionOptions;
pub use source::{SourceError, chain_of_folder, files};

#[cfg(test)]
mod tests;
