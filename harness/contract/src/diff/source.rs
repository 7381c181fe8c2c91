//! A contract read for comparing: its tree, its version, and where its references lead.

use std::collections::HashMap;

use super::{
    super::{dialect::Version, document::Format, error::ContractError},
    json,
    tree::{Datum, Node},
    yaml,
};

/// How many references may lead to references before it is called a circle.
const HOPS: usize = 32;

/// An OpenAPI document, read for comparing it with another one. It borrows from its text.
#[derive(Clone, Debug)]
pub struct Contract<'t> {
    root: Node<'t>,
    version: Version,
}

impl<'t> Contract<'t> {
    /// Reads a document from its text.
    ///
    /// # Errors
    /// [`ContractError`] with line and column, or with the JSON pointer of the reference that cannot be followed.
    pub fn read(text: &'t str, format: Format) -> Result<Self, ContractError> {
        let root = match format {
            Format::Json => json::read(text)?,
            Format::Yaml => yaml::read(text)?,
        };
        let version = version(&root)?;
        View::of(&root, version).verify(&root)?;
        Ok(Contract { root, version })
    }

    pub(super) fn view(&self) -> View<'_> {
        View::of(&self.root, self.version)
    }
}

fn version(root: &Node<'_>) -> Result<Version, ContractError> {
    let found = match (root.get("openapi"), root.get("swagger")) {
        (Some(node), _) => match written(node) {
            text if text == "3.0" || text.starts_with("3.0.") => return Ok(Version::V3_0),
            text if text == "3.1" || text.starts_with("3.1.") => return Ok(Version::V3_1),
            text => format!("version {text} is not supported"),
        },
        (None, Some(node)) => format!("Swagger {} is not supported", written(node)),
        (None, None) => "there is no key `openapi`".to_owned(),
    };
    Err(ContractError::Version { found })
}

/// Returns a scalar as it stands in the file: YAML reads `openapi: 3.0` as a number.
fn written(node: &Node<'_>) -> String {
    match &node.value {
        Datum::Text(text) | Datum::Number(text) => text.to_string(),
        _ => node.canonical(),
    }
}

/// A document with an index of what its references name.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) root: &'a Node<'a>,
    pub(super) version: Version,
    components: HashMap<(&'a str, &'a str), &'a Node<'a>>,
}

impl<'a> View<'a> {
    fn of(root: &'a Node<'a>, version: Version) -> Self {
        let sections = root.get("components").map(Node::entries).unwrap_or_default();
        let components = sections.iter().flat_map(|(section, node)| {
            node.entries().iter().map(move |(name, node)| ((section.as_ref(), name.as_ref()), node))
        });
        View { root, version, components: components.collect() }
    }

    /// Follows the references of a node to what they name.
    pub(super) fn follow(&self, node: &'a Node<'a>) -> &'a Node<'a> {
        let mut node = node;
        for _ in 0..HOPS {
            let Some(next) = node.text("$ref").and_then(|reference| self.target(reference)) else { break };
            node = next;
        }
        node
    }

    /// Returns the member `key`, references followed.
    pub(super) fn get(&self, node: &'a Node<'a>, key: &str) -> Option<&'a Node<'a>> {
        node.get(key).map(|node| self.follow(node))
    }

    pub(super) fn target(&self, reference: &str) -> Option<&'a Node<'a>> {
        let pointer = reference.strip_prefix('#')?;
        let parts = pointer.strip_prefix("/components/").and_then(|rest| rest.split_once('/'));
        let plain = parts.filter(|(_, name)| !name.contains(['/', '~', '%']));
        match plain {
            Some((section, name)) => self.components.get(&(section, name)).copied(),
            None => self.root.at(&super::super::reference::percent_decoded(pointer)),
        }
    }

    /// Checks every reference: it stays inside the document, leads to something, and not in a circle.
    fn verify(&self, node: &'a Node<'a>) -> Result<(), ContractError> {
        if let Some(reference) = node.text("$ref") {
            self.verify_one(node, reference)?;
        }
        let members = node.entries().iter().filter(|(key, node)| !is_data(key, node));
        members.map(|(_, node)| node).chain(node.items()).try_for_each(|node| self.verify(node))
    }

    fn verify_one(&self, node: &'a Node<'a>, reference: &str) -> Result<(), ContractError> {
        let at = || format!("#{}", self.root.pointer(node.id));
        let (mut next, mut name) = (node, reference.to_owned());
        for _ in 0..HOPS {
            let error = |reference: String| match reference.strip_prefix('#') {
                None => ContractError::Remote { at: at(), reference },
                Some(pointer) if !pointer.is_empty() && !pointer.starts_with('/') => {
                    ContractError::Anchor { at: at(), reference }
                }
                Some(_) => ContractError::Dangling { at: at(), reference },
            };
            next = self.target(&name).ok_or_else(|| error(name.clone()))?;
            match next.text("$ref") {
                Some(further) => name = further.to_owned(),
                None => return Ok(()),
            }
        }
        let _ = next;
        Err(ContractError::Circle { at: at(), reference: reference.to_owned() })
    }
}

/// Tells whether a member holds data, in which a `$ref` is nobody's reference.
fn is_data(key: &str, node: &Node<'_>) -> bool {
    let data = matches!(key, "example" | "default" | "enum" | "const") || key.starts_with("x-");
    // A property may have such a name; its schema is an object that says so.
    data && !["type", "$ref", "allOf", "properties"].iter().any(|word| node.get(word).is_some_and(is_keyword))
}

fn is_keyword(node: &Node<'_>) -> bool {
    matches!(node.value, Datum::Text(_) | Datum::List(_) | Datum::Map(_))
}
