//! YAML with lines: the events of the parser, put together.

use std::{borrow::Cow, collections::HashMap};

use granit_parser::{Event, Parser, ScalarStyle, ScanError};

use super::{
    super::error::ContractError,
    block,
    scalar::plain,
    tree::{Datum, Node},
};

/// How deep values may be nested, as in JSON: what walks over them later calls itself at every level.
const DEPTH: usize = 128;
/// How many values a file may have, those that aliases repeat included.
const NODES: u32 = 8_000_000;

/// Reads the only document of a YAML text.
pub(super) fn read(text: &str) -> Result<Node<'_>, ContractError> {
    match block::read(text) {
        Some(root) => Ok(root),
        None => parsed(text),
    }
}

/// Reads it with the parser, which knows all of YAML.
pub(super) fn parsed(text: &str) -> Result<Node<'_>, ContractError> {
    let mut builder = Builder::default();
    for next in Parser::new_from_str(text.trim_start_matches('\u{feff}')) {
        let (event, span) = next.map_err(|error| unreadable(&error))?;
        let line = u32::try_from(span.start.line()).unwrap_or(u32::MAX);
        if builder.root.is_some() && has_value(&event) {
            return Err(wrong(line, "a second document begins here; a file holds one"));
        }
        if builder.root.is_none() {
            builder.take(event, line)?;
        }
    }
    builder.root.ok_or_else(|| wrong(1, "the file is empty"))
}

/// Returns whether an event is one of a value; `---` with nothing behind it has none.
fn has_value(event: &Event<'_>) -> bool {
    match event {
        Event::MappingStart(..) | Event::SequenceStart(..) | Event::Alias(_) => true,
        Event::Scalar(text, style, ..) => !matches!(text.as_ref(), "" | "~") || *style != ScalarStyle::Plain,
        _ => false,
    }
}

fn unreadable(error: &ScanError) -> ContractError {
    let at = error.marker();
    ContractError::Syntax { line: at.line() as u64, column: at.col() as u64 + 1, message: error.info() }
}

fn wrong(line: u32, message: &str) -> ContractError {
    ContractError::Syntax { line: u64::from(line), column: 1, message: message.to_owned() }
}

/// A collection that is not at its end yet.
struct Open<'t> {
    id: u32,
    line: u32,
    anchor: usize,
    content: Content<'t>,
}

enum Content<'t> {
    List(Vec<Node<'t>>),
    /// `merged` are the values of merge keys; their members come in at the end, where the own ones are known.
    Map {
        entries: Vec<(Cow<'t, str>, Node<'t>)>,
        key: Option<(Cow<'t, str>, u32)>,
        merged: Vec<Node<'t>>,
    },
}

#[derive(Default)]
struct Builder<'t> {
    open: Vec<Open<'t>>,
    anchors: HashMap<usize, Node<'t>>,
    next_id: u32,
    root: Option<Node<'t>>,
}

impl<'t> Builder<'t> {
    fn take(&mut self, event: Event<'t>, line: u32) -> Result<(), ContractError> {
        match event {
            Event::MappingStart(_, anchor, _) => {
                self.begin(line, anchor, Content::Map { entries: Vec::new(), key: None, merged: Vec::new() })
            }
            Event::SequenceStart(_, anchor, _) => self.begin(line, anchor, Content::List(Vec::new())),
            Event::MappingEnd | Event::SequenceEnd => self.end(),
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix() == "str");
                self.scalar(text, is_text, anchor, line)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(mut node) => {
                    self.renumber(&mut node);
                    self.put(node, line)
                }
                None => Err(wrong(line, "an alias that refers to a node around itself")),
            },
            _ => Ok(()),
        }
    }

    fn id(&mut self) -> u32 {
        self.next_id += 1;
        self.next_id - 1
    }

    fn begin(&mut self, line: u32, anchor: usize, content: Content<'t>) -> Result<(), ContractError> {
        if let Some(Open { content: Content::Map { key: None, .. }, .. }) = self.open.last() {
            return Err(wrong(line, "a key that is not a plain string"));
        }
        if self.open.len() >= DEPTH {
            return Err(wrong(line, "values are nested too deeply"));
        }
        let id = self.id();
        self.open.push(Open { id, line, anchor, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ContractError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(mut items) => {
                items.shrink_to_fit();
                Datum::List(items)
            }
            Content::Map { mut entries, merged, .. } => {
                merged.into_iter().for_each(|node| self.merge(&mut entries, node));
                entries.shrink_to_fit();
                Datum::Map(entries)
            }
        };
        self.finish(Node { id: open.id, line: open.line, value }, open.anchor)
    }

    fn scalar(&mut self, text: Cow<'t, str>, is_text: bool, anchor: usize, line: u32) -> Result<(), ContractError> {
        if let Some(Open { content: Content::Map { key: key @ None, .. }, .. }) = self.open.last_mut() {
            *key = Some((text, line));
            return Ok(());
        }
        let value = if is_text { Datum::Text(text) } else { plain(text) };
        let id = self.id();
        self.finish(Node { id, line, value }, anchor)
    }

    fn finish(&mut self, node: Node<'t>, anchor: usize) -> Result<(), ContractError> {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let line = node.line;
        self.put(node, line)
    }

    fn put(&mut self, mut node: Node<'t>, line: u32) -> Result<(), ContractError> {
        if self.next_id > NODES {
            return Err(wrong(line, "aliases make the file too large"));
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.root = Some(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key, merged }) => {
                let Some((name, line)) = key.take() else {
                    return Err(wrong(line, "a key that is not a plain string"));
                };
                if name == "<<" {
                    let is_mergeable =
                        node.is_map() || node.items().iter().all(Node::is_map) && !node.items().is_empty();
                    merged.push(node);
                    let expected = "a merge key `<<` needs a mapping, or a list of mappings";
                    return if is_mergeable { Ok(()) } else { Err(wrong(line, expected)) };
                }
                if entries.iter().any(|(other, _)| *other == name) {
                    return Err(wrong(line, &format!("the key `{name}` is defined twice")));
                }
                node.line = line;
                entries.push((name, node));
            }
        }
        Ok(())
    }

    /// Adds the members of a merge key's mappings that are not there already: own keys win, then earlier mappings.
    // Source: https://yaml.org/type/merge.html
    fn merge(&mut self, entries: &mut Vec<(Cow<'t, str>, Node<'t>)>, node: Node<'t>) {
        let members = match node.value {
            Datum::List(items) => return items.into_iter().for_each(|item| self.merge(entries, item)),
            Datum::Map(members) => members,
            _ => return,
        };
        for (key, mut value) in members {
            if !entries.iter().any(|(other, _)| *other == key) {
                // Ids follow the order of the members, and these come last.
                self.renumber(&mut value);
                entries.push((key, value));
            }
        }
    }

    fn renumber(&mut self, node: &mut Node<'t>) {
        node.id = self.id();
        match &mut node.value {
            Datum::List(items) => items.iter_mut().for_each(|item| self.renumber(item)),
            Datum::Map(entries) => entries.iter_mut().for_each(|(_, item)| self.renumber(item)),
            _ => {}
        }
    }
}
