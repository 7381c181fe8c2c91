//! The tables of a subset and how they hang together.

use std::collections::BTreeSet;

use super::{LogicalKey, Others, SubsetFile};
use crate::sync::{Table, quoted};

/// Rows that a subset may hold in any case, however few its roots are.
const ALWAYS_ALLOWED: u64 = 10_000;
/// How many times more rows than expected are taken for an explosion.
const EXPLOSION: u64 = 5;
/// A table without a path to the roots that is larger than this is not copied without being named.
const LARGE: u64 = 64 << 20;

/// A table or a partitioned table of the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// Its object id.
    pub oid: u32,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Whether its rows are those of partitions.
    pub is_partitioned: bool,
    /// The places of the tables that hold its rows: its own, or its partitions'.
    pub leaves: Vec<usize>,
}

impl Relation {
    /// Returns the name as people write it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Returns the name in SQL, for all rows that are its own.
    #[must_use]
    pub fn sql(&self) -> String {
        let only = if self.is_partitioned { "" } else { "only " };
        format!("{only}{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// A foreign key of the schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForeignKey {
    /// The place of the relation that references.
    pub child: usize,
    /// Its columns.
    pub columns: Vec<String>,
    /// The place of the relation that is referenced.
    pub parent: usize,
    /// When a row `c` references a row `p`, in SQL.
    pub join: String,
}

/// A reference, and when it is followed downwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// The place of the relation that references.
    pub child: usize,
    /// The place of the relation that is referenced.
    pub parent: usize,
    /// Both, as people write them.
    pub label: String,
    /// When a row `c` references a row `p`, in SQL.
    pub join: String,
    /// Which rows of the child reference this relation, in SQL; all where `None`.
    pub when: Option<String>,
    /// Whether the child's rows come with rows that came downwards themselves, or are roots.
    pub from_roots: bool,
    /// Whether the child's rows come with every row of the parent.
    pub from_all: bool,
}

impl Edge {
    /// Returns the statement that finds the rows that rows of the table `leaf` reference, by `tableoid` and `ctid`.
    ///
    /// It takes the places of these rows, or nothing where `is_whole`.
    #[must_use]
    pub fn up(&self, relations: &[Relation], leaf: &Table, is_whole: bool) -> String {
        let places = if is_whole { "" } else { "c.ctid = any($1) and " };
        let child = self.restricted(&format!("only {}", leaf.sql()));
        format!(
            "select p.tableoid, p.ctid from {} p where exists (select from {child} c where {places}{})",
            relations[self.parent].sql(),
            self.join
        )
    }

    /// Returns the statement that finds the rows that reference rows of the table `leaf`, by `tableoid` and `ctid`.
    ///
    /// It takes the places of these rows, or nothing where `is_whole`.
    #[must_use]
    pub fn down(&self, relations: &[Relation], leaf: &Table, is_whole: bool) -> String {
        let places = if is_whole { "" } else { "p.ctid = any($1) and " };
        let child = self.restricted(&relations[self.child].sql());
        format!(
            "select c.tableoid, c.ctid from {child} c where exists (select from only {} p where {places}{})",
            leaf.sql(),
            self.join
        )
    }

    fn restricted(&self, relation: &str) -> String {
        let when = |condition: &String| format!("(select tableoid, ctid, * from {relation} where ({condition}))");
        self.when.as_ref().map_or_else(|| relation.to_owned(), when)
    }
}

/// A subset of one database, as its file and the schema define it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// The relations.
    pub relations: Vec<Relation>,
    /// The references between them.
    pub edges: Vec<Edge>,
    /// The relations that the subset begins with, each with which of its rows.
    pub roots: Vec<(usize, String)>,
    /// The places of the tables that are copied whole.
    pub whole: BTreeSet<usize>,
    /// How many rows may be found; `None` where it follows from the roots.
    pub max_rows: Option<u64>,
}

impl Slice {
    /// Reads what the file means for a schema; `tables` are those that hold rows.
    ///
    /// # Errors
    /// Each reason with its way out.
    pub fn new(
        file: &SubsetFile,
        tables: &[Table],
        relations: Vec<Relation>,
        keys: &[ForeignKey],
    ) -> Result<Self, Vec<String>> {
        let mut names = Names { relations: &relations, wrong: Vec::new() };
        let roots: Vec<(usize, String)> = file
            .roots
            .iter()
            .filter_map(|(name, condition)| Some((names.find("roots", name)?, condition.clone())))
            .collect();
        let down: Vec<usize> = file.follow.down.iter().filter_map(|name| names.find("follow.down", name)).collect();
        let never: Vec<(usize, Option<String>)> =
            file.follow.never.iter().filter_map(|name| names.column(name)).collect();
        let always: Vec<usize> = file.always.iter().filter_map(|name| names.find("always", name)).collect();
        let logical: Vec<(ForeignKey, Option<String>)> =
            file.keys.iter().filter_map(|key| Some((names.key(key)?, key.when.clone()))).collect();
        let mut wrong = names.wrong;
        if file.roots.is_empty() {
            wrong.push("`roots` names no table: roots = { users = \"id % 100 = 7\" }".to_owned());
        }
        let declared = keys.iter().map(|key| (key.clone(), None));
        let edge = |(key, when): (ForeignKey, Option<String>)| {
            let is_never = never.iter().any(|(relation, column)| {
                *relation == key.child && column.as_ref().is_none_or(|column| key.columns.contains(column))
            });
            // The rows of a root are chosen by its condition, and by what others need.
            let is_root = roots.iter().any(|(root, _)| *root == key.child);
            Edge {
                child: key.child,
                parent: key.parent,
                label: edge_label(&relations, &key),
                join: key.join,
                when,
                from_roots: !is_never && !is_root,
                from_all: !is_never && down.contains(&key.child),
            }
        };
        let edges: Vec<Edge> = declared.chain(logical).map(edge).collect();
        let mut slice = Slice { relations, edges, roots, max_rows: file.max_rows, ..Slice::default() };
        slice.whole = always.iter().flat_map(|place| slice.relations[*place].leaves.clone()).collect();
        slice.place_others(file.others, tables, &mut wrong);
        slice.check_places(tables, &mut wrong);
        if wrong.is_empty() { Ok(slice) } else { Err(wrong) }
    }

