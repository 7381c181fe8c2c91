//! Schemas that list their values, whatever they are written with: `enum`, `const`, choices of constants, `allOf`.
//!
//! In: a schema. Out: the set of values that it allows, if it states no more than that. Two sets are compared as sets, so
//! that it does not matter how a document writes one.

use std::collections::BTreeSet;

use super::{
    keywords::TOLD,
    source::View,
    tree::{Datum, Node},
    types::{self, ANY},
};

/// How deep choices may lie in choices.
const DEPTH: usize = 16;

/// Values as canonical JSON, and the types that they have; null is one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Constants {
    pub(super) values: BTreeSet<String>,
    pub(super) types: u8,
    pub(super) has_null: bool,
}

impl Constants {
    fn of_node(node: &Node<'_>) -> Self {
        let has_null = matches!(node.value, Datum::Null);
        let values = if has_null { BTreeSet::new() } else { BTreeSet::from([node.canonical()]) };
        Constants { values, types: types::type_of(node), has_null }
    }

    /// Leaves out values of other types than those that stand next to them.
    fn of_types(mut self, (types, has_null): (u8, bool)) -> Self {
        self.values.retain(|text| types & types::kind(text) != 0);
        Constants { types: self.types & types, has_null: self.has_null && has_null, ..self }
    }

    fn joined(mut self, other: Self) -> Self {
        self.values.extend(other.values);
        Constants { types: self.types | other.types, has_null: self.has_null || other.has_null, ..self }
    }
}

/// Returns the values of the members of a choice, if every member lists its values and no value is one of two.
///
/// A value that two members of `oneOf` list is refused by it, so such a choice is no list.
pub(super) fn of_choice<'a>(view: &View<'a>, members: &[&'a Node<'a>], keyword: &str) -> Option<Constants> {
    choice(view, members, keyword, DEPTH)
}

fn choice<'a>(view: &View<'a>, members: &[&'a Node<'a>], keyword: &str, depth: usize) -> Option<Constants> {
    members.iter().try_fold(Constants::default(), |all, member| {
        let own = listed(view, member, depth)?;
        let is_twice = !all.values.is_disjoint(&own.values) || all.has_null && own.has_null;
        (keyword == "anyOf" || !is_twice).then(|| all.joined(own))
    })
}

/// Returns the values of a schema that states no more than which they are.
fn listed<'a>(view: &View<'a>, node: &'a Node<'a>, depth: usize) -> Option<Constants> {
    let node = if depth == 0 { return None } else { view.follow(node) };
    let mut found: Option<Constants> = None;
    let mut types = None;
    for (key, value) in node.entries() {
        let own = match key.as_ref() {
            "const" => Constants::of_node(value),
            "enum" => value.items().iter().map(Constants::of_node).reduce(Constants::joined)?,
            "oneOf" | "anyOf" => choice(view, &value.items().iter().collect::<Vec<_>>(), key, depth - 1)?,
            "allOf" => match value.items() {
                [only] => listed(view, only, depth - 1)?,
                _ => return None,
            },
            "type" => {
                types = Some(value);
                continue;
            }
            key if TOLD.contains(&key) || key.starts_with("x-") || matches!(key, "deprecated" | "default") => continue,
            _ => return None,
        };
        if found.replace(own).is_some() {
            return None;
        }
    }
    match (found, types) {
        (None, Some(types)) if types.as_text() == Some("null") => {
            Some(Constants { has_null: true, ..Constants::default() })
        }
        (Some(found), Some(types)) => Some(found.of_types(types::types_in(types))),
        (found, _) => found,
    }
}

/// Splits the members of `anyOf` in those that are constants of a type which another member takes whole, and the rest.
///
/// A text or one of five texts is a text: what such a list gains or loses changes no value that is allowed.
pub(super) fn without_absorbed<'a>(view: &View<'a>, members: Vec<&'a Node<'a>>) -> Vec<&'a Node<'a>> {
    let plain = |node: &'a Node<'a>| {
        let node = view.follow(node);
        let is_plain = node.entries().iter().all(|(key, _)| key == "type" || TOLD.contains(&key.as_ref()));
        node.get("type").filter(|_| is_plain).map_or(0, |types| types::types_in(types).0)
    };
    let whole = members.iter().fold(0, |all, member| all | plain(member));
    if whole == 0 || whole == ANY {
        return members;
    }
    let is_absorbed = |member: &&'a Node<'a>| {
        listed(view, member, DEPTH).is_some_and(|own| !own.has_null && own.types != 0 && own.types & !whole == 0)
    };
    members.into_iter().filter(|member| !is_absorbed(member)).collect()
}
