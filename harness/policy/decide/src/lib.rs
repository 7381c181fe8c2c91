//! Decides what compose files, containers and responses show: rules of compose files, health, security, isolation.
//!
//! Pure: values in, findings out.

pub mod health;
pub mod isolation;
pub mod rules;
pub mod security;
