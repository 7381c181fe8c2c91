//! Asks a port whether what should answer there does: TCP, Redis, PostgreSQL.
//!
//! Each probe tries the addresses in order until one responds, and ends within [`DEADLINE`]. No error holds a password.

pub mod postgres;
pub mod redis;
pub mod tcp;

use std::{net::SocketAddr, time::Duration};

/// How long one probe may take, all addresses together.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Why nothing answered as it should.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// There is no address to ask.
    #[error("no address to connect to: the container has no network address and publishes no port")]
    NoAddress,
    /// Nothing accepts connections there.
    #[error("{address} does not accept a connection")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Reading or writing failed.
    #[error("the connection to {address} was closed early")]
    Broken {
        /// The address.
        address: SocketAddr,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// It answered, but with something else.
    #[error("{address}: expected {expected}, received {answer}")]
    Answer {
        /// The address.
        address: SocketAddr,
        /// What it reported, shortened.
        answer: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A PostgreSQL server refused.
    #[error("PostgreSQL at {address} refused: {code} {message}")]
    Server {
        /// The address.
        address: SocketAddr,
        /// SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
    },
    /// The configuration cannot be used.
    #[error("TLS to PostgreSQL is not possible; correct `ca` of [databases]")]
    Settings(#[from] crate::tls::TlsError),
    /// PostgreSQL's protocol failed before the server reported anything.
    #[error("PostgreSQL at {address}: the connection failed")]
    Protocol {
        /// The address.
        address: SocketAddr,
        /// What the client states.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The deadline passed.
    #[error("{address} did not respond within {within:?}")]
    TooSlow {
        /// The address that was asked last.
        address: SocketAddr,
        /// The deadline.
        within: Duration,
    },
}

/// Asks addresses one after the other and returns the first response, else the first address's error.
///
/// The first address is the best one (published before direct), so that its error is the one to tell.
async fn first<T, F>(addresses: &[SocketAddr], within: Duration, ask: impl Fn(SocketAddr) -> F) -> Result<T, ProbeError>
where
    F: Future<Output = Result<T, ProbeError>>,
{
    let mut reported = None;
    // Each address has its share, so that a silent first one leaves time for the next.
    let share = within / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for &address in addresses {
        let requested = tokio::time::timeout(share, ask(address)).await;
        match requested.unwrap_or(Err(ProbeError::TooSlow { address, within: share })) {
            Ok(response) => return Ok(response),
            Err(error) => reported = reported.or(Some(error)),
        }
    }
    Err(reported.unwrap_or(ProbeError::NoAddress))
}

#[cfg(test)]
mod tests;
