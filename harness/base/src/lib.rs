//! What every part of stagegate speaks of: values, and the texts made of them.
//!
//! Configuration, compose models, commands as values, containers, records, units, secrets. Pure: no clock, no
//! environment, no files, no network. The manifest holds nothing to do them with, and `clippy.toml` bans what the
//! standard library offers.

pub mod command;
pub mod compose;
pub mod config;
pub mod container;
pub mod encoding;
pub mod exit;
pub mod finding;
pub mod image;
pub mod json_schema;
pub mod lifetime;
pub mod locale;
pub mod mark;
pub mod readiness;
pub mod record;
pub mod redact;
pub mod release;
pub mod report;
pub mod resp;
pub mod severity;
pub mod subfolder;
pub mod suggest;
pub mod text;
pub mod trace_parent;
pub mod units;
pub mod waiver;

#[cfg(test)]
mod properties;
