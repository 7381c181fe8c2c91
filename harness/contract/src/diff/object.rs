//! Named properties: there or not, required or not, read-only or write-only.

use std::collections::BTreeSet;

use regex::Regex;

use super::{
    differ::Differ,
    keywords::requires,
    rule::{self, Aspect, Direction, Effect, Rule},
    schema::{Sides, keyword_node},
    shape::{Additional, Shape},
    source::View,
    tree::{Node, Parts},
    types,
};

impl<'a> Differ<'a> {
    pub(super) fn properties(&mut self, sides: &Sides<'a>) {
        let (old, new) = (&sides.old, &sides.new);
        let named = old.properties.keys().chain(new.properties.keys());
        let names: BTreeSet<&str> = named.chain(&old.required).chain(&new.required).copied().collect();
        for name in names {
            self.within(&format!(".{name}"), |differ| differ.property(sides, name));
        }
    }

    fn property(&mut self, sides: &Sides<'a>, name: &str) {
        let (old, new) = (sides.old.properties.get(name), sides.new.properties.get(name));
        let hidden = |view: &View<'a>, parts: Option<&Vec<&'a Node<'a>>>| {
            parts.is_some_and(|parts| is_hidden(view, parts, sides.direction))
        };
        let (was_hidden, is_hidden) = (hidden(&self.old, old), hidden(&self.new, new));
        match (old, new) {
            // What a side never sends or never gets is no part of its contract.
            (Some(_), Some(_)) if was_hidden && is_hidden => {}
            (Some(_), None) if was_hidden => {}
            (None, Some(_)) if is_hidden => {}
            (Some(old), Some(new)) if was_hidden != is_hidden => {
                let required = if is_hidden { &sides.old.required } else { &sides.new.required };
                self.flipped((old, new), is_hidden, required.contains(name), sides.direction);
            }
            (Some(old), Some(new)) => {
                self.requiredness(sides, name);
                self.schemas(old, new, sides.direction);
            }
            (Some(old), None) => match unnamed(&sides.new, name) {
                Unnamed::Like(new) => {
                    self.requiredness(sides, name);
                    self.schemas(old, &new, sides.direction);
                }
                Unnamed::Any if sides.new.required.contains(name) => {
                    self.requiredness(sides, name);
                    self.schema_lost(sides, old, Effect::Widened);
                }
                Unnamed::Any | Unnamed::Nothing => self.property_removed(sides, name, old),
            },
            (None, Some(new)) => match unnamed(&sides.old, name) {
                Unnamed::Like(old) => {
                    let is_new = !sides.old.required.contains(name) && !sides.new.required.contains(name);
                    if is_new {
                        self.property_added(sides, name, new)
                    } else {
                        self.requiredness(sides, name)
                    }
                    self.schemas(&old, new, sides.direction);
                }
                Unnamed::Any if sides.old.required.contains(name) => {
                    self.requiredness(sides, name);
                    self.schema_lost(sides, new, Effect::Narrowed);
                }
                Unnamed::Any | Unnamed::Nothing => self.property_added(sides, name, new),
            },
            (None, None) => self.requiredness(sides, name),
        }
    }

    /// Reports a property that only one document has a schema for, while both name it as required.
    ///
    /// `parts` is the schema of that document; in the other one any value will do.
    fn schema_lost(&mut self, sides: &Sides<'a>, parts: &[&'a Node<'a>], effect: Effect) {
        let is_lost = effect == Effect::Widened;
        let view = if is_lost { &self.old } else { &self.new };
        if !parts.iter().any(|part| requires(view, part)) {
            return;
        }
        let shown = types::type_names(Shape::of(view, parts).types);
        let any = || "any type".to_owned();
        let own = if shown == any() { "those of a schema".to_owned() } else { shown };
        let other = if is_lost { &sides.parts.1 } else { &sides.parts.0 };
        let Some(other) = keyword_node(if is_lost { &self.new } else { &self.old }, other, "required") else { return };
        let (spots, reported) =
            if is_lost { ((parts[0], other), (own, any())) } else { ((other, parts[0]), (any(), own)) };
        self.found(rule::of(Aspect::Type, effect, sides.direction), spots, reported.0, reported.1);
    }

    /// Reports a property that became a part of one direction, or is none any more; `is_required` where it was or is one.
    fn flipped(
        &mut self,
        (old, new): (&[&'a Node<'a>], &[&'a Node<'a>]),
        is_hidden: bool,
        is_required: bool,
        direction: Direction,
    ) {
        let (keyword, rule) = match (direction, is_hidden, is_required) {
            (Direction::Response, true, true) => ("writeOnly", rule::RESPONSE_WRITE_ONLY_ADDED_REQUIRED),
            (Direction::Response, true, false) => ("writeOnly", rule::RESPONSE_WRITE_ONLY_ADDED),
            (Direction::Response, false, _) => ("writeOnly", rule::RESPONSE_WRITE_ONLY_REMOVED),
            (_, true, _) => ("readOnly", rule::REQUEST_READ_ONLY_ADDED),
            (_, false, true) => ("readOnly", rule::REQUEST_READ_ONLY_REMOVED_REQUIRED),
            (_, false, false) => ("readOnly", rule::REQUEST_READ_ONLY_REMOVED),
        };
        if let (Some(old), Some(new)) = (keyword_node(&self.old, old, keyword), keyword_node(&self.new, new, keyword)) {
            let text_of = |hidden: bool| (if hidden { keyword } else { "" }).to_owned();
            self.found(rule, (old, new), text_of(!is_hidden), text_of(is_hidden));
        }
    }

    fn requiredness(&mut self, sides: &Sides<'a>, name: &str) {
        let (was, is) = (sides.old.required.contains(name), sides.new.required.contains(name));
        let rule = match (sides.direction, is) {
            (Direction::Response, true) => rule::RESPONSE_PROPERTY_BECAME_REQUIRED,
            (Direction::Response, false) => rule::RESPONSE_PROPERTY_BECAME_OPTIONAL,
            (_, true) => rule::REQUEST_PROPERTY_BECAME_REQUIRED,
            (_, false) => rule::REQUEST_PROPERTY_BECAME_OPTIONAL,
        };
        if was != is
            && let (Some(old), Some(new)) = (
                keyword_node(&self.old, &sides.parts.0, "required"),
                keyword_node(&self.new, &sides.parts.1, "required"),
            )
        {
            self.found_of(name, rule, (old, new), (required(was), required(is)));
        }
    }

    fn property_removed(&mut self, sides: &Sides<'a>, name: &str, old: &[&'a Node<'a>]) {
        let was_required = sides.old.required.contains(name);
        let is_refused = matches!(sides.new.additional, Additional::Nothing);
        let rule = match (sides.direction, was_required, is_refused) {
            (Direction::Response, true, _) => rule::RESPONSE_PROPERTY_REMOVED_REQUIRED,
            (Direction::Response, false, _) => rule::RESPONSE_PROPERTY_REMOVED_OPTIONAL,
            (_, _, true) => rule::REQUEST_PROPERTY_REFUSED,
            (_, _, false) => rule::REQUEST_PROPERTY_REMOVED,
        };
        if let (Some(old), Some(new)) = (old.first(), keyword_node(&self.new, &sides.parts.1, "properties")) {
            self.found(rule, (old, new), required(was_required), String::new());
        }
    }

    fn property_added(&mut self, sides: &Sides<'a>, name: &str, new: &[&'a Node<'a>]) {
        let is_required = sides.new.required.contains(name);
        let rule: Rule = match (sides.direction, is_required) {
            (Direction::Response, _) => rule::RESPONSE_PROPERTY_ADDED,
            (_, true) => rule::REQUEST_PROPERTY_ADDED_REQUIRED,
            (_, false) => rule::REQUEST_PROPERTY_ADDED_OPTIONAL,
        };
        if let (Some(old), Some(new)) = (keyword_node(&self.old, &sides.parts.0, "properties"), new.first()) {
            self.found(rule, (old, new), String::new(), required(is_required));
        }
    }
}

