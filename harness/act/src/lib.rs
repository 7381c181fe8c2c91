//! Acts: Docker, PostgreSQL, HTTP, git, processes, files, journal, clock.
//!
//! Everything here has effects and returns facts; verdicts, plans and texts are made in `stagegate-decide`.

pub mod audit;
pub mod bench;
mod browser;
pub mod clock;
pub mod compare;
pub mod contract;
pub mod database;
pub mod deployment;
pub mod engine;
pub mod error;
mod failpoint;
pub mod files;
pub mod gate;
pub mod git;
pub mod host;
pub mod http;
pub mod integrity;
pub mod isolation;
pub mod journal;
pub mod load;
pub mod lock;
pub mod migration;
pub mod owner;
pub mod paths;
pub mod probe;
pub mod process;
pub mod project;
pub mod recorder;
pub mod release;
pub mod resources;
pub mod scratch;
pub mod seed;
pub mod shapes;
pub mod sockets;
pub mod tls;
pub mod token;
pub mod workflow;
