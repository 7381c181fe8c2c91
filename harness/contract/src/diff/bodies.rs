//! Bodies by media type: which is which of the other document, and what their schemas allow.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::media::Media,
    differ::{Differ, Encoding},
    keywords::{TOLD, requires},
    rule::{self, Direction},
    shape::Shape,
    source::View,
    tree::Node,
    types::{ARRAY, OBJECT},
};

impl<'a> Differ<'a> {
    /// Compares bodies by media type. `old` and `new` hold `content`.
    pub(super) fn content(&mut self, (old, new): (&'a Node<'a>, &'a Node<'a>), direction: Direction) {
        let (olds, news) = (media_types(old), media_types(new));
        let (removed, added) = match direction {
            Direction::Response => (rule::RESPONSE_MEDIA_TYPE_REMOVED, rule::RESPONSE_MEDIA_TYPE_ADDED),
            _ => (rule::REQUEST_MEDIA_TYPE_REMOVED, rule::REQUEST_MEDIA_TYPE_ADDED),
        };
        let at = |node: &'a Node<'a>| node.get("content").unwrap_or(node);
        for (name, node) in &olds {
            let Some((_, other)) = news.get(name).or_else(|| taking(&news, &node.0, direction)) else {
                self.found(removed, (node.1, at(new)), name.clone(), String::new());
                continue;
            };
            self.in_media(name, |differ| {
                differ.media_schemas((node.1, other), direction);
                if direction == Direction::Request {
                    differ.encodings((node.1, other));
                }
            });
        }
        let is_new = |media: &Media| !olds.values().any(|(old, _)| old.is_alike(media));
        for (name, node) in news.iter().filter(|(name, node)| !olds.contains_key(*name) && is_new(&node.0)) {
            self.found(added, (at(old), node.1), String::new(), name.clone());
        }
    }

    /// Compares the schemas of one media type; where one document has none, any body will do.
    fn media_schemas(&mut self, (old, new): (&'a Node<'a>, &'a Node<'a>), direction: Direction) {
        let is_raw = |view: &View<'a>, node: &'a Node<'a>| node.get("schema").is_none_or(|schema| is_raw(view, schema));
        if self.encoding == Encoding::Raw && is_raw(&self.old, old) && is_raw(&self.new, new) {
            return;
        }
        let rule = match (old.get("schema"), new.get("schema"), direction) {
            (Some(old), Some(new), _) => return self.schemas(&[old], &[new], direction),
            (None, Some(schema), _) if !requires(&self.new, schema) => return,
            (Some(schema), None, _) if !requires(&self.old, schema) => return,
            (None, None, _) => return,
            (None, Some(_), Direction::Response) => rule::RESPONSE_SCHEMA_ADDED,
            (Some(_), None, Direction::Response) => rule::RESPONSE_SCHEMA_REMOVED,
            (None, Some(_), _) => rule::REQUEST_SCHEMA_ADDED,
            (Some(_), None, _) => rule::REQUEST_SCHEMA_REMOVED,
        };
        let at = |node: &'a Node<'a>| node.get("schema").unwrap_or(node);
        let text_of = |node: &Node<'_>| (if node.get("schema").is_some() { "a schema" } else { "any body" }).to_owned();
        self.found(rule, (at(old), at(new)), text_of(old), text_of(new));
    }
}

/// How a property of a form is written.
struct Property<'a> {
    /// What states it, else what lacks it.
    node: &'a Node<'a>,
    style: &'a str,
    /// Whether each element is written for itself; of lists and objects only.
    explodes: Option<bool>,
    /// The media types that are accepted, where they are stated.
    media: Option<Vec<Media>>,
}

impl<'a> Property<'a> {
    // Source: OpenAPI 3.1.0, 4.8.15.1.1: `style` and `explode` have the defaults of a query parameter.
    fn of(view: &View<'a>, media: &'a Node<'a>, name: &str) -> Self {
        let encoding = view.get(media, "encoding").and_then(|encodings| view.get(encodings, name));
        let node = encoding.unwrap_or(media);
        let style = encoding.and_then(|node| node.text("style")).unwrap_or("form");
        let explode = encoding.and_then(|node| node.get("explode")).and_then(Node::as_bool).unwrap_or(style == "form");
        let property = media.get("schema").and_then(|schema| Shape::of(view, &[schema]).properties.remove(name));
        let types = property.and_then(|parts| Shape::of(view, &parts).types).unwrap_or(0);
        let stated = encoding.and_then(|node| node.text("contentType"));
        Property {
            node,
            style,
            explodes: (types & (ARRAY | OBJECT) != 0).then_some(explode),
            media: stated.map(|text| text.split(',').map(|one| Media::parse(one.trim())).collect()),
        }
    }

