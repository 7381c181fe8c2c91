//! Asks the operations of one service: each once a run, and every trial looks at the same response.
//!
//! What the trials need of a response is taken out of it as it comes; its body is not kept.

use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use stagegate_base::record::Outcome;
use stagegate_contract::{self as contract, CompletedCall, Parameter, Request, ServiceResponse, Shape, Supply, Values};
use stagegate_host::{
    error::with_causes,
    http::{self, HttpError},
};

use super::{
    outcome,
    service_calls::{CallResult, ServiceCalls},
    wire::Wire,
};

impl ServiceCalls {
    /// Asks an operation, or returns what came of it before.
    pub(super) fn call<'a>(&'a self, wire: &'a Wire, index: usize) -> BoxFuture<'a, &'a CallResult> {
        Box::pin(async move { self.cells[index].get_or_init(|| self.call_first(wire, index)).await })
    }

    /// Asks with the document's values, and with captured ones where it has none or they are of nothing that is there.
    async fn call_first(&self, wire: &Wire, index: usize) -> CallResult {
        let call = &self.calls[index];
        let lacks = |parameter: &Parameter| parameter.required && parameter.value.is_none();
        let requested = match self.captured(wire, index, lacks).await {
            Ok(values) => self.send(wire, index, values).await,
            Err(reason) => return CallResult::not_called(reason),
        };
        let has_other = call.supplies.iter().any(|supply| !requested.values.contains_key(&supply.parameter));
        if !requested.is_unknown() || !has_other {
            return requested;
        }
        match self.captured(wire, index, |_| true).await {
            Ok(values) => self.send(wire, index, values).await,
            Err(_) => requested,
        }
    }

    /// Collects values for the parameters that `is_meant` names.
    async fn captured(
        &self,
        wire: &Wire,
        index: usize,
        is_meant: impl Fn(&Parameter) -> bool,
    ) -> Result<Values, String> {
        let call = &self.calls[index];
        let mut values = Values::new();
        for supply in &call.supplies {
            let known = call.operation.parameters.iter().find(|parameter| parameter.name == supply.parameter);
            if known.is_some_and(&is_meant) {
                self.supply(wire, index, supply, &mut values).await?;
            }
        }
        Ok(values)
    }

    async fn supply(&self, wire: &Wire, index: usize, supply: &Supply, values: &mut Values) -> Result<(), String> {
        let call = &self.calls[index];
        let key = (index, supply.parameter.clone());
        for producer in &supply.producers {
            let requested = self.call(wire, producer.call).await;
            let Some(value) = requested.given.get(&key) else { continue };
            values.insert(supply.parameter.clone(), value.clone());
            // An order of a customer is asked for at that same customer.
            if call.operation.path.starts_with(&self.calls[producer.call].operation.path) {
                values.extend(requested.values.clone());
            }
            return Ok(());
        }
        let requested: Vec<String> = supply.producers.iter().map(|producer| self.title(producer.call)).collect();
        Err(format!(
            "parameter `{}` has no value that is known to exist: {} returned none; fill `{}` with data, or give the parameter \
             an example in {}",
            supply.parameter,
            requested.join(", "),
            self.environment,
            self.contract
        ))
    }

    async fn send(&self, wire: &Wire, index: usize, values: Values) -> CallResult {
        let request = match self.calls[index].with(&values) {
            Ok(request) => request,
            Err(refusal) => return CallResult::not_called(refusal.to_string()),
        };
        let http = match self.http() {
            Ok(http) => http,
            Err(reason) => return CallResult::not_called(reason),
        };
        match http.send_first(&wire.addresses, &wire.request(self.service.base(), &request)).await {
            Ok((address, answer)) => self.result(wire, index, (address, &answer), request, values),
            Err(error @ (HttpError::Request { .. } | HttpError::NoAddress)) => {
                // The request is reported with its query, which may hold the token.
                let outcome = wire.masked(Outcome::Broken(with_causes(&error)));
                CallResult { outcome, ..CallResult::not_called(String::new()) }
            }
            Err(error) => {
                let outcome = outcome::no_response(self, wire.addresses.first(), &request, with_causes(&error));
                CallResult { outcome: wire.masked(outcome), ..CallResult::not_called(String::new()) }
            }
        }
    }

    /// Takes out of a response what the trials and the other calls need.
    fn result(
        &self,
        wire: &Wire,
        index: usize,
        (address, response): (SocketAddr, &http::HttpResponse),
        request: Request,
        values: Values,
    ) -> CallResult {
        let facts = ServiceResponse {
            status: response.status,
            headers: &response.headers,
            body: &response.body,
            truncated: response.truncated,
        };
        let operation = &self.calls[index].operation;
        let outcome = wire.masked(outcome::outcome(self, operation, (address, response), &request));
        let given = CompletedCall { operation, request: &request, values: &values, answer: &facts };
        let given = self.wanting[index].iter().filter_map(|key| Some((key.clone(), self.given(index, key, &given)?)));
        let shape = (200..300).contains(&response.status).then(|| Shape::of(&facts));
        CallResult { outcome, status: Some(response.status), shape, given: given.collect(), values }
    }

    fn given(
        &self,
        from: usize,
        (to, parameter): &(usize, String),
        given: &CompletedCall<'_>,
    ) -> Option<serde_json::Value> {
        let call = &self.calls[*to];
        let supply = call.supplies.iter().chain(&call.needs).find(|supply| supply.parameter == *parameter)?;
        let own = supply.producers.iter().filter(|producer| producer.call == from);
        own.into_iter().find_map(|producer| {
            contract::captured(&self.document, &call.operation, parameter, producer, given, self.service.base())
        })
    }
}
