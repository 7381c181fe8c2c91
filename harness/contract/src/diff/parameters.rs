//! Parameters: of the operation and of its path, by name and place.

use std::collections::BTreeMap;

use super::{
    differ::{Differ, Encoding},
    keywords::requires,
    lifecycle::is_day,
    operations::{Operations, Path, slots},
    rule::{self, Aspect, Direction, Effect, Rule},
    shape::Shape,
    source::View,
    tree::Node,
    types,
    written::Written,
};

/// Parameters by place and name.
pub(super) type Parameters<'a> = BTreeMap<(&'a str, String), &'a Node<'a>>;

impl<'a> Differ<'a> {
    pub(super) fn parameters(&mut self, both: &Operations<'a>) {
        let (old_slots, new_slots) = (slots(both.paths.0.name), slots(both.paths.1.name));
        let olds = parameters(&self.old, both.paths.0, both.old);
        let mut news = parameters(&self.new, both.paths.1, both.new);
        // A parameter of the path is the one at its position, whatever its name.
        for (old, new) in old_slots.iter().zip(&new_slots).filter(|(old, new)| old != new) {
            if let Some(node) = news.remove(&("path", (*new).to_owned())) {
                news.insert(("path", (*old).to_owned()), node);
            }
        }
        let is_slot = |place: &str, name: &str| place == "path" && old_slots.contains(&name);
        let mut moved = Vec::new();
        for ((place, name), before) in &olds {
            let label = format!(" {place} parameter {name}");
            if let Some(after) = news.get(&(*place, name.clone())) {
                self.within(&label, |differ| differ.parameter(before, after, place));
                continue;
            }
            let elsewhere = news.iter().find(|((_, other), node)| {
                let key = (node.text("in").unwrap_or_default(), other.clone());
                let is_elsewhere = key.0 != *place;
                is_elsewhere && other.eq_ignore_ascii_case(name) && !olds.contains_key(&key)
            });
            self.within(&label, |differ| match elsewhere {
                Some(((to, other), after)) => {
                    moved.push((*to, other.clone()));
                    differ.found(rule::PARAMETER_MOVED, (before, after), (*place).to_owned(), (*to).to_owned());
                }
                None if is_slot(place, name) => {}
                None => {
                    let rule = differ.removed(before);
                    differ.found(rule, (before, both.new), name.clone(), String::new());
                }
            });
        }
        for (key, after) in news.iter().filter(|(key, _)| !olds.contains_key(*key) && !moved.contains(*key)) {
            let (place, name) = key;
            let is_required = after.is_true("required") && !is_slot(place, name);
            let rule = if is_required { rule::PARAMETER_ADDED_REQUIRED } else { rule::PARAMETER_ADDED_OPTIONAL };
            self.within(&format!(" {place} parameter {name}"), |differ| {
                differ.found(rule, (both.old, after), String::new(), name.clone());
            });
        }
    }

    /// Returns the rule of a parameter that is gone, from the date that it promised.
    fn removed(&self, node: &Node<'_>) -> Rule {
        match node.text("x-sunset").filter(|_| node.is_true("deprecated")) {
            None => rule::PARAMETER_REMOVED,
            Some(day) if is_day(day) && &day[..10] <= self.today => rule::PARAMETER_REMOVED_AFTER_SUNSET,
            Some(_) => rule::PARAMETER_REMOVED_BEFORE_SUNSET,
        }
    }

    fn parameter(&mut self, old: &'a Node<'a>, new: &'a Node<'a>, place: &str) {
        if self.is_copy(old, new) {
            return;
        }
        if place != "path" {
            self.required_flag((old, new), (rule::PARAMETER_BECAME_REQUIRED, rule::PARAMETER_BECAME_OPTIONAL));
        }
        if !old.is_true("deprecated") && new.is_true("deprecated") {
            self.found(rule::PARAMETER_DEPRECATED, (old, new), String::new(), "deprecated".to_owned());
        }
        if new.is_true("deprecated") {
            let day = |node: &'a Node<'a>| node.text("x-sunset").unwrap_or_default();
            self.sunset(day(old), day(new), (old, new));
        }
        let written = (Written::of(&self.old, old, place), Written::of(&self.new, new, place));
        self.serialisation(rule::PARAMETER_SERIALISATION_CHANGED, (old, new), &written);
        let empty = (old.is_true("allowEmptyValue"), new.is_true("allowEmptyValue"));
        if empty.0 != empty.1 && place == "query" {
            let rule = if empty.0 { rule::PARAMETER_EMPTY_REFUSED } else { rule::PARAMETER_EMPTY_ALLOWED };
            let text_of = |is: bool| (if is { "may be empty" } else { "" }).to_owned();
            self.found(rule, (old, new), text_of(empty.0), text_of(empty.1));
        }
        match (old.get("content"), new.get("content")) {
            (Some(_), Some(_)) => self.content((old, new), Direction::Request),
            _ => {
                self.encoding = if place == "path" { Encoding::Path } else { Encoding::Json };
                self.described((old, new), Direction::Parameter);
                self.encoding = Encoding::Json;
            }
        }
    }

    /// Compares the values of a parameter or a header: by its schema, or by that of its only media type; where only
    /// one document has any, the other one takes every value.
    pub(super) fn described(&mut self, (old, new): (&'a Node<'a>, &'a Node<'a>), direction: Direction) {
        let of = |node: &'a Node<'a>| {
            let media = || node.get("content")?.entries().first().and_then(|(_, media)| media.get("schema"));
            node.get("schema").or_else(media)
        };
        let has = |view: &View<'a>, node| of(node).filter(|schema| requires(view, schema));
        match (has(&self.old, old), has(&self.new, new)) {
            (Some(old), Some(new)) => self.schemas(&[old], &[new], direction),
            (None, None) => {}
            (Some(was), None) => {
                let told = types::type_names(Shape::of(&self.old, &[was]).types);
                self.found(
                    rule::of(Aspect::Type, Effect::Widened, direction),
                    (was, new),
                    told,
                    types::type_names(None),
                );
            }
            (None, Some(is)) => {
                let told = types::type_names(Shape::of(&self.new, &[is]).types);
                self.found(
                    rule::of(Aspect::Type, Effect::Narrowed, direction),
                    (old, is),
                    types::type_names(None),
                    told,
                );
            }
        }
    }
}

pub(super) fn parameters<'a>(view: &View<'a>, path: Path<'a>, operation: &'a Node<'a>) -> Parameters<'a> {
    let of = |node: &'a Node<'a>| node.get("parameters").map(Node::items).unwrap_or_default();
    let all = of(path.item).iter().chain(of(operation)).map(|node| view.follow(node));
    let keyed = all.filter_map(|node| {
        let (place, name) = (node.text("in")?, node.text("name")?);
        let name = if place == "header" { name.to_ascii_lowercase() } else { name.to_owned() };
        // Source: OpenAPI 3.1.0, 4.8.12.1: these are described elsewhere and ignored here.
        let is_reserved = place == "header" && ["accept", "content-type", "authorization"].contains(&name.as_str());
        (!is_reserved).then_some(((place, name), node))
    });
    keyed.collect()
}
