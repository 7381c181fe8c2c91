//! Reads the operations of a document.

use serde_json::{Map, Value};

use super::{
    fragment::percent_decoded,
    operation::{
        Content, Credential, Header, Link, Method, Operation, Parameter, ParameterLocation, Response, Security, Target,
    },
    reference::PointerValue,
};

/// Lists the operations of a document, ordered by path and method.
pub(super) fn operations(root: &Value) -> Vec<Operation> {
    let document = PointerValue::root(root);
    let paths = document.get(root, "paths").map(|paths| paths.members(root)).unwrap_or_default();
    let mut all: Vec<Operation> = paths.iter().flat_map(|(path, item)| of_path(root, path, item)).collect();
    all.sort_by(|a, b| (&a.path, a.method).cmp(&(&b.path, b.method)));
    all
}

fn of_path(root: &Value, path: &str, item: &PointerValue<'_>) -> Vec<Operation> {
    let one = |method: Method| {
        let location = item.get(root, &method.name().to_ascii_lowercase())?;
        Some(Operation {
            method,
            path: path.to_owned(),
            id: location.text("operationId").map(str::to_owned),
            parameters: parameters(root, item, &location),
            body: location.get(root, "requestBody").map(|body| content(root, &body)).unwrap_or_default(),
            responses: responses(root, &location),
            security: security(root, &location),
            credentials: credentials(root, &location),
        })
    };
    Method::ALL.into_iter().filter_map(one).collect()
}

/// Returns the path's parameters and the operation's own, which win.
fn parameters(root: &Value, item: &PointerValue<'_>, operation: &PointerValue<'_>) -> Vec<Parameter> {
    let mut merged: Vec<Parameter> = Vec::new();
    for owner in [item, operation] {
        let listed = owner.get(root, "parameters").map(|list| list.elements(root)).unwrap_or_default();
        for found in listed.iter().filter_map(|location| parameter(root, location)) {
            merged.retain(|known| (&known.name, known.place) != (&found.name, found.place));
            merged.push(found);
        }
    }
    merged
}

fn parameter(root: &Value, location: &PointerValue<'_>) -> Option<Parameter> {
    let place = match location.text("in")? {
        "path" => ParameterLocation::Path,
        "query" => ParameterLocation::Query,
        "header" => ParameterLocation::Header,
        "cookie" => ParameterLocation::Cookie,
        _ => return None,
    };
    let required = place == ParameterLocation::Path || location.value.get("required") == Some(&Value::Bool(true));
    let schema = location.member("schema").map(|schema| schema.pointer);
    Some(Parameter { name: location.text("name")?.to_owned(), place, required, value: value(root, location), schema })
}

/// Returns the value that the document gives for a parameter.
fn value(root: &Value, location: &PointerValue<'_>) -> Option<Value> {
    let schema = || {
        let schema = location.get(root, "schema")?;
        let first = |key: &str| schema.value.get(key)?.as_array()?.first().cloned();
        let at = |key: &str| schema.value.get(key).cloned();
        at("example")
            .or_else(|| first("examples"))
            .or_else(|| at("default"))
            .or_else(|| at("const"))
            .or_else(|| first("enum"))
    };
    example(root, location).or_else(schema)
}

fn example(root: &Value, location: &PointerValue<'_>) -> Option<Value> {
    let named = || {
        let examples = location.get(root, "examples")?.members(root);
        examples.iter().find_map(|(_, example)| example.value.get("value").cloned())
    };
    location.value.get("example").cloned().or_else(named)
}

fn content(root: &Value, location: &PointerValue<'_>) -> Vec<Content> {
    let members = location.get(root, "content").map(|content| content.members(root)).unwrap_or_default();
    members
        .iter()
        .map(|(media, location)| Content {
            media: (*media).to_owned(),
            // Not followed: in 3.1 what stands next to a reference counts too.
            schema: location.member("schema").map(|schema| schema.pointer),
            example: value(root, location),
        })
        .collect()
}

