//! Values that one response gives for the next request: an id of `GET /orders` for `GET /orders/{id}`.
//!
//! Where they come from is decided from the document alone: declared links first, then properties of the collection
//! that the path begins with, then a `Location`, then properties of other responses that have the parameter's name. A
//! request takes values only of requests of an earlier step, so that no two wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    call::{self, Call, Refusal, Request, Values, word},
    document::Document,
    foreign::{foreign, may_be},
    fragment::{escaped, percent_decoded},
    naming::{plain, singular},
    operation::{Method, Operation, Parameter, ParameterLocation, Target},
    property::{Property, Step, properties},
    response::{ServiceResponse, header},
    schema,
    supply::{Producer, Supply, ValueSource},
};

/// How many requests may give each other values in a row.
const STEPS: usize = 5;
/// How many answers are asked for one value.
const PRODUCERS: usize = 4;

/// Reports for each operation of a document how it is called, or why it is not called.
///
/// `has_token`: there is a token, so that operations are called for which one token is enough.
#[must_use]
pub fn calls(document: &Document, has_token: bool) -> Vec<Call> {
    let mut calls: Vec<Call> =
        document.operations().iter().map(|operation| call::of(operation.clone(), has_token)).collect();
    plan(document.root(), &mut calls);
    needs(document.root(), &mut calls);
    calls
}

/// Fills in who can give values to whom, and at which step each call can be made.
fn plan(root: &Value, calls: &mut [Call]) {
    for call in calls.iter_mut() {
        call.step = (call.request.is_ok() && wanted(&call.operation).next().is_none()).then_some(0);
    }
    let waiting: Vec<usize> = (0..calls.len()).filter(|index| may_wait(&calls[*index])).collect();
    if waiting.is_empty() {
        return;
    }
    let offers = Offers::of(root, calls);
    for step in 1..=STEPS {
        let ready: BTreeSet<usize> = (0..calls.len()).filter(|index| calls[*index].step.is_some()).collect();
        for index in waiting.iter().copied().filter(|index| !ready.contains(index)) {
            let supplies = offers.supplies(root, calls, index, &ready);
            let call = &mut calls[index];
            let lacks = |parameter: &&Parameter| parameter.value.is_none();
            let is_supplied = |parameter: &Parameter| supplies.iter().any(|supply| supply.parameter == parameter.name);
            if wanted(&call.operation).filter(lacks).all(is_supplied) {
                (call.supplies, call.step) = (supplies, Some(step));
            }
        }
    }
}

/// Fills in which responses can give the ids that the bodies of changing operations name: `customer_id` of `/customers`.
fn needs(root: &Value, calls: &mut [Call]) {
    let changing = |call: &Call| matches!(call.operation.method, Method::Post | Method::Put | Method::Patch);
    let wanted: Vec<(usize, Vec<(String, String)>)> = (0..calls.len())
        .filter(|index| changing(&calls[*index]))
        .map(|index| (index, foreign(root, &calls[index].operation)))
        .filter(|(_, names)| !names.is_empty())
        .collect();
    if wanted.is_empty() {
        return;
    }
    let offers = Offers::of(root, calls);
    for (index, names) in wanted {
        let of = |(name, noun): (String, String)| {
            let producers = offers.ids(calls, &noun);
            (!producers.is_empty()).then_some(Supply { parameter: name, producers })
        };
        calls[index].needs = names.into_iter().filter_map(of).collect();
    }
}

/// Lists the parameters that a captured value may stand for.
fn wanted(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    operation
        .parameters
        .iter()
        .filter(|p| p.required && matches!(p.place, ParameterLocation::Path | ParameterLocation::Query))
}

/// Returns whether a call needs values, and nothing else.
fn may_wait(call: &Call) -> bool {
    let needs = match &call.request {
        Ok(_) => true,
        Err(Refusal::NoValue(name)) => wanted(&call.operation).any(|parameter| parameter.name == *name),
        Err(_) => false,
    };
    needs && call.step.is_none()
}

/// What the documented responses can give.
struct Offers {
    /// Properties of responses of success, by their plain names.
    by_name: BTreeMap<String, Vec<(usize, Property)>>,
    /// Calls by path.
    by_path: BTreeMap<String, Vec<usize>>,
    /// Calls whose answers have a `Location`.
    located: Vec<usize>,
    /// Calls whose answers have links.
    linked: Vec<usize>,
}

impl Offers {
    fn of(root: &Value, calls: &[Call]) -> Self {
        let mut offers =
            Offers { by_name: BTreeMap::new(), by_path: BTreeMap::new(), located: Vec::new(), linked: Vec::new() };
        for (index, call) in calls.iter().enumerate().filter(|(_, call)| call.step.is_some() || may_wait(call)) {
            let operation = &call.operation;
            offers.by_path.entry(operation.path.trim_end_matches('/').to_owned()).or_default().push(index);
            for response in operation.responses.iter().filter(|response| response.is_success()) {
                for property in properties(root, response) {
                    offers.by_name.entry(plain(&property.name)).or_default().push((index, property));
                }
                if !response.links.is_empty() {
                    offers.linked.push(index);
                }
            }
            if operation.responses.iter().flat_map(|r| &r.headers).any(|h| h.name.eq_ignore_ascii_case("location")) {
                offers.located.push(index);
            }
        }
        offers
    }

