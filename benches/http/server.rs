//! A server in a process of its own: sound answers at `/things/N`, hostile ones at the names of `hostile`.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader as Reader},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use super::{Ended, hostile, own, print_line};

/// What a thing is answered with.
const THING: &str =
    r#"{"id": 7, "name": "a lamp", "price_cents": 1999, "tags": ["oak", "steel"], "at": "2026-01-02T03:04:05Z"}"#;

/// Serves until it is ended; states its address first.
pub(super) fn serve() -> Ended {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        print_line(&listener.local_addr()?.to_string());
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(respond(stream));
        }
    })
}

/// Answers every request of a connection, which the client may keep.
async fn respond(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut stream = Reader::new(stream);
    while let Some(path) = request(&mut stream).await {
        if path.starts_with("/things/") {
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", THING.len());
            if stream.write_all(format!("{head}{THING}").as_bytes()).await.is_err() {
                return;
            }
        } else {
            return hostile::respond(stream.get_mut(), path.trim_start_matches('/')).await;
        }
    }
}

/// Reads the head of a request and returns its path; `None` where the client went away.
async fn request(stream: &mut Reader<TcpStream>) -> Option<String> {
    let mut first = String::new();
    stream.read_line(&mut first).await.ok().filter(|read| *read > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            return first.split(' ').nth(1).map(str::to_owned);
        }
    }
}

/// The server's process; it ends with this value.
pub(super) struct Server {
    child: Child,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start() -> Result<Self, Box<dyn std::error::Error>> {
        let mut child = own(&["serve"])?.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        Ok(Server { child, address: line.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::io::stdout().flush();
    }
}
