//! Effects that every part of stagegate needs. They return facts; verdicts, plans and texts are made elsewhere.

pub mod clock;
pub mod contract;
pub mod database;
pub mod deployment;
pub mod engine;
pub mod error;
pub mod files;
pub mod git;
pub mod host;
pub mod http;
pub mod lock;
pub mod mounts;
pub mod owner;
pub mod paths;
pub mod probe;
pub mod process;
pub mod project;
pub mod ready;
pub mod release;
pub mod secret;
pub mod shapes;
pub mod signal;
pub mod sockets;
pub mod storage;
pub mod tree;
pub mod waivers;
