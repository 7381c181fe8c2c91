use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread,
};

use rstest::rstest;
use stagegate_base::{
    config::Config,
    record::Outcome,
    redact::{Mask, Secret},
};

use super::{coverage, served, service_calls::ServiceCalls, source, source::Source, wire::Wire};
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
            "contracts::api::coverage",
            "contracts::api::shapes",
            "contracts::api::probe_get_items_id",
            "contracts::api::probe_get_orders_id",
            "contracts::api::refusals",
        ]
    );
}

#[test]
fn the_document_trial_reports_what_is_not_called() {
    let Outcome::Pass(text) = super::document::outcome(&Folder::new(Some(SHOP)).source()) else { panic!() };
    assert_eq!(
        text,
        "4 of 6 operations called; not called: POST /orders (changes data); \
         GET /items/{id} (parameter `id` has no example)"
    );
}

#[rstest]
#[case::missing(None, "openapi.json does not exist")]
#[case::empty(Some(r#"{"openapi": "3.1.0", "paths": {}}"#), "openapi.json has no operations")]
#[case::hollow(
    Some(r#"{"openapi": "3.1.0", "paths": {"/a": {"post": {}}}}"#),
    "nothing of openapi.json could be called: POST /a (changes data)"
)]
fn a_document_of_which_nothing_can_be_requested_is_broken(#[case] document: Option<&str>, #[case] want: &str) {
    let folder = Folder::new(document);
    assert_eq!(folder.names(), ["contracts::api::document"]);
    let Outcome::Broken(text) = super::document::outcome(&folder.source()) else { panic!() };
    assert!(text.contains(want), "{text}");
}

#[test]
fn a_document_that_does_not_parse_fails_with_its_place() {
    let folder = Folder::new(Some("{\n  nope"));
    assert_eq!(folder.names(), ["contracts::api::document"]);
    let Outcome::Fail { message, .. } = super::document::outcome(&folder.source()) else { panic!() };
    assert_eq!(message, "openapi.json: line 2, column 3: key must be a string");
}

/// Answers one request with `text`; the line of the request comes back through the channel.
fn server(text: String) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (requested, line) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        let _ = requested.send(String::from_utf8(head).unwrap().lines().next().unwrap().to_owned());
        stream.write_all(text.as_bytes()).unwrap();
    });
    (address, line)
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn wire(addresses: &[SocketAddr]) -> Wire {
    let secret = Secret::new("hunter2-hunter2");
    let masks = vec![Mask::new([secret.clone()])];
    Wire { addresses: addresses.to_vec(), headers: Vec::new(), token: Some(secret), masks }
}

/// Asks `GET /orders` of the shop.
async fn run(addresses: &[SocketAddr]) -> Outcome {
    let source = Folder::new(Some(SHOP)).source();
    let Ok(calls) = &source.calls else { panic!() };
    let index = index_of(calls, "GET /orders");
    calls.call(&wire(addresses), index).await.outcome.clone()
}

fn index_of(calls: &ServiceCalls, title: &str) -> usize {
    (0..calls.calls.len()).find(|index| calls.title(*index) == title).unwrap()
}

/// Answers every request as `routes` states, by the request's first line; what is not there is a 404 without a body.
fn service(routes: &'static [(&'static str, &'static str, &'static str)]) -> (SocketAddr, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heads = Heads::default();
    let kept = std::sync::Arc::clone(&heads);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let found = routes.iter().find(|(line, ..)| head.starts_with(&format!("{line} HTTP/1.1")));
            let text = found.map_or(answer("404 Not Found", ""), |(_, status, body)| answer(status, body));
            kept.lock().unwrap().push(head);
            let _ = stream.write_all(text.as_bytes());
        }
    });
    (address, heads)
}

type Heads = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

fn lines(heads: &Heads) -> Vec<String> {
    let heads = heads.lock().unwrap();
    heads.iter().map(|head| head.lines().next().unwrap().replace(" HTTP/1.1", "")).collect()
}

pub(super) fn calls(document: &str, service: &str) -> ServiceCalls {
    let text = format!(
        "[project]\nname = \"shop\"\n[environments.staging]\n[services.api]\nport = 80\ncontract = \"openapi.json\"\n{service}"
    );
    let config = Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap();
    let document = stagegate_contract::Document::parse(document, stagegate_contract::Format::Json);
    ServiceCalls::new(&config.services["api"], "staging", "openapi.json", std::sync::Arc::new(document.unwrap()))
}

const CHAIN: &str = r#"{"openapi": "3.0.3", "paths": {
    "/orders": {"get": {"responses": {"200": {"content": {"application/json": {"schema": {"type": "array",
        "items": {"type": "object", "properties": {"id": {"type": "integer"}}}}}}}}}},
    "/orders/{id}": {"get": {"parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
        "responses": {"200": {"content": {"application/json": {"schema": {"type": "object"}}}}, "404": {}}}}
}}"#;

