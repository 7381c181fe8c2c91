use std::time::Instant;

use rstest::rstest;
use stagegate_base::{compose::Model, redact::Secret};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{redis::PingReply, *};
use crate::error::with_causes;

/// Answers each thing that it reads with the next of `answers`, on a port of its own.
async fn server(responses: &'static [&'static str]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        for response in responses {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await.unwrap();
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    });
    address
}

/// A port at which nobody listens.
async fn closed() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[rstest]
#[case::open(&["+PONG\r\n"], None, Ok(PingReply::Pong))]
#[case::secured(&["-NOAUTH Authentication required.\r\n"], None, Ok(PingReply::Secured))]
#[case::with_password(&["+OK\r\n", "+PONG\r\n"], Some("pw"), Ok(PingReply::Pong))]
#[case::needs_none(&["-ERR AUTH <password> called without any password configured for the default user\r\n", "+PONG\r\n"], Some("pw"), Ok(PingReply::Pong))]
#[case::wrong(&["-WRONGPASS invalid username-password pair\r\n"], Some("pw"), Err("-WRONGPASS"))]
#[case::loading(&["-LOADING Redis is loading the dataset in memory\r\n"], None, Err("-LOADING"))]
#[case::not_redis(&["HTTP/1.1 400 Bad Request\r\n"], None, Err("HTTP/1.1 400"))]
#[tokio::test]
async fn redis_is_distinguished_by_its_response(
    #[case] answers: &'static [&'static str],
    #[case] password: Option<&str>,
    #[case] want: Result<PingReply, &str>,
) {
    let password = password.map(Secret::new);
    let got = redis::ping(&[server(answers).await], password.as_ref()).await;
    match (got, want) {
        (Ok(got), Ok(want)) => assert_eq!(got, want),
        (Err(got), Err(want)) => assert!(got.to_string().contains(want), "{got}"),
        (got, want) => panic!("{got:?} is not {want:?}"),
    }
}

#[rstest]
#[case::whole("$5\r\nmagic\r\n", Ok("magic"))]
#[case::nothing("$-1\r\n", Ok(""))]
#[case::text("$5\r\nmag", Err("closed early"))]
#[case::length("$1", Err("closed early"))]
#[case::status("+O", Err("closed early"))]
#[tokio::test]
async fn a_reply_that_is_cut_is_none(#[case] text: &'static str, #[case] want: Result<&str, &str>) {
    let responses: &'static [&'static str] = Box::leak(Box::new([text]));
    let got = redis::command(&[server(responses).await], None, &["GET", "x"]).await;
    match want {
        Ok(want) => assert_eq!(got.unwrap(), want),
        Err(want) => assert!(with_causes(&got.unwrap_err()).contains(want)),
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_reported_so() {
    let error = redis::ping(&[server(&[]).await], None).await.unwrap_err();
    assert!(with_causes(&error).contains("closed early"), "{error}");
}

#[tokio::test]
async fn the_next_address_is_requested_where_the_first_refuses() {
    let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = open.local_addr().unwrap();
    assert_eq!(tcp::connect(&[closed().await, address]).await.unwrap(), address);
}

#[tokio::test]
async fn a_closed_port_is_named_with_the_systems_response() {
    let address = closed().await;
    let error = tcp::connect(&[address]).await.unwrap_err();
    let text = with_causes(&error);
    assert!(text.contains(&address.to_string()) && text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_silent_server_ends_the_probe_at_its_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let begun = Instant::now();
    let within = Duration::from_millis(100);
    let error = first(&[address], within, async |_| std::future::pending::<Result<(), _>>().await).await.unwrap_err();
    assert!(matches!(error, ProbeError::TooSlow { .. }), "{error}");
    assert!(begun.elapsed() < DEADLINE);
}

#[tokio::test]
async fn no_address_is_a_response_too() {
    assert!(matches!(tcp::connect(&[]).await, Err(ProbeError::NoAddress)));
}

#[rstest]
#[case::all(r#"{"POSTGRES_USER":"shop","POSTGRES_DB":"orders","POSTGRES_PASSWORD":"pw"}"#, "shop", "orders")]
#[case::user(r#"{"POSTGRES_USER":"shop"}"#, "shop", "shop")]
#[case::nothing("{}", "postgres", "postgres")]
fn a_login_follows_the_images_defaults(#[case] variables: &str, #[case] user: &str, #[case] database: &str) {
    let model = Model::parse(&format!(r#"{{"services":{{"db":{{"environment":{variables}}}}}}}"#)).unwrap();
    let login = postgres::Login::of_service(&model, "db");
    assert_eq!((login.user.as_str(), login.database.as_str()), (user, database));
}
