//! A service that keeps its document, and the same service with one fault at a time: what do all checks together find?

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use rstest::rstest;
use serde_json::{Value, json};
use stagegate_base::{record::Outcome, redact::Secret};
use stagegate_contract::can_be_probed;

use super::{authorization, changes, limits, operation, probe, service_calls::ServiceCalls, tests::calls, wire::Wire};

const DOCUMENT: &str = include_str!("../../fixtures/contracts/seeded/openapi.json");
const TOKEN: &str = "sesame-open-42";

/// What the service holds: items by id.
type Items = BTreeMap<i64, Value>;

/// A service with a fault, at its address.
struct Service {
    address: SocketAddr,
    items: Arc<Mutex<Items>>,
}

impl Service {
    fn with(fault: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, items) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(stock())));
        let shared = Arc::clone(&items);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = Request::read(&mut stream);
                let response = respond(fault, &mut shared.lock().unwrap(), &request);
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Service { address, items }
    }
}

fn stock() -> Items {
    let item = |id: i64| {
        json!({"id": id, "name": format!("thing {id}"), "price": 1.5, "quantity": id, "tags": ["a"], "note": null,
            "state": "new", "created_at": "2026-01-02T03:04:05Z"})
    };
    (1..=30).map(|id| (id, item(id))).collect()
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    token: Option<String>,
    body: Result<Value, String>,
}

impl Request {
    fn read(stream: &mut TcpStream) -> Self {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
            head.push(byte[0]);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        let mut body = vec![0; header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)];
        let _ = stream.read_exact(&mut body);
        let mut line = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned);
        let (method, target) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Request {
            method,
            path: path.to_owned(),
            query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            token: header("authorization").and_then(|text| text.strip_prefix("Bearer ").map(str::to_owned)),
            body: serde_json::from_slice(&body).map_err(|error| error.to_string()),
        }
    }

    /// Returns a number of the query within its limits, or the rejection that the document names.
    fn number(&self, name: &str, usual: i64, (least, most): (i64, i64)) -> Result<i64, String> {
        let given = self.query.get(name).map_or(Ok(usual), |text| text.parse().map_err(|_| invalid(name)));
        given.and_then(|number| if (least..=most).contains(&number) { Ok(number) } else { Err(invalid(name)) })
    }
}

fn sent(status: u16, media: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} x\r\nContent-Type: {media}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n{body}"
    )
}

fn answer(status: u16, body: &Value) -> String {
    sent(status, "application/json", "", &body.to_string())
}

fn crash() -> String {
    sent(500, "text/plain", "", "Internal Server Error")
}

fn missing(fault: &str) -> String {
    match fault {
        "unknown id crashes" => crash(),
        "error of another shape" => answer(404, &json!({"message": "none"})),
        _ => answer(404, &json!({"detail": "there is none"})),
    }
}

fn invalid(name: &str) -> String {
    answer(422, &json!({"detail": [{"loc": ["request", name], "msg": "invalid", "type": "value_error"}]}))
}

fn respond(fault: &str, items: &mut Items, request: &Request) -> String {
    let parts: Vec<&str> = request.path.split('/').skip(1).collect();
    let customer = |id: &str| json!({"id": id, "email": "c@example.org", "vip": true, "address": null});
    const CUSTOMER: &str = "00000000-0000-0000-0000-000000000001";
    match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["items"]) => listed(fault, items, request),
        ("POST", ["items"]) => created(fault, items, request),
        (method, ["items", id]) => match id.parse::<i64>() {
            Ok(id) if id >= 1 => item(fault, items, request, (method, id)),
            _ => invalid("item_id"),
        },
        ("GET", ["customers"]) => {
            let id = if fault == "text that is no uuid" { "c1" } else { CUSTOMER };
            answer(200, &json!([customer(id)]))
        }
        ("GET", ["customers", CUSTOMER]) if fault == "text for a boolean" => {
            let mut found = customer(CUSTOMER);
            found["vip"] = json!("yes");
            answer(200, &found)
        }
        ("GET", ["customers", CUSTOMER]) => answer(200, &customer(CUSTOMER)),
        ("GET", ["customers", id]) if id.len() == 36 => missing(fault),
        ("GET", ["customers", _]) => invalid("customer_id"),
        ("GET", ["me"]) => match request.token.as_deref() {
            Some(TOKEN) => answer(200, &json!({"user": "ada"})),
            None if fault == "no token is needed" => answer(200, &json!({"user": "anybody"})),
            Some(_) if fault == "any token will do" => answer(200, &json!({"user": "anybody"})),
            _ => answer(401, &json!({"detail": "no"})),
        },
        _ => answer(405, &json!({"detail": "Method Not Allowed"})),
    }
}