#[tokio::test]
async fn an_id_of_one_response_is_requested_next_and_each_operation_is_requested_once() {
    let (address, heads) =
        service(&[("GET /orders", "200 OK", r#"[{"id": 7}]"#), ("GET /orders/7", "200 OK", r#"{"id": 7}"#)]);
    let (calls, wire) = (calls(CHAIN, ""), wire(&[address]));
    let one = index_of(&calls, "GET /orders/{id}");
    assert!(matches!(calls.call(&wire, one).await.outcome, Outcome::Pass(_)));
    assert!(matches!(coverage::outcome(&calls, &wire).await, Outcome::Pass(_)));
    assert_eq!(lines(&heads), ["GET /orders", "GET /orders/7"]);
}

#[tokio::test]
async fn an_example_that_is_not_there_gives_way_to_a_value_that_is() {
    let with_example = CHAIN.replace(r#""required": true,"#, r#""required": true, "example": 1,"#);
    let (address, heads) =
        service(&[("GET /orders", "200 OK", r#"[{"id": 7}]"#), ("GET /orders/7", "200 OK", r#"{"id": 7}"#)]);
    let (calls, wire) = (calls(&with_example, ""), wire(&[address]));
    assert!(matches!(calls.call(&wire, 1).await.outcome, Outcome::Pass(_)));
    assert_eq!(lines(&heads), ["GET /orders/1", "GET /orders", "GET /orders/7"]);
}

#[tokio::test]
async fn no_value_that_exists_is_reported_with_who_was_requested() {
    let (address, _) = service(&[("GET /orders", "200 OK", "[]")]);
    let calls = calls(CHAIN, "");
    let Outcome::Broken(text) = calls.call(&wire(&[address]), 1).await.outcome.clone() else { panic!() };
    assert!(text.contains("parameter `id` has no value that is known to exist: GET /orders returned none"), "{text}");
}

#[tokio::test]
async fn responses_that_only_refuse_are_hollow() {
    let (address, _) = service(&[]);
    let Outcome::Broken(text) = coverage::outcome(&calls(CHAIN, ""), &wire(&[address])).await else { panic!() };
    assert!(text.starts_with("SGC002: 1 of 1 response only refused (1 with 404)"), "{text}");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let Outcome::Broken(text) = coverage::outcome(&calls(CHAIN, ""), &wire(&[closed])).await else { panic!() };
    assert!(text.starts_with("SGC002: no response was received"), "{text}");
}

const SECURED: &str = r#"{"openapi": "3.1.0", "security": [{"bearer": []}], "paths": {"/me": {"get": {"responses": {"200": {}}}}},
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}}"#;

#[tokio::test]
async fn a_secured_operation_is_called_with_the_token_and_never_shows_it() {
    let (address, heads) = service(&[("GET /me", "418 hunter2-hunter2", "")]);
    let calls = calls(SECURED, "token_variable = \"API_TOKEN\"");
    let Outcome::Fail { evidence, findings, .. } = calls.call(&wire(&[address]), 0).await.outcome.clone() else {
        panic!()
    };
    assert!(heads.lock().unwrap()[0].contains("authorization: Bearer hunter2-hunter2"));
    let line = format!(r#"curl -i -H "authorization: Bearer $API_TOKEN" 'http://{address}/me'"#);
    assert_eq!((evidence[0].text.as_str(), findings[0].place.object.as_str()), (line.as_str(), "SGC010 status"));
}

#[test]
fn a_secured_operation_is_not_called_without_a_token() {
    assert_eq!(calls(SECURED, "").possible().count(), 0);
}

fn of_service(contract: Option<&Path>) -> served::Served {
    let config =
        Config::parse(Path::new("/srv/stagegate.toml"), "[project]\nname = \"shop\"\n[services.api]\nport = 80\n");
    let service = config.unwrap().services["api"].clone();
    let (environment, path) = ("staging".to_owned(), "/openapi.json".to_owned());
    served::Served { service, environment, path, file: contract.map(|file| ("/".into(), file.to_owned())) }
}

#[rstest]
#[case::alike(CHAIN.to_owned(), None)]
#[case::a_new_operation(CHAIN.replace(r#""/orders":"#, r#""/ping": {"get": {"responses": {"200": {}}}}, "/orders":"#), None)]
#[case::another_type(CHAIN.replacen("\"integer\"", "\"string\"", 1), Some("SGC041 response-type-changed at GET /orders"))]
#[case::another_address(CHAIN.replacen(r#""paths""#, r#""servers": [{"url": "http://staging:8000"}], "paths""#, 1), None)]
#[case::no_document("{".to_owned(), Some("SGC001 /openapi.json"))]
#[tokio::test]
async fn the_served_document_is_the_repositorys(#[case] text: String, #[case] want: Option<&str>) {
    let folder = Folder::new(Some(CHAIN));
    let (address, _) = server(answer("200 OK", &text));
    let outcome = served::run(&of_service(Some(&folder.0.join("openapi.json"))), &wire(&[address])).await;
    match (outcome, want) {
        (Outcome::Pass(_), None) => {}
        (Outcome::Fail { findings, .. }, Some(want)) => {
            assert!(findings[0].place.object.starts_with(want), "{findings:?}")
        }
        (outcome, _) => panic!("{outcome:?}"),
    }
}

#[tokio::test]
async fn a_document_that_is_not_served_is_reported() {
    let (address, _) = service(&[]);
    let Outcome::Fail { message, .. } = served::run(&of_service(None), &wire(&[address])).await else { panic!() };
    assert_eq!(message, "GET /openapi.json returned 404");
}

#[tokio::test]
async fn what_only_the_service_documents_is_requested_as_it_states() {
    let (sound, _) = service(&[
        ("GET /openapi.json", "200 OK", CHAIN),
        ("GET /orders", "200 OK", r#"[{"id": 7}]"#),
        ("GET /orders/7", "200 OK", r#"{"id": 7}"#),
    ]);
    let outcome = served::run(&of_service(None), &wire(&[sound])).await;
    assert_eq!(outcome, Outcome::Pass("2 of 2 operations called, all as documented".to_owned()));
    let (wrong, _) = service(&[("GET /openapi.json", "200 OK", CHAIN), ("GET /orders", "200 OK", r#"[{"id": "7"}]"#)]);
    let Outcome::Fail { message, findings, .. } = served::run(&of_service(None), &wire(&[wrong])).await else {
        panic!()
    };
    assert_eq!(message, "GET /orders do not match /openapi.json");
    assert_eq!(findings[0].place.object, "SGC031 $[0].id of GET /orders");
}

#[tokio::test]
async fn a_response_that_keeps_its_promise_passes() {
    let (address, line) = server(answer("200 OK", r#"{"total": 1}"#));
    let Outcome::Pass(text) = run(&[address]).await else { panic!() };
    assert!(text.starts_with("200 in "), "{text}");
    assert_eq!(line.recv().unwrap(), "GET /api/orders HTTP/1.1");
}

#[tokio::test]
async fn a_response_that_breaks_it_states_where_and_how_to_see_it() {
    let (address, _) = server(answer("200 OK", r#"{"total": "hunter2-hunter2"}"#));
    let Outcome::Fail { message, findings, evidence, hint } = run(&[address]).await else { panic!() };
    assert_eq!(message, "response 200 does not match openapi.json");
    assert_eq!((findings[0].place.object.as_str(), findings[0].found.as_str()), ("SGC031 $.total", r#"string "***""#));
    assert_eq!(evidence[0].text, format!("curl -i -H 'accept: application/json' 'http://{address}/api/orders'"));
    assert!(hint.unwrap().contains("gate test --env staging contracts"));
}

#[tokio::test]
async fn a_service_that_cannot_serve_fails_though_it_is_documented() {
    let (address, _) = server(answer("503 Service Unavailable", "no hunter2-hunter2"));
    let Outcome::Fail { message, evidence, .. } = run(&[address]).await else { panic!() };
    assert_eq!(message, "GET /orders returned 503: documented, but a server error");
    assert_eq!(evidence[1].text, "no ***");
}

#[tokio::test]
async fn a_documented_not_found_proves_nothing() {
    let (address, _) = server(answer("404 Not Found", ""));
    assert!(matches!(run(&[address]).await, Outcome::Broken(_)));
}

#[rstest]
#[case::undocumented(&["200"], "")]
#[case::documented(&["200", "404"], "")]
#[case::configured(&["200"], "base_path = \"/api\"\n")]
#[tokio::test]
async fn a_404_below_a_server_path_names_the_key_that_is_missing(#[case] statuses: &[&str], #[case] configured: &str) {
    let responses: Vec<String> = statuses.iter().map(|status| format!("\"{status}\": {{}}")).collect();
    let document = format!(
        r#"{{"openapi": "3.1.0", "servers": [{{"url": "/api"}}], "paths": {{"/items": {{"get": {{"responses": {{{}}}}}}}}}}}"#,
        responses.join(", ")
    );
    let calls = calls(&document, configured);
    let (address, _) = server(answer("404 Not Found", ""));
    let reported = format!("{:?}", calls.call(&wire(&[address]), 0).await.outcome);
    let named =
        reported.contains("set base_path = \\\"/api\\\" in [services.api]") && reported.contains("(its `servers`)");
    assert_eq!(named, configured.is_empty(), "{reported}");
}

#[tokio::test]
async fn a_body_that_is_too_long_to_compare_is_not_green() {
    let (address, _) = server(answer("200 OK", &" ".repeat((1 << 20) + 1)));
    let Outcome::Broken(text) = run(&[address]).await else { panic!() };
    assert!(text.contains("longer than the 1048576 bytes"), "{text}");
}

#[tokio::test]
async fn a_port_that_refuses_is_passed_over_and_named_where_it_is_the_last() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (open, _) = server(answer("200 OK", r#"{"total": 1}"#));
    assert!(matches!(run(&[closed, open]).await, Outcome::Pass(_)));
    let Outcome::Fail { message, .. } = run(&[closed]).await else { panic!() };
    assert_eq!(message, format!("cannot connect to {closed}: connection refused"));
}
