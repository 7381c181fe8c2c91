//! A fixed piece of work of this host, asked over HTTP like a service: what it takes today tells how fast the host is.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use sha2::{Digest, Sha256};

use super::{Aim, Call, Subject};
use stagegate_host::http::Request;

/// Bytes that are hashed for each request. Never change it: stored baselines are divided by what this takes.
const WORK: usize = 32 * 1024;

/// A server on the loopback that does the same work for each request. It ends when this value is dropped.
pub struct Reference {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Reference {
    /// Starts it, on a free port.
    ///
    /// # Errors
    /// An error of the system where there is no port or thread.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let ended = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&ended);
        std::thread::Builder::new().name("reference".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // One thread a connection; a connection that cannot be served is closed, and is counted as such.
                let _ = std::thread::Builder::new().name("reference".to_owned()).spawn(move || serve(stream));
            }
        })?;
        Ok(Reference { address, ended })
    }

    /// Returns what is to be asked.
    ///
    /// # Panics
    /// Never: the server listens on the loopback.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let aim = Aim::at_loopback(self.address).unwrap_or_else(|| unreachable!("it was bound to the loopback"));
        Subject::Http(Call::new(&aim, &Request::get("/"), Some(200)))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let work = vec![7_u8; WORK];
    let mut buffer = [0_u8; 4096];
    let mut tail = Vec::new();
    while let Ok(read @ 1..) = stream.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..read]);
        if !tail.ends_with(b"\r\n\r\n") {
            continue;
        }
        tail.clear();
        let sum = Sha256::digest(&work);
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{:02x}", sum[0]);
        if stream.write_all(response.as_bytes()).is_err() {
            return;
        }
    }
}
