//! Reads what a database holds, takes the dump of that very moment, and looks whether a live one changes.

pub mod age;
pub mod backup;
pub mod facts;
pub mod live;
pub mod outside;
pub mod rotation;
pub mod salvage;
pub mod sanitize;
pub mod sync;
pub mod volume;
