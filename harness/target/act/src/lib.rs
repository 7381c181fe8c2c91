//! Hosts that are reached by SSH: connections, what is found there, the copy of `gate` there.

mod check;
mod connection;
mod copy;
mod error;
mod follow;
mod release;
mod scratch;
pub mod side;
mod talk;

pub use check::{Checked, check};
pub use connection::Connection;
pub use copy::copy;
pub use error::HostError;
pub use follow::{Ended, FollowEvent, attach, confirm, interrupt, start};
pub use release::{Sent, push_env_file, send};