    fn style(&self) -> String {
        let explode = self.explodes.map_or("", |explodes| if explodes { ", exploded" } else { ", in one" });
        format!("{}{explode}", self.style)
    }
}

impl<'a> Differ<'a> {
    /// Compares how the properties of a form are written.
    fn encodings(&mut self, (old, new): (&'a Node<'a>, &'a Node<'a>)) {
        if self.encoding != Encoding::Form {
            return;
        }
        let named = [self.old.get(old, "encoding"), self.new.get(new, "encoding")].into_iter().flatten();
        let names: BTreeSet<&str> = named.flat_map(Node::entries).map(|(name, _)| name.as_ref()).collect();
        for name in names {
            let (before, after) = (Property::of(&self.old, old, name), Property::of(&self.new, new, name));
            self.within(&format!(".{name}"), |differ| differ.encoding_of((&before, &after)));
        }
    }

    fn encoding_of(&mut self, (old, new): (&Property<'a>, &Property<'a>)) {
        let spots = (old.node, new.node);
        let text_of = |node: &Node<'_>| node.text("contentType").unwrap_or_default().to_owned();
        let reported = (text_of(old.node), text_of(new.node));
        if let (Some(before), Some(after)) = (&old.media, &new.media) {
            let holds = |all: &[Media], one: &Media| all.iter().any(|other| other.takes(one) || other.is_alike(one));
            let rule = match (before.iter().all(|one| holds(after, one)), after.iter().all(|one| holds(before, one))) {
                (false, _) => Some(rule::REQUEST_MEDIA_TYPE_REMOVED),
                (true, false) => Some(rule::REQUEST_MEDIA_TYPE_ADDED),
                (true, true) => None,
            };
            rule.into_iter().for_each(|rule| self.found(rule, spots, reported.0.clone(), reported.1.clone()));
        }
        let explodes = old.explodes.zip(new.explodes);
        if old.style != new.style || explodes.is_some_and(|(was, is)| was != is) {
            self.found(rule::PARAMETER_SERIALISATION_CHANGED, spots, old.style(), new.style());
        }
    }
}

/// Returns whether a schema describes any body: bytes or a text without limits.
// Source: OpenAPI 3.1.0, 4.8.14.2: a body of another media type than JSON has no schema, or `contentMediaType` only.
fn is_raw<'a>(view: &View<'a>, schema: &'a Node<'a>) -> bool {
    let schema = view.follow(schema);
    schema.as_bool() == Some(true)
        || schema.is_map()
            && schema.entries().iter().all(|(key, value)| match key.as_ref() {
                "type" => value.as_text() == Some("string"),
                "format" => value.as_text() == Some("binary"),
                key => key == "contentMediaType" || key.starts_with("x-") || TOLD.contains(&key),
            })
}

/// The media types of a body: parsed, with their nodes, by their written name.
type MediaTypes<'a> = BTreeMap<String, (Media, &'a Node<'a>)>;

fn media_types<'a>(node: &'a Node<'a>) -> MediaTypes<'a> {
    let all = node.get("content").map(Node::entries).unwrap_or_default().iter();
    let name = |text: &str| text.to_ascii_lowercase().replace(' ', "");
    all.map(|(text, node)| (name(text), (Media::parse(text), node))).collect()
}

/// Finds the media type that stands for another one now: the same but for a character set, or a range that takes it.
fn taking<'m, 'a>(news: &'m MediaTypes<'a>, old: &Media, direction: Direction) -> Option<&'m (Media, &'a Node<'a>)> {
    let alike = news.values().find(|(media, _)| media.is_alike(old));
    alike.or_else(|| {
        news.values().find(|(media, _)| match direction {
            Direction::Response => old.takes(media),
            _ => media.takes(old),
        })
    })
}
