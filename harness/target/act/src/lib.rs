//! Hosts that are reached by SSH: connections, what is found there, the copy of `gate` there.

mod check;
mod connection;
mod copy;
mod error;
mod scratch;

pub use check::{Checked, check};
pub use connection::Connection;
pub use copy::copy;
pub use error::HostError;
