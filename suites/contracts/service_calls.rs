//! The answers of one service: what every trial looks at. How they are asked for stands in `asking`.

use std::{collections::BTreeMap, sync::Arc};

use stagegate_base::{
    config::{EPHEMERAL, Service},
    record::Outcome,
};
use stagegate_contract::{self as contract, Call, Change, Document, Probe, Refused, Shape, Values};
use tokio::sync::OnceCell;

use super::wire::Wire;
use crate::session::Session;

/// A service's document and what came of asking its operations.
pub(super) struct ServiceCalls {
    pub(super) service: Service,
    pub(super) environment: String,
    /// The document's name: the file, as the configuration writes it, or the path it is served at.
    pub(super) contract: String,
    pub(super) document: Arc<Document>,
    pub(super) calls: Vec<Call>,
    pub(super) cells: Vec<OnceCell<CallResult>>,
    /// What came of the invalid requests to each operation.
    pub(super) probed: Vec<OnceCell<Result<Vec<ProbeResult>, String>>>,
    /// What can be created, and removed again.
    pub(super) changes: Vec<Change>,
    /// For each call the calls and parameters that it may give values to.
    pub(super) wanting: Vec<Vec<(usize, String)>>,
    wire: OnceCell<Result<Wire, String>>,
}

/// What came of asking one operation.
pub(super) struct CallResult {
    /// What the response is against its promise.
    pub(super) outcome: Outcome,
    /// The response's status; `None` where none came.
    pub(super) status: Option<u16>,
    /// The shape of a response of success.
    pub(super) shape: Option<Shape>,
    pub(super) values: Values,
    /// Values for other calls: by call and parameter.
    pub(super) given: BTreeMap<(usize, String), serde_json::Value>,
}

/// What came of one probe.
pub(super) struct ProbeResult {
    pub(super) probe: Probe,
    pub(super) end: Result<Refused, String>,
    /// Address of what it made and that could not be deleted.
    pub(super) left: Option<String>,
}

impl CallResult {
    pub(super) fn not_called(reason: String) -> Self {
        let (values, given) = (Values::new(), BTreeMap::new());
        CallResult { outcome: Outcome::Broken(reason), status: None, shape: None, values, given }
    }

    /// Reports a response of "there is no such thing", which another value may fix.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self.status, Some(404 | 410))
    }
}

impl ServiceCalls {
    pub(super) fn new(service: &Service, environment: &str, contract: &str, document: Arc<Document>) -> Self {
        let calls = contract::calls(&document, service.token.is_some());
        let mut wanting: Vec<Vec<(usize, String)>> = vec![Vec::new(); calls.len()];
        for (index, call) in calls.iter().enumerate() {
            for supply in call.supplies.iter().chain(&call.needs) {
                for producer in &supply.producers {
                    wanting[producer.call].push((index, supply.parameter.clone()));
                }
            }
        }
        ServiceCalls {
            service: service.clone(),
            environment: environment.to_owned(),
            contract: contract.to_owned(),
            cells: calls.iter().map(|_| OnceCell::new()).collect(),
            probed: calls.iter().map(|_| OnceCell::new()).collect(),
            changes: contract::changes(&calls, service.token.is_some()),
            document,
            calls,
            wanting,
            wire: OnceCell::new(),
        }
    }

    /// Returns whether what is created may stay: the environment is removed after its run.
    pub(super) fn is_temporary(&self) -> bool {
        self.environment == EPHEMERAL
    }

    /// Lists the calls that can be made.
    pub(super) fn possible(&self) -> impl Iterator<Item = usize> {
        (0..self.calls.len()).filter(|index| self.calls[*index].is_possible())
    }

    /// Finds where the service is, once a run.
    pub(super) async fn wire(&self, session: &Session) -> Result<&Wire, String> {
        self.wire.get_or_init(|| Wire::of(session, &self.service)).await.as_ref().map_err(Clone::clone)
    }

    /// Names a call: `GET /orders`.
    pub(super) fn title(&self, index: usize) -> String {
        let operation = &self.calls[index].operation;
        format!("{} {}", operation.method, operation.path)
    }
}
