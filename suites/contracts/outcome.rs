//! What a response, or its absence, is against what the document promises.

use std::net::SocketAddr;

use stagegate_base::{
    config::TokenSource,
    finding::Finding,
    record::{Evidence, Outcome},
    text::counted,
};
use stagegate_contract::{self as contract, Checked, Operation, Request, code};
use stagegate_host::http::HttpResponse;

use super::service_calls::ServiceCalls;

/// How much of a body is shown where the status alone states that something is wrong.
const SHOWN: usize = 400;

/// Judges a response by what the operation promises.
pub(super) fn outcome(
    calls: &ServiceCalls,
    operation: &Operation,
    (address, answer): (SocketAddr, &HttpResponse),
    request: &Request,
) -> Outcome {
    let requested = contract::ServiceResponse {
        status: answer.status,
        headers: &answer.headers,
        body: &answer.body,
        truncated: answer.truncated,
    };
    let checked = contract::check(&calls.document, operation, &requested);
    let status = answer.status;
    if !checked.findings.is_empty() {
        return differs(calls, &address, request, status, checked);
    }
    match (checked.unchecked, status) {
        (Some(reason), _) => Outcome::Broken(format!("the response with status {status} was not compared: {reason}")),
        (None, 500..) => server_error(calls, &address, request, answer),
        // A response that only states "not found" proves nothing of what the operation promises.
        (None, 400..) => Outcome::Broken(format!(
            "{status} is documented, but no successful response was seen; {}",
            base_path(calls, status).unwrap_or_else(|| {
                let (contract, environment) = (&calls.contract, &calls.environment);
                format!("give the operation an example in {contract} that exists in `{environment}`")
            })
        )),
        (None, _) => Outcome::Pass(format!("{status} in {} ms", answer.took.as_millis())),
    }
}

fn differs(calls: &ServiceCalls, address: &SocketAddr, request: &Request, status: u16, checked: Checked) -> Outcome {
    let more =
        if checked.more > 0 { format!(" ({})", counted(checked.more, "more difference")) } else { String::new() };
    Outcome::Fail {
        message: format!("response {status} does not match {}{more}", calls.contract),
        findings: checked.findings.iter().map(contract::Difference::finding).collect(),
        evidence: vec![reproduce(calls, address, request)],
        hint: Some(base_path(calls, status).unwrap_or_else(|| {
            format!(
                "if the change is intended, change the contract and run `gate test --env {} contracts` again",
                calls.environment
            )
        })),
    }
}

/// Returns what to configure where the document's own server has a path that no request had: whether the service itself
/// lies below it, or a proxy in front of it, only its operator knows.
fn base_path(calls: &ServiceCalls, status: u16) -> Option<String> {
    let (name, path) = (&calls.service.name, calls.document.base_path());
    (status == 404 && calls.service.base_path.is_none() && !path.is_empty()).then(|| {
        format!(
            "the paths of {} lie below `{path}` (its `servers`); if `{name}` itself responds there, set base_path = \
             \"{path}\" in [services.{name}]",
            calls.contract
        )
    })
}

/// Reports a response that is documented and yet no service: 500, 503.
fn server_error(calls: &ServiceCalls, address: &SocketAddr, request: &Request, reply: &HttpResponse) -> Outcome {
    let body = Evidence { name: "body".to_owned(), text: reply.text().chars().take(SHOWN).collect() };
    let path = request.target.split('?').next().unwrap_or_default();
    Outcome::Fail {
        message: format!("{} {path} returned {}: documented, but a server error", request.method, reply.status),
        findings: vec![Finding::differs(
            format!("{} status", code::UNABLE.id),
            "a successful response",
            reply.status.to_string(),
        )],
        evidence: vec![reproduce(calls, address, request), body],
        hint: None,
    }
}

/// Reports that no whole response came.
pub(super) fn no_response(
    calls: &ServiceCalls,
    address: Option<&SocketAddr>,
    request: &Request,
    message: String,
) -> Outcome {
    let evidence = address.map(|address| reproduce(calls, address, request)).into_iter().collect();
    let at = format!("{} response", code::NO_ANSWER.id);
    let finding = Finding::differs(at, "a complete HTTP response", message.clone());
    Outcome::Fail { message, findings: vec![finding], evidence, hint: None }
}

/// Writes the request as a line for a shell.
pub(super) fn reproduce(calls: &ServiceCalls, address: &SocketAddr, request: &Request) -> Evidence {
    let base = format!("http://{address}{}", calls.service.base());
    let text = request.curl(&base, calls.service.token.as_ref().map(TokenSource::variable));
    Evidence { name: "reproduce".to_owned(), text }
}
