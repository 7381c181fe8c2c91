//! Sends a request of a document, and judges the response as that of a valid request.

use std::{net::SocketAddr, time::Duration};

use stagegate_base::{
    finding::Finding,
    record::{Evidence, Outcome},
};
use stagegate_contract::{self as contract, Difference, Operation, Request, code};
use stagegate_host::{
    error::with_causes,
    http::{self, Http, HttpError},
};

use super::{outcome, service_calls::ServiceCalls, wire::Wire};

/// How many `curl` lines are kept.
const LINES: usize = 5;

/// How long to wait before what was created is deleted again.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// Why there is no response.
pub(super) enum CallError {
    /// The request could not be sent: nothing is known of the service.
    Unsent(String),
    /// The service closed the connection, or did not respond in time.
    NoResponse(String),
}

impl ServiceCalls {
    /// Returns what sends requests to the service.
    pub(super) fn http(&self) -> Result<Http, String> {
        let http = Http::shared().map_err(|error| with_causes(&error))?;
        Ok(http.body_cap(usize::try_from(self.service.max_body.0).unwrap_or(usize::MAX)))
    }

    /// Sends a request.
    pub(super) async fn sent(
        &self,
        wire: &Wire,
        request: &Request,
    ) -> Result<(SocketAddr, http::HttpResponse), CallError> {
        let http = self.http().map_err(CallError::Unsent)?;
        let sent = http.send_first(&wire.addresses, &wire.request(self.service.base(), request)).await;
        sent.map_err(|error| match error {
            error @ (HttpError::Request { .. } | HttpError::NoAddress) => CallError::Unsent(with_causes(&error)),
            error => CallError::NoResponse(with_causes(&error)),
        })
    }

    /// Sends the request that deletes what a check created, and returns whether it is gone.
    ///
    /// A service that is busy with the checks themselves, as with a locked database, gets it again after a pause.
    pub(super) async fn deleted(&self, wire: &Wire, request: &Request) -> bool {
        for pause in PAUSES {
            match self.sent(wire, request).await {
                Ok((_, response)) if is_gone(response.status) => return true,
                Ok((_, response)) if response.status < 500 && response.status != 429 => return false,
                Err(CallError::Unsent(_)) => return false,
                _ => tokio::time::sleep(pause).await,
            }
        }
        self.sent(wire, request).await.is_ok_and(|(_, response)| is_gone(response.status))
    }
}

/// Returns whether the response to a DELETE states that nothing is left.
pub(super) fn is_gone(status: u16) -> bool {
    matches!(status, 200..=299 | 404 | 410)
}

/// Returns a response as a document is compared with it.
pub(super) fn facts(response: &http::HttpResponse) -> contract::ServiceResponse<'_> {
    contract::ServiceResponse {
        status: response.status,
        headers: &response.headers,
        body: &response.body,
        truncated: response.truncated,
    }
}

/// Findings of several requests to one service: each kind once, with lines that reproduce them.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) all: Vec<Finding>,
    evidence: Vec<Evidence>,
    known: Vec<String>,
}

impl Findings {
    /// Leaves out what another check reports already.
    pub(super) fn without(outcome: &Outcome) -> Self {
        let Outcome::Fail { findings, .. } = outcome else { return Findings::default() };
        let known = findings.iter().map(|finding| kind("", &finding.place.object)).collect();
        Findings { known, ..Findings::default() }
    }

    /// Judges the response to a valid request; returns whether it was one of success.
    ///
    /// A refusal (4xx) proves nothing: what the document allows may still be refused, such as an id that is not there.
    pub(super) fn judge(
        &mut self,
        calls: &ServiceCalls,
        (operation, request, what): (&Operation, &Request, &str),
        (address, answer): (SocketAddr, &http::HttpResponse),
    ) -> bool {
        let status = answer.status;
        let differences = match status {
            500.. => vec![difference(&code::CRASHED, "status", "a documented response", status.to_string())],
            400..500 => Vec::new(),
            _ => contract::check(&calls.document, operation, &facts(answer)).findings,
        };
        self.add(calls, (request, what), Some(address), differences);
        (200..300).contains(&status)
    }

    /// Keeps differences of a request that are not known yet.
    pub(super) fn add(
        &mut self,
        calls: &ServiceCalls,
        (request, what): (&Request, &str),
        address: Option<SocketAddr>,
        differences: Vec<Difference>,
    ) {
        let path = request.target.split('?').next().unwrap_or_default();
        for difference in differences {
            let finding = difference.finding();
            // Ids in a path make no other kind of it.
            let kind = kind(&format!("{} {}", request.method, path.matches('/').count()), &finding.place.object);
            let is_known = self.known.iter().any(|known| *known == kind || kind.ends_with(&format!("|{known}")));
            if is_known {
                continue;
            }
            self.known.push(kind);
            let at = Difference { at: format!("{what}: {}", difference.at), ..difference };
            self.all.push(at.finding());
            if let Some(address) = address.filter(|_| self.evidence.len() < LINES) {
                let line = outcome::reproduce(calls, &address, request);
                self.evidence.push(Evidence { name: format!("reproduce {what}"), ..line });
            }
        }
    }

    /// Keeps that a valid request got no response.
    pub(super) fn silent(
        &mut self,
        calls: &ServiceCalls,
        (request, what): (&Request, &str),
        wire: &Wire,
        found: String,
    ) {
        let differences = vec![difference(&code::NO_ANSWER, "response", "a complete HTTP response", found)];
        self.add(calls, (request, what), wire.addresses.first().copied(), differences);
    }

    /// Makes a failure of the findings; `passed` where there are none.
    pub(super) fn outcome(self, message: &str, passed: Outcome) -> Outcome {
        if self.all.is_empty() {
            return passed;
        }
        Outcome::Fail {
            message: message.to_owned(),
            findings: self.all,
            evidence: self.evidence,
            hint: Some("docs/contracts.md explains the codes".to_owned()),
        }
    }
}

pub(super) fn difference(code: &'static code::Code, at: &str, expected: &str, found: String) -> Difference {
    let (at, expected) = (at.to_owned(), expected.to_owned());
    Difference { code, at, expected, found, schema: String::new(), places: 1 }
}

/// Returns a place without the numbers of elements: what is wrong with one element is wrong with the next.
fn kind(of: &str, place: &str) -> String {
    let mut inside = false;
    let shown = place.chars().filter(|c| {
        inside = (inside || *c == '[') && *c != ']';
        !inside || *c == '['
    });
    let place: String = shown.collect();
    if of.is_empty() { place } else { format!("{of}|{place}") }
}
