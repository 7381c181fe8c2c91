//! Acts: Docker, PostgreSQL, HTTP, git, processes, files, journal, clock.
//!
//! Everything here has effects and returns facts; verdicts, plans and texts are made in `stagegate-decide`.

pub mod engine;
pub mod http;
pub mod paths;
pub mod probe;
pub mod process;
pub mod project;
