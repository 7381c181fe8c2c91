//! Redis steps: one command, and its reply as a value.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::Value;
use stagegate_base::{
    compose::Model,
    redact::Secret,
    resp::{Limits, Reply},
};
use stagegate_host::{error::with_causes, http::BODY_CAP, probe::redis::Connection};
use stagegate_workflow_decide::{Observed, StepRequest};
use tokio::net::TcpStream;

use super::result::{StepError, StepResult};

/// How long a command may take.
const WITHIN: Duration = Duration::from_secs(5);
/// Variable of the compose service that holds the server's password.
const PASSWORD_VARIABLE: &str = "REDIS_PASSWORD";
/// How much a reply may hold.
const LIMITS: Limits = Limits { bytes: BODY_CAP, values: 10_000 };

/// Returns the password of a compose service's server, where it has one.
pub(super) fn password(model: &Model, service: &str) -> Option<Secret> {
    model.variable(service, PASSWORD_VARIABLE)
}

pub(super) async fn run(
    addresses: &[SocketAddr],
    password: Option<Secret>,
    ask: &StepRequest,
) -> Result<StepResult, StepError> {
    let StepRequest::Redis { service, words } = ask else {
        return Err(StepError::Broken("not a Redis step".to_owned()));
    };
    let begun = Instant::now();
    let reply = tokio::time::timeout(WITHIN, send(addresses, password.as_ref(), words)).await;
    match reply {
        Ok(Ok(value)) => Ok(Observed::of_value(value, begun.elapsed()).into()),
        Ok(Err(reason)) => Err(StepError::Failed(format!("Redis service `{service}`: {reason}"))),
        Err(_) => {
            Err(StepError::Failed(format!("Redis service `{service}` did not respond within {} s", WITHIN.as_secs())))
        }
    }
}

async fn send(addresses: &[SocketAddr], password: Option<&Secret>, words: &[String]) -> Result<Value, String> {
    let stream = TcpStream::connect(addresses).await.map_err(|error| format!("cannot connect: {error}"))?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut connection = Connection::open(stream, password, LIMITS).await.map_err(|error| with_causes(&error))?;
    value(connection.command(&words).await.map_err(|error| with_causes(&error))?)
}

/// Returns a reply as a value; that the server refuses is an error wherever it stands.
fn value(reply: Reply) -> Result<Value, String> {
    match reply {
        Reply::Status(text) => Ok(Value::from(text)),
        Reply::Refusal(text) => Err(text),
        Reply::Integer(number) => Ok(Value::from(number)),
        Reply::Bulk(bytes) => Ok(Value::from(String::from_utf8_lossy(&bytes).into_owned())),
        Reply::Nil => Ok(Value::Null),
        Reply::List(items) => items.into_iter().map(value).collect::<Result<_, _>>().map(Value::Array),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

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
    async fn a_response_becomes_a_value(#[case] text: &str, #[case] want: Value) {
        let address = server(text.as_bytes().to_vec()).await;
        assert_eq!(send(&[address], None, &["GET".to_owned(), "x".to_owned()]).await, Ok(want));
    }

    #[rstest]
    #[case::error("-WRONGTYPE no\r\n".to_owned(), "WRONGTYPE no")]
    #[case::other("HTTP/1.1 400\r\n".to_owned(), "is not a Redis reply")]
    #[case::huge("$99999999999\r\n".to_owned(), "is longer than")]
    #[case::many(format!("*99999999\r\n{}", ":1\r\n".repeat(20_000)), "is longer than")]
    #[case::deep("*1\r\n".repeat(50), "nested deeper")]
    #[case::cut("$5\r\nab".to_owned(), "closed early")]
    #[case::nothing(String::new(), "closed early")]
    #[tokio::test]
    async fn what_is_no_response_is_reported(#[case] text: String, #[case] want: &str) {
        let address = server(text.into_bytes()).await;
        let error = send(&[address], None, &["GET".to_owned()]).await.unwrap_err();
        assert!(error.contains(want), "{error}");
    }
}
