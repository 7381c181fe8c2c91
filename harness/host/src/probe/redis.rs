//! Does a Redis server answer? One command after the other, over its text protocol.

use std::{io, net::SocketAddr};

use stagegate_base::{
    redact::Secret,
    resp::{self, Limits, Reply, RespError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{DEADLINE, ProbeError, first, tcp};

/// What a probe reads of a reply: a status, a number or a short text.
const SHORT: Limits = Limits { bytes: 64 * 1024, values: 16 };
/// Bytes that are read at once.
const PIECE: usize = 16 * 1024;

/// What a Redis server reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingReply {
    /// `+PONG`.
    Pong,
    /// It lives, but wants a password that we do not have (`-NOAUTH`).
    Secured,
}

/// Why a command has no reply.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The connection, or its early end.
    #[error("the connection was closed early")]
    Broken(#[source] io::Error),
    /// Something that is no reply, or too much of one.
    #[error(transparent)]
    Reply(#[from] RespError),
    /// The password is refused, in the server's words.
    #[error("{0}")]
    Password(String),
}

/// A connection to a Redis server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Bytes that were read and belong to no reply yet.
    read: Vec<u8>,
    limits: Limits,
}

impl Connection {
    /// Takes a connection and gives the password, where there is one; `limits` hold for each reply.
    ///
    /// # Errors
    /// [`CommandError`] where the password is refused or nothing sensible is replied.
    pub async fn open(stream: TcpStream, password: Option<&Secret>, limits: Limits) -> Result<Self, CommandError> {
        let mut connection = Connection { stream, read: Vec::new(), limits };
        let Some(password) = password else { return Ok(connection) };
        match connection.command(&["AUTH", password.expose()]).await? {
            // A server without a password refuses AUTH with this; what comes behind it is the question, so it goes on.
            Reply::Refusal(text) if !text.contains("without any password") => Err(CommandError::Password(text)),
            _ => Ok(connection),
        }
    }

    /// Sends a command and waits for its whole reply.
    ///
    /// # Errors
    /// [`CommandError`]; that the server refuses is a reply.
    pub async fn command(&mut self, words: &[&str]) -> Result<Reply, CommandError> {
        self.stream.write_all(&resp::request(words)).await.map_err(CommandError::Broken)?;
        loop {
            if let Some((reply, length)) = resp::reply(&self.read, self.limits)? {
                self.read.drain(..length);
                return Ok(reply);
            }
            self.read.reserve(PIECE);
            if self.stream.read_buf(&mut self.read).await.map_err(CommandError::Broken)? == 0 {
                return Err(CommandError::Broken(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Sends PING, after AUTH where there is a password.
///
/// # Errors
/// [`ProbeError`] where nothing responds, the password is wrong, or the server is loading its data.
pub async fn ping(addresses: &[SocketAddr], password: Option<&Secret>) -> Result<PingReply, ProbeError> {
    first(addresses, DEADLINE, async |address| match reply(address, password, &["PING"]).await? {
        Reply::Status(text) if text == "PONG" => Ok(PingReply::Pong),
        Reply::Refusal(text) if text.starts_with("NOAUTH") => Ok(PingReply::Secured),
        other => Err(ProbeError::Answer { address, answer: other.to_string(), expected: "+PONG to PING" }),
    })
    .await
}

/// Sends one command, after AUTH where there is a password, and returns the reply: a status, a number or a text; empty
/// for none.
///
/// # Errors
/// [`ProbeError`] where nothing responds, the password is wrong, the server refuses, or the text is too long.
pub async fn command(
    addresses: &[SocketAddr],
    password: Option<&Secret>,
    words: &[&str],
) -> Result<String, ProbeError> {
    first(addresses, DEADLINE, async |address| match reply(address, password, words).await? {
        Reply::Status(text) => Ok(text),
        Reply::Integer(number) => Ok(number.to_string()),
        Reply::Bulk(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Reply::Nil => Ok(String::new()),
        other => {
            Err(ProbeError::Answer { address, answer: other.to_string(), expected: "a status, a number or a text" })
        }
    })
    .await
}

async fn reply(address: SocketAddr, password: Option<&Secret>, words: &[&str]) -> Result<Reply, ProbeError> {
    let text_of = |error: CommandError| match error {
        CommandError::Broken(source) => ProbeError::Broken { address, source },
        CommandError::Password(text) => {
            ProbeError::Answer { address, answer: Reply::Refusal(text).to_string(), expected: "+OK to AUTH" }
        }
        CommandError::Reply(error) => {
            ProbeError::Answer { address, answer: error.to_string(), expected: "a Redis reply" }
        }
    };
    let stream = tcp::open(address).await?;
    let mut connection = Connection::open(stream, password, SHORT).await.map_err(text_of)?;
    connection.command(words).await.map_err(text_of)
}
