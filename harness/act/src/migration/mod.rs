//! Migrations on the disk, and on a scratch server: each one up, down and up again, and the whole chain.
//!
//! The facts are made here; what they mean is decided in `stagegate_decide::round_trip`.

mod bench;
mod chain;
mod rows;
mod run;
mod source;
mod trip;

pub use bench::{OnRows, Options, ProveError, Proven, prove, roles};
pub use rows::Rows;
pub use run::Manner;
pub use source::{SourceError, files};

#[cfg(test)]
mod tests;
