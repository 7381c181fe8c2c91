//! What a database holds, as numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A column, as the catalog reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// Its type with its modifier, such as `numeric(12,2)`.
    pub data_type: String,
    /// The type without domains, as `pg_type.typname`.
    pub base: String,
    /// Whether that type stands in `pg_catalog`.
    pub is_builtin: bool,
    /// Whether the type has a length or a precision.
    pub has_modifier: bool,
    /// Whether its collation takes only equal bytes for equal.
    pub is_deterministic: bool,
    /// The sequence that it gets its values from.
    pub sequence: Option<Sequence>,
}

/// A sequence that feeds a column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// `schema.name`, quoted where it has to be.
    pub name: String,
    /// The value that it would give next.
    pub next: i64,
    /// What it adds; negative counts down.
    pub increment: i64,
    /// Whether it begins again at its end.
    pub cycles: bool,
}

/// A table, as the catalog reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// `schema.name`, quoted where it has to be. A partitioned table stands for all of its partitions.
    pub name: String,
    /// Whether it is partitioned: then its rows are in its partitions.
    pub is_partitioned: bool,
    /// Sorted by name: the order in the table is no matter of its content.
    pub columns: Vec<Column>,
    /// The columns of the primary key, sorted by name.
    pub key: Vec<String>,
}

/// Hashes of one row's columns, in the order of [`Shape::columns`]; 0 is a null.
pub type Row = Vec<i64>;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnContent {
    /// Number of values that are not null.
    pub filled: i64,
    /// Sum of the values' hashes, of their text.
    pub sum: String,
    /// Sum of the hashes of key and value: it tells when two rows changed their values.
    pub keyed: String,
    /// The greatest value, or the least where the sequence counts down; read where a sequence feeds the column.
    pub end: Option<i64>,
}

/// What a table holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableContent {
    /// What it is made of.
    pub shape: Shape,
    /// Number of rows.
    pub rows: i64,
    /// Two sums of the rows' hashes, one a seed, over the columns of the shape.
    pub sums: [String; 2],
    /// By the order of the shape; empty where only whole rows were asked for.
    pub columns: Vec<ColumnContent>,
    /// Hashes by key, of a small table whose key may be shown: a number or a UUID.
    pub by_key: BTreeMap<String, Row>,
}

/// A constraint or an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConstraintOrIndex {
    /// `constraint` or `index`.
    pub kind: String,
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
}

/// A database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// By `schema.name`, quoted where it has to be.
    pub tables: BTreeMap<String, TableContent>,
    /// What does not hold: constraints that are not valid, indexes that are not.
    pub invalid: Vec<ConstraintOrIndex>,
}

impl Content {
    /// Returns the number of rows of all tables.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.tables.values().map(|table| table.rows).sum()
    }
}

impl TableContent {
    /// Returns a column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<(&Column, &ColumnContent)> {
        let at = self.shape.columns.iter().position(|column| column.name == name)?;
        Some((&self.shape.columns[at], self.columns.get(at)?))
    }

    /// Returns whether a sequence would give a value again that the column has already.
    #[must_use]
    pub fn sequences_behind(&self) -> Vec<(&Column, &Sequence, i64)> {
        let behind = |(column, content): (&'_ Column, &ColumnContent)| {
            let (sequence, end) = (column.sequence.as_ref()?, content.end?);
            let is_behind = if sequence.increment > 0 { end >= sequence.next } else { end <= sequence.next };
            (is_behind && !sequence.cycles).then_some(end)
        };
        let columns = self.shape.columns.iter().zip(&self.columns);
        columns
            .filter_map(|(column, content)| Some((column, column.sequence.as_ref()?, behind((column, content))?)))
            .collect()
    }
}
