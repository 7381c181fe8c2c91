//! One connection that asks one request after the other, and how long each response took.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

/// A connection to a server of the self-test.
pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Client { stream })
    }

    /// Asks `count` times and returns the latencies in nanoseconds.
    pub(crate) fn block(&mut self, count: u32) -> std::io::Result<Vec<u64>> {
        (0..count).map(|_| self.ask()).collect()
    }

    fn ask(&mut self) -> std::io::Result<u64> {
        let begun = Instant::now();
        self.stream.write_all(REQUEST)?;
        let mut response = [0_u8; 512];
        let mut read = 0;
        // The response is short and ends with its 16 digits.
        while !is_whole(&response[..read]) {
            match self.stream.read(&mut response[read..])? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                more => read += more,
            }
        }
        Ok(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}

fn is_whole(response: &[u8]) -> bool {
    response.windows(4).position(|window| window == b"\r\n\r\n").is_some_and(|head| response.len() == head + 20)
}
