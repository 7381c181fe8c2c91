//! Facts, and the tree they form.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Fact, Id, Kind, casts, options};

/// A hash of a fact with all its parts.
pub(super) type Rollup = [u8; 32];

#[derive(Clone, Debug)]
struct Node {
    fact: Fact,
    children: Vec<Id>,
    rollup: Rollup,
}

/// The schema of one database at one moment.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    nodes: BTreeMap<Id, Node>,
    roots: Vec<Id>,
    unmodelled: BTreeMap<String, u64>,
}

impl Facts {
    /// Builds the tree.
    ///
    /// `unmodelled` counts user objects that no fact tells of, by catalog. Storage options that no user is known to set
    /// are taken out of the facts and counted there too; expressions are brought to the form that a restore gives. A fact whose parent is not there stands at the top. Two facts
    /// of one address are both kept; the later one is numbered.
    #[must_use]
    pub fn new(facts: Vec<Fact>, mut unmodelled: BTreeMap<String, u64>) -> Self {
        let mut nodes: BTreeMap<Id, Node> = BTreeMap::new();
        for mut fact in facts {
            options::settle(&mut fact, &mut unmodelled);
            casts::settle(&mut fact);
            let name = fact.id.name.clone();
            let mut number = 1;
            while nodes.contains_key(&fact.id) {
                number += 1;
                fact.id.name = format!("{name} #{number}");
            }
            nodes.insert(fact.id.clone(), Node { fact, children: Vec::new(), rollup: [0; 32] });
        }
        let mut roots = Vec::new();
        let mut parts: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for Node { fact, .. } in nodes.values() {
            match fact.parent.as_ref().filter(|parent| **parent != fact.id && nodes.contains_key(parent)) {
                Some(parent) => parts.entry(parent.clone()).or_default().push(fact.id.clone()),
                None => roots.push(fact.id.clone()),
            }
        }
        for (parent, children) in parts {
            if let Some(node) = nodes.get_mut(&parent) {
                node.children = children;
            }
        }
        let mut facts = Facts { nodes, roots, unmodelled };
        for root in facts.roots.clone() {
            facts.roll_up(&root);
        }
        facts
    }

    fn roll_up(&mut self, id: &Id) -> Rollup {
        let Some(node) = self.nodes.get(id) else { return [0; 32] };
        let mut hash = Sha256::new();
        for (key, value) in &node.fact.payload {
            put(&mut hash, key.as_bytes());
            put(&mut hash, value.as_bytes());
        }
        let children = node.children.clone();
        let mut parts: Vec<(Kind, String, Rollup)> = Vec::with_capacity(children.len());
        for child in &children {
            let rollup = self.roll_up(child);
            parts.push((child.kind, child.within(id).to_owned(), rollup));
        }
        parts.sort();
        for (kind, name, rollup) in parts {
            put(&mut hash, kind.word().as_bytes());
            put(&mut hash, name.as_bytes());
            hash.update(rollup);
        }
        let rollup: Rollup = hash.finalize().into();
        if let Some(node) = self.nodes.get_mut(id) {
            node.rollup = rollup;
        }
        rollup
    }

    /// Returns a fact by its address.
    #[must_use]
    pub fn get(&self, id: &Id) -> Option<&Fact> {
        self.nodes.get(id).map(|node| &node.fact)
    }

    /// Returns all facts, sorted by address.
    pub fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.nodes.values().map(|node| &node.fact)
    }

    /// Returns how many facts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns whether nothing was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns how many user objects no fact tells of, by catalog, and how many options, by name.
    #[must_use]
    pub fn unmodelled(&self) -> &BTreeMap<String, u64> {
        &self.unmodelled
    }

    /// Returns how many user objects no fact tells of, by catalog. An unknown option is none: a minor release of the
    /// server may bring one to every column, and nothing of the user's is missed.
    pub fn unmodelled_objects(&self) -> impl Iterator<Item = (&str, u64)> {
        let objects = self.unmodelled.iter().filter(|(what, _)| !options::is_count_of_options(what));
        objects.map(|(what, count)| (what.as_str(), *count))
    }

    /// Returns the parts of a thing, or what stands at the top, sorted.
    pub(super) fn children(&self, of: Option<&Id>) -> &[Id] {
        match of {
            None => &self.roots,
            Some(id) => self.nodes.get(id).map_or(&[], |node| &node.children),
        }
    }

    pub(super) fn rollup(&self, id: &Id) -> Option<&Rollup> {
        self.nodes.get(id).map(|node| &node.rollup)
    }

    /// Counts the parts of a thing, and theirs.
    pub(super) fn parts(&self, id: &Id) -> usize {
        self.children(Some(id)).iter().map(|child| 1 + self.parts(child)).sum()
    }

    /// Returns the outermost thing that this is a part of, schemas not counted.
    #[must_use]
    pub fn object(&self, id: &Id) -> Id {
        let parent = self.get(id).and_then(|fact| fact.parent.as_ref());
        match parent.filter(|parent| parent.kind != Kind::Schema || id.kind.is_attached()) {
            Some(parent) if self.nodes.contains_key(parent) => self.object(parent),
            _ => id.clone(),
        }
    }
}

/// Feeds a text with its length, so that `ab` `c` and `a` `bc` are two things.
fn put(hash: &mut Sha256, text: &[u8]) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}
