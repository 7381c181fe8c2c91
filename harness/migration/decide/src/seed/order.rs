//! Which table first: those that are referred to before those that refer.

use std::collections::BTreeSet;

use super::{Name, Schema};

/// How a foreign key is met whose table has no rows yet when its own are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleBreak {
    /// A null first, the reference afterwards.
    NullFirst,
    /// The key that the other row is going to have; checked at the end.
    Foreseen,
}

/// One table, in its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The table.
    pub table: Name,
    /// Foreign keys, by their place, that are met in another way.
    pub broken: Vec<(usize, CycleBreak)>,
    /// Foreign keys, by name, of a circle that cannot be broken.
    pub stuck: Vec<String>,
}

/// Orders the tables.
///
/// In a circle of references one foreign key is broken: best one whose columns take a null, else one that can be
/// deferred. A row may refer to itself in either way.
#[must_use]
pub fn order(schema: &Schema) -> Vec<Ordered> {
    let mut left: BTreeSet<&Name> = schema.tables.keys().collect();
    let mut ordered = Vec::new();
    while !left.is_empty() {
        let free = left.iter().find(|name| open(schema, name, &left).is_empty()).copied();
        let next = free.or_else(|| {
            // Of those in circles the one with the fewest keys that cannot be broken, then with the fewest open ones.
            left.iter().copied().min_by_key(|name| {
                let open = open(schema, name, &left);
                let hard = open.iter().filter(|at| how(schema, name, **at).is_none()).count();
                let foreseen = open.iter().filter(|at| how(schema, name, **at) == Some(CycleBreak::Foreseen)).count();
                (hard, foreseen, open.len())
            })
        });
        let Some(name) = next else { break };
        ordered.push(turn(schema, name, &left));
        left.remove(name);
    }
    ordered
}

fn turn(schema: &Schema, name: &Name, left: &BTreeSet<&Name>) -> Ordered {
    let (mut broken, mut stuck) = (Vec::new(), Vec::new());
    for at in open(schema, name, left) {
        match how(schema, name, at) {
            Some(way) => broken.push((at, way)),
            None => stuck.push(schema.tables[name].foreign[at].name.clone()),
        }
    }
    for (at, foreign) in schema.tables[name].foreign.iter().enumerate().filter(|(_, foreign)| foreign.to == *name) {
        let is_optional = schema.tables[name].is_optional(foreign);
        broken.push((at, if is_optional { CycleBreak::NullFirst } else { CycleBreak::Foreseen }));
    }
    Ordered { table: name.clone(), broken, stuck }
}

/// Returns the foreign keys to tables that are still to come.
fn open(schema: &Schema, name: &Name, left: &BTreeSet<&Name>) -> Vec<usize> {
    let foreign = schema.tables.get(name).map_or(&[][..], |table| &table.foreign);
    let is_open = |to: &Name| to != name && left.contains(to) && !schema.tables[to].has_rows;
    foreign.iter().enumerate().filter(|(_, key)| is_open(&key.to)).map(|(at, _)| at).collect()
}

fn how(schema: &Schema, name: &Name, at: usize) -> Option<CycleBreak> {
    let table = schema.tables.get(name)?;
    let foreign = table.foreign.get(at)?;
    if table.is_optional(foreign) {
        Some(CycleBreak::NullFirst)
    } else {
        foreign.is_deferrable.then_some(CycleBreak::Foreseen)
    }
}