fn responses(root: &Value, operation: &PointerValue<'_>) -> Vec<Response> {
    let members = operation.get(root, "responses").map(|all| all.members(root)).unwrap_or_default();
    members
        .iter()
        .filter(|(status, _)| !status.starts_with("x-"))
        .map(|(status, location)| Response {
            status: (*status).to_owned(),
            headers: headers(root, location),
            content: content(root, location),
            links: links(root, location),
        })
        .collect()
}

fn headers(root: &Value, response: &PointerValue<'_>) -> Vec<Header> {
    let headers = response.get(root, "headers").map(|headers| headers.members(root)).unwrap_or_default();
    headers
        .iter()
        // A header called Content-Type is to be ignored (OpenAPI 3.1, Response Object): `content` speaks of it.
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"))
        .map(|(name, location)| Header {
            name: (*name).to_owned(),
            required: location.value.get("required") == Some(&Value::Bool(true)),
            schema: location.member("schema").map(|schema| schema.pointer),
        })
        .collect()
}

fn links(root: &Value, response: &PointerValue<'_>) -> Vec<Link> {
    let links = response.get(root, "links").map(|links| links.members(root)).unwrap_or_default();
    links.iter().filter_map(|(_, location)| link(location)).collect()
}

fn link(location: &PointerValue<'_>) -> Option<Link> {
    let by_pointer = || Some(percent_decoded(location.text("operationRef")?.strip_prefix('#')?));
    let by_id = location.text("operationId").map(|id| Target::Id(id.to_owned()));
    let to = by_id.or_else(|| by_pointer().map(Target::Pointer))?;
    let parameters = location.value.get("parameters")?.as_object()?.iter().map(|(name, value)| {
        // `path.id` tells a parameter from others of the same name.
        let name = name.strip_prefix("path.").or_else(|| name.strip_prefix("query.")).unwrap_or(name);
        let expression = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.to_owned(), expression)
    });
    Some(Link { to, parameters: parameters.collect() })
}

/// Returns the choices of who may call: the operation's own list, else the document's.
fn choices<'a>(root: &'a Value, operation: &PointerValue<'a>) -> Vec<&'a Map<String, Value>> {
    let list = operation.value.get("security").or_else(|| root.get("security")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// Reads who may call; an empty list, or an empty choice, is everybody.
fn security(root: &Value, operation: &PointerValue<'_>) -> Security {
    let choices = choices(root, operation);
    if choices.iter().any(|choice| choice.is_empty()) || choices.is_empty() {
        return Security::Open;
    }
    let mut schemes: Vec<String> = choices.into_iter().flat_map(|choice| choice.keys().cloned()).collect();
    schemes.sort();
    schemes.dedup();
    Security::Needs(schemes)
}

/// Reads how a token can be sent, where one scheme alone is enough.
fn credentials(root: &Value, operation: &PointerValue<'_>) -> Vec<Credential> {
    let schemes = PointerValue::at(root, "/components/securitySchemes");
    let of = |name: &String| credential(&schemes.as_ref()?.get(root, name)?);
    choices(root, operation)
        .into_iter()
        .filter(|choice| choice.len() == 1)
        .filter_map(|choice| choice.keys().next().and_then(of))
        .collect()
}

fn credential(scheme: &PointerValue<'_>) -> Option<Credential> {
    let bearer =
        || Credential { place: ParameterLocation::Header, name: "authorization".to_owned(), prefix: "Bearer " };
    match scheme.text("type")? {
        "http" if scheme.text("scheme")?.eq_ignore_ascii_case("bearer") => Some(bearer()),
        "oauth2" | "openIdConnect" => Some(bearer()),
        "apiKey" => {
            let place = match scheme.text("in")? {
                "header" => ParameterLocation::Header,
                "query" => ParameterLocation::Query,
                "cookie" => ParameterLocation::Cookie,
                _ => return None,
            };
            Some(Credential { place, name: scheme.text("name")?.to_owned(), prefix: "" })
        }
        _ => None,
    }
}
