//! What stands at a place of a document, by the keys that lead there.

use super::super::super::walk::is_data;

/// What a value is, and so what a reference in its place leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    /// The document itself.
    Document,
    /// Its `components`.
    Components,
    /// The document's `components.schemas`: names and their schemas.
    ComponentsSchemas,
    /// An object of OpenAPI that is no schema.
    Words,
    /// Names and objects of OpenAPI.
    Named,
    /// A schema, or a list of schemas.
    Schema,
    /// Names and schemas.
    NamedSchemas,
    /// Names and examples.
    NamedExamples,
    /// An example: a reference, or data.
    Example,
    /// A value of the user's, in which `$ref` is nobody's reference.
    Data,
}

impl Position {
    /// Returns what the member `key` of a value here is.
    pub(super) fn below(self, key: &str) -> Position {
        match self {
            Position::Document if key == "components" => Position::Components,
            Position::Components if key == "schemas" => Position::ComponentsSchemas,
            Position::Document | Position::Components | Position::Words => word(key),
            Position::Schema => keyword(key),
            Position::Named => Position::Words,
            Position::ComponentsSchemas | Position::NamedSchemas => Position::Schema,
            Position::NamedExamples => Position::Example,
            Position::Example | Position::Data => Position::Data,
        }
    }

    /// Returns what an element of a list here is.
    pub(super) fn element(self) -> Position {
        match self {
            Position::Schema | Position::NamedSchemas => Position::Schema,
            Position::NamedExamples | Position::Example | Position::Data => Position::Data,
            _ => Position::Words,
        }
    }

    /// Returns whether the keys here are names that the document's author gave.
    pub(super) fn is_of_names(self) -> bool {
        matches!(self, Position::ComponentsSchemas | Position::Named | Position::NamedSchemas | Position::NamedExamples)
    }
}

/// Returns what is below a key of OpenAPI.
fn word(key: &str) -> Position {
    match key {
        "schema" => Position::Schema,
        "schemas" => Position::NamedSchemas,
        "examples" => Position::NamedExamples,
        "mapping" => Position::Data,
        "responses" | "parameters" | "requestBodies" | "headers" | "securitySchemes" | "links" | "callbacks"
        | "pathItems" | "paths" | "webhooks" | "content" | "encoding" | "variables" => Position::Named,
        key if is_data(key) => Position::Data,
        _ => Position::Words,
    }
}

/// Returns what is below a keyword of a schema.
fn keyword(key: &str) -> Position {
    match key {
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Position::NamedSchemas,
        "allOf"
        | "anyOf"
        | "oneOf"
        | "prefixItems"
        | "items"
        | "not"
        | "additionalProperties"
        | "if"
        | "then"
        | "else"
        | "contains"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => Position::Schema,
        "examples" | "discriminator" => Position::Data,
        key if is_data(key) => Position::Data,
        _ => Position::Words,
    }
}
