//! Finds all rows of a subset in rounds: each row is followed once in each direction, until nothing new is found.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{Edge, RowPlace, Slice};
use crate::sync::Table;

/// Which way a reference is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the rows that are referenced.
    Up,
    /// To the rows that reference.
    Down,
}

/// A question to the source: which rows do these reference, or which reference these?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The reference's place in [`Slice::edges`].
    pub edge: usize,
    /// Which way it is followed.
    pub direction: Direction,
    /// The place of the table that the rows are in.
    pub table: usize,
    /// The rows; all of the table where `None`.
    pub rows: Option<Vec<RowPlace>>,
}

/// The rows of one table that the subset holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selected {
    /// All.
    Whole,
    /// These, in the table's order.
    Rows(Vec<RowPlace>),
}

/// More rows were found than the subset may hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the subset has more than {limit} rows; most of them came by {path}; {}narrow `roots`, or allow more by `max_rows`",
    child.as_ref().map(|child| format!("add {child} to `follow.never`, ")).unwrap_or_default()
)]
pub struct Explosion {
    /// How many rows it may hold.
    pub limit: u64,
    /// The references by which most rows came.
    pub path: String,
    /// The table that brought them, where it need not be followed.
    pub child: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Found {
    is_whole: bool,
    all: BTreeSet<RowPlace>,
    /// Those whose children come too.
    down: BTreeSet<RowPlace>,
    new: Vec<RowPlace>,
    new_down: Vec<RowPlace>,
}

/// The rows found so far.
#[derive(Debug)]
pub struct Closure<'a> {
    slice: &'a Slice,
    tables: Vec<Found>,
    steps: VecDeque<Step>,
    /// How many rows each edge brought into the relation that it leads to, by (edge, is down).
    brought: BTreeMap<(usize, bool), u64>,
    found: u64,
    limit: u64,
}

impl<'a> Closure<'a> {
    /// Begins with the tables that are copied whole; `tables` is how many there are.
    #[must_use]
    pub fn new(slice: &'a Slice, tables: usize) -> Self {
        let mut all = vec![Found::default(); tables];
        let mut steps = VecDeque::new();
        for place in &slice.whole {
            all[*place].is_whole = true;
            let edges = || slice.edges.iter().enumerate();
            let ups = edges().filter(|(_, edge)| holds(slice, edge.child, *place)).map(|(at, _)| (at, Direction::Up));
            let downs = edges().filter(|(_, edge)| edge.from_all && holds(slice, edge.parent, *place));
            let both = ups.chain(downs.map(|(at, _)| (at, Direction::Down)));
            steps.extend(both.map(|(edge, direction)| Step { edge, direction, table: *place, rows: None }));
        }
        Closure { slice, tables: all, steps, brought: BTreeMap::new(), found: 0, limit: u64::MAX }
    }

    /// Adds rows that the subset begins with.
    pub fn begin(&mut self, table: usize, rows: &[RowPlace]) {
        self.add(table, rows, true);
    }

    /// Sets how many rows may be found by references.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Returns the next step; none where every reference was followed.
    pub fn next_step(&mut self) -> Option<Step> {
        if self.steps.is_empty() {
            self.next_round();
        }
        self.steps.pop_front()
    }

    /// Takes the rows of `table` that a step found.
    ///
    /// # Errors
    /// [`Explosion`] where there are more than the limit.
    pub fn found(&mut self, step: &Step, table: usize, rows: &[RowPlace]) -> Result<(), Explosion> {
        let is_down = step.direction == Direction::Down;
        let new = self.add(table, rows, is_down);
        *self.brought.entry((step.edge, is_down)).or_default() += new;
        if self.found <= self.limit {
            return Ok(());
        }
        // What other rows need cannot be left out.
        let child = match self.brought.iter().max_by_key(|(_, rows)| **rows) {
            Some(((edge, true), _)) => Some(self.slice.relations[self.slice.edges[*edge].child].label()),
            _ => None,
        };
        Err(Explosion { limit: self.limit, path: self.path(), child })
    }

