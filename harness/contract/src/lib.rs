//! OpenAPI documents: what a service promises, and whether a response keeps it.
//!
//! In: the text of a document (3.0 or 3.1, JSON or YAML) and answers. Out: operations, calls that can be made with
//! the document's values or with those of earlier responses, and differences, each with a code. Invariant: a part of a response that was not looked at is reported as
//! unchecked, never as sound. References lead to files of the release at most; nothing is fetched.

mod anchor;
mod body;
mod call;
mod capture;
mod change;
mod check;
pub mod code;
mod curl;
mod dialect;
pub mod diff;
mod difference;
mod document;
mod error;
mod expected;
mod files;
mod foreign;
mod format;
mod found;
mod fragment;
mod hollow;
mod limits;
mod media;
mod naming;
mod operation;
mod pages;
mod probe;
mod property;
mod reading;
mod reference;
pub mod report;
mod response;
mod sample;
mod schema;
mod shape;
mod supply;
#[cfg(test)]
mod tests;
mod unique;
mod walk;
mod wanted;

pub use call::{Call, Refusal, Request, Values};
pub use capture::{CompletedCall, calls, captured};
pub use change::{Body, Change, bodies, changes, changing, created, is_done};
pub use check::{Checked, check};
pub use difference::Difference;
pub use document::Document;
pub use error::{ContractError, Problem};
pub use files::Files;
pub use format::Format;
pub use hollow::hollow;
pub use limits::{Limit, limits};
pub use operation::{
    Content, Credential, Header, Link, Method, Operation, Parameter, ParameterLocation, Response, Security, Target,
};
pub use pages::{Next, first_page, has_pages, next_page, pages};
pub use probe::{Probe, ProbeFault, Refused, can_be_probed, probes, refused, unauthorized};
pub use response::ServiceResponse;
pub use shape::{Shape, ShapeError, shape_path};
pub use supply::{Producer, Supply};
