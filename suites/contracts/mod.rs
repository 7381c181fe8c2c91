//! Contracts: does a service answer as its OpenAPI document states?
//!
//! One trial for the document, one for each operation that can be called, with the document's values or with those
//! that earlier responses gave, and one for the limits of its parameters. Only safe methods are called so. A document of
//! which nothing can be called, or of which only refusals were seen, is not green. Where the environment is not
//! protected, bad requests are sent as well, and what can be deleted is created, read, updated and deleted.

mod authorization;
mod calling;
mod changes;
mod coverage;
mod document;
mod limits;
mod operation;
mod outcome;
mod probe;
mod sending;
mod served;
mod service_calls;
mod shapes;
mod source;
mod wire;

pub(crate) use source::documents;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "contracts", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut all = Vec::new();
    for source in source::all(scope) {
        all.push(document::trial(&source));
        if let Ok(calls) = &source.calls
            && calls.possible().next().is_some()
        {
            all.extend(operation::trials(calls));
            all.extend(limits::trials(calls));
            all.push(coverage::trial(calls));
            all.push(shapes::trial(calls));
        }
        if let Ok(calls) = &source.calls {
            all.extend(authorization::trial(calls));
            all.extend(changes::trials(calls));
            all.extend(probe::trials(calls));
            all.extend(probe::refusals(calls));
        }
    }
    all.extend(served::trials(scope));
    all
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod seeded;
#[cfg(test)]
mod tests;
