//! How two moments differ, table by table, over the columns that both have.

use std::collections::BTreeMap;

use super::{
    Content, Row, TableContent,
    moved::{Moved, moved},
};
use crate::schema::{Change, Difference as SchemaDifference, Kind};

/// How many keys are named.
const EXAMPLES: usize = 3;

/// Which tables and columns go by another name afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renames {
    /// By the name before: the name after. Tables as `schema.table`.
    pub tables: BTreeMap<String, String>,
    /// By table and column before: the column after, unquoted.
    pub columns: BTreeMap<(String, String), String>,
}

impl Renames {
    /// Takes the candidates that the schemas' comparison found.
    #[must_use]
    pub fn of(differences: &[SchemaDifference]) -> Self {
        let mut renames = Renames::default();
        for difference in differences {
            let Change::Renamed { to } = &difference.change else { continue };
            match difference.id.kind {
                Kind::Table => {
                    renames.tables.insert(difference.id.name.clone(), to.name.clone());
                }
                Kind::Column => {
                    let part = |name: &str| name.strip_prefix(&format!("{}.", difference.object.name)).map(unquoted);
                    if let (Some(from), Some(to)) = (part(&difference.id.name), part(&to.name)) {
                        renames.columns.insert((difference.object.name.clone(), from), to);
                    }
                }
                _ => {}
            }
        }
        renames
    }
}

/// A column whose values differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChange {
    /// Its name before.
    pub column: String,
    /// Values that were not null.
    pub filled_before: i64,
    /// Values that are not null.
    pub filled_after: i64,
    /// Its types, where they differ: its values may be the same in another form.
    pub retyped: Option<(String, String)>,
}

/// One thing that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The table is gone, and it had rows.
    TableGone {
        /// The table.
        table: String,
        /// Rows that it had.
        rows: i64,
    },
    /// There are fewer rows, or more, or others.
    Rows {
        /// The table.
        table: String,
        /// Rows before.
        before: i64,
        /// Rows after.
        after: i64,
        /// Up to three keys of rows that are gone; where none is, of those that are new.
        keys: Vec<String>,
    },
    /// Rows are in other tables now.
    Moved {
        /// The table that they left.
        table: String,
        /// How many.
        rows: i64,
        /// Whether the table is gone.
        is_gone: bool,
        /// The tables that they are in.
        to: Vec<String>,
    },
    /// A column is gone, and it had values.
    ColumnGone {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Values that were not null.
        filled: i64,
    },
    /// As many rows, other values.
    Values {
        /// The table.
        table: String,
        /// The columns; empty where only whole rows were summed up.
        columns: Vec<ColumnChange>,
        /// Up to three keys of rows that changed.
        keys: Vec<String>,
    },
    /// Whole rows were summed up over other columns, so that their values say nothing.
    NotCompared {
        /// The table.
        table: String,
    },
}

/// Compares two moments. A table that is new, or went away empty, is no difference; nor is a new column.
#[must_use]
pub fn compare(before: &Content, after: &Content, renames: &Renames) -> Vec<Difference> {
    let mut found = Vec::new();
    let moves = moves(before, after, renames);
    for (name, table) in &before.tables {
        if let Some(one) = moves.iter().find(|one| one.to.contains(name) || one.from.contains(name)) {
            let is_gone = !after.tables.contains_key(name);
            let rows = if one.from.len() == 1 { one.rows } else { table.rows - rows_of(after, name) };
            if one.from.contains(name) {
                found.push(Difference::Moved { table: name.clone(), rows, is_gone, to: one.to.clone() });
            }
            continue;
        }
        match counterpart(before, after, name, table, renames) {
            Some(other) => of_table(name, table, other, renames, &mut found),
            None if table.rows > 0 => found.push(Difference::TableGone { table: name.clone(), rows: table.rows }),
            None => {}
        }
    }
    found
}

