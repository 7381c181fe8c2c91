//! A contract read for comparing: its tree, its version, and where its references lead.

use std::collections::HashMap;

use super::{
    super::{
        anchor,
        dialect::Version,
        error::ContractError,
        files::Files,
        format::Format,
        walk::{Tree, objects},
    },
    bundle::{self, Origin},
    location::Location,
    malformed,
    parse::{resolve, tree_of, version},
    tree::Node,
};

/// How many references may lead to references before it is called a circle.
const HOPS: usize = 32;

/// An OpenAPI document, read for comparing it with another one. It borrows from its text.
#[derive(Clone, Debug)]
pub struct Contract<'t> {
    root: Node<'t>,
    version: Version,
    /// Where its values were written, if it has several files.
    origin: Option<Origin<'t>>,
}

impl<'t> Contract<'t> {
    /// Reads a document from its text.
    ///
    /// # Errors
    /// [`ContractError`] with line and column, or with the JSON pointer of the reference that cannot be followed.
    pub fn read(text: &'t str, format: Format) -> Result<Self, ContractError> {
        let mut root = tree_of(text, format)?;
        let version = version(&root)?;
        if anchor::may_be_in(text) {
            resolve(&mut root)?;
        }
        let contract = Contract { root, version, origin: None };
        contract.view().verify()?;
        Ok(contract)
    }

    /// Reads a document with the files that it refers to.
    ///
    /// # Errors
    /// As [`Contract::read`]; of several files with the file and the line of the reference.
    pub fn of(files: &'t Files) -> Result<Self, ContractError> {
        if files.is_single() {
            return Contract::read(files.text(), files.format());
        }
        let (root, origin) = bundle::bundle(files)?;
        let contract = Contract { version: version(&root)?, root, origin: Some(origin) };
        contract.view().verify()?;
        Ok(contract)
    }

    pub(super) fn view(&self) -> View<'_> {
        View::of(&self.root, self.version, self.origin.as_ref())
    }

    /// Returns the document as a value of `serde_json`.
    pub(in super::super) fn value(&self) -> serde_json::Value {
        self.root.json()
    }
}

/// A document with an index of what its references name.
#[derive(Clone, Debug)]
pub(super) struct View<'a> {
    pub(super) root: &'a Node<'a>,
    pub(super) version: Version,
    components: HashMap<(&'a str, &'a str), &'a Node<'a>>,
    origin: Option<&'a Origin<'a>>,
}

impl<'a> View<'a> {
    fn of(root: &'a Node<'a>, version: Version, origin: Option<&'a Origin<'a>>) -> Self {
        let sections = root.get("components").map(Node::entries).unwrap_or_default();
        let components = sections.iter().flat_map(|(section, node)| {
            node.entries().iter().map(move |(name, node)| ((section.as_ref(), name.as_ref()), node))
        });
        View { root, version, components: components.collect(), origin }
    }

    /// Returns where a node was written.
    pub(super) fn location(&self, node: &Node<'_>) -> Location {
        let (file, pointer) = match self.origin {
            None => (None, self.root.pointer(node.id)),
            Some(origin) => origin.of(node.id),
        };
        Location { file: file.map(str::to_owned), pointer, line: node.line }
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
        // A fragment that is no pointer is the name of an anchor, and `resolve` knew none of that name.
        let pointer = reference.strip_prefix('#').filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
        let parts = pointer.strip_prefix("/components/").and_then(|rest| rest.split_once('/'));
        let plain = parts.filter(|(_, name)| !name.contains(['/', '~', '%']));
        match plain {
            Some((section, name)) => self.components.get(&(section, name)).copied(),
            None => self.root.at(&super::super::fragment::percent_decoded(pointer)),
        }
    }

    /// Checks every object and every reference: it stays inside the document, leads to something, and not in a circle.
    fn verify(&self) -> Result<(), ContractError> {
        objects(self.root, &mut |node, path| match (malformed::fault(node, path), node.text("$ref")) {
            (Some(fault), _) => Err(self.malformed(node, fault)),
            (None, Some(reference)) => self.verify_one(node, reference),
            (None, None) => Ok(()),
        })
    }

    fn malformed(&self, node: &Node<'_>, (line, message): (u32, String)) -> ContractError {
        let error = ContractError::Syntax { line: u64::from(line), column: 1, message };
        match self.origin.and_then(|origin| origin.of(node.id).0) {
            Some(file) => ContractError::File { file: file.to_owned(), source: Box::new(error) },
            None => error,
        }
    }

    fn verify_one(&self, node: &'a Node<'a>, reference: &str) -> Result<(), ContractError> {
        let at = || match self.origin {
            None => format!("#{}", self.root.pointer(node.id)),
            Some(origin) => origin.place(node),
        };
        let (mut next, mut name) = (node, reference.to_owned());
        for _ in 0..HOPS {
            let error = |reference: String| match reference.strip_prefix('#') {
                None => ContractError::Remote { at: at(), reference },
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

impl Tree for Node<'_> {
    fn members(&self) -> impl Iterator<Item = (&str, &Self)> {
        self.entries().iter().map(|(key, node)| (key.as_ref(), node))
    }

    fn elements(&self) -> &[Self] {
        self.items()
    }

    fn member(&self, key: &str) -> Option<&Self> {
        self.get(key)
    }

    fn word(&self) -> Option<&str> {
        self.as_text()
    }
}