/// What a schema allows for a property that it does not name among its own.
enum Unnamed<'a> {
    Any,
    Nothing,
    Like(Parts<'a>),
}

/// Returns what holds for a property without a schema of its own: the patterns that match its name, else the rest.
fn unnamed<'a>(shape: &Shape<'a>, name: &str) -> Unnamed<'a> {
    let patterns = shape.keywords.subs.iter().filter(|((key, pattern), _)| {
        *key == "patternProperties" && Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(name))
    });
    let matching: Parts<'a> = patterns.flat_map(|(_, parts)| parts.iter().copied()).collect();
    match &shape.additional {
        _ if !matching.is_empty() => Unnamed::Like(matching),
        Additional::Any => Unnamed::Any,
        Additional::Nothing => Unnamed::Nothing,
        Additional::Like(parts) => Unnamed::Like(parts.clone()),
    }
}

fn required(is_required: bool) -> String {
    (if is_required { "required" } else { "optional" }).to_owned()
}

/// Returns whether a property is none of a request (read-only) or none of a response (write-only).
fn is_hidden<'a>(view: &View<'a>, parts: &[&'a Node<'a>], direction: Direction) -> bool {
    let keyword = if direction == Direction::Response { "writeOnly" } else { "readOnly" };
    parts.iter().any(|part| {
        let node = view.follow(part);
        let members = node.get("allOf").map(Node::items).unwrap_or_default();
        part.is_true(keyword) || members.iter().chain([node]).any(|member| view.follow(member).is_true(keyword))
    })
}
