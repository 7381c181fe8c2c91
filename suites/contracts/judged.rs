//! What an answer, or its absence, is against what the document promises.

use std::net::SocketAddr;

use stagegate_base::{
    config::TokenSource,
    finding::Finding,
    record::{Evidence, Outcome},
};
use stagegate_contract::{self as contract, Checked, Operation, Request, code};
use stagegate_host::http::Answer;

use super::book::Book;

/// How much of a body is shown where the status alone says that something is wrong.
const SHOWN: usize = 400;

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
        findings: vec![Finding::new(
            format!("{} status", code::UNABLE.id),
            "an answer of success",
            answer.status.to_string(),
        )],
        evidence: vec![reproduce(book, address, request), body],
        hint: None,
    }
}

/// Tells that no whole answer came.
pub(super) fn failed(book: &Book, address: Option<&SocketAddr>, request: &Request, message: String) -> Outcome {
    let evidence = address.map(|address| reproduce(book, address, request)).into_iter().collect();
    let at = format!("{} answer", code::NO_ANSWER.id);
    let finding = Finding::new(at, "a whole HTTP answer", message.clone());
    Outcome::Fail { message, findings: vec![finding], evidence, hint: None }
}

/// Writes the request as a line for a shell.
pub(super) fn reproduce(book: &Book, address: &SocketAddr, request: &Request) -> Evidence {
    let base = format!("http://{address}{}", book.service.base());
    let text = request.curl(&base, book.service.token.as_ref().map(TokenSource::variable));
    Evidence { name: "reproduce".to_owned(), text }
}
