//! Does a Redis server answer PING? Over its text protocol (RESP), so that no client library is needed.

use std::net::SocketAddr;

use stagegate_decide::redact::Secret;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{DEADLINE, ProbeError, first, tcp};

/// The longest answer that is read: a status line is short, and something else may be talking here.
const LONGEST: u64 = 512;

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

async fn ask(address: SocketAddr, password: Option<&Secret>) -> Result<Answer, ProbeError> {
    let mut stream = BufReader::new(tcp::open(address).await?);
    if let Some(password) = password {
        let said = say(&mut stream, address, &["AUTH", password.expose()]).await?;
        // A server without a password refuses AUTH with this; PING is the question, so it goes on.
        if !said.starts_with("+OK") && !said.contains("without any password") {
            return Err(ProbeError::Answer { address, answer: said, expected: "+OK to AUTH" });
        }
    }
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
