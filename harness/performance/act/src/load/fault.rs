//! Why a request has no good response, as few kinds that can be counted.

use std::io;

/// A kind of failure. Cheap to copy: at thousands of requests a second no text is made for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Fault {
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// No connection came about for another reason.
    #[error("no connection")]
    NoConnection,
    /// The other side closed the connection before the response was whole.
    #[error("connection closed")]
    Closed,
    /// Reading or writing failed.
    #[error("connection reset")]
    Broken,
    /// What came is no HTTP/1.1.
    #[error("no HTTP/1.1 response")]
    Malformed,
    /// A response, but not one that the probe takes for good.
    #[error("status {0}")]
    Status(u16),
    /// The server refused a statement; five characters of SQLSTATE.
    #[error("SQLSTATE {}", String::from_utf8_lossy(.0))]
    Sql([u8; 5]),
    /// A step of a workflow did not hold; its line in the file.
    #[error("the step in line {0} failed")]
    Workflow(u32),
    /// No whole response in time, counted from the intended start.
    #[error("timeout")]
    Timeout,
}

impl Fault {
    /// Names a failed attempt to connect.
    pub(super) fn connecting(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Fault::Refused,
            _ => Fault::NoConnection,
        }
    }

    /// Names a failed read or write.
    pub(super) fn speaking(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => Fault::Closed,
            _ => Fault::Broken,
        }
    }
}
