//! Does a Redis server answer PING? Over its text protocol (RESP), so that no client library is needed.

use std::net::SocketAddr;

use stagegate_base::redact::Secret;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{DEADLINE, ProbeError, first, tcp};

/// The longest answer that is read: a status line is short, and something else may be talking here.
const LONGEST: u64 = 512;
/// The longest text that is read, in bytes.
const LONGEST_TEXT: u64 = 64 * 1024;

/// What a Redis server said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `+PONG`.
    Pong,
    /// It lives, but wants a password that we do not have (`-NOAUTH`).
    Secured,
}

/// Sends PING, after AUTH where there is a password.
///
/// # Errors
/// [`ProbeError`] where nothing answers, the password is wrong, or the server is loading its data.
pub async fn ping(addresses: &[SocketAddr], password: Option<&Secret>) -> Result<Answer, ProbeError> {
    first(addresses, DEADLINE, async |address| ask(address, password).await).await
}

/// Sends one command, after AUTH where there is a password, and returns the reply: a status, a number or a text; empty
/// for none.
///
/// # Errors
/// [`ProbeError`] where nothing answers, the password is wrong, or the server refuses.
pub async fn command(
    addresses: &[SocketAddr],
    password: Option<&Secret>,
    words: &[&str],
) -> Result<String, ProbeError> {
    first(addresses, DEADLINE, async |address| {
        let mut stream = opened(address, password).await?;
        let said = say(&mut stream, address, words).await?;
        let expected = "a status, a number or a text";
        match said.split_at_checked(1) {
            Some(("+" | ":", rest)) => Ok(rest.to_owned()),
            Some(("$", length)) => text(&mut stream, address, length).await,
            _ => Err(ProbeError::Answer { address, answer: said, expected }),
        }
    })
    .await
}

/// Reads a text of a length that was told; -1 is none.
async fn text(stream: &mut BufReader<TcpStream>, address: SocketAddr, length: &str) -> Result<String, ProbeError> {
    let Ok(length) = length.parse::<u64>() else { return Ok(String::new()) };
    let mut bytes = Vec::new();
    let read = stream.take(length.min(LONGEST_TEXT)).read_to_end(&mut bytes).await;
    read.map_err(|source| ProbeError::Broken { address, source })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn opened(address: SocketAddr, password: Option<&Secret>) -> Result<BufReader<TcpStream>, ProbeError> {
    let mut stream = BufReader::new(tcp::open(address).await?);
    if let Some(password) = password {
        let said = say(&mut stream, address, &["AUTH", password.expose()]).await?;
        // A server without a password refuses AUTH with this; what comes behind it is the question, so it goes on.
        if !said.starts_with("+OK") && !said.contains("without any password") {
            return Err(ProbeError::Answer { address, answer: said, expected: "+OK to AUTH" });
        }
    }
    Ok(stream)
}

async fn ask(address: SocketAddr, password: Option<&Secret>) -> Result<Answer, ProbeError> {
    let mut stream = opened(address, password).await?;
    let said = say(&mut stream, address, &["PING"]).await?;
    match said.as_str() {
        "+PONG" => Ok(Answer::Pong),
        other if other.starts_with("-NOAUTH") => Ok(Answer::Secured),
        _ => Err(ProbeError::Answer { address, answer: said, expected: "+PONG to PING" }),
    }
}

async fn say(stream: &mut BufReader<TcpStream>, address: SocketAddr, words: &[&str]) -> Result<String, ProbeError> {
    let broken = |source| ProbeError::Broken { address, source };
    stream.get_mut().write_all(request(words).as_bytes()).await.map_err(broken)?;
    let mut line = Vec::new();
    stream.take(LONGEST).read_until(b'\n', &mut line).await.map_err(broken)?;
    if line.is_empty() {
        return Err(broken(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(String::from_utf8_lossy(&line).trim().chars().take(120).collect())
}

/// Writes a command as an array of bulk strings, the one form that carries any byte.
fn request(words: &[&str]) -> String {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_counts_bytes_not_characters() {
        assert_eq!(request(&["AUTH", "pä"]), "*2\r\n$4\r\nAUTH\r\n$3\r\npä\r\n");
    }
}
