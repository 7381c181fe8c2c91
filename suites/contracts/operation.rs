//! Does one operation answer as the document states?

use std::{collections::BTreeSet, sync::Arc};

use stagegate_base::record::Outcome;
use stagegate_contract::Operation;

use super::service_calls::ServiceCalls;
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Lists a trial for each operation that can be called.
pub(super) fn trials(calls: &Arc<ServiceCalls>) -> Vec<Trial> {
    let trial = |(index, name): (usize, String)| {
        let shared = Arc::clone(calls);
        Trial::new("contracts", &calls.service.name, &name, Effect::Reads, move |session: Arc<Session>| {
            let calls = Arc::clone(&shared);
            async move {
                match calls.wire(&session).await {
                    Ok(wire) => calls.call(wire, index).await.outcome.clone(),
                    Err(reason) => Outcome::Broken(reason),
                }
            }
        })
    };
    names(calls).into_iter().map(trial).collect()
}

/// Lists the calls that can be made, each with a name of its own.
pub(super) fn names(calls: &ServiceCalls) -> Vec<(usize, String)> {
    let mut taken = BTreeSet::new();
    calls.possible().map(|index| (index, free(&mut taken, name(&calls.calls[index].operation)))).collect()
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
