//! Ports that the proofs' stacks publish.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Returns a port of this host that nobody listens on and that no earlier call gave.
///
/// It lies below 32768: from there on the kernel gives ports to connections, and one that is free now may be taken before a
/// container publishes it. Each process begins elsewhere, so that proofs that run at once do not meet.
pub(crate) fn free_port() -> u16 {
    let begin = 10_000 + u16::try_from(std::process::id() % 20).expect("below 20") * 500;
    (0..2_000)
        .map(|_| begin + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of 2,000 ports is free")
}
