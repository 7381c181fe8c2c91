//! Serves pages: read-only, to those who may, with a stream that tells when a page has changed.

mod access;
mod server;

pub use access::Access;
pub use server::{Page, Pages, Serving, serve};
