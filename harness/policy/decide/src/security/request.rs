//! Requests that ask for what should be refused, and requests that provoke errors.

use serde_json::Value;

use stagegate_contract::{Document, Method, Operation, Parameter, ParameterLocation, Security};

/// What stands for a value that the document does not give: nothing is to be found by it.
const ANY: &str = "1";
/// What no identifier, number or date is, and what a database has to be asked with care.
const ODD: &str = "stagegate%27%22%3C";
/// How many operations are provoked: what one shows all of a framework do.
const PROBED: usize = 20;

/// An operation that only some may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secured {
    /// The method.
    pub method: Method,
    /// The path as the document writes it.
    pub path: String,
    /// Path and query of a request.
    pub target: String,
}

/// Lists the operations that a document marks as secured, those that change nothing first.
#[must_use]
pub fn secured(document: &Document) -> Vec<Secured> {
    let operations = document.operations().iter().filter(|operation| operation.security != Security::Open);
    let request = |operation: &Operation| {
        let target = target(operation, ANY);
        Secured { method: operation.method, path: operation.path.clone(), target }
    };
    let mut all: Vec<Secured> = operations.map(request).collect();
    all.sort_by_key(|secured| !secured.method.is_safe());
    all
}

/// Returns whether a status refuses a caller for who he is.
#[must_use]
pub fn refused(status: u16) -> bool {
    matches!(status, 401 | 403)
}

/// Lists targets of GET requests that provoke errors: a path that is not there, and odd values where an operation
/// takes any.
#[must_use]
pub fn probes(document: Option<&Document>) -> Vec<String> {
    let operations = document.map(Document::operations).unwrap_or_default();
    let takes_values = operations.iter().filter(|o| o.method == Method::Get && !o.parameters.is_empty());
    let odd = takes_values.take(PROBED).map(|operation| target(operation, ODD));
    std::iter::once(format!("/stagegate-{ODD}")).chain(odd).collect()
}

/// Fills an operation's path; every parameter of the query is written where `value` is odd, the required ones else.
fn target(operation: &Operation, value: &str) -> String {
    let is_odd = value == ODD;
    let given = |parameter: &Parameter| {
        let own = parameter.value.as_ref().and_then(word).filter(|_| !is_odd);
        own.unwrap_or_else(|| value.to_owned())
    };
    let mut path = operation.path.clone();
    let mut query = Vec::new();
    for parameter in &operation.parameters {
        match parameter.place {
            ParameterLocation::Path => path = path.replace(&format!("{{{}}}", parameter.name), &given(parameter)),
            ParameterLocation::Query if parameter.required || is_odd => {
                query.push(format!("{}={}", parameter.name, given(parameter)))
            }
            ParameterLocation::Query | ParameterLocation::Header | ParameterLocation::Cookie => {}
        }
    }
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{path}{mark}{}", query.join("&"))
}

/// Returns a value that may stand in a path as it is.
fn word(value: &Value) -> Option<String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    plain.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stagegate_contract::Format;

    const TEXT: &str = r#"{ "openapi": "3.0.3", "paths": {
        "/open": { "get": {} },
        "/orders/{id}": {
            "parameters": [{ "name": "id", "in": "path", "schema": { "type": "integer" }, "example": 7 }],
            "delete": { "security": [{ "bearer": [] }] },
            "get": { "security": [{ "bearer": [] }],
                     "parameters": [{ "name": "page", "in": "query", "required": true },
                                    { "name": "size", "in": "query" }] } } } }"#;

    fn document() -> Document {
        Document::parse(TEXT, Format::Json).unwrap()
    }

    #[test]
    fn secured_operations_are_requested_with_values_of_the_document() {
        let reported: Vec<String> = secured(&document()).iter().map(|s| format!("{} {}", s.method, s.target)).collect();
        assert_eq!(reported, ["GET /orders/7?page=1", "DELETE /orders/7"]);
    }

    #[test]
    fn errors_are_provoked_where_values_are_taken() {
        let odd = ODD;
        let want = [format!("/stagegate-{odd}"), format!("/orders/{odd}?page={odd}&size={odd}")];
        assert_eq!(probes(Some(&document())), want);
        assert_eq!(probes(None).len(), 1);
    }
}
