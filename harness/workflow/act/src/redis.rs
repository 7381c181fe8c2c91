//! Redis steps, over its own text protocol (RESP 2).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;
use stagegate_base::{compose::Model, redact::Secret};
use stagegate_workflow_decide::{Ask, Observed};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::answer::{Answer, Silence};
use stagegate_host::http::BODY_CAP;

/// How long a command may take.
const WITHIN: Duration = Duration::from_secs(5);
/// The longest line that announces something.
const LINE: u64 = 4 << 10;
/// Variable of the compose service that holds the server's password.
const PASSWORD_VARIABLE: &str = "REDIS_PASSWORD";
/// How many values an answer may hold, and how deep they may be nested.
const VALUES: usize = 10_000;
const DEPTH: usize = 8;

/// Returns the password of a compose service's server, where it has one.
pub(super) fn password(model: &Model, service: &str) -> Option<Secret> {
    model.variable(service, PASSWORD_VARIABLE)
}

pub(super) async fn asked(addresses: &[SocketAddr], password: Option<Secret>, ask: &Ask) -> Result<Answer, Silence> {
    let Ask::Redis { service, words } = ask else {
        return Err(Silence::Broken("not a Redis step".to_owned()));
    };
    let begun = Instant::now();
    let said = tokio::time::timeout(WITHIN, say(addresses, password.as_ref(), words)).await;
    match said {
        Ok(Ok(value)) => Ok(Observed::of_value(value, begun.elapsed()).into()),
        Ok(Err(reason)) => Err(Silence::Failed(format!("Redis service `{service}`: {reason}"))),
        Err(_) => {
            Err(Silence::Failed(format!("Redis service `{service}` gave no answer within {} s", WITHIN.as_secs())))
        }
    }
}

async fn say(addresses: &[SocketAddr], password: Option<&Secret>, words: &[String]) -> Result<Value, String> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| format!("no connection: {error}"))?;
    let mut stream = BufReader::new(stream);
    if let Some(password) = password {
        match command(&mut stream, &["AUTH", password.expose()]).await {
            Err(said) if !said.contains("without any password") => return Err(said),
            _ => {}
        }
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    command(&mut stream, &words).await
}

async fn command(stream: &mut BufReader<TcpStream>, words: &[&str]) -> Result<Value, String> {
    let mut text = format!("*{}\r\n", words.len());
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    stream.get_mut().write_all(text.as_bytes()).await.map_err(|error| error.to_string())?;
    let mut room = Room { bytes: BODY_CAP, values: VALUES };
    value(stream, &mut room, DEPTH).await
}

/// What an answer may still hold.
struct Room {
    bytes: usize,
    values: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        let values = self.values.checked_sub(1);
        match (self.bytes.checked_sub(bytes), values) {
            (Some(bytes), Some(values)) => {
                (self.bytes, self.values) = (bytes, values);
                Ok(())
            }
            _ => Err(format!("the answer is longer than {BODY_CAP} bytes or {VALUES} values")),
        }
    }
}

// Source: Redis, serialization protocol specification: `+` text, `-` error, `:` integer, `$` bulk, `*` array.
async fn value(stream: &mut BufReader<TcpStream>, room: &mut Room, depth: usize) -> Result<Value, String> {
    let line = line(stream).await?;
    let (kind, rest) = line.split_at_checked(1).ok_or("the answer is empty")?;
    let number = || rest.parse::<i64>().map_err(|_| format!("`{line}` is no answer of Redis"));
    match kind {
        "+" => Ok(Value::from(rest)),
        "-" => Err(rest.to_owned()),
        ":" => number().map(Value::from),
        "$" => match usize::try_from(number()?) {
            Ok(length) => bulk(stream, room, length).await,
            Err(_) => Ok(Value::Null),
        },
        "*" => match usize::try_from(number()?) {
            Ok(_) if depth == 0 => Err(format!("the answer is nested deeper than {DEPTH}")),
            Ok(length) => {
                let mut values = Vec::new();
                for _ in 0..length {
                    room.take(0)?;
                    values.push(Box::pin(value(stream, room, depth - 1)).await?);
                }
                Ok(Value::Array(values))
            }
            Err(_) => Ok(Value::Null),
        },
        _ => Err(format!("`{}` is no answer of Redis", line.chars().take(80).collect::<String>())),
    }
}

async fn line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = Vec::new();
    stream.take(LINE).read_until(b'\n', &mut line).await.map_err(|error| error.to_string())?;
    if line.last() != Some(&b'\n') {
        return Err("the connection broke off".to_owned());
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

async fn bulk(stream: &mut BufReader<TcpStream>, room: &mut Room, length: usize) -> Result<Value, String> {
    room.take(length)?;
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes).await.map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Value::from(String::from_utf8_lossy(&bytes[..length]).into_owned()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers one connection with `text`, once a command came.
    async fn server(text: Vec<u8>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 512];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(&text).await;
        });
        address
    }

    #[rstest]
    #[case::text("+OK\r\n", json!("OK"))]
    #[case::integer(":42\r\n", json!(42))]
    #[case::bulk("$5\r\na\r\nbc\r\n", json!("a\r\nbc"))]
    #[case::nil("$-1\r\n", Value::Null)]
    #[case::array("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", json!([1, ["x"]]))]
    #[tokio::test]
    async fn an_answer_becomes_a_value(#[case] text: &str, #[case] want: Value) {
        let address = server(text.as_bytes().to_vec()).await;
        assert_eq!(say(&[address], None, &["GET".to_owned(), "x".to_owned()]).await, Ok(want));
    }

    #[rstest]
    #[case::error("-WRONGTYPE no\r\n".to_owned(), "WRONGTYPE no")]
    #[case::other("HTTP/1.1 400\r\n".to_owned(), "is no answer of Redis")]
    #[case::huge("$99999999999\r\n".to_owned(), "is longer than")]
    #[case::many(format!("*99999999\r\n{}", ":1\r\n".repeat(20_000)), "is longer than")]
    #[case::deep("*1\r\n".repeat(50), "nested deeper")]
    #[case::cut("$5\r\nab".to_owned(), "broke off")]
    #[case::nothing(String::new(), "broke off")]
    #[tokio::test]
    async fn what_is_no_answer_is_told(#[case] text: String, #[case] want: &str) {
        let address = server(text.into_bytes()).await;
        let error = say(&[address], None, &["GET".to_owned()]).await.unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}
