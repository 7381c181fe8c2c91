//! The files of a contract, each read for itself, and where references between them lead.

use std::collections::HashMap;

use super::super::{
    super::{
        anchor,
        error::{ContractError, Problem},
        files::{Files, located, written},
        format::Format,
    },
    parse::{resolve, tree_of, version},
    tree::{Datum, Node},
};

/// How many references may lead to references before it is called a circle.
const HOPS: usize = 32;

/// A file of a contract.
pub(super) struct Source<'t> {
    pub(super) name: &'t str,
    /// What it holds, or why it cannot be used.
    tree: Result<Node<'t>, Unusable>,
}

/// Why a file cannot be used.
enum Unusable {
    /// Somebody could not read it.
    Unreadable(String),
    /// It was read, and is wrong.
    Wrong(ContractError),
}

/// All files, the document first.
pub(super) struct Sources<'t> {
    pub(super) files: &'t Files,
    all: Vec<Source<'t>>,
    index: HashMap<&'t str, usize>,
}

/// A node of one of the files.
#[derive(Clone, Copy)]
pub(super) struct At<'b, 't> {
    pub(super) file: usize,
    pub(super) node: &'b Node<'t>,
}

impl<'t> Sources<'t> {
    /// Reads every file.
    ///
    /// # Errors
    /// [`ContractError`] of the document; what is wrong with another file is reported once something refers to it.
    pub(super) fn read(files: &'t Files) -> Result<Self, ContractError> {
        let root = (files.root(), files.format());
        let mut all = Vec::new();
        for (name, text) in files.all() {
            let tree = match text {
                Ok(text) => tree(text, written(name, text, root)).map_err(Unusable::Wrong),
                Err(reason) => Err(Unusable::Unreadable(reason.clone())),
            };
            match tree {
                Err(Unusable::Wrong(error)) if all.is_empty() => return Err(error),
                tree => all.push(Source { name, tree }),
            }
        }
        let index = all.iter().enumerate().map(|(at, source)| (source.name, at)).collect();
        Ok(Sources { files, all, index })
    }

    /// Returns what a file holds that can be used.
    pub(super) fn tree(&self, file: usize) -> Option<&Node<'t>> {
        self.all.get(file).and_then(|source| source.tree.as_ref().ok())
    }

    /// Returns a file's name below the release's folder.
    pub(super) fn name(&self, file: usize) -> &'t str {
        self.all.get(file).map_or("", |source| source.name)
    }

    /// Gives the files away that can be used, each under the name that the document's references would give it.
    pub(super) fn into_trees(self) -> Vec<(String, Node<'t>)> {
        let empty = || Node { id: 0, line: 1, value: Datum::Null };
        let files = self.files;
        self.all.into_iter().map(|s| (files.relative(s.name), s.tree.unwrap_or_else(|_| empty()))).collect()
    }

    /// States what is wrong with the reference of a node.
    pub(super) fn contract_error(&self, at: At<'_, '_>, problem: Problem) -> ContractError {
        let member = at.node.get("$ref");
        ContractError::Reference {
            file: self.files.shown_as(self.name(at.file)),
            line: member.map_or(at.node.line, |member| member.line),
            reference: member.and_then(Node::as_text).unwrap_or_default().to_owned(),
            problem,
        }
    }

    /// Returns what the reference of a node leads to, which may be a reference again.
    ///
    /// # Errors
    /// [`ContractError`] with file and line where it leads to nothing, or out of the release.
    pub(super) fn target<'b>(&'b self, from: At<'b, 't>) -> Result<At<'b, 't>, ContractError> {
        self.found(from, 0)
    }

    /// Returns what the reference of a node leads to in the end.
    ///
    /// # Errors
    /// As [`Sources::target`], and where it leads in a circle.
    pub(super) fn end<'b>(&'b self, from: At<'b, 't>) -> Result<At<'b, 't>, ContractError> {
        let mut at = from;
        for _ in 0..HOPS {
            if at.node.text("$ref").is_none() {
                return Ok(at);
            }
            at = self.target(at)?;
        }
        Err(self.contract_error(from, Problem::Circle))
    }

    fn found<'b>(&'b self, from: At<'b, 't>, hops: usize) -> Result<At<'b, 't>, ContractError> {
        let reference = from.node.text("$ref").unwrap_or_default();
        let wrong = |problem| self.contract_error(from, problem);
        if hops > HOPS {
            return Err(wrong(Problem::Circle));
        }
        let target = located(self.name(from.file), reference).map_err(wrong)?;
        let file = match &target.file {
            None => from.file,
            Some(name) => *self.index.get(name.as_str()).ok_or_else(|| wrong(unread()))?,
        };
        let root = self.usable(file, from)?;
        let fragment = target.fragment;
        let shown = || self.files.shown_as(self.name(file));
        if !fragment.is_empty() && !fragment.starts_with('/') {
            return Err(wrong(Problem::Anchor(target.file.unwrap_or_else(|| self.name(file).to_owned()))));
        }
        let missing = || wrong(Problem::Missing { file: shown(), fragment: fragment.clone() });
        let mut at = At { file, node: root };
        for part in fragment.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            at = self.below(at, &part, hops)?.ok_or_else(missing)?;
        }
        Ok(at)
    }

    /// Returns a member or an element, also of what a reference in its place leads to.
    fn below<'b>(&'b self, at: At<'b, 't>, part: &str, hops: usize) -> Result<Option<At<'b, 't>>, ContractError> {
        let found = match &at.node.value {
            Datum::List(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
            _ => at.node.get(part),
        };
        match found {
            Some(node) => Ok(Some(At { file: at.file, node })),
            None if at.node.text("$ref").is_some() => {
                let further = self.found(at, hops + 1)?;
                if hops < HOPS {
                    self.below(further, part, hops + 1)
                } else {
                    Err(self.contract_error(at, Problem::Circle))
                }
            }
            None => Ok(None),
        }
    }

    /// Returns what a file holds that a node refers to.
    fn usable<'b>(&'b self, file: usize, from: At<'b, 't>) -> Result<&'b Node<'t>, ContractError> {
        let Some(source) = self.all.get(file) else { return Err(self.contract_error(from, unread())) };
        let tree = match &source.tree {
            Ok(tree) => tree,
            Err(Unusable::Unreadable(reason)) => {
                return Err(self.contract_error(from, Problem::Unreadable(reason.clone())));
            }
            Err(Unusable::Wrong(error)) => {
                let file = self.files.shown_as(source.name);
                return Err(ContractError::File { file, source: Box::new(error.clone()) });
            }
        };
        let own = self.tree(0).map(version);
        if file != from.file && (tree.get("openapi").is_some() || tree.get("swagger").is_some()) {
            let found = version(tree);
            if own != Some(found.clone()) {
                let found = match found {
                    Ok(_) => tree.text("openapi").unwrap_or_default().to_owned(),
                    Err(error) => error.to_string(),
                };
                return Err(self.contract_error(from, Problem::Version { found }));
            }
        }
        Ok(tree)
    }
}

fn unread() -> Problem {
    Problem::Unreadable("was not read: the contract has too many files".to_owned())
}

fn tree(text: &str, format: Option<Format>) -> Result<Node<'_>, ContractError> {
    let Some(format) = format else {
        return Ok(Node { id: 0, line: 1, value: Datum::Text(text.into()) });
    };
    let mut tree = tree_of(text, format)?;
    if anchor::may_be_in(text) {
        resolve(&mut tree)?;
    }
    Ok(tree)
}