/// Finds the rows that went to other tables; a whole table under another name is none of them.
fn moves(before: &Content, after: &Content, renames: &Renames) -> Vec<Moved> {
    let is_renamed = |one: &Moved| match (one.from.as_slice(), one.to.as_slice()) {
        ([from], [to]) => {
            renames.tables.get(from) == Some(to) || !after.tables.contains_key(from) && !before.tables.contains_key(to)
        }
        _ => false,
    };
    moved(before, after).into_iter().filter(|one| !is_renamed(one)).collect()
}

fn rows_of(content: &Content, name: &str) -> i64 {
    content.tables.get(name).map_or(0, |table| table.rows)
}

/// Finds what became of a table: by its name, by the schema's candidates, else the only new one that holds the same.
fn counterpart<'a>(
    before: &Content,
    after: &'a Content,
    name: &str,
    table: &TableContent,
    renames: &Renames,
) -> Option<&'a TableContent> {
    let named = after.tables.get(name).or_else(|| after.tables.get(renames.tables.get(name)?));
    named.or_else(|| {
        let is_new = |name: &String| !before.tables.contains_key(name) && !renames.tables.values().any(|to| to == name);
        let mut same = after.tables.iter().filter(|(name, other)| is_new(name) && holds_the_same(table, other));
        match (same.next(), same.next()) {
            (Some((_, other)), None) if table.rows > 0 => Some(other),
            _ => None,
        }
    })
}

fn holds_the_same(table: &TableContent, other: &TableContent) -> bool {
    if table.columns.is_empty() {
        return table.rows == other.rows && table.sums == other.sums;
    }
    let mut checksums: Vec<&str> = other.columns.iter().map(|column| column.sum.as_str()).collect();
    table.rows == other.rows
        && table.columns.iter().all(|column| {
            checksums.iter().position(|sum| *sum == column.sum).is_some_and(|at| {
                checksums.swap_remove(at);
                true
            })
        })
}

fn of_table(name: &str, table: &TableContent, other: &TableContent, renames: &Renames, found: &mut Vec<Difference>) {
    let pairs = pairs(name, table, other, renames);
    for (at, (column, content)) in table.shape.columns.iter().zip(&table.columns).enumerate() {
        if content.filled > 0 && !pairs.iter().any(|pair| pair.before == at) {
            let (table, column) = (name.to_owned(), column.name.clone());
            found.push(Difference::ColumnGone { table, column, filled: content.filled });
        }
    }
    let (before, after, table_name) = (table.rows, other.rows, name.to_owned());
    if before != after {
        let keys = keys_of_rows(table, other);
        found.push(Difference::Rows { table: table_name, before, after, keys });
    } else if table.columns.is_empty() || other.columns.is_empty() {
        found.extend(whole(table_name, table, other));
    } else {
        let is_keyed = has_the_same_keys(table, other, &pairs);
        let changed: Vec<(Pair, ColumnChange)> =
            pairs.iter().filter_map(|pair| Some((*pair, pair.change(table, other, is_keyed)?))).collect();
        if !changed.is_empty() {
            let (pairs, columns): (Vec<Pair>, Vec<ColumnChange>) = changed.into_iter().unzip();
            found.push(Difference::Values { table: table_name, columns, keys: keys_of_values(table, other, &pairs) });
        }
    }
}

/// Compares the sums of whole rows; they speak only where they were made over the same columns.
fn whole(table: String, before: &TableContent, after: &TableContent) -> Option<Difference> {
    let names = |content: &TableContent| -> Vec<(String, String)> {
        content.shape.columns.iter().map(|column| (column.name.clone(), column.data_type.clone())).collect()
    };
    if before.sums == after.sums {
        return None;
    }
    Some(match names(before) == names(after) {
        true => Difference::Values { table, columns: Vec::new(), keys: Vec::new() },
        false => Difference::NotCompared { table },
    })
}

