//! What a database holds, as numbers that can be compared: rows and contents per table, and the schema.

pub mod backup;
pub mod live;
pub mod outside;
pub mod rotation;
pub mod salvage;
pub mod sanitize;
pub mod sync;
pub mod volume;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use stagegate_base::text::one_line;
use stagegate_migration_decide::schema::{Change, Difference, Severity, diff, dumped, parse};

/// How many differences of a schema are named.
const NAMED: usize = 5;

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
    /// The schema, as a snapshot is written. Versions before wrote a hash, which names nothing that differs.
    pub schema: String,
    /// Tables that are not in the write-ahead log: PostgreSQL empties them after a crash.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unlogged: BTreeSet<String>,
}

impl DataFacts {
    /// Returns the number of rows of all tables.
    #[must_use]
    pub fn rows(&self) -> i64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// Returns what a crash of the server leaves of these facts, and the tables that one has emptied, judging by `now`:
    /// unlogged ones that had rows and have none.
    #[must_use]
    pub fn after_a_crash(mut self, now: &DataFacts) -> (DataFacts, Vec<RowChange>) {
        let mut emptied = Vec::new();
        for (table, facts) in self.tables.iter_mut().filter(|(table, _)| self.unlogged.contains(*table)) {
            let Some(found) = now.tables.get(table).filter(|found| found.rows == 0 && facts.rows > 0) else { continue };
            emptied.push(RowChange { table: table.clone(), before: facts.rows, after: Some(0) });
            *facts = found.clone();
        }
        (self, emptied)
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
/// A table that went away and was empty lost nothing, nor did one that is there under another name: a new table has
/// the same rows by number and checksum.
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
        .filter(|change| change.after.is_some() || !is_renamed(&change.table, before, after))
        .collect()
}

fn is_renamed(table: &str, before: &DataFacts, after: &DataFacts) -> bool {
    let Some(facts) = before.tables.get(table).filter(|facts| facts.checksum.is_some()) else { return false };
    // As many new tables have to hold the same as there are tables gone that did.
    let is_gone = |name: &String| !after.tables.contains_key(name);
    let gone = before.tables.iter().filter(|(name, other)| is_gone(name) && *other == facts).count();
    let is_new = |name: &String| !before.tables.contains_key(name);
    let new = after.tables.iter().filter(|(name, other)| is_new(name) && *other == facts).count();
    (1..=new).contains(&gone)
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
///
/// Of the schema that is compared which a dump carries, so that a restore can be equal. The order of columns is not.
#[must_use]
pub fn differences(expected: &DataFacts, found: &DataFacts) -> Vec<String> {
    let mut reported = Vec::new();
    if expected.schema != found.schema {
        reported.extend(schema_differences(&expected.schema, &found.schema));
    }
    for (table, facts) in &expected.tables {
        match found.tables.get(table) {
            None => reported.push(format!("table {table} is missing ({} rows)", facts.rows)),
            Some(other) if other.rows != facts.rows => {
                reported.push(format!("table {table}: expected {} rows, found {}", facts.rows, other.rows));
            }
            Some(other) if other.checksum != facts.checksum => reported.push(format!("table {table}: contents differ")),
            Some(_) => {}
        }
    }
    for (table, facts) in found.tables.iter().filter(|(table, _)| !expected.tables.contains_key(*table)) {
        reported.push(format!("table {table} is new ({} rows)", facts.rows));
    }
    reported
}

/// Returns how a schema differs from the expected one, with the things that do and both texts.
fn schema_differences(expected: &str, found: &str) -> Vec<String> {
    let (Ok(expected), Ok(found)) = (parse(expected), parse(found)) else {
        return vec!["the schema differs, or was recorded by another version of stagegate".to_owned()];
    };
    let mut differences = diff(&dumped(&expected), &dumped(&found));
    differences.retain(|difference| difference.severity != Severity::Order);
    let mut reported: Vec<String> = differences.iter().take(NAMED).flat_map(schema_difference).collect();
    if differences.len() > NAMED {
        reported.push(format!("{} more differences in the schema", differences.len() - NAMED));
    }
    reported
}

fn schema_difference(difference: &Difference) -> Vec<String> {
    let id = &difference.id;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
    let reported = match &difference.change {
        Change::Added { .. } => vec![format!("{id} is new")],
        Change::Removed { .. } => vec![format!("{id} is missing")],
        Change::Renamed { to } => vec![format!("{id} is now {}", to.name)],
        Change::Changed { attributes } => {
            let of = |a: &stagegate_migration_decide::schema::Attribute| {
                format!("{id}: {} was {}, is {}", a.name, text(&a.old), text(&a.new))
            };
            attributes.iter().map(of).collect()
        }
    };
    // Names and texts are of unknown origin.
    reported.iter().map(|reported| one_line(reported)).collect()
}

/// Returns the sentence that names the losses, such as `public.orders: 50000 -> 43750 rows (6250 lost)`.
#[must_use]
pub fn losses_text(losses: &[RowChange]) -> String {
    let one = |change: &RowChange| match change.after {
        Some(after) => format!("{}: {} -> {after} rows ({} lost)", change.table, change.before, change.before - after),
        None => format!("{}: {} rows lost, the table was dropped", change.table, change.before),
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
        DataFacts { tables: tables.iter().map(table).collect(), schema: "s".into(), ..DataFacts::default() }
    }

    #[test]
    fn fewer_rows_and_a_gone_table_are_losses_and_more_rows_are_not() {
        let before =
            facts(&[("public.a", 10, "1"), ("public.b", 5, "1"), ("public.c", 1, "1"), ("public.empty", 0, "0")]);
        let after = facts(&[("public.a", 8, "1"), ("public.c", 3, "1")]);
        let found = losses(&before, &after, &[]);
        assert_eq!(
            losses_text(&found),
            "public.a: 10 -> 8 rows (2 lost); public.b: 5 rows lost, the table was dropped"
        );
        assert!(losses(&before, &after, &["public.a".into(), "public.b".into()]).is_empty());
    }

    #[test]
    fn a_renamed_table_has_lost_nothing() {
        let before = facts(&[("public.a", 10, "1"), ("public.b", 5, "2"), ("public.c", 5, "2")]);
        let renamed = facts(&[("public.a2", 10, "1"), ("public.b", 5, "2"), ("public.c", 5, "2")]);
        assert_eq!(losses(&before, &renamed, &[]), []);
        let other = facts(&[("public.a2", 10, "9"), ("public.b", 5, "2"), ("public.c", 5, "2")]);
        assert_eq!(losses_text(&losses(&before, &other, &[])), "public.a: 10 rows lost, the table was dropped");
        let one_of_two = facts(&[("public.a", 10, "1"), ("public.d", 5, "2")]);
        assert_eq!(losses(&before, &one_of_two, &[]).len(), 2, "one table cannot stand for two");
        let mut counted = before.clone();
        counted.tables.values_mut().for_each(|table| table.checksum = None);
        let mut after = renamed;
        after.tables.values_mut().for_each(|table| table.checksum = None);
        assert_eq!(losses(&counted, &after, &[]).len(), 1, "a number of rows alone names no table");
    }

    #[test]
    fn equal_counts_with_other_contents_differ() {
        let reported = differences(&facts(&[("public.a", 2, "1")]), &facts(&[("public.a", 2, "9")]));
        assert_eq!(reported, ["table public.a: contents differ"]);
        assert!(differences(&facts(&[("public.a", 2, "1")]), &facts(&[("public.a", 2, "1")])).is_empty());
    }

    #[test]
    fn only_an_unlogged_table_may_be_empty_after_a_crash_and_it_is_named() {
        let mut before = facts(&[("public.cache", 5, "1"), ("public.t", 2, "1")]);
        before.unlogged = ["public.cache".to_owned()].into();
        let now = facts(&[("public.cache", 0, "0"), ("public.t", 2, "1")]);
        let (left, emptied) = before.clone().after_a_crash(&now);
        assert!(differences(&left, &now).is_empty());
        assert_eq!(emptied, [RowChange { table: "public.cache".into(), before: 5, after: Some(0) }]);
        let lost = facts(&[("public.cache", 4, "9"), ("public.t", 0, "0")]);
        let (left, emptied) = before.after_a_crash(&lost);
        assert_eq!((differences(&left, &lost).len(), emptied.len()), (2, 0));
    }

    fn of_schema(text: &str) -> DataFacts {
        DataFacts { schema: format!("# schema snapshot of stagegate, format 1\n{text}"), ..DataFacts::default() }
    }

    #[test]
    fn a_schema_that_differs_is_reported_with_the_thing_and_both_texts() {
        let before = of_schema("[table public.t]\n  [constraint public.t.c]\n    definition: CHECK ((a > 1))\n");
        let after = of_schema("[table public.t]\n  [constraint public.t.c]\n    definition: CHECK ((a > 2))\n");
        let want = ["constraint public.t.c: definition was CHECK ((a > 1)), is CHECK ((a > 2))"];
        assert_eq!(differences(&before, &after), want);
        assert_eq!(differences(&before, &of_schema("[table public.t]\n")), ["constraint public.t.c is missing"]);
        let noted_before = DataFacts { schema: "d41d8cd98f00b204e9800998ecf8427e".into(), ..DataFacts::default() };
        assert_eq!(differences(&noted_before, &after).len(), 1);
    }

    #[test]
    fn a_restore_writes_a_check_on_a_varchar_column_otherwise_and_means_the_same() {
        let check = |list: &str| {
            of_schema(&format!(
                "[table public.t]\n  [constraint public.t.c]\n    definition: CHECK (((s)::text = ANY ({list})))\n"
            ))
        };
        let dumped = check("(ARRAY['new'::character varying, 'paid'::character varying])::text[]");
        let restored = check("ARRAY[('new'::character varying)::text, ('paid'::character varying)::text]");
        assert_eq!(differences(&dumped, &restored), Vec::<String>::new());
    }
}