    fn supplies(&self, root: &Value, calls: &[Call], index: usize, ready: &BTreeSet<usize>) -> Vec<Supply> {
        let operation = &calls[index].operation;
        let of = |parameter: &Parameter| {
            let linked = self.by_links(calls, operation, parameter);
            let named = self.by_properties(root, operation, parameter);
            let located = self.located.iter().map(|call| Producer { call: *call, by: ValueSource::Location });
            let is_path = parameter.place == ParameterLocation::Path;
            let mut producers: Vec<Producer> =
                linked.into_iter().chain(named).chain(located.filter(|_| is_path)).collect();
            producers.retain(|producer| ready.contains(&producer.call));
            producers.truncate(PRODUCERS);
            (!producers.is_empty()).then(|| Supply { parameter: parameter.name.clone(), producers })
        };
        wanted(operation).filter_map(of).collect()
    }

    fn by_links(&self, calls: &[Call], operation: &Operation, parameter: &Parameter) -> Vec<Producer> {
        let pointer = format!("/paths/{}/{}", escaped(&operation.path), operation.method.name().to_ascii_lowercase());
        let leads_here = |to: &Target| match to {
            Target::Id(id) => operation.id.as_ref() == Some(id),
            Target::Pointer(found) => *found == pointer,
        };
        let of = |call: &usize| {
            let links = calls[*call].operation.responses.iter().flat_map(|response| &response.links);
            let expressions = links.filter(|link| leads_here(&link.to)).flat_map(|link| &link.parameters);
            let named = expressions.filter(|(name, _)| *name == parameter.name);
            named.map(|(_, text)| Producer { call: *call, by: ValueSource::Link(text.clone()) }).collect::<Vec<_>>()
        };
        self.linked.iter().flat_map(of).collect()
    }

    /// Finds the ids of things of a kind: of collections that are called so, else properties that name both.
    fn ids(&self, calls: &[Call], noun: &str) -> Vec<Producer> {
        let is_collection = |call: &usize| {
            let operation = &calls[*call].operation;
            calls[*call].step.is_some() && !operation.path.ends_with('}') && singular(&operation.path) == noun
        };
        let whole = format!("{noun}id");
        let own = self.by_name.get("id").into_iter().flatten().filter(|(call, _)| is_collection(call));
        let far = self.by_name.get(&whole).into_iter().flatten().filter(|(call, _)| calls[*call].step.is_some());
        let found = own.chain(far).map(|(call, property)| (*call, ValueSource::Property(property.path.clone())));
        found.map(|(call, by)| Producer { call, by }).take(PRODUCERS).collect()
    }

    /// Finds properties by name: those of the collection first, in which `id` is enough.
    fn by_properties(&self, root: &Value, operation: &Operation, parameter: &Parameter) -> Vec<Producer> {
        let own = plain(&parameter.name);
        let (collection, noun) = around(&operation.path, &parameter.name);
        let whole = format!("{noun}{own}");
        let collections = self.by_path.get(collection.trim_end_matches('/'));
        let is_collection = |call: &usize| collections.is_some_and(|calls| calls.contains(call));
        let key = own.strip_prefix(noun.as_str()).filter(|rest| !rest.is_empty()).unwrap_or(&own).to_owned();
        let offers = |name: &str| self.by_name.get(name).into_iter().flatten().collect::<Vec<_>>();
        let near = [own.as_str(), &key, &whole].map(offers).concat();
        let near = near.into_iter().filter(|(call, _)| is_collection(call));
        // A bare `id` of another response is the id of something else.
        let far = if own == key { whole.as_str() } else { own.as_str() };
        let far = offers(far).into_iter().chain(if is_bare(&own) { Vec::new() } else { offers(&own) });
        let fits = |property: &Property| agree(root, parameter, property);
        let mut producers: Vec<Producer> = Vec::new();
        for (call, property) in near.chain(far).filter(|(_, property)| fits(property)) {
            let producer = Producer { call: *call, by: ValueSource::Property(property.path.clone()) };
            if !producers.contains(&producer) {
                producers.push(producer);
            }
        }
        producers
    }
}

/// Returns whether a name states nothing without its noun.
fn is_bare(name: &str) -> bool {
    matches!(name, "id" | "uuid" | "key" | "name" | "code" | "number" | "slug" | "type" | "status" | "version")
}

