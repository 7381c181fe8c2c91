//! A text as a tree: in its format, of a version, with every reference a pointer.

use std::borrow::Cow;

use super::{
    super::{
        anchor::{self, Anchors},
        dialect::Version,
        error::ContractError,
        format::Format,
    },
    json,
    tree::{Datum, Node},
    yaml,
};

/// Reads a text as a tree with lines.
pub(super) fn tree_of(text: &str, format: Format) -> Result<Node<'_>, ContractError> {
    match format {
        Format::Json => json::read(text),
        Format::Yaml => yaml::read(text),
    }
}

/// Lists what the references of a text lead to that leave it, those in its data included; of a text that cannot be
/// read none, which is reported once it is read as a contract.
pub(in super::super) fn references(text: &str, format: Format) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(tree) = tree_of(text, format) {
        tree.references(&mut found);
    }
    found
}

/// Returns the version that a document states it is of.
pub(super) fn version(root: &Node<'_>) -> Result<Version, ContractError> {
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

/// Rewrites references to anchors and ids as pointers.
pub(super) fn resolve(root: &mut Node<'_>) -> Result<(), ContractError> {
    let Anchors { named, rewrites } = anchor::anchors(root)?;
    for rewrite in rewrites {
        let members = root.at_mut(&rewrite.at).map(|node| &mut node.value);
        let Some(Datum::Map(members)) = members else { continue };
        if let Some((key, node)) = members.iter_mut().find(|(key, _)| key == rewrite.key) {
            *key = Cow::Borrowed("$ref");
            node.value = Datum::Text(Cow::Owned(rewrite.to));
        }
    }
    for at in named {
        if let Some(Datum::Map(members)) = root.at_mut(&at).map(|node| &mut node.value) {
            members.retain(|(key, node)| !(anchor::NAMING.contains(&key.as_ref()) && node.as_text().is_some()));
        }
    }
    Ok(())
}
