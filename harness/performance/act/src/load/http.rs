//! One kept connection that speaks HTTP/1.1: writes prepared bytes, reads one response, counts its body.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Aim, Fault,
    framing::{Body, Chunks, Head, head},
};
use stagegate_host::http::Request;

/// Bytes that are read at a time; a head must fit.
const BUFFER: usize = 32 * 1024;

/// A request, made ready to be sent many times.
#[derive(Clone, Debug)]
pub struct Call {
    pub(super) address: SocketAddr,
    bytes: Arc<[u8]>,
    answers_head: bool,
    /// Sending it twice does no more than sending it once.
    repeatable: bool,
    expected: Expected,
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    /// 2xx and 3xx.
    Success,
    Exactly(u16),
}

impl Call {
    /// Prepares a request; `status` is the one that is expected, any 2xx or 3xx where it is `None`.
    #[must_use]
    pub fn new(aim: &Aim, request: &Request, status: Option<u16>) -> Self {
        let slash = if request.path.starts_with('/') { "" } else { "/" };
        let mut text = format!("{} {slash}{} HTTP/1.1\r\n", request.method, request.path);
        let has = |name: &str| request.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !has("host") {
            text.push_str(&format!("Host: {}\r\n", aim.address()));
        }
        if !has("user-agent") {
            text.push_str(concat!("User-Agent: stagegate/", env!("CARGO_PKG_VERSION"), "\r\n"));
        }
        for (name, value) in &request.headers {
            text.push_str(&format!("{}: {}\r\n", one_line(name), one_line(value)));
        }
        if let Some(body) = &request.body
            && !has("content-length")
        {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(request.body.as_deref().unwrap_or_default());
        Call {
            address: aim.address(),
            bytes: bytes.into(),
            answers_head: request.method.eq_ignore_ascii_case("HEAD"),
            // Source: RFC 9110, 9.2.2: idempotent methods.
            repeatable: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"].contains(&request.method.as_str()),
            expected: status.map_or(Expected::Success, Expected::Exactly),
        }
    }
}

/// A line break in a header would begin another header.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect()
}

/// One connection, opened when it is needed.
pub(super) struct HttpClient {
    call: Call,
    stream: Option<TcpStream>,
    buffer: Box<[u8]>,
    used: bool,
}

/// How an attempt ended that gave no response.
enum Missed {
    /// Before the first byte of a response, on a connection that had been used before: the usual end of a kept one.
    Stale(Fault),
    Failed(Fault),
}

impl HttpClient {
    pub(super) fn new(call: Call) -> Self {
        HttpClient { call, stream: None, buffer: vec![0; BUFFER].into_boxed_slice(), used: false }
    }

    /// Connects, where there is no connection yet.
    pub(super) async fn open(&mut self) -> Result<(), Fault> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(self.call.address).await.map_err(|e| Fault::connecting(&e))?;
            stream.set_nodelay(true).map_err(|e| Fault::speaking(&e))?;
            (self.stream, self.used) = (Some(stream), false);
        }
        Ok(())
    }

    /// Drops the connection: what would still come on it belongs to a request that was given up.
    pub(super) fn reset(&mut self) {
        self.stream = None;
    }

    /// Sends the request and reads the whole response; returns the bytes of its body.
    ///
    /// A kept connection that the service closed meanwhile is opened anew, once, where the request may be repeated.
    pub(super) async fn once(&mut self) -> Result<u64, Fault> {
        self.open().await?;
        match self.attempt().await {
            Ok(size) => Ok(size),
            Err(Missed::Stale(_)) if self.call.repeatable => {
                self.reset();
                self.open().await?;
                self.attempt().await.map_err(|missed| self.gave_up(missed))
            }
            Err(missed) => Err(self.gave_up(missed)),
        }
    }

    fn gave_up(&mut self, missed: Missed) -> Fault {
        let (Missed::Stale(fault) | Missed::Failed(fault)) = missed;
        if !matches!(fault, Fault::Status(_)) {
            self.reset();
        }
        fault
    }

    async fn attempt(&mut self) -> Result<u64, Missed> {
        let used = std::mem::replace(&mut self.used, true);
        let stale = |fault| if used { Missed::Stale(fault) } else { Missed::Failed(fault) };
        let Some(stream) = &mut self.stream else { return Err(Missed::Failed(Fault::NoConnection)) };
        stream.write_all(&self.call.bytes).await.map_err(|e| stale(Fault::speaking(&e)))?;
        let mut filled = 0;
        let head = loop {
            let read = stream.read(&mut self.buffer[filled..]).await;
            let read =
                read.map_err(|e| Fault::speaking(&e)).and_then(|n| if n == 0 { Err(Fault::Closed) } else { Ok(n) });
            filled += read.map_err(|fault| if filled == 0 { stale(fault) } else { Missed::Failed(fault) })?;
            if let Some(head) =
                final_head(&mut self.buffer, &mut filled, self.call.answers_head).map_err(Missed::Failed)?
            {
                break head;
            }
            if filled == self.buffer.len() {
                return Err(Missed::Failed(Fault::Malformed));
            }
        };
        let size = self.body(head, filled).await.map_err(Missed::Failed)?;
        if !head.keep {
            self.reset();
        }
        match self.call.expected {
            Expected::Success if (200..400).contains(&head.status) => Ok(size),
            Expected::Exactly(status) if status == head.status => Ok(size),
            _ => Err(Missed::Failed(Fault::Status(head.status))),
        }
    }

    /// Reads the rest of the body and throws it away.
    async fn body(&mut self, head: Head, filled: usize) -> Result<u64, Fault> {
        let Some(stream) = &mut self.stream else { return Err(Fault::NoConnection) };
        let mut chunks = Chunks::default();
        let mut piece = head.length..filled;
        let mut size = 0;
        loop {
            let bytes = &self.buffer[piece.clone()];
            size += bytes.len() as u64;
            match head.body {
                Body::Sized(whole) if size == whole => return Ok(size),
                // Bytes that nobody asked for: the next answer could not be told from them.
                Body::Sized(whole) if size > whole => return Err(Fault::Malformed),
                Body::Chunked if chunks.feed(bytes)? => return Ok(chunks.content),
                _ => {}
            }
            let read = stream.read(&mut self.buffer).await.map_err(|e| Fault::speaking(&e))?;
            match (read, head.body) {
                (0, Body::UntilClose) => return Ok(size),
                (0, _) => return Err(Fault::Closed),
                (n, _) => piece = 0..n,
            }
        }
    }
}

/// Returns the head in the buffer, interim ones (1xx) taken out.
fn final_head(buffer: &mut [u8], filled: &mut usize, answers_head: bool) -> Result<Option<Head>, Fault> {
    while let Some(head) = head(&buffer[..*filled], answers_head)? {
        if !(100..200).contains(&head.status) {
            return Ok(Some(head));
        }
        buffer.copy_within(head.length..*filled, 0);
        *filled -= head.length;
    }
    Ok(None)
}
