//! Measures: load in open and closed loops, two releases in turn, baselines, what services and databases used.

pub mod bench;
pub mod load;
pub mod resources;
pub mod statistics;
pub mod waits;
