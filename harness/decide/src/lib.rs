//! Decides: values in, values out.
//!
//! Everything here is a pure function of its arguments. Facts come from `stagegate-act`, verdicts, plans, moves
//! and texts are made here. No clock, no environment, no files, no network: the manifest holds nothing to do
//! them with, and `clippy.toml` bans what the standard library offers.

pub mod command;
pub mod compare;
pub mod compose;
pub mod config;
pub mod container;
pub mod contract;
pub mod data;
pub mod exit;
pub mod health;
pub mod integrity;
pub mod isolation;
pub mod live;
pub mod locks;
pub mod mark;
pub mod migration;
pub mod performance;
pub mod policy;
pub mod promotion;
pub mod readiness;
pub mod record;
pub mod redact;
pub mod release;
pub mod report;
pub mod round_trip;
pub mod sarif;
pub mod schema;
pub mod security;
pub mod seed;
pub mod suggest;
pub mod text;
pub mod units;
pub mod verdict;
pub mod waiver;
pub mod workflow;
