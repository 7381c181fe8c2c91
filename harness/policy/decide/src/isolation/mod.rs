//! Decides whether two environments share anything that should be one's own.
//!
//! In: two [`Stack`]s, each the resolved files and the containers of one environment, as far as they are here. Out:
//! findings, one for each thing that both have. What one has is taken from the files and from its containers alike: a
//! container that somebody attached to another network by hand is in no file. No finding holds a secret's value.

mod binds;
mod names;
mod networks;
mod ports;
mod reach;
mod secrets;
mod stack;
mod stores;
mod volumes;

pub use binds::binds;
pub use names::names;
pub use networks::networks;
pub use ports::ports;
pub use reach::{NotProven, ReachReport, ServerAddress, doors, listeners, reached, script};
pub use secrets::{SALT_BYTES, secrets};
pub use stack::{Contained, Endpoint, Stack};
pub use stores::{Identity, data, stores};
pub use volumes::volumes;
