//! What a database holds, as numbers that can be compared: rows and contents per table, and the schema.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableFacts {
    /// Number of rows.
    pub rows: i64,
    /// Sum over all rows of a hash of the row, independent of order; `None` where only rows were counted.
    pub checksum: Option<String>,
}

/// A database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// Tables by `schema.table`.
    pub tables: BTreeMap<String, TableFacts>,
    /// A hash of the catalogue: tables, columns, constraints, indexes, views, functions, triggers, types, sequences.
    pub schema: String,
}

impl DataFacts {
    /// Returns the number of rows of all tables.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.tables.values().map(|table| table.rows).sum()
    }
}

/// Rows of one table before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// `schema.table`.
    pub table: String,
    /// Rows before.
    pub before: i64,
    /// Rows after; `None` where the table is gone.
    pub after: Option<i64>,
}

/// Returns the tables that have fewer rows after than before, tables in `may_fall` left out.
///
/// A table that went away and was empty lost nothing.
#[must_use]
pub fn losses(before: &DataFacts, after: &DataFacts, may_fall: &[String]) -> Vec<RowChange> {
    before
        .tables
        .iter()
        .filter(|(table, _)| !may_fall.contains(table))
        .map(|(table, facts)| {
            let after = after.tables.get(table).map(|facts| facts.rows);
            RowChange { table: table.clone(), before: facts.rows, after }
        })
        .filter(|change| change.after.unwrap_or(0) < change.before)
        .collect()
}

/// Returns the tables whose number of rows differs.
#[must_use]
pub fn row_changes(before: &DataFacts, after: &DataFacts) -> Vec<RowChange> {
    let change = |(table, facts): (&String, &TableFacts)| {
        let after = after.tables.get(table).map(|facts| facts.rows);
        RowChange { table: table.clone(), before: facts.rows, after }
    };
    before.tables.iter().map(change).filter(|change| change.after != Some(change.before)).collect()
}

/// Returns in words how two states of one database differ; empty where they are equal.
#[must_use]
pub fn differences(expected: &DataFacts, found: &DataFacts) -> Vec<String> {
    let mut told = Vec::new();
    if expected.schema != found.schema {
        told.push("the schema differs".to_owned());
    }
    for (table, facts) in &expected.tables {
        match found.tables.get(table) {
            None => told.push(format!("table {table} is missing ({} rows)", facts.rows)),
            Some(other) if other.rows != facts.rows => {
                told.push(format!("table {table}: expected {} rows, found {}", facts.rows, other.rows));
            }
            Some(other) if other.checksum != facts.checksum => told.push(format!("table {table}: contents differ")),
            Some(_) => {}
        }
    }
    for (table, facts) in found.tables.iter().filter(|(table, _)| !expected.tables.contains_key(*table)) {
        told.push(format!("table {table} was not there before ({} rows)", facts.rows));
    }
    told
}

/// Returns the sentence that names the losses, such as `public.orders: 50000 -> 43750 rows (6250 lost)`.
#[must_use]
pub fn told(losses: &[RowChange]) -> String {
    let one = |change: &RowChange| match change.after {
        Some(after) => format!("{}: {} -> {after} rows ({} lost)", change.table, change.before, change.before - after),
        None => format!("{}: {} rows, the table is gone", change.table, change.before),
    };
    losses.iter().map(one).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(tables: &[(&str, i64, &str)]) -> DataFacts {
        let table = |(name, rows, sum): &(&str, i64, &str)| {
            ((*name).to_owned(), TableFacts { rows: *rows, checksum: Some((*sum).to_owned()) })
        };
        DataFacts { tables: tables.iter().map(table).collect(), schema: "s".into() }
    }

    #[test]
    fn fewer_rows_and_a_gone_table_are_losses_and_more_rows_are_not() {
        let before =
            facts(&[("public.a", 10, "1"), ("public.b", 5, "1"), ("public.c", 1, "1"), ("public.empty", 0, "0")]);
        let after = facts(&[("public.a", 8, "1"), ("public.c", 3, "1")]);
        let found = losses(&before, &after, &[]);
        assert_eq!(told(&found), "public.a: 10 -> 8 rows (2 lost); public.b: 5 rows, the table is gone");
        assert!(losses(&before, &after, &["public.a".into(), "public.b".into()]).is_empty());
    }

    #[test]
    fn equal_counts_with_other_contents_differ() {
        let told = differences(&facts(&[("public.a", 2, "1")]), &facts(&[("public.a", 2, "9")]));
        assert_eq!(told, ["table public.a: contents differ"]);
        assert!(differences(&facts(&[("public.a", 2, "1")]), &facts(&[("public.a", 2, "1")])).is_empty());
    }
}
