//! Puts load on a service and measures what it does, without leaving out what it did not answer.
//!
//! Open loop: requests have intended start times, latencies count from those, so that a stall is seen by every request
//! that should have been sent meanwhile. Closed loop: so many requests at a time, latencies count from the sending.
//! Load is taken only by an [`Aim`], and an aim is only made of an environment's own addresses or of the loopback.
//! What came out is facts; whether it is slower than something is decided in `stagegate_performance_decide`.

mod aim;
mod blocks;
mod client;
mod fault;
mod flow;
mod framing;
mod generator;
mod http;
mod measured;
mod own;
mod pace;
mod probe;
mod reference;
mod schedule;
mod sql;

pub use aim::{Aim, AimError};
pub use blocks::{Blocks, Turns, block};
pub use client::Subject;
pub use fault::Fault;
pub use flow::Flow;
pub use generator::{BackgroundLoad, run};
pub use http::Call;
pub use measured::{Measured, SentRequest};
pub use own::Own;
pub use pace::{Extent, Load, Pace};
pub use probe::{NoSubject, load, subject};
pub use reference::Reference;
pub use sql::Query;

#[cfg(test)]
mod tests;
