//! Null: whether a schema allows it, also where only a member of a choice does.
//!
//! In: a schema. Out: whether null is one of its values, or nothing where the schema states neither a type nor values.

use std::collections::HashMap;

use super::{
    super::dialect::Version,
    keywords::COMPOSED,
    source::View,
    tree::{Datum, Node},
    types::types_in,
};

/// How deep schemas may lie in each other; what lies deeper is unknown.
const DEPTH: usize = 32;

/// What is known of schemas by their ids; one that is being looked at is unknown, so that circles end.
#[derive(Default)]
struct Known {
    found: HashMap<u32, Option<bool>>,
    depth: usize,
}

/// Returns whether a schema allows nothing but null.
pub(super) fn is_null<'a>(view: &View<'a>, member: &'a Node<'a>) -> bool {
    let node = view.follow(member);
    let is_null = |value: &Node<'_>| matches!(value.value, Datum::Null);
    let listed = node.get("enum").map(Node::items).unwrap_or_default();
    node.get("type").is_some_and(|declared| types_in(declared) == (0, true))
        || node.get("const").is_some_and(is_null)
        || (!listed.is_empty() && listed.iter().all(is_null))
}

/// Returns whether one of the members of a choice allows null, and nothing where no member states it.
pub(super) fn of_members<'a>(view: &View<'a>, members: &[&'a Node<'a>]) -> Option<bool> {
    any(view, members.iter().copied(), &mut Known::default())
}

fn any<'a>(view: &View<'a>, members: impl Iterator<Item = &'a Node<'a>>, known: &mut Known) -> Option<bool> {
    let found: Vec<Option<bool>> = members.map(|member| of(view, member, known)).collect();
    if found.contains(&Some(true)) {
        return Some(true);
    }
    (!found.is_empty() && found.iter().all(Option::is_some)).then_some(false)
}

fn of<'a>(view: &View<'a>, node: &'a Node<'a>, known: &mut Known) -> Option<bool> {
    if let Some(found) = known.found.get(&node.id) {
        return *found;
    }
    if known.depth >= DEPTH {
        return None;
    }
    known.found.insert(node.id, None);
    known.depth += 1;
    let found = stated(view, node, known);
    known.depth -= 1;
    known.found.insert(node.id, found);
    found
}

/// Returns what the keywords of a schema state together: each of them has to allow null.
fn stated<'a>(view: &View<'a>, node: &'a Node<'a>, known: &mut Known) -> Option<bool> {
    let is_3_0 = view.version == Version::V3_0;
    let target = node.text("$ref").and_then(|reference| view.target(reference));
    let target = target.and_then(|target| of(view, target, known));
    // In 3.0 nothing next to a reference counts.
    if is_3_0 && node.get("$ref").is_some() {
        return target;
    }
    let is_nullable = is_3_0 && node.is_true("nullable");
    let own = node.get("type").map(|declared| types_in(declared).1 || is_nullable);
    let is_null = |value: &Node<'_>| matches!(value.value, Datum::Null);
    // Who writes `nullable` next to a list of values in 3.0 means that null is one more.
    let in_list = |list: &Node<'_>| list.items().iter().any(is_null) || is_nullable;
    let mut all = vec![target, own, node.get("enum").map(in_list), node.get("const").map(is_null)];
    all.push(node.as_bool().filter(|is_open| !is_open));
    all.extend(node.get("allOf").map(Node::items).unwrap_or_default().iter().map(|member| of(view, member, known)));
    let choices = ["oneOf", "anyOf"].into_iter().filter_map(|key| node.get(key));
    all.extend(choices.map(|members| any(view, members.items().iter(), known)));
    let stated = all.into_iter().flatten().reduce(|one, other| one && other);
    let is_composed = COMPOSED.iter().any(|key| node.get(key).is_some());
    stated.map(|stated| stated || (is_nullable && (is_composed || own.is_none())))
}