    /// Decides what becomes of the tables that nothing connects with the roots.
    fn place_others(&mut self, others: Others, tables: &[Table], wrong: &mut Vec<String>) {
        let connected = self.connected();
        for (at, table) in tables.iter().enumerate() {
            // Rows that an extension lists as its configuration are part of the schema.
            if table.condition.is_some() {
                self.whole.insert(at);
                continue;
            }
            if others == Others::Empty || connected.contains(&at) || self.whole.contains(&at) {
                continue;
            }
            if table.bytes > LARGE {
                wrong.push(format!(
                    "{} has no foreign key to a table of the subset and is {} MiB large; add it to `always`, add a key to \
                     `keys`, or write others = \"empty\"",
                    table.label(),
                    table.bytes >> 20
                ));
            }
            self.whole.insert(at);
        }
    }

    /// Refuses tables whose rows have no places.
    fn check_places(&self, tables: &[Table], wrong: &mut Vec<String>) {
        let connected = self.connected();
        let is_part = |at: &usize| connected.contains(at) && !self.whole.contains(at);
        for (_, table) in tables.iter().enumerate().filter(|(at, table)| is_part(at) && !table.has_blocks) {
            wrong.push(format!(
                "{} is stored by another access method than heap, whose rows cannot be picked; add it to `always`",
                table.label()
            ));
        }
    }

    /// Returns the tables that references connect with the roots, in any direction.
    fn connected(&self) -> BTreeSet<usize> {
        let leaves = |relation: usize| self.relations[relation].leaves.iter().copied();
        let mut found: BTreeSet<usize> = self.roots.iter().flat_map(|(root, _)| leaves(*root)).collect();
        loop {
            let before = found.len();
            for edge in &self.edges {
                let both: Vec<usize> = leaves(edge.child).chain(leaves(edge.parent)).collect();
                if both.iter().any(|leaf| found.contains(leaf)) {
                    found.extend(both);
                }
            }
            if found.len() == before {
                return found;
            }
        }
    }

    /// Returns how many rows may be found where the roots have `roots` of `of` rows, in a database of `rows`.
    #[must_use]
    pub fn limit(&self, roots: u64, of: u64, rows: u64) -> u64 {
        let share = u128::from(roots.min(of)) * u128::from(rows) / u128::from(of.max(1));
        let expected = u64::try_from(share).unwrap_or(u64::MAX).saturating_mul(EXPLOSION);
        self.max_rows.unwrap_or_else(|| expected.max(ALWAYS_ALLOWED).max(roots))
    }
}

fn edge_label(relations: &[Relation], key: &ForeignKey) -> String {
    format!("{}({}) -> {}", relations[key.child].label(), key.columns.join(", "), relations[key.parent].label())
}

/// Finds relations by the names of the file.
struct Names<'a> {
    relations: &'a [Relation],
    wrong: Vec<String>,
}

impl Names<'_> {
    fn find(&mut self, key: &str, name: &str) -> Option<usize> {
        match self.places(name)[..] {
            [place] => Some(place),
            [] => {
                self.wrong.push(format!("`{key}` names table {name}, which does not exist"));
                None
            }
            _ => {
                self.wrong.push(format!("`{key}` names table {name}, which several schemas have; write schema.{name}"));
                None
            }
        }
    }

    fn places(&self, name: &str) -> Vec<usize> {
        let all = || self.relations.iter().enumerate();
        let exact: Vec<usize> = all().filter(|(_, one)| one.label() == name).map(|(at, _)| at).collect();
        if exact.is_empty() { all().filter(|(_, one)| one.name == name).map(|(at, _)| at).collect() } else { exact }
    }

    /// Finds a table, or a table and the column behind its last dot.
    fn column(&mut self, name: &str) -> Option<(usize, Option<String>)> {
        if let [place] = self.places(name)[..] {
            return Some((place, None));
        }
        match name.rsplit_once('.') {
            Some((table, column)) if self.places(table).len() == 1 => {
                Some((self.places(table)[0], Some(column.to_owned())))
            }
            _ => self.find("follow.never", name).map(|place| (place, None)),
        }
    }

    fn key(&mut self, key: &LogicalKey) -> Option<ForeignKey> {
        let (child, parent) = (self.find("keys", &key.child)?, self.find("keys", &key.parent)?);
        if key.columns.is_empty() || key.columns.len() != key.to.len() {
            let (own, other) = (key.columns.len(), key.to.len());
            self.wrong.push(format!(
                "`keys` of {}: `columns` has {own} and `to` {other} names; both need as many",
                key.child
            ));
            return None;
        }
        let pairs = key.columns.iter().zip(&key.to);
        let equal: Vec<String> = pairs.map(|(own, to)| format!("p.{} = c.{}", quoted(to), quoted(own))).collect();
        Some(ForeignKey { child, parent, columns: key.columns.clone(), join: equal.join(" and ") })
    }
}
