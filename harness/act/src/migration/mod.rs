//! Migrations on the disk.

mod source;

pub use source::{SourceError, files};
