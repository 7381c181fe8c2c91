//! A contract of several files as one document, in which every value knows the file that it was written in.
//!
//! A schema of another file becomes a component, once, however often it is referred to; everything else is put where
//! the reference stands. What nothing refers to is not looked at.

mod names;
mod position;
mod sources;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::HashMap};

use position::Position;
use sources::{At, Sources};

use super::{
    super::{
        error::{ContractError, Problem},
        files::Files,
    },
    tree::{Datum, Node},
};

/// How many values the document may have.
const NODES: usize = if cfg!(test) { 100_000 } else { 8_000_000 };
/// How deep values may be nested, files in files included: what walks over them later calls itself at every level.
const DEPTH: usize = 250;

/// Where the values of a bundled document were written.
#[derive(Clone, Debug)]
pub(super) struct Origin<'t> {
    /// The files: the name that the document's references would give them, and what they hold.
    files: Vec<(String, Node<'t>)>,
    /// By the id of a value: its file, and its id there.
    written: Vec<(u32, u32)>,
    /// The document as a person names it.
    shown: String,
}

impl Origin<'_> {
    /// Returns the file of a value, if it is another one than the document, and its JSON pointer there.
    pub(super) fn of(&self, id: u32) -> (Option<&str>, String) {
        let (file, own) = self.written.get(id as usize).copied().unwrap_or_default();
        let Some((name, tree)) = self.files.get(file as usize) else { return (None, String::new()) };
        ((file > 0).then_some(name.as_str()), tree.pointer(own))
    }

    /// Returns the place of a value as a person reads it: `schemas/pet.yaml:12`.
    pub(super) fn place(&self, node: &Node<'_>) -> String {
        let document = super::super::files::file_of(&self.shown).to_owned();
        let file = self.of(node.id).0.map_or(document, |name| super::super::files::relative_to(&self.shown, name));
        format!("{file}:{}", node.line)
    }
}

/// Puts the files of a contract together.
///
/// # Errors
/// [`ContractError`], with file and line where a reference cannot be followed.
pub(super) fn bundle(files: &Files) -> Result<(Node<'_>, Origin<'_>), ContractError> {
    let sources = Sources::read(files)?;
    let Some(root) = sources.tree(0) else { return Err(ContractError::Size { nodes: 0 }) };
    let mut bundler = Bundler::new(&sources);
    let mut whole = bundler.copy(At { file: 0, node: root }, Position::Document)?;
    bundler.add_components(&mut whole)?;
    let names = bundler.names(&whole);
    let mut numbering = Numbering { names, old: bundler.written, new: Vec::new() };
    numbering.number(&mut whole);
    let written = numbering.new;
    let origin = Origin { files: sources.into_trees(), written, shown: files.shown().to_owned() };
    Ok((whole, origin))
}

/// A schema of another file that something refers to.
struct Target<'b, 't> {
    at: At<'b, 't>,
    /// The component of the document that it is put in the place of.
    alias: Option<String>,
    is_there: bool,
}

struct Bundler<'b, 't> {
    sources: &'b Sources<'t>,
    /// Where the values were written that were copied so far.
    written: Vec<(u32, u32)>,
    targets: Vec<Target<'b, 't>>,
    /// By file and id: the position in `targets`.
    known: HashMap<(usize, u32), usize>,
    /// What is being put in place of a reference.
    open: Vec<(usize, u32)>,
    depth: usize,
}

impl<'b, 't> Bundler<'b, 't> {
    fn new(sources: &'b Sources<'t>) -> Self {
        let (written, targets) = (Vec::new(), Vec::new());
        Bundler { sources, written, targets, known: HashMap::new(), open: Vec::new(), depth: 0 }
    }

