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
mod manner;
mod merged;
mod options;
mod probes;
mod process;
mod prove;
mod proven;
pub mod recorder;
mod rows;
mod run;
pub mod scratch;
pub mod seed;
mod session;
mod source;
mod touched;
mod trip;

pub use applied::applied;
pub use bench::roles;
pub use commands::Commands;
pub use error::ProveError;
pub use manner::Manner;
pub use options::{Options, Rows};
pub use prove::prove;
pub use proven::{OnRows, Proven};
pub use source::{SourceError, files};

#[cfg(test)]
mod tests;
