//! Further pages of a list: the second one is documented by the same schema as the first, and seldom looked at.
//!
//! In: an operation and its response. Out: values for the next page, by the names that parameters of pages have, or by
//! what the response itself gives: a link, a cursor.

use serde_json::{Value, json};

use super::{
    call::Values,
    document::Document,
    limits::Limit,
    naming::plain,
    operation::{Operation, Parameter, ParameterLocation},
    reference::PointerValue,
    response::{ServiceResponse, header},
};

const PAGE: [&str; 6] = ["page", "pagenumber", "pageno", "pagenum", "pageindex", "currentpage"];
const OFFSET: [&str; 6] = ["offset", "skip", "start", "startindex", "startat", "pageoffset"];
const SIZE: [&str; 12] = [
    "limit",
    "size",
    "pagesize",
    "perpage",
    "pagelimit",
    "count",
    "take",
    "top",
    "maxresults",
    "first",
    "resultsperpage",
    "itemsperpage",
];
const CURSOR: [&str; 12] = [
    "cursor",
    "pagetoken",
    "after",
    "startingafter",
    "nexttoken",
    "next",
    "nextcursor",
    "continuationtoken",
    "marker",
    "pagecursor",
    "continue",
    "nextpagetoken",
];
/// Where a response states how its list goes on, and the objects in which it may say so.
const NEXT: [&str; 11] = [
    "next",
    "nextpage",
    "nexturl",
    "nextlink",
    "nextcursor",
    "nexttoken",
    "nextpagetoken",
    "nextpageurl",
    "cursor",
    "continuationtoken",
    "nextmarker",
];
const AROUND: [&str; 10] =
    ["links", "meta", "paging", "pagination", "pageinfo", "page", "responsemetadata", "next", "metadata", "cursors"];

/// How a list goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// By a target that the response gives.
    Target(String),
    /// By values of parameters.
    Values(Values),
}

/// Returns whether an operation has a parameter of pages.
#[must_use]
pub fn has_pages(operation: &Operation) -> bool {
    [&PAGE[..], &OFFSET, &CURSOR].iter().any(|names| of(operation, names).is_some())
}

/// Lists requests for a second page, by number and by offset.
#[must_use]
pub fn pages(document: &Document, operation: &Operation) -> Vec<Limit> {
    let size = of(operation, &SIZE);
    let small = size.and_then(|size| Some((size.name.clone(), smallest(document, size)?)));
    let usual = size.and_then(|size| usual(document, size));
    let mut all = Vec::new();
    let mut add = |parameter: &Parameter, number: u64, has_size: bool| {
        let mut values = Values::from([(parameter.name.clone(), json!(number))]);
        if has_size {
            let Some((name, value)) = small.clone() else { return };
            values.insert(name, value);
        }
        if fits(document, parameter, &json!(number)) {
            all.push(Limit::of(values));
        }
    };
    if let Some(page) = of(operation, &PAGE) {
        add(page, 2, false);
        add(page, 2, true);
    }
    if let Some(offset) = of(operation, &OFFSET) {
        add(offset, 1, false);
        add(offset, 1, true);
        usual.into_iter().for_each(|size| add(offset, size, false));
    }
    all
}

/// Returns values for a small first page, so that there is a second one.
#[must_use]
pub fn first_page(document: &Document, operation: &Operation) -> Values {
    let size = of(operation, &SIZE).and_then(|size| Some((size.name.clone(), smallest(document, size)?)));
    size.into_iter().collect()
}

/// Returns how the list of a response goes on; `None` where it ends, or does not say.
///
/// `base` is what stands before the document's paths.
#[must_use]
pub fn next_page(operation: &Operation, response: &ServiceResponse<'_>, base: &str) -> Option<Next> {
    let linked = header(response, "link").and_then(by_link);
    let body = || serde_json::from_slice::<Value>(response.body).ok();
    let found = linked.map(Value::from).or_else(|| by_body(&body()?, true))?;
    match found {
        Value::String(text) if text.contains(['/', '?']) => target(operation, &text, base).map(Next::Target),
        Value::String(text) if text.is_empty() => None,
        Value::Number(number) => {
            let page = of(operation, &PAGE).or_else(|| of(operation, &OFFSET)).or_else(|| of(operation, &CURSOR))?;
            Some(Next::Values(Values::from([(page.name.clone(), Value::Number(number))])))
        }
        Value::String(text) => {
            let cursor = of(operation, &CURSOR)?;
            Some(Next::Values(Values::from([(cursor.name.clone(), Value::from(text))])))
        }
        _ => None,
    }
}

fn of<'a>(operation: &'a Operation, names: &[&str]) -> Option<&'a Parameter> {
    let queried = operation.parameters.iter().filter(|parameter| parameter.place == ParameterLocation::Query);
    queried.into_iter().find(|parameter| {
        let name = plain(&parameter.name);
        names.contains(&name.as_str())
    })
}

fn fits(document: &Document, parameter: &Parameter, value: &Value) -> bool {
    let Some(pointer) = &parameter.schema else { return true };
    document.validator(pointer).is_ok_and(|validator| validator.is_valid(value))
}

fn smallest(document: &Document, size: &Parameter) -> Option<Value> {
    [1, 2, 5, 10, 20].map(|number| json!(number)).into_iter().find(|number| fits(document, size, number))
}

