//! A document: parsed, its references proven, its schemas in one dialect.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use jsonschema::Validator;
use serde_json::Value;

use super::{
    anchor,
    dialect::{self, Version},
    diff::Contract,
    error::ContractError,
    files::Files,
    format::{Format, not_json},
    operation::Operation,
    reading, reference, schema,
    unique::Unique,
};

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
        if anchor::may_be_in(text) {
            reference::resolve(&mut root)?;
        }
        reference::verify(&root)?;
        Ok(Document::new(root, version))
    }

    /// Reads a document with the files that it refers to.
    ///
    /// # Errors
    /// As [`Document::parse`]; of several files with the file and the line of the reference.
    pub fn of(files: &Files) -> Result<Self, ContractError> {
        if files.is_single() {
            return Document::parse(files.text(), files.format());
        }
        let root = Contract::of(files)?.value();
        let version = version(&root)?;
        Ok(Document::new(root, version))
    }

    fn new(mut root: Value, version: Version) -> Self {
        dialect::translate(&mut root, version);
        Document { root, validators: Arc::default(), operations: OnceLock::new() }
    }

    /// Lists the operations, ordered by path.
    #[must_use]
    pub fn operations(&self) -> &[Operation] {
        self.operations.get_or_init(|| reading::operations(&self.root))
    }

    /// Returns the path that the document's paths lie below: that of its first server, `/` for none left away.
    // Source: OpenAPI 3.1, "Server Object": variables take their defaults; a path is appended to the URL.
    #[must_use]
    pub fn base_path(&self) -> String {
        let server = &self.root["servers"][0];
        let mut url = server["url"].as_str().unwrap_or_default().to_owned();
        for (name, variable) in server["variables"].as_object().into_iter().flatten() {
            url = url.replace(&format!("{{{name}}}"), variable["default"].as_str().unwrap_or_default());
        }
        let path = match url.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => url.as_str(),
        };
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
        if path.is_empty() || path.contains(['{', '}']) { String::new() } else { format!("/{path}") }
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

fn version(root: &Value) -> Result<Version, ContractError> {
    let found = match (root.get("openapi"), root.get("swagger")) {
        (Some(Value::String(text)), _) if text.starts_with("3.0.") => return Ok(Version::V3_0),
        (Some(Value::String(text)), _) if text.starts_with("3.1.") => return Ok(Version::V3_1),
        (Some(other), _) => format!("version {other} is not supported"),
        (None, Some(other)) => format!("Swagger {other} is not supported"),
        (None, None) => "there is no key `openapi`".to_owned(),
    };
    Err(ContractError::Version { found })
}

fn json(text: &str) -> Result<Value, ContractError> {
    let text = text.trim_start_matches('\u{feff}');
    serde_json::from_str(text).map(|Unique(value)| value).map_err(|error| not_json(text, &error))
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
