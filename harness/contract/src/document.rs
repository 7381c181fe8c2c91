//! A document: parsed, its references proven, its schemas in one dialect.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

use super::{
    call::{self, Call},
    capture::{self, Given, Producer},
    dialect,
    operation::Operation,
    reading, reference, schema,
};

/// How a document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// Returns the format that a file's name tells; JSON unless it ends in `.yaml` or `.yml`.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => Format::Yaml,
            _ => Format::Json,
        }
    }
}

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
    #[error("{at}: `{reference}` leads out of the document and is not fetched; bundle the document into one file")]
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
    #[error("{at}: `{reference}` leads to itself and to no value")]
    Circle {
        /// JSON pointer of the reference.
        at: String,
        /// The reference.
        reference: String,
    },
}

/// An OpenAPI document, 3.0 or 3.1.
#[derive(Clone, Debug)]
pub struct Document {
    /// The document; its schemas are in JSON Schema 2020-12, those of 3.0 too.
    root: Value,
    /// The schemas that were asked so far, by their pointers: many operations answer with the same ones.
    validators: Arc<Mutex<HashMap<String, Usable>>>,
    operations: OnceLock<Vec<Operation>>,
}

/// A schema that can be asked, or why it cannot.
type Usable = Result<Arc<Validator>, String>;

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Document {
    /// Reads a document from its text.
    ///
    /// # Errors
    /// [`ContractError`] with line and column, or with the JSON pointer of the reference that cannot be followed.
    pub fn parse(text: &str, format: Format) -> Result<Self, ContractError> {
        let mut root = match format {
            Format::Json => json(text)?,
            Format::Yaml => yaml(text)?,
        };
        let version = version(&root)?;
        reference::verify(&root)?;
        dialect::translate(&mut root, version);
        Ok(Document { root, validators: Arc::default(), operations: OnceLock::new() })
    }

    /// Lists the operations, ordered by path.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        self.operations.get_or_init(|| reading::operations(&self.root))
    }

    /// Tells for each operation how it is called, or why it is not called; those that need a token are not.
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.calls_with(false)
    }

    /// Tells for each operation how it is called, or why it is not called.
    ///
    /// `has_token`: there is a token, so that operations are called for which one token is enough.
    #[must_use]
    pub fn calls_with(&self, has_token: bool) -> Vec<Call> {
        let mut calls: Vec<Call> =
            self.operations().iter().map(|operation| call::of(operation.clone(), has_token)).collect();
        capture::plan(&self.root, &mut calls);
        calls
    }

    /// Takes the value of a parameter of `to` out of an answer; `None` where it has none that fits.
    ///
    /// `base` is what stands before the document's paths, as in a `Location`.
    #[must_use]
    pub fn captured(
        &self,
        to: &Operation,
        parameter: &str,
        producer: &Producer,
        given: &Given<'_>,
        base: &str,
    ) -> Option<Value> {
        capture::captured(&self.root, to, parameter, producer, given, base)
    }

    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// Returns the validator of the schema at `pointer`, made on first use.
    pub(super) fn validator(&self, pointer: &str) -> Usable {
        let pointer = &reference::end(&self.root, pointer);
        // What was put there before a panic is whole.
        let mut known = self.validators.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(usable) = known.get(pointer) {
            return usable.clone();
        }
        let made = schema::validator(&self.root, pointer).map(Arc::new);
        known.insert(pointer.to_owned(), made.clone());
        made
    }
}

/// The dialect that a document's schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V3_0,
    V3_1,
}

fn version(root: &Value) -> Result<Version, ContractError> {
    let found = match (root.get("openapi"), root.get("swagger")) {
        (Some(Value::String(text)), _) if text.starts_with("3.0.") => return Ok(Version::V3_0),
        (Some(Value::String(text)), _) if text.starts_with("3.1.") => return Ok(Version::V3_1),
        (Some(other), _) => format!("version {other} is not read"),
        (None, Some(other)) => format!("Swagger {other} is not read"),
        (None, None) => "there is no key `openapi`".to_owned(),
    };
    Err(ContractError::Version { found })
}

fn json(text: &str) -> Result<Value, ContractError> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or(&whole).to_owned();
        ContractError::Syntax { line: error.line() as u64, column: error.column() as u64, message }
    })
}

fn yaml(text: &str) -> Result<Value, ContractError> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |at| (at.line(), at.column()));
        let whole = error.to_string();
        let message = whole.lines().next().unwrap_or_default();
        let message = message.split_once(&format!("column {column}: ")).map_or(message, |(_, rest)| rest).to_owned();
        ContractError::Syntax { line, column, message }
    })
}