fn usual(document: &Document, size: &Parameter) -> Option<u64> {
    let of_schema = || PointerValue::at(document.root(), size.schema.as_deref()?)?.value.get("default")?.as_u64();
    size.value.as_ref().and_then(Value::as_u64).or_else(of_schema).filter(|size| *size > 1)
}

// Source: RFC 8288, section 3.
fn by_link(text: &str) -> Option<String> {
    let links = text.split(',').filter_map(|link| link.split_once(';'));
    let next = |rest: &str| rest.to_ascii_lowercase().replace([' ', '"'], "").split(';').any(|part| part == "rel=next");
    let (found, _) = links.into_iter().find(|(_, rest)| next(rest))?;
    Some(found.trim().trim_start_matches('<').trim_end_matches('>').to_owned())
}

fn by_body(body: &Value, may_be_below: bool) -> Option<Value> {
    let members = body.as_object()?;
    let named = members
        .iter()
        .find(|(name, value)| NEXT.contains(&plain(name).as_str()) && (value.is_string() || value.is_number()));
    if let Some((_, value)) = named {
        return Some(value.clone());
    }
    // Hypermedia: `_links.next.href`.
    let href = members.iter().find(|(name, value)| plain(name) == "next" && value.get("href").is_some());
    if let Some((_, value)) = href {
        return value.get("href").cloned();
    }
    let below = || members.iter().filter(|(name, _)| AROUND.contains(&plain(name).as_str()));
    if may_be_below { below().find_map(|(_, value)| by_body(value, true)) } else { None }
}

/// Returns a link as the target of a request, if it leads to the same operation.
fn target(operation: &Operation, text: &str, base: &str) -> Option<String> {
    let path = match text.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => text,
    };
    if let Some(query) = path.strip_prefix('?') {
        let is_open = operation.path.contains('{');
        return (!is_open).then(|| format!("{}?{query}", operation.path));
    }
    let path = path.strip_prefix(base).unwrap_or(path);
    let own = path.split(['?', '#']).next().unwrap_or_default();
    let same = own.split('/').count() == operation.path.split('/').count()
        && own.split('/').zip(operation.path.split('/')).all(|(own, known)| known.starts_with('{') || own == known);
    same.then(|| path.split('#').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::Format;

    fn document(parameters: &Value) -> Document {
        let root =
            json!({"openapi": "3.1.0", "paths": {"/items": {"get": {"parameters": parameters, "responses": {}}}}});
        Document::parse(&root.to_string(), Format::Json).unwrap()
    }

    fn query(name: &str, schema: &Value) -> Value {
        json!({"name": name, "in": "query", "schema": schema})
    }

    #[rstest]
    #[case::number(json!([query("page", &json!({"type": "integer"}))]), &["page=2"])]
    #[case::with_a_size(json!([query("page", &json!({"type": "integer"})), query("per_page", &json!({"type": "integer", "minimum": 5}))]),
        &["page=2", "page=2&per_page=5"])]
    #[case::offset(json!([query("skip", &json!({"type": "integer"})), query("limit", &json!({"type": "integer", "default": 20}))]),
        &["skip=1", "limit=1&skip=1", "skip=20"])]
    #[case::no_second_one(json!([query("page", &json!({"type": "integer", "maximum": 1}))]), &[])]
    #[case::none(json!([query("q", &json!({"type": "string"}))]), &[])]
    fn a_second_page_is_found_by_its_parameters(#[case] parameters: Value, #[case] want: &[&str]) {
        let document = document(&parameters);
        let found: Vec<String> =
            pages(&document, &document.operations()[0]).into_iter().map(|page| page.what).collect();
        assert_eq!(found, want);
    }

    #[rstest]
    #[case::url(r#"{"next": "http://api:80/v1/items?cursor=x"}"#, "", Some(Next::Target("/items?cursor=x".to_owned())))]
    #[case::elsewhere(r#"{"next": "/v1/other?cursor=x"}"#, "", None)]
    #[case::hypermedia(r#"{"_links": {"next": {"href": "/v1/items?page=2"}}}"#, "", Some(Next::Target("/items?page=2".to_owned())))]
    #[case::cursor(r#"{"meta": {"next_cursor": "x"}}"#, "", Some(Next::Values(Values::from([("cursor".to_owned(), json!("x"))]))))]
    #[case::header("[]", r#"</v1/items?page=1>; rel="prev", </v1/items?page=3>; rel="next""#, Some(Next::Target("/items?page=3".to_owned())))]
    #[case::the_end(r#"{"next": null}"#, "", None)]
    #[case::no_list("[]", "", None)]
    fn a_response_states_how_its_list_goes_on(#[case] body: &str, #[case] link: &str, #[case] want: Option<Next>) {
        let document = document(&json!([query("cursor", &json!({"type": "string"}))]));
        let headers = [("Link".to_owned(), link.to_owned())];
        let headers = if link.is_empty() { &headers[..0] } else { &headers[..] };
        let response = ServiceResponse { status: 200, headers, body: body.as_bytes(), truncated: false };
        assert_eq!(next_page(&document.operations()[0], &response, "/v1"), want);
    }
}
