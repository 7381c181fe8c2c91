//! What the journals tell, for people and for monitoring: runs, delivery figures, metrics, pages.
//!
//! Pure, and without a store of its own: each number is a count over the lines of journals, so it can be counted again.

pub mod figures;
pub mod incident;
pub mod metrics;
pub mod notify;
pub mod pages;
mod run;
pub mod trace;
pub mod watch;

pub use run::{RunFacts, StepFacts};
