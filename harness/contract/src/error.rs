//! Why a text is no document.

/// Why a text is no document that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// It is not JSON, or not YAML.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
        /// What is wrong there.
        message: String,
    },
    /// It is no OpenAPI document, or one of another version.
    #[error("{found}; an OpenAPI document begins with `openapi: 3.0.x` or `openapi: 3.1.x`")]
    Version {
        /// What it says about itself.
        found: String,
    },
    /// A reference leads out of the document.
    #[error(
        "{at}: `{reference}` points outside of the document, which is not fetched; bundle the document into one file"
    )]
    Remote {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A reference uses an anchor.
    #[error("{at}: `{reference}` names an anchor; write the place as `#/components/...`")]
    Anchor {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A reference leads to nothing.
    #[error("{at}: `{reference}` is not in the document")]
    Dangling {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// References lead to each other and to nothing else.
    #[error("{at}: `{reference}` refers to itself and to no value")]
    Circle {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
}
