//! OpenAPI documents: what a service promises, and whether an answer keeps it.
//!
//! In: the text of a document (3.0 or 3.1, JSON or YAML) and answers. Out: operations, calls that can be made
//! without captured values, and differences. Invariant: a part of an answer that was not looked at is told as
//! unchecked, never as sound. References lead inside the document only; nothing is fetched.

mod answer;
mod body;
mod call;
mod dialect;
pub mod diff;
mod document;
mod expected;
mod found;
mod media;
mod operation;
mod reference;
#[cfg(test)]
mod tests;

pub use answer::{Answer, Checked, check};
pub use call::{Call, Refusal, Request};
pub use document::{ContractError, Document, Format};
pub use operation::{Content, Method, Operation, Parameter, Place, Response, Security};
