//! Bodies by media type: which is which of the other document, and what their schemas allow.

use std::collections::BTreeMap;

use super::{
    super::media::Media,
    differ::{Differ, Encoding},
    keywords::{TOLD, requires},
    rule::{self, Direction},
    source::View,
    tree::Node,
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
            self.in_media(name, |differ| differ.media_schemas((node.1, other), direction));
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