/// Returns whether a property's values can be a parameter's, as far as their types say.
fn agree(root: &Value, parameter: &Parameter, property: &Property) -> bool {
    let requested = parameter.schema.as_ref().map(|pointer| schema::types(root, pointer)).unwrap_or_default();
    let is_number = |name: &String| name == "integer" || name == "number";
    let given: Vec<&String> = property.types.iter().filter(|name| *name != "null").collect();
    if requested.is_empty() || given.is_empty() {
        return true;
    }
    // A number is written as text in a path.
    given.iter().any(|name| {
        requested.contains(name) || is_number(name) && requested.iter().any(|n| is_number(n) || n == "string")
    })
}

/// Returns the path before a parameter, and the noun that it stands behind: `/orders` and `order`.
fn around(path: &str, parameter: &str) -> (String, String) {
    let before = path.split(&format!("{{{parameter}}}")).next().unwrap_or_default().trim_end_matches('/');
    (before.to_owned(), singular(before))
}

/// A request that was answered, with the values that it was made of.
#[derive(Clone, Copy, Debug)]
pub struct CompletedCall<'a> {
    /// The operation that was asked.
    pub operation: &'a Operation,
    /// The request.
    pub request: &'a Request,
    /// Captured values that it was made of.
    pub values: &'a Values,
    /// The response.
    pub answer: &'a ServiceResponse<'a>,
}

/// Takes the value of `parameter` out of a response; `None` where it has none that fits the parameter's schema.
///
/// `base` is what stands before the document's paths, as in a `Location`.
#[must_use]
pub fn captured(
    document: &Document,
    to: &Operation,
    parameter: &str,
    producer: &Producer,
    given: &CompletedCall<'_>,
    base: &str,
) -> Option<Value> {
    let root = document.root();
    let is_success = (200..400).contains(&given.answer.status);
    let body = || serde_json::from_slice::<Value>(given.answer.body).ok();
    let found = match &producer.by {
        _ if !is_success => None,
        ValueSource::Link(expression) => evaluated(expression, given),
        ValueSource::Property(path) => first(&body()?, path).cloned(),
        ValueSource::Location => located(header(given.answer, "location")?, &to.path, parameter, base).map(Value::from),
    }?;
    let text = word(&found).filter(|text| !text.is_empty())?;
    let known = to.parameters.iter().find(|known| known.name == parameter);
    match known.and_then(|known| known.schema.as_deref()) {
        None if known.is_none() => may_be(root, to, parameter, &found).then_some(found),
        None => Some(found),
        Some(pointer) => {
            let value = schema::typed(root, pointer, &text);
            schema::fits(root, pointer, &value).then_some(value)
        }
    }
}

/// Returns the first value at a path that can be written into a request.
fn first<'v>(value: &'v Value, path: &[Step]) -> Option<&'v Value> {
    match path.split_first() {
        None => word(value).is_some().then_some(value),
        Some((Step::Member(name), rest)) => first(value.get(name)?, rest),
        Some((Step::Each, rest)) => value.as_array()?.iter().find_map(|element| first(element, rest)),
    }
}

/// Evaluates a runtime expression; what is none is a constant.
// Source: OpenAPI 3.1, 4.8.20.4, runtime expressions.
fn evaluated(expression: &str, given: &CompletedCall<'_>) -> Option<Value> {
    let whole = expression.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(expression);
    if !whole.starts_with('$') {
        return Some(Value::from(whole));
    }
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    if let Some(pointer) = whole.strip_prefix("$response.body") {
        return parsed(given.answer.body)?.pointer(pointer.trim_start_matches('#')).cloned();
    }
    if let Some(name) = whole.strip_prefix("$response.header.") {
        return header(given.answer, name).map(Value::from);
    }
    if let Some(name) = whole.strip_prefix("$request.path.").or_else(|| whole.strip_prefix("$request.query.")) {
        let known = given.operation.parameters.iter().find(|parameter| parameter.name == name);
        return given.values.get(name).cloned().or_else(|| known?.value.clone());
    }
    match whole {
        "$method" => Some(Value::from(given.request.method.name())),
        "$statusCode" => Some(Value::from(given.answer.status)),
        _ => None,
    }
}

/// Reads a parameter out of a `Location` that is of a path's shape.
fn located(location: &str, template: &str, parameter: &str, base: &str) -> Option<String> {
    let path = match location.split_once("://") {
        Some((_, rest)) => &rest[rest.find('/')?..],
        None => location,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let path = path.strip_prefix(base).unwrap_or(path);
    let (found, wanted): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), template.split('/').collect());
    if found.len() != wanted.len() {
        return None;
    }
    let mut value = None;
    for (found, wanted) in found.iter().zip(wanted) {
        match wanted.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if name == parameter => value = Some(percent_decoded(found)),
            Some(_) => {}
            None if *found == wanted => {}
            None => return None,
        }
    }
    value
}

#[cfg(test)]
mod tests;