    /// Returns what the subset holds of each table.
    #[must_use]
    pub fn selected(self) -> Vec<Selected> {
        let of = |found: Found| match found.is_whole {
            true => Selected::Whole,
            false => Selected::Rows(found.all.into_iter().collect()),
        };
        self.tables.into_iter().map(of).collect()
    }

    /// Adds rows and returns how many of them are new.
    fn add(&mut self, table: usize, rows: &[RowPlace], is_down: bool) -> u64 {
        let found = &mut self.tables[table];
        let mut new = 0;
        for row in rows {
            if !found.is_whole && found.all.insert(*row) {
                found.new.push(*row);
                new += 1;
            }
            if is_down && found.down.insert(*row) {
                found.new_down.push(*row);
            }
        }
        self.found += new;
        new
    }

    fn next_round(&mut self) {
        for place in 0..self.tables.len() {
            let new = std::mem::take(&mut self.tables[place].new);
            let new_down = std::mem::take(&mut self.tables[place].new_down);
            if new.is_empty() && new_down.is_empty() {
                continue;
            }
            for (number, edge) in self.slice.edges.iter().enumerate() {
                let mut add = |direction, rows: &[RowPlace]| {
                    if !rows.is_empty() {
                        self.steps.push_back(Step { edge: number, direction, table: place, rows: Some(rows.to_vec()) });
                    }
                };
                if holds(self.slice, edge.child, place) {
                    add(Direction::Up, &new);
                }
                if holds(self.slice, edge.parent, place) && leads_down(edge) {
                    add(Direction::Down, if edge.from_all { &new } else { &new_down });
                }
            }
        }
    }

    /// Returns the references by which most rows came, from a root to where there are most.
    fn path(&self) -> String {
        let ends = |(edge, is_down): (usize, bool)| {
            let edge = &self.slice.edges[edge];
            if is_down { (edge.parent, edge.child) } else { (edge.child, edge.parent) }
        };
        let Some((mut at, _)) = self.brought.iter().max_by_key(|(_, rows)| **rows) else {
            return "its roots".to_owned();
        };
        let (mut path, mut seen) = (Vec::new(), BTreeSet::new());
        loop {
            let (from, to) = ends(*at);
            seen.insert(to);
            path.push(format!(
                "{} {} {} ({} rows)",
                self.slice.relations[from].label(),
                if at.1 { "<-" } else { "->" },
                self.slice.relations[to].label(),
                self.brought[at]
            ));
            let is_root = self.slice.roots.iter().any(|(root, _)| *root == from);
            let before = self.brought.iter().filter(|(one, _)| ends(**one).1 == from && !seen.contains(&ends(**one).0));
            match before.max_by_key(|(_, rows)| **rows) {
                Some((one, _)) if !is_root => at = one,
                _ => break,
            }
        }
        path.reverse();
        path.join(", ")
    }

    /// Returns how many rows of `table` were found so far, and whether it is copied whole.
    #[must_use]
    pub fn count(&self, table: usize) -> (u64, bool) {
        (self.tables[table].all.len() as u64, self.tables[table].is_whole)
    }
}

fn holds(slice: &Slice, relation: usize, table: usize) -> bool {
    slice.relations[relation].leaves.contains(&table)
}

fn leads_down(edge: &Edge) -> bool {
    edge.from_roots || edge.from_all
}

impl Selected {
    /// Returns whether nothing of the table is copied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Selected::Rows(rows) if rows.is_empty())
    }

    /// Returns how many of a table's bytes these rows are, where it has `rows` of them.
    #[must_use]
    pub fn bytes(&self, table: &Table) -> u64 {
        match self {
            Selected::Whole => table.bytes,
            Selected::Rows(rows) => {
                let share = u128::from(table.bytes) * rows.len() as u128 / u128::from(table.rows.max(1));
                u64::try_from(share).unwrap_or(table.bytes).min(table.bytes)
            }
        }
    }
}
