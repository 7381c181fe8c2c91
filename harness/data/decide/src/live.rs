//! Did the live database change while its release was rehearsed?
//!
//! A rehearsal cannot reach it; this is the second wall. Users go on writing, so what they usually do is no change here:
//! new rows, other values, rows deleted from tables that lose rows anyway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagegate_base::config::Tool;

use crate::{DataFacts, RowChange};

/// Tables in which migration tools note what they applied. Whatever changes one of them is a migration.
/// A name with a dot is one in that schema.
pub const HISTORY_TABLES: [&str; 23] = [
    "schema_migrations",
    "_sqlx_migrations",
    "goose_db_version",
    "__diesel_schema_migrations",
    "refinery_schema_history",
    "flyway_schema_history",
    "databasechangelog",
    "alembic_version",
    "django_migrations",
    "knex_migrations",
    "_prisma_migrations",
    "migrations",
    "pgmigrations",
    "_yoyo_migration",
    "ar_internal_metadata",
    "sqitch.changes",
    "__drizzle_migrations",
    "SequelizeMeta",
    "atlas_schema_revisions",
    "gorp_migrations",
    "schema_version",
    "schemaversion",
    "shmig_version",
];

/// Returns whether a migration tool, of those that are known or of `others`, notes in a table what it applied.
///
/// `others` are `name`, `schema.name`, or `schema.*` for all tables of a schema.
#[must_use]
pub fn is_history_table(schema: &str, name: &str, others: &[String]) -> bool {
    let known = HISTORY_TABLES.iter().chain(Tool::Command.bookkeeping_tables()).copied();
    let of_plain = Tool::Plain.bookkeeping_tables().iter().copied();
    known.chain(of_plain).chain(others.iter().map(String::as_str)).any(|table| match table.split_once('.') {
        Some((of, "*")) => of == schema,
        Some((of, table)) => of == schema && table == name,
        None => table == name,
    })
}

/// Fewer rows than this are lost every day.
const ROWS: i64 = 100;

/// What the server counted of one table since its counters were last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Rows deleted.
    pub deleted: i64,
    /// Rows, as the server estimates them.
    pub rows: i64,
}

/// A live database at one moment, as far as a migration would show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveFacts {
    /// A hash of each object's definition, by kind and name.
    pub objects: BTreeMap<String, String>,
    /// A hash of the contents of each table in which a migration tool keeps its history.
    pub history: BTreeMap<String, String>,
    /// What the server counted, by `schema.table`.
    pub tables: BTreeMap<String, Counted>,
}

/// Returns the tables whose rows are worth counting again: some were deleted, or the server believes they are fewer.
///
/// A table that had lost a tenth of its rows or more before is one from which the product itself deletes.
#[must_use]
pub fn suspects<'a>(before: &'a LiveFacts, after: &LiveFacts) -> Vec<&'a String> {
    let is_suspect = |(table, was): &(&String, &Counted)| {
        let Some(now) = after.tables.get(*table) else { return false };
        let loses_rows_anyway = was.deleted.saturating_mul(10) > was.rows;
        !loses_rows_anyway && (now.deleted != was.deleted || now.rows < was.rows)
    };
    before.tables.iter().filter(is_suspect).map(|(table, _)| table).collect()
}

/// Returns in words what of a live database changed as a migration would change it; empty where nothing did.
///
/// `dumped` is what the backup holds, `counted` the rows of the suspects now. A table counts where it lost a tenth of
/// its rows, and 100 of them at least.
#[must_use]
pub fn changes(
    before: &LiveFacts,
    after: &LiveFacts,
    dumped: &DataFacts,
    counted: &BTreeMap<String, i64>,
) -> Vec<String> {
    let mut reported: Vec<String> =
        differences(&before.objects, &after.objects).map(|(name, what)| format!("{name} {what}")).collect();
    reported.extend(
        differences(&before.history, &after.history).map(|(table, what)| format!("history table {table} {what}")),
    );
    let lost = counted.iter().filter_map(|(table, now)| {
        let before = dumped.tables.get(table)?.rows;
        let lost = before - now;
        let is_much = lost >= ROWS && lost.saturating_mul(10) >= before;
        is_much.then(|| RowChange { table: table.clone(), before, after: Some(*now) })
    });
    let lost: Vec<RowChange> = lost.collect();
    if !lost.is_empty() {
        reported.push(crate::losses_text(&lost));
    }
    reported
}

