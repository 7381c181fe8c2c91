//! Reads what a database holds, takes the dump of that very moment, and looks whether a live one changes.

pub mod facts;
pub mod live;