    /// Copies a value, with all that it refers to in other files.
    fn copy(&mut self, at: At<'b, 't>, position: Position) -> Result<Node<'t>, ContractError> {
        if self.written.len() >= NODES {
            return Err(ContractError::Size { nodes: NODES });
        }
        if self.depth >= DEPTH {
            return Err(self.sources.contract_error(at, Problem::Depth(DEPTH)));
        }
        self.depth += 1;
        let copy = match self.reference(at, position) {
            Some(_) => self.referred(at, position),
            None => self.copied(at, position, None),
        };
        self.depth -= 1;
        copy
    }

    /// Returns the reference that stands for a value and leads out of the document, or from another file.
    fn reference(&self, at: At<'b, 't>, position: Position) -> Option<&'b str> {
        let reference = at.node.text("$ref").filter(|_| position != Position::Data)?;
        let is_own = at.file == 0 && reference.starts_with('#');
        (!is_own).then_some(reference)
    }

    /// Copies a value as it is, with `reference` instead of its own one.
    fn copied(
        &mut self,
        at: At<'b, 't>,
        position: Position,
        reference: Option<String>,
    ) -> Result<Node<'t>, ContractError> {
        let id = self.id(at);
        let value = match &at.node.value {
            Datum::Map(entries) => {
                let mut copies = Vec::with_capacity(entries.len());
                for (key, node) in entries {
                    let member = At { file: at.file, node };
                    let copy = match &reference {
                        Some(reference) if key == "$ref" => {
                            let id = self.id(member);
                            Node { id, line: node.line, value: Datum::Text(Cow::Owned(reference.clone())) }
                        }
                        _ if position == Position::ComponentsSchemas => self.component(key, member)?,
                        _ => self.copy(member, position.below(key))?,
                    };
                    copies.push((key.clone(), copy));
                }
                Datum::Map(copies)
            }
            Datum::List(items) => {
                let element = position.element();
                let copies = items.iter().map(|node| self.copy(At { file: at.file, node }, element));
                Datum::List(copies.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        };
        Ok(Node { id, line: at.node.line, value })
    }

    /// Copies what a reference leads to: a schema as the name of a component, everything else as it is.
    fn referred(&mut self, at: At<'b, 't>, position: Position) -> Result<Node<'t>, ContractError> {
        let target = self.sources.target(at)?;
        if target.file == 0 && !position.is_of_names() {
            let pointer = self.sources.tree(0).map(|root| root.pointer(target.node.id)).unwrap_or_default();
            return self.copied(at, position, Some(format!("#{}", encoded(&pointer))));
        }
        if position == Position::Schema && target.node.is_map() {
            // A chain that leads to no schema is reported where it begins.
            self.sources.end(at)?;
            let name = placeholder(self.target(target));
            return self.copied(at, position, Some(name));
        }
        let key = (target.file, target.node.id);
        if self.open.contains(&key) {
            return Err(self.sources.contract_error(at, Problem::Circle));
        }
        self.open.push(key);
        let copy = self.copy(target, position);
        self.open.pop();
        copy
    }

    /// Copies a named schema of the document. One that is only a reference is put in place, under its name.
    fn component(&mut self, name: &str, at: At<'b, 't>) -> Result<Node<'t>, ContractError> {
        let is_alone = at.node.entries().len() == 1 && self.reference(at, Position::Schema).is_some();
        let target = if is_alone { self.sources.target(at)? } else { at };
        if at.file > 0 {
            self.alias(at, name);
        }
        if target.file == 0 || !target.node.is_map() || !self.alias(target, name) {
            return self.copy(at, Position::Schema);
        }
        self.sources.end(at)?;
        self.copy(target, Position::Schema)
    }

    /// Gives a schema of another file the name of a component; `false` where it has one already.
    fn alias(&mut self, at: At<'b, 't>, name: &str) -> bool {
        let index = self.target(at);
        let target = &mut self.targets[index];
        if target.alias.as_deref().is_some_and(|known| known != name) {
            return false;
        }
        target.alias = Some(name.to_owned());
        target.is_there = true;
        true
    }

    /// Returns the position in `targets` of a schema of another file.
    fn target(&mut self, at: At<'b, 't>) -> usize {
        *self.known.entry((at.file, at.node.id)).or_insert_with(|| {
            self.targets.push(Target { at, alias: None, is_there: false });
            self.targets.len() - 1
        })
    }

    /// Adds the schemas of other files below `components`, and those that they refer to.
    fn add_components(&mut self, whole: &mut Node<'t>) -> Result<(), ContractError> {
        let mut schemas = Vec::new();
        let mut next = 0;
        while let Some((at, is_there)) = self.targets.get(next).map(|target| (target.at, target.is_there)) {
            if !is_there {
                schemas.push((Cow::Owned(placeholder(next)), self.copy(at, Position::Schema)?));
            }
            next += 1;
        }
        if !schemas.is_empty()
            && let Some(components) = self.member(whole, "components")
            && let Some(Node { value: Datum::Map(entries), .. }) = self.member(components, "schemas")
        {
            entries.extend(schemas);
        }
        Ok(())
    }

    /// Returns the member of a map, which is added where it is missing.
    fn member<'n>(&mut self, node: &'n mut Node<'t>, key: &'static str) -> Option<&'n mut Node<'t>> {
        let Datum::Map(entries) = &mut node.value else { return None };
        let at = entries.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
            self.written.push((0, 0));
            let id = u32::try_from(self.written.len() - 1).unwrap_or(u32::MAX);
            entries.push((Cow::Borrowed(key), Node { id, line: node.line, value: Datum::Map(Vec::new()) }));
            entries.len() - 1
        });
        entries.get_mut(at).map(|(_, node)| node)
    }

    fn id(&mut self, at: At<'b, 't>) -> u32 {
        self.written.push((u32::try_from(at.file).unwrap_or(u32::MAX), at.node.id));
        u32::try_from(self.written.len() - 1).unwrap_or(u32::MAX)
    }

    /// Returns the names of the components, by their positions in `targets`.
    fn names(&self, whole: &Node<'t>) -> Vec<String> {
        let own = whole.get("components").and_then(|components| components.get("schemas"));
        let own = own.map(Node::entries).unwrap_or_default().iter().map(|(name, _)| name.as_ref());
        let others = self.targets.iter().map(|target| {
            let pointer = self.sources.tree(target.at.file).map(|tree| tree.pointer(target.at.node.id));
            let file = self.sources.files.relative(self.sources.name(target.at.file));
            (target.alias.clone(), file, pointer.unwrap_or_default())
        });
        names::names(own, others.collect())
    }
}