fn listed(fault: &str, items: &Items, request: &Request) -> String {
    let limit = request.number("limit", 10, (1, 100));
    let (limit, offset) = match (limit, request.number("offset", 0, (0, 100_000))) {
        (Ok(limit), Ok(offset)) => (limit as usize, offset as usize),
        (Err(rejection), _) | (_, Err(rejection)) => return rejection,
    };
    if request.query.get("q").is_some_and(|text| text.len() > 150) {
        return invalid("q");
    }
    let total = items.len();
    let mut page: Vec<Value> = items.values().skip(offset).take(limit).cloned().collect();
    let mut each = |change: &dyn Fn(&mut Value)| page.iter_mut().for_each(change);
    match fault {
        "largest page crashes" if limit == 100 => return crash(),
        "quote crashes" if request.query.get("q").is_some_and(|text| text.contains("%27")) => return crash(),
        "second page of other types" if offset > 0 => each(&|item| item["id"] = json!("2")),
        "text for a number" => each(&|item| item["price"] = json!("1.50")),
        "missing property" => each(&|item| drop(item.as_object_mut().unwrap().remove("quantity"))),
        "property more" => each(&|item| item["secret"] = json!(1)),
        "unknown state" => each(&|item| item["state"] = json!("lost")),
        "no time" => each(&|item| item["created_at"] = json!("yesterday")),
        "null" => each(&|item| item["name"] = Value::Null),
        "too many elements" => each(&|item| item["tags"] = json!(["a", "b", "c", "d", "e", "f"])),
        "below its minimum" => each(&|item| item["quantity"] = json!(0)),
        "half a body" => return sent(200, "application/json", "", "{\"items\": ["),
        "another media type" => return sent(200, "text/html", "", "<html></html>"),
        "another status" => return answer(202, &json!({"items": page, "total": total})),
        "list without its total" => return answer(200, &json!({"items": page})),
        "list crashes" => return crash(),
        _ => {}
    }
    answer(200, &json!({"items": page, "total": total}))
}

/// Returns whether a body is one of the document.
fn is_valid(body: &Value) -> bool {
    let within = |key: &str, least: f64, most: f64| body[key].as_f64().is_some_and(|n| n >= least && n <= most);
    let name = body["name"].as_str().is_some_and(|name| (1..=40).contains(&name.chars().count()));
    let tags = body["tags"].is_null() || body["tags"].as_array().is_some_and(|tags| tags.len() <= 5);
    let note = body["note"].is_null() || body["note"].is_string();
    name && tags && note && within("price", 0.0, 10_000.0) && within("quantity", 1.0, 1_000.0)
}

/// Returns the item that a body describes.
fn item_of(body: &Value, id: i64) -> Value {
    let tags = if body["tags"].is_null() { json!([]) } else { body["tags"].clone() };
    json!({"id": id, "name": body["name"], "price": body["price"], "quantity": body["quantity"], "tags": tags,
        "note": body["note"], "state": "new", "created_at": "2026-01-02T03:04:05Z"})
}

fn created(fault: &str, items: &mut Items, request: &Request) -> String {
    let is_taken = |body: &&Value| is_valid(body) || fault == "busy when it deletes" && body["name"].is_string();
    let Some(body) = request.body.as_ref().ok().filter(is_taken) else { return invalid("body") };
    if fault == "returns the first one" {
        return items.values().next().map_or_else(crash, |item| answer(200, item));
    }
    if fault == "valid body crashes" || fault == "optional property crashes" && !body["note"].is_null() {
        return crash();
    }
    let id = items.keys().max().unwrap_or(&0) + 1;
    let mut item = item_of(body, id);
    items.insert(id, item.clone());
    if fault == "created with another type" {
        item["price"] = json!(item["price"].to_string());
    }
    let location = format!("Location: /items/{id}\r\n");
    let location = if fault == "no Location" { "" } else { &location };
    sent(201, "application/json", location, &item.to_string())
}

fn item(fault: &str, items: &mut Items, request: &Request, (method, id): (&str, i64)) -> String {
    let body = request.body.as_ref().ok().filter(|body| is_valid(body));
    let known = items.contains_key(&id);
    match (method, body) {
        ("PUT", None) => invalid("body"),
        _ if !known => missing(fault),
        ("PUT", Some(body)) => {
            let mut item = item_of(body, id);
            items.insert(id, item.clone());
            if fault == "updated without its state" {
                item.as_object_mut().unwrap().remove("state");
            }
            answer(200, &item)
        }
        ("DELETE", _) if fault == "busy when it deletes" && items[&id]["state"] != "busy" => {
            items.entry(id).and_modify(|item| item["state"] = json!("busy"));
            sent(503, "text/plain", "", "database is locked")
        }
        ("DELETE", _) => {
            if fault != "still there" {
                items.remove(&id);
            }
            "HTTP/1.1 204 x\r\nConnection: close\r\n\r\n".to_owned()
        }
        _ => answer(200, &items[&id]),
    }
}

