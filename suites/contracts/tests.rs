use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
};

use rstest::rstest;
use stagegate_decide::{
    config::Config,
    record::Outcome,
    redact::{Mask, Secret},
};

use super::{operation, source, source::Source};
use crate::trial::Scope;

const SHOP: &str = r#"{"openapi": "3.1.0", "paths": {
    "/orders": {
        "get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "object", "required": ["total"],
            "properties": {"total": {"type": "number"}}}}}}, "404": {}, "503": {}}},
        "post": {"responses": {}}
    },
    "/orders/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "example": 1}], "responses": {"200": {}}}},
    "/orders/id": {"get": {"responses": {"200": {}}}},
    "/": {"get": {"responses": {"200": {}}}},
    "/items/{id}": {"get": {"parameters": [{"name": "id", "in": "path"}], "responses": {"200": {}}}}
}}"#;

/// A folder of its own with a configuration and, where there is a text, the document.
struct Folder(PathBuf);

impl Folder {
    fn new(document: Option<&str>) -> Self {
        static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stagegate-contracts-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        if let Some(text) = document {
            std::fs::write(folder.join("openapi.json"), text).unwrap();
        }
        Folder(folder)
    }

    fn with<T>(&self, look: impl Fn(Scope<'_>) -> T) -> T {
        let path = self.0.join("stagegate.toml");
        let text = "[project]\nname = \"shop\"\n[environments.staging]\n\
            [services.api]\nport = 8080\ncontract = \"openapi.json\"\nbase_path = \"/api\"\n";
        let config = Config::parse(Path::new(&path), text).unwrap();
        look(Scope { config: &config, environment: config.environment("staging").unwrap() })
    }

    fn source(&self) -> Source {
        self.with(|scope| source::all(scope).remove(0))
    }

    fn names(&self) -> Vec<String> {
        self.with(|scope| super::trials(scope).into_iter().map(|trial| trial.name).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn each_callable_operation_is_a_trial_with_a_name_of_its_own() {
    assert_eq!(
        Folder::new(Some(SHOP)).names(),
        [
            "contracts::api::document",
            "contracts::api::get_root",
            "contracts::api::get_orders",
            "contracts::api::get_orders_id",
            "contracts::api::get_orders_id_2",
        ]
    );
}

#[test]
fn the_document_trial_tells_what_is_not_called() {
    let Outcome::Pass(text) = super::document::judged(&Folder::new(Some(SHOP)).source()) else { panic!() };
    assert_eq!(
        text,
        "4 of 6 operations are called; not called: POST /orders (changes data); \
         GET /items/{id} (parameter `id` has no example)"
    );
}

#[rstest]
#[case::missing(None, "openapi.json is not there")]
#[case::empty(Some(r#"{"openapi": "3.1.0", "paths": {}}"#), "openapi.json has no operations")]
#[case::hollow(
    Some(r#"{"openapi": "3.1.0", "paths": {"/a": {"post": {}}}}"#),
    "nothing of openapi.json could be called: POST /a (changes data)"
)]
fn a_document_of_which_nothing_can_be_asked_is_broken(#[case] document: Option<&str>, #[case] want: &str) {
    let folder = Folder::new(document);
    assert_eq!(folder.names(), ["contracts::api::document"]);
    let Outcome::Broken(text) = super::document::judged(&folder.source()) else { panic!() };
    assert!(text.contains(want), "{text}");
}

#[test]
fn a_document_that_does_not_parse_fails_with_its_place() {
    let folder = Folder::new(Some("{\n  nope"));
    assert_eq!(folder.names(), ["contracts::api::document"]);
    let Outcome::Fail { message, .. } = super::document::judged(&folder.source()) else { panic!() };
    assert_eq!(message, "openapi.json: line 2, column 3: key must be a string");
}

/// Answers one request with `text`; the line of the request comes back through the channel.
fn server(text: String) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, line) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        let _ = asked.send(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned());
        stream.write_all(text.as_bytes()).unwrap();
    });
    (address, line)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// Asks `GET /orders` of the shop.
async fn asked(addresses: &[SocketAddr]) -> Outcome {
    let case = operation::cases(&Folder::new(Some(SHOP)).source()).remove(1);
    operation::asked(&case, addresses, &Mask::new([Secret::new("hunter2-hunter2")])).await
}

#[tokio::test]
async fn an_answer_that_keeps_its_promise_passes() {
    let (address, line) = server(answer("200 OK", r#"{"total": 1}"#));
    let Outcome::Pass(text) = asked(&[address]).await else { panic!() };
    assert!(text.starts_with("200 in "), "{text}");
    assert_eq!(line.recv().unwrap(), "GET /api/orders HTTP/1.1");
}

#[tokio::test]
async fn an_answer_that_breaks_it_says_where_and_how_to_see_it() {
    let (address, _) = server(answer("200 OK", r#"{"total": "hunter2-hunter2"}"#));
    let Outcome::Fail { message, findings, evidence, hint } = asked(&[address]).await else { panic!() };
    assert_eq!(message, "response 200 does not match openapi.json");
    assert_eq!((findings[0].at.as_str(), findings[0].found.as_str()), ("$.total", r#"string "***""#));
    assert_eq!(evidence[0].text, format!("curl -i -H 'accept: application/json' 'http://{address}/api/orders'"));
    assert!(hint.unwrap().contains("gate test --env staging contracts"));
}

#[tokio::test]
async fn a_service_that_cannot_serve_fails_though_it_is_documented() {
    let (address, _) = server(answer("503 Service Unavailable", "no hunter2-hunter2"));
    let Outcome::Fail { message, evidence, .. } = asked(&[address]).await else { panic!() };
    assert_eq!(message, "GET /orders answers 503: documented, but it cannot serve");
    assert_eq!(evidence[1].text, "no ***");
}

#[tokio::test]
async fn a_documented_not_found_proves_nothing() {
    let (address, _) = server(answer("404 Not Found", ""));
    assert!(matches!(asked(&[address]).await, Outcome::Broken(_)));
}

#[tokio::test]
async fn a_body_that_is_too_long_to_compare_is_not_green() {
    let (address, _) = server(answer("200 OK", &" ".repeat((1 << 20) + 1)));
    let Outcome::Broken(text) = asked(&[address]).await else { panic!() };
    assert!(text.contains("longer than the 1048576 bytes"), "{text}");
}

#[tokio::test]
async fn a_port_that_refuses_is_passed_over_and_named_where_it_is_the_last() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (open, _) = server(answer("200 OK", r#"{"total": 1}"#));
    assert!(matches!(asked(&[closed, open]).await, Outcome::Pass(_)));
    let Outcome::Fail { message, .. } = asked(&[closed]).await else { panic!() };
    assert_eq!(message, format!("connection refused by {closed}"));
}
