//! Reads the operations of a document.

use serde_json::{Map, Value};

use super::{
    fragment::percent_decoded,
    operation::{Content, Credential, Header, Link, Method, Operation, Parameter, Place, Response, Security, Target},
    reference::Spot,
};

/// Lists the operations of a document, ordered by path and method.
pub(super) fn operations(root: &Value) -> Vec<Operation> {
    let document = Spot::root(root);
    let paths = document.get(root, "paths").map(|paths| paths.members(root)).unwrap_or_default();
    let mut all: Vec<Operation> = paths.iter().flat_map(|(path, item)| of_path(root, path, item)).collect();
    all.sort_by(|a, b| (&a.path, a.method).cmp(&(&b.path, b.method)));
    all
}

fn of_path(root: &Value, path: &str, item: &Spot<'_>) -> Vec<Operation> {
    let one = |method: Method| {
        let spot = item.get(root, &method.name().to_ascii_lowercase())?;
        Some(Operation {
            method,
            path: path.to_owned(),
            id: spot.text("operationId").map(str::to_owned),
            parameters: parameters(root, item, &spot),
            body: spot.get(root, "requestBody").map(|body| content(root, &body)).unwrap_or_default(),
            responses: responses(root, &spot),
            security: security(root, &spot),
            credentials: credentials(root, &spot),
        })
    };
    Method::ALL.into_iter().filter_map(one).collect()
}

/// Returns the path's parameters and the operation's own, which win.
fn parameters(root: &Value, item: &Spot<'_>, operation: &Spot<'_>) -> Vec<Parameter> {
    let mut merged: Vec<Parameter> = Vec::new();
    for owner in [item, operation] {
        let listed = owner.get(root, "parameters").map(|list| list.elements(root)).unwrap_or_default();
        for found in listed.iter().filter_map(|spot| parameter(root, spot)) {
            merged.retain(|known| (&known.name, known.place) != (&found.name, found.place));
            merged.push(found);
        }
    }
    merged
}

fn parameter(root: &Value, spot: &Spot<'_>) -> Option<Parameter> {
    let place = match spot.text("in")? {
        "path" => Place::Path,
        "query" => Place::Query,
        "header" => Place::Header,
        "cookie" => Place::Cookie,
        _ => return None,
    };
    let required = place == Place::Path || spot.value.get("required") == Some(&Value::Bool(true));
    let schema = spot.member("schema").map(|schema| schema.pointer);
    Some(Parameter { name: spot.text("name")?.to_owned(), place, required, value: value(root, spot), schema })
}

/// Returns the value that the document gives for a parameter.
fn value(root: &Value, spot: &Spot<'_>) -> Option<Value> {
    let schema = || {
        let schema = spot.get(root, "schema")?;
        let first = |key: &str| schema.value.get(key)?.as_array()?.first().cloned();
        let at = |key: &str| schema.value.get(key).cloned();
        at("example")
            .or_else(|| first("examples"))
            .or_else(|| at("default"))
            .or_else(|| at("const"))
            .or_else(|| first("enum"))
    };
    example(root, spot).or_else(schema)
}

fn example(root: &Value, spot: &Spot<'_>) -> Option<Value> {
    let named = || {
        let examples = spot.get(root, "examples")?.members(root);
        examples.iter().find_map(|(_, example)| example.value.get("value").cloned())
    };
    spot.value.get("example").cloned().or_else(named)
}

fn content(root: &Value, spot: &Spot<'_>) -> Vec<Content> {
    let members = spot.get(root, "content").map(|content| content.members(root)).unwrap_or_default();
    members
        .iter()
        .map(|(media, spot)| Content {
            media: (*media).to_owned(),
            // Not followed: in 3.1 what stands beside a reference counts too.
            schema: spot.member("schema").map(|schema| schema.pointer),
            example: value(root, spot),
        })
        .collect()
}

fn responses(root: &Value, operation: &Spot<'_>) -> Vec<Response> {
    let members = operation.get(root, "responses").map(|all| all.members(root)).unwrap_or_default();
    members
        .iter()
        .filter(|(status, _)| !status.starts_with("x-"))
        .map(|(status, spot)| Response {
            status: (*status).to_owned(),
            headers: headers(root, spot),
            content: content(root, spot),
            links: links(root, spot),
        })
        .collect()
}

fn headers(root: &Value, response: &Spot<'_>) -> Vec<Header> {
    let headers = response.get(root, "headers").map(|headers| headers.members(root)).unwrap_or_default();
    headers
        .iter()
        // A header called Content-Type is to be ignored (OpenAPI 3.1, Response Object): `content` speaks of it.
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-type"))
        .map(|(name, spot)| Header {
            name: (*name).to_owned(),
            required: spot.value.get("required") == Some(&Value::Bool(true)),
            schema: spot.member("schema").map(|schema| schema.pointer),
        })
        .collect()
}

fn links(root: &Value, response: &Spot<'_>) -> Vec<Link> {
    let links = response.get(root, "links").map(|links| links.members(root)).unwrap_or_default();
    links.iter().filter_map(|(_, spot)| link(spot)).collect()
}

fn link(spot: &Spot<'_>) -> Option<Link> {
    let by_pointer = || Some(percent_decoded(spot.text("operationRef")?.strip_prefix('#')?));
    let by_id = spot.text("operationId").map(|id| Target::Id(id.to_owned()));
    let to = by_id.or_else(|| by_pointer().map(Target::Pointer))?;
    let parameters = spot.value.get("parameters")?.as_object()?.iter().map(|(name, value)| {
        // `path.id` tells a parameter from others of the same name.
        let name = name.strip_prefix("path.").or_else(|| name.strip_prefix("query.")).unwrap_or(name);
        let expression = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.to_owned(), expression)
    });
    Some(Link { to, parameters: parameters.collect() })
}

/// Returns the choices of who may call: the operation's own list, else the document's.
fn choices<'a>(root: &'a Value, operation: &Spot<'a>) -> Vec<&'a Map<String, Value>> {
    let list = operation.value.get("security").or_else(|| root.get("security")).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_object).collect()
}

/// Reads who may call; an empty list, or an empty choice, is everybody.
fn security(root: &Value, operation: &Spot<'_>) -> Security {
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
fn credentials(root: &Value, operation: &Spot<'_>) -> Vec<Credential> {
    let schemes = Spot::at(root, "/components/securitySchemes");
    let of = |name: &String| credential(&schemes.as_ref()?.get(root, name)?);
    choices(root, operation)
        .into_iter()
        .filter(|choice| choice.len() == 1)
        .filter_map(|choice| choice.keys().next().and_then(of))
        .collect()
}

fn credential(scheme: &Spot<'_>) -> Option<Credential> {
    let bearer = || Credential { place: Place::Header, name: "authorization".to_owned(), prefix: "Bearer " };
    match scheme.text("type")? {
        "http" if scheme.text("scheme")?.eq_ignore_ascii_case("bearer") => Some(bearer()),
        "oauth2" | "openIdConnect" => Some(bearer()),
        "apiKey" => {
            let place = match scheme.text("in")? {
                "header" => Place::Header,
                "query" => Place::Query,
                "cookie" => Place::Cookie,
                _ => return None,
            };
            Some(Credential { place, name: scheme.text("name")?.to_owned(), prefix: "" })
        }
        _ => None,
    }
}
