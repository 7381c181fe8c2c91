//! Serves pages: read-only, to those who may, with a stream that tells when a page has changed. Keeps messages until their
//! receivers took them.

mod access;
mod deliver;
pub mod events;
mod outbox;
mod server;

pub use access::Access;
pub use deliver::{Undelivered, WITHIN, deliver};
pub use outbox::{Outbox, OutboxLock, Passed, Waiting};
pub use server::{Page, Pages, Serving, serve};
