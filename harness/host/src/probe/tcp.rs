//! Does a port accept a connection?

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{DEADLINE, ProbeError, first};

/// Connects and returns the address that accepted.
///
/// # Errors
/// [`ProbeError`] of the first address, where none accepts.
pub async fn connect(addresses: &[SocketAddr]) -> Result<SocketAddr, ProbeError> {
    first(addresses, DEADLINE, async |address| open(address).await.map(|_| address)).await
}

pub(super) async fn open(address: SocketAddr) -> Result<TcpStream, ProbeError> {
    TcpStream::connect(address).await.map_err(|source| ProbeError::Connect { address, source })
}
