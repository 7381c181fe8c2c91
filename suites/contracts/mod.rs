//! Contracts: does a service answer as its OpenAPI document says?
//!
//! One trial for the document, one for each operation that can be called without captured values. Only safe
//! methods are called, and nothing that needs a token. A document of which nothing can be called is not green.

mod document;
mod operation;
pub(crate) mod source;

use crate::trial::{Scope, Suite, Trial};

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "contracts", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    source::all(scope)
        .into_iter()
        .flat_map(|source| std::iter::once(document::trial(&source)).chain(operation::trials(&source)))
        .collect()
}

#[cfg(test)]
mod tests;