fn differences<'a>(
    before: &'a BTreeMap<String, String>,
    after: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = (&'a String, &'static str)> {
    let changed = before.iter().filter_map(|(name, hash)| match after.get(name) {
        None => Some((name, "is gone")),
        Some(other) if other != hash => Some((name, "was changed")),
        Some(_) => None,
    });
    let new = after.keys().filter(|name| !before.contains_key(*name)).map(|name| (name, "is new"));
    changed.chain(new)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::TableFacts;

    fn map(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn with_table(deleted: i64, rows: i64) -> LiveFacts {
        LiveFacts {
            tables: BTreeMap::from([("public.item".to_owned(), Counted { deleted, rows })]),
            ..LiveFacts::default()
        }
    }

    #[rstest]
    #[case::nothing((0, 5_000), (0, 5_000), 0)]
    #[case::new_rows((0, 5_000), (0, 6_000), 0)]
    #[case::deleted((0, 5_000), (4_900, 100), 1)]
    #[case::truncated((0, 5_000), (0, 0), 1)]
    #[case::counters_were_reset((7, 5_000), (0, 5_000), 1)]
    #[case::a_queue((90_000, 200), (90_200, 0), 0)]
    fn a_table_is_counted_again_where_it_lost_rows_that_it_does_not_lose_every_day(
        #[case] before: (i64, i64),
        #[case] after: (i64, i64),
        #[case] want: usize,
    ) {
        assert_eq!(suspects(&with_table(before.0, before.1), &with_table(after.0, after.1)).len(), want);
    }

    #[rstest]
    #[case::most(100, Some("public.item: 5000 -> 100 rows (4900 lost)"))]
    #[case::a_few(4_990, None)]
    #[case::less_than_a_tenth(4_600, None)]
    #[case::more(9_000, None)]
    fn rows_count_where_many_of_them_are_lost(#[case] now: i64, #[case] want: Option<&str>) {
        let dumped = TableFacts { rows: 5_000, checksum: None };
        let dumped = DataFacts { tables: BTreeMap::from([("public.item".to_owned(), dumped)]), ..DataFacts::default() };
        let counted = BTreeMap::from([("public.item".to_owned(), now)]);
        let reported = changes(&LiveFacts::default(), &LiveFacts::default(), &dumped, &counted);
        assert_eq!(reported, want.map(str::to_owned).into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn each_tool_has_a_history_table_that_is_watched() {
        use stagegate_base::config::Tool;
        for tool in Tool::ALL.into_iter().chain(Tool::DRIVEN) {
            let is_watched = |table: &&str| match table.strip_suffix('*') {
                Some(schema) => HISTORY_TABLES.iter().any(|known| known.starts_with(schema)),
                None => HISTORY_TABLES.contains(table),
            };
            assert!(tool.bookkeeping_tables().iter().any(is_watched), "{tool}");
        }
    }

    #[test]
    fn objects_and_history_are_reported_by_name() {
        let of = |objects, history| LiveFacts { objects: map(objects), history: map(history), ..LiveFacts::default() };
        let before = of(&[("table public.a", "1"), ("view public.v", "1")], &[("public.schema_migrations", "1")]);
        let after = of(&[("table public.a", "2"), ("index public.i", "1")], &[("public.schema_migrations", "2")]);
        assert_eq!(
            changes(&before, &after, &DataFacts::default(), &BTreeMap::new()),
            [
                "table public.a was changed",
                "view public.v is gone",
                "index public.i is new",
                "history table public.schema_migrations was changed"
            ]
        );
    }
}
