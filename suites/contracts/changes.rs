//! Do operations that change something respond as documented to valid requests: create, read, update, delete?
//!
//! Left out in a protected environment. What is created is deleted; what cannot be deleted is created only in the
//! ephemeral environment. Nothing that was there before is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use stagegate_base::{record::Outcome, text::counted};
use stagegate_contract::{
    self as contract, Body, Change, CompletedCall, Operation, Request, Values, bodies, changing, code, created,
};
use stagegate_host::http::HttpResponse;

use super::{
    operation,
    sending::{CallError, Findings, difference, facts},
    service_calls::ServiceCalls,
    wire::Wire,
};
use crate::trial::{Effect, Trial};

/// How many bodies an update gets.
const UPDATES: usize = 2;

/// Lists a trial for each resource that can be created here; what lies in it belongs to its trial.
pub(super) fn trials(calls: &Arc<ServiceCalls>) -> Vec<Trial> {
    let mut taken = BTreeSet::new();
    let is_meant = |change: &Change| change.parent.is_none() && may_create(calls, change);
    let meant = (0..calls.changes.len()).filter(|index| is_meant(&calls.changes[*index]));
    let trial = |index: usize| {
        let create = &calls.calls[calls.changes[index].create].operation;
        let name = operation::free(&mut taken, format!("changes_{}", operation::name(create)));
        let shared = Arc::clone(calls);
        let trial = Trial::new("contracts", &calls.service.name, &name, Effect::Writes, move |session| {
            let calls = Arc::clone(&shared);
            async move {
                match calls.wire(&session).await {
                    Ok(wire) => run(&calls, wire, index).await,
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        });
        // What is there for a moment would be counted by others.
        trial.alone()
    };
    meant.map(trial).collect()
}

/// Returns whether something may be created: it can be deleted, or its environment is.
pub(super) fn may_create(calls: &ServiceCalls, change: &Change) -> bool {
    change.delete.is_some() || calls.is_temporary()
}

pub(super) async fn run(calls: &ServiceCalls, wire: &Wire, index: usize) -> Outcome {
    let mark = format!("{:x}", std::process::id());
    let mut walk = Walk {
        calls,
        wire,
        mark,
        findings: Findings::default(),
        done: 0,
        refused: Vec::new(),
        left: Vec::new(),
        unsent: None,
    };
    walk.resource(index, Values::new()).await;
    walk.outcome()
}

/// One walk through the life of a resource.
struct Walk<'a> {
    calls: &'a ServiceCalls,
    wire: &'a Wire,
    mark: String,
    findings: Findings,
    /// Requests that were done.
    done: usize,
    /// Valid requests that were refused, each with its status.
    refused: Vec<String>,
    /// What is still there and could not be deleted.
    left: Vec<String>,
    unsent: Option<String>,
}

impl<'a> Walk<'a> {
    /// Creates a resource, reads it, goes through what lies in it, updates and deletes it.
    fn resource(&mut self, index: usize, around: Values) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let calls = self.calls;
            let change = &calls.changes[index];
            let Some(known) = self.created(change, &around).await else { return };
            if let Some(read) = change.read {
                self.read(read, &known).await;
            }
            let inner = (0..calls.changes.len()).filter(|inner| calls.changes[*inner].parent == Some(index));
            for inner in inner.filter(|inner| may_create(calls, &calls.changes[*inner])) {
                self.resource(inner, known.clone()).await;
            }
            for update in &change.updates {
                self.update(*update, &known).await;
            }
            self.delete(change, &known, true).await;
        })
    }

    /// Creates a resource with each valid body; all but the first one that is there are deleted at once.
    async fn created(&mut self, change: &Change, around: &Values) -> Option<Values> {
        let create = &self.calls.calls[change.create].operation;
        let item = [change.read, change.delete, change.updates.first().copied()].into_iter().flatten().next();
        let mut first = None;
        let bodies = self.bodies(change.create).await;
        if let Some(reply) = self.stranger(create, around, bodies.first()).await
            && let Some((request, item)) = changing(create, around, bodies.first()).zip(item)
        {
            let given = CompletedCall { operation: create, request: &request, values: around, answer: &facts(&reply) };
            let item = &self.calls.calls[item].operation;
            if let Some(known) = created(&self.calls.document, item, &given, around, self.calls.service.base()) {
                self.delete(change, &known, false).await;
            }
        }
        for body in bodies {
            let Some((request, reply)) = self.send(create, around, Some(&body)).await else { continue };
            if !contract::is_done(&facts(&reply)) {
                continue;
            }
            let Some(item) = item.map(|item| &self.calls.calls[item].operation) else { continue };
            let given = CompletedCall { operation: create, request: &request, values: around, answer: &facts(&reply) };
            let known = created(&self.calls.document, item, &given, around, self.calls.service.base());
            match known {
                // What cannot be found again cannot be deleted, so no more of it is made.
                None => {
                    self.left.push(format!("what {} created, whose id its response does not give", self.title(create)));
                    break;
                }
                // Who gives the same thing for the same name has made one.
                Some(known) if first.as_ref() == Some(&known) => {}
                Some(_) if !self.is_own(&reply) => {
                    let what = self.title(create);
                    self.left
                        .push(format!("what {what} returned with {}: it may be older than this run", reply.status));
                }
                Some(known) if first.is_none() => first = Some(known),
                Some(known) => self.delete(change, &known, false).await,
            }
        }
        first
    }

    /// Returns whether what a service returned was made by this run: some return what is there already by its name.
    // Source: RFC 9110, 15.3.2: 201 states that something was created.
    fn is_own(&self, response: &HttpResponse) -> bool {
        let mark = format!("probe-{}", self.mark);
        let has_mark = || String::from_utf8_lossy(&response.body).contains(&mark);
        self.calls.is_temporary() || matches!(response.status, 201 | 202) || has_mark()
    }

    async fn read(&mut self, read: usize, known: &Values) {
        let operation = &self.calls.calls[read].operation;
        let Some((request, answer)) = self.send(operation, known, None).await else { return };
        if matches!(answer.status, 404 | 410) {
            let what = self.title(operation);
            let expected = "what was just created";
            let found = vec![difference(&code::NOT_CREATED, "status", expected, answer.status.to_string())];
            self.findings.add(self.calls, (&request, &what), self.wire.addresses.first().copied(), found);
        }
    }

    async fn update(&mut self, update: usize, known: &Values) {
        let bodies = self.bodies(update).await;
        let _ = self.stranger(&self.calls.calls[update].operation, known, bodies.first()).await;
        for body in bodies.into_iter().take(UPDATES) {
            let _ = self.send(&self.calls.calls[update].operation, known, Some(&body)).await;
        }
    }

    /// Deletes a resource; where `is_checked`, it must not be there any more.
    async fn delete(&mut self, change: &Change, known: &Values, is_checked: bool) {
        let Some(delete) = change.delete.map(|delete| &self.calls.calls[delete].operation) else { return };
        if is_checked && self.stranger(delete, known, None).await.is_some() {
            return;
        }
        let target = changing(delete, known, None).map(|request| request.target).unwrap_or_default();
        let deleted = self.send(delete, known, None).await;
        let Some((_, reply)) = deleted.filter(|(_, reply)| contract::is_done(&facts(reply))) else {
            // What is wrong with the response is a finding; whether something is left is another question.
            let is_left = match changing(delete, known, None) {
                Some(request) => !self.calls.deleted(self.wire, &request).await,
                None => true,
            };
            if is_left {
                self.left.push(target);
            }
            return;
        };
        // 202 promises no more than that it will be done.
        let Some(read) = change.read.filter(|_| is_checked && reply.status != 202) else { return };
        let operation = &self.calls.calls[read].operation;
        let Some(request) = changing(operation, known, None) else { return };
        if let Ok((address, reply)) = self.calls.sent(self.wire, &request).await
            && contract::is_done(&facts(&reply))
        {
            let what = format!("{} after its DELETE", self.title(operation));
            let found = vec![difference(&code::NOT_DELETED, "status", "404 or 410", reply.status.to_string())];
            self.findings.add(self.calls, (&request, &what), Some(address), found);
        }
    }

    /// Sends a request to a secured operation without valid credentials; returns the response where it was done.
    async fn stranger(
        &mut self,
        operation: &'a Operation,
        values: &Values,
        body: Option<&Body>,
    ) -> Option<HttpResponse> {
        for (how, request) in contract::unauthorized(&self.calls.document, operation, values) {
            let request = match body {
                Some(body) => body.within(request),
                None => request,
            };
            let Ok((address, response)) = self.calls.sent(self.wire, &request).await else { continue };
            if contract::is_done(&facts(&response)) {
                let what = format!("{} {how}", self.title(operation));
                let found = vec![difference(&code::UNPROTECTED, "status", "401 or 403", response.status.to_string())];
                self.findings.add(self.calls, (&request, &what), Some(address), found);
                return Some(response);
            }
        }
        None
    }

    /// Sends a valid request and judges its response; `None` where there is none.
    async fn send(
        &mut self,
        operation: &'a Operation,
        values: &Values,
        body: Option<&Body>,
    ) -> Option<(Request, HttpResponse)> {
        let request = changing(operation, values, body)?;
        let with = body.map(|body| format!(" ({})", body.what)).unwrap_or_default();
        let what = format!("{}{with}", self.title(operation));
        match self.calls.sent(self.wire, &request).await {
            Ok((address, answer)) => {
                let is_done = self.findings.judge(self.calls, (operation, &request, &what), (address, &answer));
                self.done += usize::from(is_done);
                if (400..500).contains(&answer.status) {
                    self.refused.push(format!("{what} with {}", answer.status));
                }
                Some((request, answer))
            }
            Err(CallError::Unsent(reason)) => {
                self.unsent = Some(reason);
                None
            }
            Err(CallError::NoResponse(reason)) => {
                self.findings.silent(self.calls, (&request, &what), self.wire, reason);
                None
            }
        }
    }

    /// Returns valid bodies, with ids of things that exist where a body names some.
    async fn bodies(&self, index: usize) -> Vec<Body> {
        let call = &self.calls.calls[index];
        let mut known = BTreeMap::new();
        for need in &call.needs {
            for producer in &need.producers {
                let requested = self.calls.call(self.wire, producer.call).await;
                if let Some(value) = requested.given.get(&(index, need.parameter.clone())) {
                    known.entry(need.parameter.clone()).or_insert_with(|| value.clone());
                }
            }
        }
        bodies(&self.calls.document, &call.operation, &self.mark, &known)
    }

    fn title(&self, operation: &Operation) -> String {
        format!("{} {}", operation.method, operation.path)
    }

    fn outcome(self) -> Outcome {
        let left = match self.left.is_empty() {
            true => String::new(),
            false => format!("; not deleted: {}", self.left.join(", ")),
        };
        if let Some(reason) = self.unsent.filter(|_| self.done == 0 && self.findings.all.is_empty()) {
            return self.wire.masked(Outcome::Broken(reason));
        }
        let passed = match (self.done, self.refused.first()) {
            (0, Some(first)) => Outcome::Skip(format!(
                "the valid requests that {} gives were refused: {first}; give the request body an example that is accepted",
                self.calls.contract
            )),
            (0, None) => Outcome::Skip("no valid request could be made of the document".to_owned()),
            (done, _) => Outcome::Pass(format!("{} as documented{left}", counted(done, "change"))),
        };
        let message = format!("valid requests are not handled as {} documents{left}", self.calls.contract);
        self.wire.masked(self.findings.outcome(&message, passed))
    }
}