/// One column, by its places on both sides.
#[derive(Clone, Copy)]
struct Pair {
    before: usize,
    after: usize,
}

fn pairs(name: &str, table: &TableContent, other: &TableContent, renames: &Renames) -> Vec<Pair> {
    let place = |name: &str| other.shape.columns.iter().position(|column| column.name == name);
    let mut pairs: Vec<Pair> = Vec::new();
    let mut left = Vec::new();
    for (before, column) in table.shape.columns.iter().enumerate() {
        let renamed = || place(renames.columns.get(&(name.to_owned(), column.name.clone()))?);
        match place(&column.name).or_else(renamed) {
            Some(after) => pairs.push(Pair { before, after }),
            None => left.push(before),
        }
    }
    for before in left {
        // The only new column that holds the same values is taken for the renamed one.
        let Some(content) = table.columns.get(before).filter(|content| content.filled > 0) else { continue };
        let is_taken = |at: usize| {
            let name = &other.shape.columns[at].name;
            pairs.iter().any(|pair| pair.after == at) || table.shape.columns.iter().any(|column| column.name == *name)
        };
        let same = (0..other.columns.len()).filter(|at| other.columns[*at].sum == content.sum && !is_taken(*at));
        if let [after] = same.collect::<Vec<_>>()[..] {
            pairs.push(Pair { before, after });
        }
    }
    pairs
}

/// Returns whether the rows have the keys that they had, so that key and value can be compared as one.
fn has_the_same_keys(table: &TableContent, other: &TableContent, pairs: &[Pair]) -> bool {
    let (key, new_key) = (&table.shape.key, &other.shape.key);
    let is_same = |name: &String| {
        let at = table.shape.columns.iter().position(|column| column.name == *name);
        let pair = pairs.iter().find(|pair| Some(pair.before) == at);
        pair.is_some_and(|pair| {
            new_key.contains(&other.shape.columns[pair.after].name)
                && table.columns[pair.before].sum == other.columns[pair.after].sum
        })
    };
    !key.is_empty() && key.len() == new_key.len() && (key == new_key || key.len() == 1) && key.iter().all(is_same)
}

impl Pair {
    fn change(self, table: &TableContent, other: &TableContent, is_keyed: bool) -> Option<ColumnChange> {
        let (old, new) = (table.columns.get(self.before)?, other.columns.get(self.after)?);
        let differs = if is_keyed { old.keyed != new.keyed } else { old.sum != new.sum };
        let (was, is) = (&table.shape.columns[self.before], &other.shape.columns[self.after]);
        differs.then(|| ColumnChange {
            column: was.name.clone(),
            filled_before: old.filled,
            filled_after: new.filled,
            retyped: (was.data_type != is.data_type).then(|| (was.data_type.clone(), is.data_type.clone())),
        })
    }
}

fn keys_of_rows(table: &TableContent, other: &TableContent) -> Vec<String> {
    let missing = |from: &TableContent, to: &TableContent| -> Vec<String> {
        from.by_key.keys().filter(|key| !to.by_key.contains_key(*key)).take(EXAMPLES).cloned().collect()
    };
    // A side without keys has no rows, or too many to be read.
    let is_known = |side: &TableContent| side.rows == i64::try_from(side.by_key.len()).unwrap_or(i64::MAX);
    if !is_known(table) || !is_known(other) {
        return Vec::new();
    }
    let gone = missing(table, other);
    if gone.is_empty() { missing(other, table) } else { gone }
}

fn keys_of_values(table: &TableContent, other: &TableContent, pairs: &[Pair]) -> Vec<String> {
    let differs = |row: &Row, new: &Row| pairs.iter().any(|pair| row.get(pair.before) != new.get(pair.after));
    let changed = table.by_key.iter().filter(|(key, row)| other.by_key.get(*key).is_some_and(|new| differs(row, new)));
    changed.map(|(key, _)| key.clone()).take(EXAMPLES).collect()
}

pub(super) fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}
