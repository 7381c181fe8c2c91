//! Does one operation answer as the document says?

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use stagegate_act::{
    error::with_causes,
    http::{Answer, Http, HttpError, Request},
};
use stagegate_decide::{
    contract::{self, Checked, Document, Operation},
    record::{Evidence, Outcome},
    redact::Mask,
};

use super::source::Source;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// How much of a body is shown where the status alone says that something is wrong.
const SHOWN: usize = 400;

/// One operation, ready to be asked.
pub(super) struct Case {
    pub(super) document: Arc<Document>,
    pub(super) operation: Operation,
    pub(super) request: Request,
    /// The document's file, as the configuration names it.
    pub(super) contract: String,
    pub(super) environment: String,
}

/// Lists a trial for each operation that can be called; none where there is no document.
pub(super) fn trials(source: &Source) -> Vec<Trial> {
    let mut names = BTreeSet::new();
    let trial = |case: Case| {
        let name = free(&mut names, name(&case.operation));
        let (case, service) = (Arc::new(case), source.service.clone());
        Trial::new("contracts", &source.service.name, &name, Effect::Reads, move |session: Arc<Session>| {
            let (case, service) = (Arc::clone(&case), service.clone());
            async move {
                match session.addresses(&service).await {
                    Ok(addresses) => asked(&case, &addresses, session.runner.mask()).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        })
    };
    cases(source).into_iter().map(trial).collect()
}

pub(super) fn cases(source: &Source) -> Vec<Case> {
    let Ok(document) = &source.document else { return Vec::new() };
    let callable = document.calls().into_iter().filter_map(|call| Some((call.operation, call.request.ok()?)));
    callable
        .map(|(operation, request)| Case {
            document: Arc::clone(document),
            request: Request {
                headers: request.headers,
                ..Request::new(operation.method.name(), &format!("{}{}", source.service.base_path, request.target))
            },
            operation,
            contract: source.name.clone(),
            environment: source.environment.clone(),
        })
        .collect()
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
fn free(taken: &mut BTreeSet<String>, name: String) -> String {
    let numbered = (2..).map(|number| format!("{name}_{number}"));
    let mut names = std::iter::once(name.clone()).chain(numbered);
    names.find(|name| taken.insert(name.clone())).unwrap_or_default()
}

/// Asks the first address that accepts a connection, and judges the answer.
pub(super) async fn asked(case: &Case, addresses: &[SocketAddr], mask: &Mask) -> Outcome {
    let http = match Http::shared() {
        Ok(http) => http,
        Err(error) => return Outcome::Broken(with_causes(&error)),
    };
    match http.send_first(addresses, &case.request).await {
        Ok((address, answer)) => masked(judged(case, address, &answer), mask),
        Err(error @ (HttpError::Request { .. } | HttpError::NoAddress)) => Outcome::Broken(with_causes(&error)),
        Err(error) => masked(failed(case, addresses.first(), with_causes(&error)), mask),
    }
}

fn judged(case: &Case, address: SocketAddr, answer: &Answer) -> Outcome {
    let asked = contract::Answer {
        status: answer.status,
        headers: &answer.headers,
        body: &answer.body,
        truncated: answer.truncated,
    };
    let checked = contract::check(&case.document, &case.operation, &asked);
    let status = answer.status;
    if !checked.findings.is_empty() {
        return differs(case, address, status, checked);
    }
    match (checked.unchecked, status) {
        (Some(reason), _) => Outcome::Broken(format!("the answer with status {status} was not compared: {reason}")),
        (None, 500..) => unable(case, address, answer),
        // An answer that only says "not found" proves nothing of what the operation promises.
        (None, 400..) => Outcome::Broken(format!(
            "{status} is documented, but what the operation gives was not seen; in {}, give it an example that exists in `{}`",
            case.contract, case.environment
        )),
        (None, _) => Outcome::Pass(format!("{status} in {} ms", answer.took.as_millis())),
    }
}

fn differs(case: &Case, address: SocketAddr, status: u16, checked: Checked) -> Outcome {
    let more = if checked.more > 0 { format!(" ({} more differences)", checked.more) } else { String::new() };
    Outcome::Fail {
        message: format!("response {status} does not match {}{more}", case.contract),
        findings: checked.findings,
        evidence: vec![curl(case, &address)],
        hint: Some(format!(
            "if the change is meant, change the contract and run `gate test --env {} contracts` again",
            case.environment
        )),
    }
}

/// Tells an answer that is documented and yet no service: 500, 503.
fn unable(case: &Case, address: SocketAddr, answer: &Answer) -> Outcome {
    let body = Evidence { name: "body".to_owned(), text: answer.text().chars().take(SHOWN).collect() };
    Outcome::Fail {
        message: format!(
            "{} {} answers {}: documented, but it cannot serve",
            case.operation.method, case.operation.path, answer.status
        ),
        findings: Vec::new(),
        evidence: vec![curl(case, &address), body],
        hint: None,
    }
}

fn failed(case: &Case, address: Option<&SocketAddr>, message: String) -> Outcome {
    let evidence = address.map(|address| curl(case, address)).into_iter().collect();
    Outcome::Fail { message, findings: Vec::new(), evidence, hint: None }
}

/// Writes the request as a line for a shell.
fn curl(case: &Case, address: &SocketAddr) -> Evidence {
    let request = &case.request;
    let method = match request.method.as_str() {
        "GET" => String::new(),
        "HEAD" => " --head".to_owned(),
        other => format!(" -X {other}"),
    };
    let headers: String =
        request.headers.iter().map(|(name, value)| format!(" -H {}", quoted(&format!("{name}: {value}")))).collect();
    let url = quoted(&format!("http://{address}{}", request.path));
    Evidence { name: "reproduce".to_owned(), text: format!("curl -i{method}{headers} {url}") }
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn masked(outcome: Outcome, mask: &Mask) -> Outcome {
    match outcome {
        Outcome::Fail { message, mut findings, mut evidence, hint } => {
            findings.iter_mut().for_each(|finding| finding.found = mask.apply(&finding.found));
            evidence.iter_mut().for_each(|evidence| evidence.text = mask.apply(&evidence.text));
            Outcome::Fail { message: mask.apply(&message), findings, evidence, hint }
        }
        other => other,
    }
}
