//! A document as a tree whose every node knows its line: what a change is reported with.
//!
//! Texts are borrowed from the file where it writes them as they are. Ids count the nodes in the order of the file,
//! so that a node's JSON pointer is found from its id alone and none has to be kept.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::super::fragment::escaped;

/// A value of the file, where it begins, and its number.
#[derive(Clone, Debug)]
pub(super) struct Node<'t> {
    pub(super) id: u32,
    pub(super) line: u32,
    pub(super) value: Datum<'t>,
}

/// What a node holds.
#[derive(Clone, Debug)]
pub(super) enum Datum<'t> {
    Null,
    Bool(bool),
    Number(Cow<'t, str>),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    Map(Vec<(Cow<'t, str>, Node<'t>)>),
}

/// Schemas that hold all together.
pub(super) type Parts<'a> = Vec<&'a Node<'a>>;

impl<'t> Node<'t> {
    pub(super) fn get(&self, key: &str) -> Option<&Node<'t>> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    pub(super) fn entries(&self) -> &[(Cow<'t, str>, Node<'t>)] {
        if let Datum::Map(entries) = &self.value { entries } else { &[] }
    }

    pub(super) fn items(&self) -> &[Node<'t>] {
        if let Datum::List(items) = &self.value { items } else { &[] }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        if let Datum::Text(text) = &self.value { Some(text) } else { None }
    }

    pub(super) fn as_number(&self) -> Option<f64> {
        if let Datum::Number(text) = &self.value { text.parse().ok() } else { None }
    }

    pub(super) fn as_bool(&self) -> Option<bool> {
        if let Datum::Bool(value) = self.value { Some(value) } else { None }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.value, Datum::Map(_))
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_text()
    }

    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.get(key)?.as_number()
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).and_then(Node::as_bool) == Some(true)
    }

    /// Returns the node at a JSON pointer.
    pub(super) fn at(&self, pointer: &str) -> Option<&Node<'t>> {
        pointer.split('/').skip(1).try_fold(self, |node, part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            match &node.value {
                Datum::List(items) => items.get(part.parse::<usize>().ok()?),
                _ => node.get(&part),
            }
        })
    }

    /// Returns the node at a JSON pointer, to be changed.
    pub(super) fn at_mut(&mut self, pointer: &str) -> Option<&mut Node<'t>> {
        pointer.split('/').skip(1).try_fold(self, |node, part| {
            let part = part.replace("~1", "/").replace("~0", "~");
            match &mut node.value {
                Datum::List(items) => items.get_mut(part.parse::<usize>().ok()?),
                Datum::Map(entries) => entries.iter_mut().find(|(key, _)| *key == part).map(|(_, node)| node),
                _ => None,
            }
        })
    }

    /// Returns the JSON pointer of the node with this id, seen from this one.
    pub(super) fn pointer(&self, id: u32) -> String {
        let (mut node, mut pointer) = (self, String::new());
        while node.id < id {
            let next = match &node.value {
                Datum::List(items) => {
                    let at = items.partition_point(|item| item.id <= id).saturating_sub(1);
                    items.get(at).map(|item| (at.to_string(), item))
                }
                Datum::Map(entries) => {
                    let at = entries.partition_point(|(_, item)| item.id <= id).saturating_sub(1);
                    entries.get(at).map(|(key, item)| (escaped(key), item))
                }
                _ => None,
            };
            let Some((part, child)) = next.filter(|(_, child)| child.id <= id) else { break };
            pointer = format!("{pointer}/{part}");
            node = child;
        }
        pointer
    }

    /// Collects what references lead to that leave the file.
    pub(super) fn references(&self, found: &mut Vec<String>) {
        for (key, node) in self.entries() {
            match node.as_text() {
                Some(text) if key == "$ref" && !text.starts_with('#') => found.push(text.to_owned()),
                _ => node.references(found),
            }
        }
        self.items().iter().for_each(|item| item.references(found));
    }

    /// Returns the value as `serde_json` has it; a number that it cannot hold stays a text.
    pub(super) fn json(&self) -> Value {
        match &self.value {
            Datum::Null => Value::Null,
            Datum::Bool(value) => Value::from(*value),
            Datum::Number(text) => {
                let plain = || serde_json::from_str::<Number>(text).ok();
                let other = || Number::from_f64(text.parse().ok()?);
                plain().or_else(other).map_or_else(|| Value::from(text.as_ref()), Value::Number)
            }
            Datum::Text(text) => Value::from(text.as_ref()),
            Datum::List(items) => items.iter().map(Node::json).collect(),
            Datum::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.to_string(), node.json())).collect())
            }
        }
    }

    /// Returns whether both hold the same, in the same order, and no reference: nothing can differ then.
    pub(super) fn is_copy_of(&self, other: &Node<'_>) -> bool {
        match (&self.value, &other.value) {
            (Datum::Map(a), Datum::Map(b)) => {
                a.len() == b.len()
                    && a.iter().zip(b).all(|((key, a), (other, b))| key == other && key != "$ref" && a.is_copy_of(b))
            }
            (Datum::List(a), Datum::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_copy_of(b)),
            (Datum::Text(a), Datum::Text(b)) | (Datum::Number(a), Datum::Number(b)) => a == b,
            (Datum::Bool(a), Datum::Bool(b)) => a == b,
            (Datum::Null, Datum::Null) => true,
            _ => false,
        }
    }

    /// Writes the value on one line; two values that are equal in JSON give one text.
    pub(super) fn canonical(&self) -> String {
        match &self.value {
            Datum::Null => "null".to_owned(),
            Datum::Bool(value) => value.to_string(),
            // `1` and `1.0` are one number; what no f64 can hold stays as it is written.
            Datum::Number(text) => match text.parse::<f64>() {
                Ok(number) if number.abs() < 9e15 => number.to_string(),
                _ => text.to_string(),
            },
            Datum::Text(text) => serde_json::Value::from(text.as_ref()).to_string(),
            Datum::List(items) => format!("[{}]", items.iter().map(Node::canonical).collect::<Vec<_>>().join(",")),
            Datum::Map(entries) => {
                let mut members: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{}:{}", serde_json::Value::from(key.as_ref()), node.canonical()))
                    .collect();
                members.sort();
                format!("{{{}}}", members.join(","))
            }
        }
    }
}
