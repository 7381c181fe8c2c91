//! A server that does next to nothing, on one thread, and logs how long each response took it.
//!
//! `/` is answered at once. `/slow` takes 20 ms for 3 requests of 100, so that its p99 is what the server itself made
//! it. `/log` gives the log since the last time it was asked, as JSON, and empties it.

use std::{
    cell::RefCell,
    io::Write,
    net::Ipv4Addr,
    rc::Rc,
    time::{Duration, Instant},
};

use stagegate_performance_decide::Latencies;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::Done;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
const SLOW: Duration = Duration::from_millis(20);

#[derive(Default)]
struct Log {
    /// Nanoseconds from the whole request to the written answer.
    took: Vec<u64>,
    requests: u64,
}

pub(crate) fn serve() -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        std::io::stdout().flush()?;
        let log = Rc::new(RefCell::new(Log::default()));
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(connection(stream, Rc::clone(&log)));
        }
    })
}

/// Answers the requests of one connection; a request is taken for whole when its head is.
async fn connection(mut stream: TcpStream, log: Rc<RefCell<Log>>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 8192];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if !buffer[..filled].ends_with(b"\r\n\r\n") {
            continue;
        }
        let arrived = Instant::now();
        let written = if buffer.starts_with(b"GET /log ") {
            let response = told(&mut log.borrow_mut());
            stream.write_all(&response).await
        } else {
            let number = {
                let mut log = log.borrow_mut();
                log.requests += 1;
                log.requests
            };
            if buffer.starts_with(b"GET /slow ") && number % 100 < 3 {
                tokio::time::sleep(SLOW).await;
            }
            let written = stream.write_all(ANSWER).await;
            log.borrow_mut().took.push(u64::try_from(arrived.elapsed().as_nanos()).unwrap_or(u64::MAX));
            written
        };
        if written.is_err() {
            return;
        }
        filled = 0;
    }
}

fn told(log: &mut Log) -> Vec<u8> {
    let latencies = Latencies::of(&std::mem::take(log).took);
    let body = serde_json::to_string(&latencies).unwrap_or_default();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
