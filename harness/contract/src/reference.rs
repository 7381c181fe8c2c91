//! References inside a document: `#/components/schemas/Order` and the up migration.

use serde_json::{Map, Value};

use super::{
    anchor::{self, Anchors},
    error::ContractError,
    fragment::{escaped, percent_decoded},
    walk::{Tree, objects, pointer},
};

/// How many references may lead to references before it is called a circle.
const HOPS: usize = 32;

/// A value of the document and the JSON pointer at which it stands.
#[derive(Clone, Debug)]
pub(super) struct PointerValue<'a> {
    pub(super) pointer: String,
    pub(super) value: &'a Value,
}

impl<'a> PointerValue<'a> {
    pub(super) fn root(root: &'a Value) -> Self {
        PointerValue { pointer: String::new(), value: root }
    }

    /// Returns the value at a pointer, references followed.
    pub(super) fn at(root: &'a Value, pointer: &str) -> Option<Self> {
        let value = root.pointer(pointer)?;
        Some(PointerValue { pointer: pointer.to_owned(), value }.follow(root))
    }

    /// Returns the member `key`, references followed.
    pub(super) fn get(&self, root: &'a Value, key: &str) -> Option<PointerValue<'a>> {
        self.member(key).map(|location| location.follow(root))
    }

    /// Returns the members of an object, references followed.
    pub(super) fn members(&self, root: &'a Value) -> Vec<(&'a str, PointerValue<'a>)> {
        let keys = self.value.as_object().into_iter().flat_map(Map::keys);
        keys.filter_map(|key| Some((key.as_str(), self.get(root, key)?))).collect()
    }

    /// Returns the elements of an array, references followed.
    pub(super) fn elements(&self, root: &'a Value) -> Vec<PointerValue<'a>> {
        let elements = self.value.as_array().into_iter().flatten().enumerate();
        elements
            .map(|(i, value)| PointerValue { pointer: format!("{}/{i}", self.pointer), value }.follow(root))
            .collect()
    }

    /// Returns the text at `key`.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.value.get(key)?.as_str()
    }

    /// Returns the member `key` as it stands.
    pub(super) fn member(&self, key: &str) -> Option<PointerValue<'a>> {
        let value = self.value.as_object()?.get(key)?;
        Some(PointerValue { pointer: format!("{}/{}", self.pointer, escaped(key)), value })
    }

    /// Follows references; where they end nowhere, which [`verify`] excludes, the spot itself is the end.
    fn follow(self, root: &'a Value) -> PointerValue<'a> {
        let mut location = self;
        for _ in 0..HOPS {
            let Some(pointer) = location.text("$ref").and_then(|reference| reference.strip_prefix('#')) else { break };
            let pointer = percent_decoded(pointer);
            let Some(value) = root.pointer(&pointer) else { break };
            location = PointerValue { pointer, value };
        }
        location
    }
}

/// Returns where a pointer leads in the end: references are followed that have nothing next to them, which would count too.
pub(super) fn end(root: &Value, pointer: &str) -> String {
    let mut pointer = pointer.to_owned();
    for _ in 0..HOPS {
        let Some(Value::Object(map)) = root.pointer(&pointer) else { break };
        let alone = map.get("$ref").filter(|_| map.len() == 1).and_then(Value::as_str);
        let Some(next) = alone.and_then(|reference| reference.strip_prefix('#')) else { break };
        pointer = percent_decoded(next);
    }
    pointer
}

/// Rewrites references to anchors and ids as pointers.
///
/// # Errors
/// [`ContractError`] of a reference that leads to nothing, or to one of several schemas.
pub(super) fn resolve(root: &mut Value) -> Result<(), ContractError> {
    let Anchors { named, rewrites } = anchor::anchors(root)?;
    for rewrite in rewrites {
        if let Some(Value::Object(map)) = root.pointer_mut(&rewrite.at) {
            map.remove(rewrite.key);
            map.insert("$ref".to_owned(), Value::from(rewrite.to));
        }
    }
    for at in named {
        if let Some(Value::Object(map)) = root.pointer_mut(&at) {
            map.retain(|key, value| !(anchor::NAMING.contains(&key.as_str()) && value.is_string()));
        }
    }
    Ok(())
}

/// Checks every reference: it stays inside the document, leads to something, and not in a circle.
pub(super) fn verify(root: &Value) -> Result<(), ContractError> {
    objects(root, &mut |node, path| match node.word_at("$ref") {
        Some(reference) => verify_one(root, reference, &pointer(path)),
        None => Ok(()),
    })
}

fn verify_one(root: &Value, reference: &str, at: &str) -> Result<(), ContractError> {
    let mut next = reference;
    for _ in 0..HOPS {
        let value = target(root, next, at)?;
        match value.get("$ref").and_then(Value::as_str) {
            Some(further) => next = further,
            None => return Ok(()),
        }
    }
    Err(ContractError::Circle { at: shown(at), reference: reference.to_owned() })
}

fn target<'a>(root: &'a Value, reference: &str, at: &str) -> Result<&'a Value, ContractError> {
    let (at, reference) = (shown(at), reference.to_owned());
    match reference.strip_prefix('#') {
        None => Err(ContractError::Remote { at, reference }),
        Some(pointer) => root.pointer(&percent_decoded(pointer)).ok_or(ContractError::Dangling { at, reference }),
    }
}

fn shown(at: &str) -> String {
    format!("#{at}")
}