/// What stands for the name of a component until all are known. No text of a file has it where a name is looked for.
fn placeholder(target: usize) -> String {
    format!("\0{target}")
}

/// Numbers the values in the order of the bundled document, and names its components.
struct Numbering {
    names: Vec<String>,
    old: Vec<(u32, u32)>,
    new: Vec<(u32, u32)>,
}

impl Numbering {
    fn number(&mut self, node: &mut Node<'_>) {
        self.new.push(self.old.get(node.id as usize).copied().unwrap_or_default());
        node.id = u32::try_from(self.new.len() - 1).unwrap_or(u32::MAX);
        match &mut node.value {
            Datum::Map(entries) => {
                for (key, node) in entries {
                    if let Some(name) = self.name(key) {
                        *key = Cow::Owned(name);
                    }
                    if let Datum::Text(text) = &mut node.value
                        && key == "$ref"
                        && let Some(name) = self.name(text)
                    {
                        *text = Cow::Owned(format!(
                            "#/components/schemas/{}",
                            encoded(&super::super::fragment::escaped(&name))
                        ));
                    }
                    self.number(node);
                }
            }
            Datum::List(items) => items.iter_mut().for_each(|item| self.number(item)),
            _ => {}
        }
    }

    fn name(&self, text: &str) -> Option<String> {
        let target: usize = text.strip_prefix('\0')?.parse().ok()?;
        self.names.get(target).cloned()
    }
}

/// Percent-encodes what a reader of the fragment would take for an encoded byte.
fn encoded(pointer: &str) -> String {
    pointer.replace('%', "%25")
}
