//! The objects of a document that are none of its data: what a `$ref` or an anchor counts in.
//!
//! In an example, a default or an extension a `$ref` is nobody's reference; a property, a component or a response may
//! have such a name, and is an object of the document all the same.

use serde_json::Value;

/// A value of a document, whoever read it.
pub(super) trait Tree: Sized {
    /// Returns the members of an object, in their order.
    fn members(&self) -> impl Iterator<Item = (&str, &Self)>;
    /// Returns the elements of an array.
    fn elements(&self) -> &[Self];
    /// Returns the member `key` of an object.
    fn member(&self, key: &str) -> Option<&Self>;
    /// Returns a text.
    fn word(&self) -> Option<&str>;

    /// Returns the text at `key`.
    fn word_at(&self, key: &str) -> Option<&str> {
        self.member(key).and_then(Tree::word)
    }
}

impl Tree for Value {
    fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    fn elements(&self) -> &[Self] {
        self.as_array().map(Vec::as_slice).unwrap_or_default()
    }

    fn member(&self, key: &str) -> Option<&Self> {
        self.as_object()?.get(key)
    }

    fn word(&self) -> Option<&str> {
        self.as_str()
    }
}

/// A part of a JSON pointer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    Key(&'a str),
    At(usize),
}

/// Writes a JSON pointer.
pub(super) fn pointer(parts: &[Part<'_>]) -> String {
    let mut pointer = String::new();
    for part in parts {
        pointer.push('/');
        match part {
            Part::Key(key) => pointer.push_str(&super::fragment::escaped(key)),
            Part::At(at) => pointer.push_str(&at.to_string()),
        }
    }
    pointer
}

/// Calls `visit` with every object that is not data, the outer ones first, and with the way to it.
///
/// # Errors
/// The first one of `visit`.
pub(super) fn objects<'a, T: Tree, E>(
    root: &'a T,
    visit: &mut impl FnMut(&'a T, &[Part<'a>]) -> Result<(), E>,
) -> Result<(), E> {
    Walk { path: Vec::new(), visit }.of(root, Keys::Words)
}

/// What the keys of an object are.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    /// Words of OpenAPI or JSON Schema.
    Words,
    /// Names that the document's author gave.
    Names,
    /// Names of examples, each with its value.
    Examples,
}

struct Walk<'a, 'v, V> {
    path: Vec<Part<'a>>,
    visit: &'v mut V,
}

impl<'a, V> Walk<'a, '_, V> {
    fn of<T: Tree, E>(&mut self, node: &'a T, keys: Keys) -> Result<(), E>
    where
        V: FnMut(&'a T, &[Part<'a>]) -> Result<(), E>,
    {
        if keys == Keys::Words && node.members().next().is_some() {
            (self.visit)(node, &self.path)?;
        }
        for (key, member) in node.members() {
            let below = match keys {
                Keys::Words if is_data(key) => continue,
                Keys::Words => keys_below(key),
                Keys::Names => Keys::Words,
                // What stands in an example's value is data.
                Keys::Examples if member.member("$ref").is_some() => Keys::Words,
                Keys::Examples => continue,
            };
            self.path.push(Part::Key(key));
            self.of(member, below)?;
            self.path.pop();
        }
        for (at, element) in node.elements().iter().enumerate() {
            // A list of examples, as in a schema, holds values.
            if keys != Keys::Examples {
                self.path.push(Part::At(at));
                self.of(element, Keys::Words)?;
                self.path.pop();
            }
        }
        Ok(())
    }
}

pub(super) fn is_data(key: &str) -> bool {
    matches!(key, "example" | "default" | "enum" | "const") || key.starts_with("x-")
}

fn keys_below(key: &str) -> Keys {
    match key {
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" | "schemas" | "responses"
        | "parameters" | "requestBodies" | "headers" | "securitySchemes" | "links" | "callbacks" | "pathItems"
        | "paths" | "webhooks" | "content" | "encoding" | "variables" | "mapping" => Keys::Names,
        "examples" => Keys::Examples,
        _ => Keys::Words,
    }
}