/// Runs every check of the document against a service.
async fn verdicts(service: &Service) -> Vec<(String, Outcome)> {
    let calls: Arc<ServiceCalls> = Arc::new(calls(DOCUMENT, "token_variable = \"API_TOKEN\""));
    let wire = Wire { addresses: vec![service.address], token: Some(Secret::new(TOKEN)), ..Wire::default() };
    let mut all = Vec::new();
    for (index, name) in operation::names(&calls) {
        all.push((name, calls.call(&wire, index).await.outcome.clone()));
    }
    for index in calls.possible() {
        all.push((format!("limits of {}", calls.title(index)), limits::run(&calls, &wire, index).await));
    }
    all.push(("authorization".to_owned(), authorization::run(&calls, &wire).await));
    for index in (0..calls.changes.len()).filter(|index| changes::may_create(&calls, &calls.changes[*index])) {
        all.push(("changes".to_owned(), changes::run(&calls, &wire, index).await));
    }
    for index in (0..calls.calls.len()).filter(|index| can_be_probed(&calls.calls[*index].operation, true)) {
        all.push((format!("probe of {}", calls.title(index)), probe::run(&calls, &wire, index).await));
    }
    all.push(("refusals".to_owned(), probe::run_refusals(&calls, &wire).await));
    all
}

/// Returns what failed, by check, each with the codes of its findings.
fn failed(all: &[(String, Outcome)]) -> BTreeMap<String, Vec<String>> {
    let of = |(name, outcome): &(String, Outcome)| match outcome {
        Outcome::Fail { findings, .. } => {
            let code = |object: &str| object.split(' ').next().unwrap_or_default().to_owned();
            Some((name.clone(), findings.iter().map(|finding| code(&finding.place.object)).collect()))
        }
        _ => None,
    };
    all.iter().filter_map(of).collect()
}

#[tokio::test]
async fn a_service_that_keeps_its_document_passes_every_check_and_is_left_as_it_was() {
    let service = Service::with("");
    let all = verdicts(&service).await;
    let not_passed: Vec<_> = all.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Pass(_))).collect();
    assert!(not_passed.is_empty(), "{not_passed:?}");
    assert_eq!(*service.items.lock().unwrap(), stock());
}

#[tokio::test]
async fn what_a_service_returns_by_its_name_is_not_deleted() {
    let service = Service::with("returns the first one");
    let all = verdicts(&service).await;
    assert_eq!(*service.items.lock().unwrap(), stock());
    let reported = all.iter().any(|(_, outcome)| match outcome {
        Outcome::Pass(text) | Outcome::Skip(text) | Outcome::Broken(text) => text.contains("may be older"),
        Outcome::Fail { message, .. } => message.contains("may be older"),
    });
    assert!(reported, "{all:?}");
}

#[rstest]
#[case("no token is needed", "authorization", "SGC052")]
#[case("any token will do", "authorization", "SGC052")]
#[case("largest page crashes", "limits of GET /items", "SGC053")]
#[case("quote crashes", "limits of GET /items", "SGC053")]
#[case("second page of other types", "limits of GET /items", "SGC031")]
#[case("text for a number", "get_items", "SGC031")]
#[case("missing property", "get_items", "SGC032")]
#[case("property more", "get_items", "SGC033")]
#[case("unknown state", "get_items", "SGC034")]
#[case("no time", "get_items", "SGC035")]
#[case("null", "get_items", "SGC031")]
#[case("too many elements", "get_items", "SGC035")]
#[case("below its minimum", "get_items", "SGC035")]
#[case("half a body", "get_items", "SGC030")]
#[case("another media type", "get_items", "SGC022")]
#[case("another status", "get_items", "SGC010")]
#[case("list without its total", "get_items", "SGC032")]
#[case("list crashes", "get_items", "SGC010")]
#[case("valid body crashes", "changes", "SGC053")]
#[case("optional property crashes", "changes", "SGC053")]
#[case("created with another type", "changes", "SGC031")]
#[case("no Location", "changes", "SGC020")]
#[case("updated without its state", "changes", "SGC032")]
#[case("still there", "changes", "SGC054")]
#[case("busy when it deletes", "changes", "SGC053")]
#[case("unknown id crashes", "probe of GET /items/{item_id}", "SGC050")]
#[case("error of another shape", "probe of GET /items/{item_id}", "SGC032")]
#[case("text that is no uuid", "get_customers", "SGC035")]
#[case("text for a boolean", "get_customers_customer_id", "SGC031")]
#[tokio::test]
async fn a_fault_is_found_by_its_code(#[case] fault: &'static str, #[case] check: &str, #[case] code: &str) {
    let service = Service::with(fault);
    let failed = failed(&verdicts(&service).await);
    assert!(failed.get(check).is_some_and(|codes| codes.iter().any(|found| found == code)), "{fault}: {failed:?}");
    if fault != "still there" {
        // What a fault lets nobody find again can stay: nothing else may.
        assert_eq!(service.items.lock().unwrap().keys().collect::<Vec<_>>(), stock().keys().collect::<Vec<_>>());
    }
}
