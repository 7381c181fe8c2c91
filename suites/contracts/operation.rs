//! Does one operation answer as the document says?

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use stagegate_base::{
    config::TokenSource,
    record::{Evidence, Finding, Outcome},
};
use stagegate_contract::{self as contract, Checked, Operation, Request, code};
use stagegate_host::http::Answer;

use super::book::Book;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of a body is shown where the status alone says that something is wrong.
const SHOWN: usize = 400;

/// Lists a trial for each operation that can be called.
pub(super) fn trials(book: &Arc<Book>) -> Vec<Trial> {
    let trial = |(index, name): (usize, String)| {
        let shared = Arc::clone(book);
        Trial::new("contracts", &book.service.name, &name, Effect::Reads, move |session: Arc<Session>| {
            let book = Arc::clone(&shared);
            async move {
                match book.wire(&session).await {
                    Ok(wire) => book.ask(wire, index).await.outcome.clone(),
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        })
    };
    names(book).into_iter().map(trial).collect()
}

/// Lists the calls that can be made, each with a name of its own.
pub(super) fn names(book: &Book) -> Vec<(usize, String)> {
    let mut taken = BTreeSet::new();
    book.possible().map(|index| (index, free(&mut taken, name(&book.calls[index].operation)))).collect()
}

/// Names an operation: `GET /orders/{id}` is `get_orders_id`.
pub(super) fn name(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut words: Vec<&str> = words.collect();
    if words.is_empty() {
        words.push("root");
    }
    format!("{}_{}", operation.method, words.join("_")).to_ascii_lowercase()
}

/// Returns `name`, with a number behind it where it is taken: `/orders/{id}` and `/orders/id` may both be there.
pub(super) fn free(taken: &mut BTreeSet<String>, name: String) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| taken.insert(name.clone())).unwrap_or_default()
}

/// Judges an answer by what the operation promises.
pub(super) fn judged(
    book: &Book,
    operation: &Operation,
    (address, answer): (SocketAddr, &Answer),
    request: &Request,
) -> Outcome {
    let asked = contract::Answer {
        status: answer.status,
        headers: &answer.headers,
        body: &answer.body,
        truncated: answer.truncated,
    };
    let checked = contract::check(&book.document, operation, &asked);
    let status = answer.status;
    if !checked.findings.is_empty() {
        return differs(book, &address, request, status, checked);
    }
    match (checked.unchecked, status) {
        (Some(reason), _) => Outcome::Broken(format!("the answer with status {status} was not compared: {reason}")),
        (None, 500..) => unable(book, &address, request, answer),
        // An answer that only says "not found" proves nothing of what the operation promises.
        (None, 400..) => Outcome::Broken(format!(
            "{status} is documented, but what the operation gives was not seen; in {}, give it an example that exists in `{}`",
            book.contract, book.environment
        )),
        (None, _) => Outcome::Pass(format!("{status} in {} ms", answer.took.as_millis())),
    }
}

fn differs(book: &Book, address: &SocketAddr, request: &Request, status: u16, checked: Checked) -> Outcome {
    let more = if checked.more > 0 { format!(" ({} more differences)", checked.more) } else { String::new() };
    Outcome::Fail {
        message: format!("response {status} does not match {}{more}", book.contract),
        findings: checked.findings.iter().map(contract::Difference::finding).collect(),
        evidence: vec![reproduce(book, address, request)],
        hint: Some(format!(
            "if the change is meant, change the contract and run `gate test --env {} contracts` again",
            book.environment
        )),
    }
}

/// Tells an answer that is documented and yet no service: 500, 503.
fn unable(book: &Book, address: &SocketAddr, request: &Request, answer: &Answer) -> Outcome {
    let body = Evidence { name: "body".to_owned(), text: answer.text().chars().take(SHOWN).collect() };
    let path = request.target.split('?').next().unwrap_or_default();
    Outcome::Fail {
        message: format!("{} {path} answers {}: documented, but it cannot serve", request.method, answer.status),
        findings: vec![Finding {
            at: format!("{} status", code::UNABLE.id),
            expected: "an answer of success".to_owned(),
            found: answer.status.to_string(),
        }],
        evidence: vec![reproduce(book, address, request), body],
        hint: None,
    }
}

/// Tells that no whole answer came.
pub(super) fn failed(book: &Book, address: Option<&SocketAddr>, request: &Request, message: String) -> Outcome {
    let evidence = address.map(|address| reproduce(book, address, request)).into_iter().collect();
    let at = format!("{} answer", code::NO_ANSWER.id);
    let finding = Finding { at, expected: "a whole HTTP answer".to_owned(), found: message.clone() };
    Outcome::Fail { message, findings: vec![finding], evidence, hint: None }
}

/// Writes the request as a line for a shell.
pub(super) fn reproduce(book: &Book, address: &SocketAddr, request: &Request) -> Evidence {
    let base = format!("http://{address}{}", book.service.base_path);
    let text = request.curl(&base, book.service.token.as_ref().map(TokenSource::variable));
    Evidence { name: "reproduce".to_owned(), text }
}
